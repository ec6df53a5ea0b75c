//! Calls that may be repeated safely: where the record of an id is kept, and what a call is answered from it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha1::{Digest, Sha1};

use crate::model::route::{Slot, hashed_part};
use crate::model::script::{Script, sha1_hex};
use crate::wire::resp::{Item, Reply, ServerError};

/// The id under which a script takes effect at most once, and how long its record lives.
#[derive(Clone, Debug)]
pub struct Once {
    pub id: Vec<u8>,
    /// A client made it for one call.
    pub is_own: bool,
    pub ttl: Duration,
}

impl Once {
    /// The longest id that a caller may give, in bytes.
    pub const LONGEST_ID: usize = 512;
    /// How long the record of a caller's id is kept, unless the caller says how long.
    pub const TTL: Duration = Duration::from_secs(24 * 60 * 60);
    /// The same for an id that the client made.
    pub const OWN_TTL: Duration = Duration::from_secs(10 * 60);

    /// An id that only one call has. A batch gets a new one each time that it is sent, see [`OwnIds`].
    pub fn own(id: Vec<u8>, ttl: Option<Duration>) -> Self {
        Self { id, is_own: true, ttl: ttl.unwrap_or(Self::OWN_TTL) }
    }

    pub fn given(id: Vec<u8>, ttl: Option<Duration>) -> Self {
        Self { id, is_own: false, ttl: ttl.unwrap_or(Self::TTL) }
    }
}

/// Makes ids that only this client has: all of one length, and never the same twice, in any process.
#[derive(Debug)]
pub struct OwnIds {
    nonce: [u8; OwnIds::NONCE],
    next: AtomicU64,
}

impl OwnIds {
    pub const LENGTH: usize = 40;
    pub(crate) const NONCE: usize = 12;

    /// `nonce`: random bytes that no other client has.
    pub(crate) fn new(nonce: [u8; Self::NONCE]) -> Self {
        Self { nonce, next: AtomicU64::default() }
    }

    pub fn next(&self) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let nonce = self.nonce.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        format!("{nonce}{number:016x}").into_bytes()
    }
}

/// The name of an id's record, and where in it the id is: in the slot of the first key, if there is one. Only keys with
/// the same hash tag have the same record.
pub(crate) fn record_name(first_key: Option<&[u8]>, id: &[u8]) -> (Vec<u8>, Range<usize>) {
    /// A longer part of a key is not repeated in the name.
    const LONGEST_TAG: usize = 128;
    let mut name = b"once:".to_vec();
    if let Some(key) = first_key {
        let tag = hashed_part(key);
        if tag.is_empty() || tag.len() > LONGEST_TAG || tag.contains(&b'}') {
            // The tag cannot stand in braces, or is long: use a number of the same slot. The SHA1 tells tags of one
            // slot apart.
            let slot = Slot::of_key(key);
            let same =
                (0..1_000_000).map(|number: u32| number.to_string()).find(|tag| Slot::of_key(tag.as_bytes()) == slot);
            let number = same.expect("some number is in each slot");
            name.extend_from_slice(format!("{{{number}}}{}", sha1_hex(tag)).as_bytes());
        } else {
            name.extend_from_slice(&[&b"{"[..], tag, b"}"].concat());
        }
    }
    name.push(b':');
    let begin = name.len();
    name.extend_from_slice(id);
    (name, begin..begin + id.len())
}

/// The parts of a request that concern its call's record.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The script, as its caller knows it.
    pub(crate) script: Arc<Script>,
    /// A hash of the script, the keys and the arguments. The wrapper's own answers begin with it.
    pub(crate) digest: [u8; 20],
    /// Where the id is in the packed request.
    pub(crate) id: Range<usize>,
    pub(crate) is_own: bool,
    pub(crate) ttl: Duration,
    /// Whether the record lives until no copy of the call can arrive any more.
    pub(crate) outlives_call: bool,
}

impl Recorded {
    /// Sets how long the call may take. A copy that is sent just before the deadline may take the same time again to
    /// arrive.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.outlives_call = self.ttl >= 2 * timeout;
    }

    /// Whether a reply is the wrapper's, and not the script's own.
    pub(crate) fn is_answered_by(&self, reply: &Reply) -> bool {
        match reply {
            Reply::Nested(items) => {
                matches!(&items[..], [Item::Array(2..), Item::Bulk(digest), ..] if digest[..] == self.digest)
            }
            Reply::One(_) => false,
        }
    }

    /// The server's words, where it refused the record and so nothing has taken effect.
    pub(crate) fn refusal<'a>(&self, reply: &'a Reply) -> Option<&'a ServerError> {
        match reply.items() {
            [_, _, Item::Bulk(word), Item::Error(error)] if word[..] == *b"refused" => {
                self.is_answered_by(reply).then_some(error)
            }
            _ => None,
        }
    }

    /// What the wrapper answered; the reply itself where it is the script's own.
    pub(crate) fn read(&self, reply: Reply) -> Result<RecordAnswer, Reply> {
        if !self.is_answered_by(&reply) {
            return Err(reply);
        }
        if let Some(error) = self.refusal(&reply) {
            return Ok(RecordAnswer::Refused(error.clone()));
        }
        let mut elements = reply.into_elements().unwrap_or_default().into_iter().skip(1);
        let word = elements.next();
        Ok(match word.as_ref().and_then(Reply::as_bytes) {
            Some(b"reply") => RecordAnswer::Kept(elements.next().unwrap_or(Reply::NIL)),
            Some(b"conflict") => RecordAnswer::Conflict,
            _ => RecordAnswer::Unknown,
        })
    }
}

