//! Slots, and who serves them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ids::NodeId;

pub(super) const SLOTS: u16 = 16384;

/// The slot of a key: of what stands between the first braces, if anything does.
pub fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

/// Which node serves which slots. Each node has its own view, and learns of a later epoch from the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    pub epoch: u64,
    /// The primary of each slot.
    pub owners: Arc<Vec<Option<NodeId>>>,
    /// Each replica with its primary.
    pub replicas: Vec<(NodeId, NodeId)>,
}

impl Topology {
    pub(super) fn new(shards: usize, replicas: usize) -> Self {
        let slots = usize::from(SLOTS);
        let owners = (0..slots).map(|slot| Some(slot * shards / slots)).collect();
        let replicas = (0..shards * replicas).map(|at| (shards + at, at / replicas)).collect();
        Self { epoch: 1, owners: Arc::new(owners), replicas }
    }

    pub fn owner(&self, slot: u16) -> Option<NodeId> {
        self.owners.get(usize::from(slot)).copied().flatten()
    }

    pub(super) fn give(&mut self, slot: u16, owner: Option<NodeId>) {
        Arc::make_mut(&mut self.owners)[usize::from(slot)] = owner;
    }

    /// The primaries that serve any slot.
    pub fn primaries(&self) -> BTreeSet<NodeId> {
        self.owners.iter().flatten().copied().collect()
    }

    pub(super) fn give_all(&mut self, from: NodeId, to: NodeId) {
        self.epoch += 1;
        for owner in Arc::make_mut(&mut self.owners).iter_mut().filter(|owner| **owner == Some(from)) {
            *owner = Some(to);
        }
    }

    /// A replica and its primary change places.
    pub(super) fn promote(&mut self, replica: NodeId, primary: NodeId) {
        self.give_all(primary, replica);
        for (follower, followed) in &mut self.replicas {
            if *follower == replica {
                *follower = primary;
            }
            if *followed == primary {
                *followed = replica;
            }
        }
    }

    /// First and last slot of each range with its primary.
    pub(super) fn ranges(&self) -> Vec<(usize, usize, NodeId)> {
        let mut ranges: Vec<(usize, usize, NodeId)> = Vec::new();
        for (slot, owner) in self.owners.iter().enumerate() {
            let Some(owner) = *owner else { continue };
            match ranges.last_mut() {
                Some((_, last, of)) if *of == owner && *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot, owner)),
            }
        }
        ranges
    }
}
