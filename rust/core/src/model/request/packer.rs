//! Packing requests, word by word.

use std::cell::Cell;
use std::sync::Arc;

use bytes::BytesMut;

use super::words::words_of;
use super::{About, LaneKind, Request};
use crate::model::cause::{CrossSlot, InSlot};
use crate::model::error::Error;
use crate::model::gather::Gather;
use crate::model::once::{self, Once, Recorded};
use crate::model::route::{Route, Slot};
use crate::model::script::Script;
use crate::wire::pack::{write_header, write_number, write_word};

/// Packs a request word by word, straight into its wire form.
///
/// Requests of one thread are packed one after the other into blocks of memory, each of which is freed with the last
/// of its requests. One allocation for each, which another thread frees, would take longer than the packing.
#[derive(Debug)]
pub struct Packer {
    wire: BytesMut,
    words: usize,
    script: Option<(Arc<Script>, usize)>,
    /// The slot of the keys so far, and where in `wire` the first of them stands.
    slot: Option<(Slot, std::ops::Range<usize>)>,
    recording: Option<Box<Recording>>,
}

/// A call with `once` that is being packed.
#[derive(Debug)]
struct Recording {
    script: Arc<Script>,
    once: Once,
    /// Where in `wire` the name of the record stands, with its length, and the id in it.
    name: std::ops::Range<usize>,
    id: std::ops::Range<usize>,
}

impl Packer {
    /// A command of `words` words, its name included.
    pub fn command(words: usize) -> Self {
        let mut wire = take_block();
        write_header(&mut wire, b'*', words);
        Self { wire, words, script: None, slot: None, recording: None }
    }

    /// A command of one word.
    pub(crate) fn single(name: &str) -> Request {
        let mut packer = Self::command(1);
        packer.word(name.as_bytes());
        packer.finish(false)
    }

    /// EVALSHA (or `EVALSHA_RO`) of a script, with that many keys and arguments to come.
    pub fn script(script: &Arc<Script>, keys: usize, args: usize) -> Self {
        let words = 3 + keys + args;
        let mut wire = take_block();
        write_header(&mut wire, b'*', words);
        wire.extend_from_slice(&script.sha_head);
        let tail = wire.len();
        write_number(&mut wire, keys);
        Self { wire, words, script: Some((script.clone(), tail)), slot: None, recording: None }
    }

    /// The same of a call with `once`: after its keys, [`record`](Self::record) comes next.
    pub fn script_once(script: &Arc<Script>, keys: usize, args: usize, once: Once) -> Self {
        /// The record's key, and the wrapper's arguments.
        const ADDED: (usize, usize) = (1, 3);
        let mut packer = Self::script(script.once_form(), keys + ADDED.0, args + ADDED.1);
        packer.recording = Some(Box::new(Recording { script: script.clone(), once, name: 0..0, id: 0..0 }));
        packer
    }

    /// The key of the call's record, in the slot of its first key. Without keys the record is in a slot of its own,
    /// which is the call's then if it is for a cluster.
    pub fn record(&mut self, in_cluster: bool) {
        let (Some(recording), Some((_, tail))) = (&mut self.recording, &self.script) else { return };
        let first_key = words_of(&self.wire[*tail..]).nth(1);
        let (name, id) = once::record_name(first_key, &recording.once.id);
        let begin = self.wire.len();
        write_word(&mut self.wire, &name);
        let (end, name_begin) = (self.wire.len(), self.wire.len() - 2 - name.len());
        recording.name = begin..end;
        recording.id = name_begin + id.start..name_begin + id.end;
        if in_cluster && self.slot.is_none() {
            self.slot = Some((Slot::of_key(&name), name_begin..end - 2));
        }
    }

    pub fn word(&mut self, word: &[u8]) {
        write_word(&mut self.wire, word);
    }