/// What a call gets in place of the script's own reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RecordAnswer {
    /// The recorded reply or error of the earlier run.
    Kept(Reply),
    /// The id was used for another call.
    Conflict,
    /// The script has begun before, and its reply is not in the record.
    Unknown,
    /// The server refuses the record, and nothing has taken effect.
    Refused(ServerError),
}

/// Of the script, the keys and the arguments, as they are packed.
pub(crate) fn digest(script: &Script, packed: [&[u8]; 2]) -> [u8; 20] {
    let mut digest = Sha1::new_with_prefix(script.hash());
    packed.into_iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::route::SLOTS;
    use crate::model::script::Options;
    use crate::wire::text::Text;

    #[test]
    fn a_record_is_in_the_slot_of_the_first_key_whatever_that_is() {
        let long = "k".repeat(1000);
        let keys: [&[u8]; 16] = [
            b"user:1",
            b"{user:1}:cart",
            b"",
            b"{}",
            b"{}a",
            b"}",
            b"a}b",
            b"a}{b",
            b"{a",
            b"a{b}c{d}",
            b"a{{b}}c",
            b"\xff\x00}\r\n",
            b"{\xff}",
            b"{}{a}",
            b"{a}{}",
            long.as_bytes(),
        ];
        for key in keys {
            for id in [&b"order-7731"[..], b"{x}", b"}", b"}{", b"\x00{"] {
                let (name, at) = record_name(Some(key), id);
                assert_eq!(Slot::of_key(&name), Slot::of_key(key), "{key:?} {id:?} {name:?}");
                assert_eq!(&name[at], id);
                assert!(name.len() < 128 + 64);
            }
        }
        let slot = Slot::of_key(long.as_bytes());
        let beside = (0..1_000_000).map(|n| format!("{n}{long}")).find(|key| Slot::of_key(key.as_bytes()) == slot);
        let beside = beside.expect("another key in that slot");
        assert_ne!(record_name(Some(long.as_bytes()), b"o1"), record_name(Some(beside.as_bytes()), b"o1"));
        assert_eq!(record_name(Some(b"{user:1}:cart"), b"o1").0, b"once:{user:1}:o1");
        assert_eq!(record_name(None, b"{user:1}:o1").0, b"once::{user:1}:o1");
    }

    #[test]
    fn every_slot_has_a_number() {
        let slots: HashSet<_> = (0..1_000_000).map(|n: u32| Slot::of_key(n.to_string().as_bytes())).collect();
        assert_eq!(slots.len(), usize::from(SLOTS));
    }

    #[test]
    fn only_a_list_that_begins_with_the_digest_is_the_wrapper_s() {
        let script = Arc::new(Script::new("return 1", Options::default()));
        let record =
            Recorded { script, digest: [7; 20], id: 0..0, is_own: true, ttl: Once::OWN_TTL, outlives_call: false };
        let bulk = |bytes: &[u8]| Item::Bulk(Text::copied(bytes));
        let list = |rest: Vec<Item>| {
            let items = [vec![Item::Array(1 + rest.len()), bulk(&[7; 20])], rest].concat();
            Reply::Nested(items)
        };
        let error = ServerError::new(&b"OOM command not allowed"[..]);
        assert_eq!(record.read(list(vec![bulk(b"conflict")])), Ok(RecordAnswer::Conflict));
        assert_eq!(record.read(list(vec![bulk(b"unknown")])), Ok(RecordAnswer::Unknown));
        let kept = record.read(list(vec![bulk(b"reply"), Item::Int(3)]));
        assert_eq!(kept, Ok(RecordAnswer::Kept(Reply::One(Item::Int(3)))));
        let refused = record.read(list(vec![bulk(b"refused"), Item::Error(error.clone())]));
        assert_eq!(refused, Ok(RecordAnswer::Refused(error)));
        for own in [
            Reply::One(bulk(&[7; 20])),
            Reply::Nested(vec![Item::Array(1), bulk(&[7; 20])]),
            Reply::Nested(vec![Item::Array(2), bulk(&[8; 20]), bulk(b"conflict")]),
            Reply::Nested(vec![Item::Set(2), bulk(&[7; 20]), bulk(b"conflict")]),
        ] {
            assert_eq!(record.read(own.clone()), Err(own));
        }
    }

    #[test]
    fn own_ids_are_of_one_length_and_none_comes_twice() {
        let (one, other) = (OwnIds::new([1; OwnIds::NONCE]), OwnIds::new([2; OwnIds::NONCE]));
        let mut ids: Vec<_> = (0..1000).flat_map(|_| [one.next(), other.next()]).collect();
        assert!(ids.iter().all(|id| id.len() == OwnIds::LENGTH));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2000);
    }
}
