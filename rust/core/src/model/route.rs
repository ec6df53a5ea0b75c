//! Where a request goes.

use std::fmt;
use std::sync::Arc;

use crate::model::address::Address;

pub const SLOTS: u16 = 16_384;

/// One of the 16,384 [hash slots](https://valkey.io/topics/cluster-spec/) of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    pub fn new(number: u16) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }

    /// The slot of a key: of the part between the first `{` and the next `}`, where there is one, else of the whole.
    pub fn of_key(key: &[u8]) -> Self {
        Self(crc16::State::<crc16::XMODEM>::calculate(hashed_part(key)) % SLOTS)
    }

    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part of a key that its slot is of.
pub(crate) fn hashed_part(key: &[u8]) -> &[u8] {
    tag(key).unwrap_or(key)
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let rest = &key[open + 1..];
    let close = memchr::memchr(b'}', rest)?;
    (close > 0).then(|| &rest[..close])
}

/// Which node or nodes a request goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Any primary; a read-only request as the client's `read_from` says.
    Any,
    /// The shard that holds a slot; a read-only request as the client's `read_from` says.
    Slot(Slot),
    /// The primary that holds a slot, or one of its replicas.
    Shard(Slot, Role),
    Address(Address),
    /// The primary of the shard whose primary was at that address when the call began, unless it is another one of those
    /// primaries.
    PrimaryOf(Address, Arc<[Address]>),
    /// Any node, replicas too.
    RandomNode,
    AllPrimaries,
    AllNodes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    Replica,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(Slot::of_key(b"123456789").number(), 0x31C3 % SLOTS);
        assert_eq!(Slot::of_key(b"{user1000}.following"), Slot::of_key(b"user1000"));
        assert_eq!(Slot::of_key(b"foo{{bar}}zap"), Slot::of_key(b"{bar"));
        assert_eq!(Slot::of_key(b"foo{bar}{zap}"), Slot::of_key(b"bar"));
        assert_ne!(Slot::of_key(b"foo{}{bar}"), Slot::of_key(b"bar"));
        assert_eq!(Slot::new(16_384), None);
    }
}