    /// A word that is a key: all keys of a request must be in one slot.
    pub fn key(&mut self, key: &[u8]) -> Result<(), Error> {
        self.word(key);
        let slot = Slot::of_key(key);
        let end = self.wire.len() - 2;
        let (first_slot, first) = self.slot.get_or_insert_with(|| (slot, end - key.len()..end));
        if *first_slot == slot {
            return Ok(());
        }
        let first = InSlot::new(&self.wire[first.clone()], *first_slot);
        Err(Error::cross_slot(CrossSlot::Keys(first, InSlot::new(key, slot))))
    }

    /// The route that the keys so far determine.
    pub fn route(&self) -> Route {
        self.slot.as_ref().map_or(Route::Any, |(slot, _)| Route::Slot(*slot))
    }

    /// The first key, where there is one.
    pub fn first_key(&self) -> Option<&[u8]> {
        self.slot.as_ref().map(|(_, at)| &self.wire[at.clone()])
    }

    /// The finished request. `carries_code`: whether a script's code may be sent where it is missing.
    pub fn finish(mut self, carries_code: bool) -> Request {
        let record = self.recording.take().map(|recording| Box::new(self.finish_recording(*recording)));
        let wire = self.wire.split().freeze();
        keep_block(self.wire, wire.len());
        let (read_only, about) = match self.script {
            None => (false, About::Command),
            Some((script, tail)) => (script.options().read_only, About::Script { script, tail, carries_code, record }),
        };
        Request {
            wire,
            words: self.words,
            lane: LaneKind::Data,
            read_only,
            is_killed_on_timeout: false,
            gather: Gather::ByNode,
            about,
        }
    }

    fn finish_recording(&mut self, recording: Recording) -> Recorded {
        let Recording { script, once, name, id } = recording;
        let tail = self.script.as_ref().map_or(0, |(_, tail)| *tail);
        let script = script.without_probes().clone();
        let digest = once::digest(&script, [&self.wire[tail..name.start], &self.wire[name.end..]]);
        self.word(&digest);
        self.word(script.hash().as_bytes());
        self.word(itoa::Buffer::new().format(once.ttl.as_millis().max(1)).as_bytes());
        Recorded { script, digest, id, is_own: once.is_own, ttl: once.ttl, outlives_call: false }
    }
}

thread_local! {
    /// The rest of the block that the last request was packed into.
    static BLOCK: Cell<BytesMut> = Cell::default();
}

/// Small, so that a request that waits for long keeps little other memory alive.
const BLOCK_BYTES: usize = 4 << 10;

fn take_block() -> BytesMut {
    let block = BLOCK.take();
    if block.capacity() == 0 { BytesMut::with_capacity(BLOCK_BYTES) } else { block }
}

/// Keeps the rest of a block for the next request, unless it was made for this one, which was long.
fn keep_block(rest: BytesMut, used: usize) {
    if used < BLOCK_BYTES / 2 {
        BLOCK.set(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::request::Form;
    use crate::model::script::Options;

    fn packed(request: &Request) -> &[u8] {
        request.wire()
    }

    #[test]
    fn a_command_is_packed_as_redis_rs_packs_it() {
        let mut packer = Packer::command(3);
        for word in [&b"SET"[..], b"key", &[0, 255, b'\r', b'\n']] {
            packer.word(word);
        }
        let mut command = redis::cmd("SET");
        command.arg("key").arg(&[0_u8, 255, b'\r', b'\n']);
        assert_eq!(packed(&packer.finish(false)), command.get_packed_command());
    }

    #[test]
    fn a_script_goes_out_by_hash_and_again_with_its_code() {
        let script = Arc::new(Script::new("return 1", Options::default()));
        let mut packer = Packer::script(&script, 1, 11);
        let words: Vec<String> = (0..12).map(|n| "w".repeat(n)).collect();
        words.iter().for_each(|word| packer.word(word.as_bytes()));
        let request = packer.finish(true);

        let mut by_hash = redis::cmd("EVALSHA");
        by_hash.arg(script.hash()).arg(1).arg(&words);
        assert_eq!(packed(&request), by_hash.get_packed_command());
        let mut by_code = redis::cmd("EVAL");
        by_code.arg("return 1").arg(1).arg(&words);
        assert_eq!(request.wire_as(Form::Code), by_code.get_packed_command());
    }

    fn called_once(once: Once, keys: &[&[u8]], args: &[&[u8]]) -> Request {
        let script = Arc::new(Script::new("return 1", Options::default()));
        let mut packer = Packer::script_once(&script, keys.len(), args.len(), once);
        keys.iter().try_for_each(|key| packer.key(key)).expect("one slot");
        packer.record(true);
        args.iter().for_each(|arg| packer.word(arg));
        packer.finish(true)
    }

    #[test]
    fn a_call_with_once_has_the_record_after_its_keys_and_what_the_record_needs_after_its_arguments() {
        let once = Once::given(b"order".to_vec(), Some(Duration::from_secs(60)));
        let request = called_once(once, &[b"{k}1", b"{k}2"], &[b"a"]);
        let words: Vec<_> = request.words().map(<[u8]>::to_vec).collect();
        assert_eq!(words[2..7], [&b"3"[..], b"{k}1", b"{k}2", b"once:{k}:order", b"a"].map(<[u8]>::to_vec));
        assert_eq!(words[7], request.record().expect("a record").digest);
        assert_eq!(words[8], request.callers_script().expect("a script").hash().as_bytes());
        assert_eq!(words[9..], [b"60000".to_vec()]);
        assert_ne!(words[1], words[8], "what is sent keeps the record");
        assert_eq!(request.shown_id(), "\"order\"");
    }

    #[test]
    fn the_digest_is_of_the_script_the_keys_and_the_arguments_and_of_nothing_else() {
        let digest = |id: &[u8], keys: &[&[u8]], args: &[&[u8]]| {
            let request = called_once(Once::given(id.to_vec(), None), keys, args);
            request.record().expect("a record").digest
        };
        let one = digest(b"a", &[b"{k}1"], &[b"x", b"y"]);
        assert_eq!(one, digest(b"another", &[b"{k}1"], &[b"x", b"y"]));
        for (keys, args) in [
            (&[&b"{k}2"[..]][..], &[&b"x"[..], b"y"][..]),
            (&[b"{k}1"], &[b"xy"]),
            (&[b"{k}1", b"{k}"], &[b"y"]),
            (&[b"{k}1"], &[b"y", b"x"]),
        ] {
            assert_ne!(one, digest(b"a", keys, args), "{keys:?} {args:?}");
        }
    }

    #[test]
    fn an_own_id_is_renewed_and_one_that_was_given_stays() {
        let own = Once::own(b"0000".to_vec(), None);
        let mut request = called_once(own, &[b"k"], &[]);
        let (before, digest) = (request.clone(), request.record().expect("a record").digest);
        request.renew_id(|| b"1234".to_vec());
        assert_eq!(request.words().nth(4), Some(&b"once:{k}:1234"[..]));
        assert_eq!(before.words().nth(4), Some(&b"once:{k}:0000"[..]));
        assert_eq!(request.record().expect("a record").digest, digest);
        let mut request = called_once(Once::given(b"0000".to_vec(), None), &[b"k"], &[]);
        request.renew_id(|| b"1234".to_vec());
        assert_eq!(request.words().nth(4), Some(&b"once:{k}:0000"[..]));
    }

    #[test]
    fn it_may_be_sent_again_only_while_its_record_lives() {
        let mut request = called_once(Once::given(b"id".to_vec(), Some(Duration::from_secs(10))), &[b"k"], &[]);
        assert!(!request.is_repeatable(), "nobody has said how long it may take");
        request.set_timeout(Duration::from_secs(5));
        assert!(request.is_repeatable());
        request.set_timeout(Duration::from_millis(5001));
        assert!(!request.is_repeatable());
    }
}
