//! Slots, their moves, and failovers.

use glide_scripts_core::Slot;

use super::{ConnectionId, Deployment, Migration, NodeId, wire};

impl Deployment {
    /// Why a command with these keys is not executed here; `None`: it is.
    pub(super) fn redirect(&self, node: NodeId, id: ConnectionId, keys: &[&[u8]], reads: bool) -> Option<Vec<u8>> {
        if !self.is_cluster() {
            return None;
        }
        let slot = Slot::of_key(keys.first()?).number();
        if keys.iter().any(|key| Slot::of_key(key).number() != slot) {
            return Some(wire::error("CROSSSLOT Keys in request don't hash to the same slot"));
        }
        let connection = self.connections.get(&id)?;
        let owner = self.owners[usize::from(slot)];
        let asks = connection.asks || connection.transaction.as_ref().is_some_and(|transaction| transaction.asks);
        let to =
            |word: &str, node: NodeId| Some(wire::error(&format!("{word} {slot} 127.0.0.1:{}", self.nodes[node].port)));
        let missing = || keys.iter().filter(|key| !self.nodes[node].data.contains_key(**key)).count();
        match self.migration.filter(|migration| migration.slot == slot) {
            Some(Migration { from, to: target, .. }) if from == node && owner == node => match missing() {
                0 => None,
                all if all == keys.len() => to("ASK", target),
                _ => Some(wire::error("TRYAGAIN Multiple keys request during rehashing of slot")),
            },
            Some(Migration { to: target, .. }) if target == node && asks => match missing() {
                0 => None,
                _ if keys.len() == 1 => None,
                _ => Some(wire::error("TRYAGAIN Multiple keys request during rehashing of slot")),
            },
            _ if owner == node => None,
            _ if reads && connection.reads && self.nodes[node].follows == Some(owner) => None,
            _ => to("MOVED", owner),
        }
    }

    pub(super) fn cluster_slots(&self) -> Vec<u8> {
        let mut ranges: Vec<(usize, usize, NodeId)> = Vec::new();
        for (slot, owner) in self.owners.iter().enumerate() {
            match ranges.last_mut() {
                Some((_, last, node)) if node == owner => *last = slot,
                _ => ranges.push((slot, slot, *owner)),
            }
        }
        let number = |number: usize| format!(":{number}\r\n").into_bytes();
        let node = |node: NodeId| {
            let port = number(usize::from(self.nodes[node].port));
            wire::array(&[wire::bulk(b"127.0.0.1"), port, wire::bulk(format!("node{node}").as_bytes())])
        };
        let ranges = ranges.into_iter().map(|(first, last, owner)| {
            let replicas = (0..self.nodes.len()).filter(|other| self.nodes[*other].follows == Some(owner)).map(node);
            let parts: Vec<_> = [number(first), number(last), node(owner)].into_iter().chain(replicas).collect();
            wire::array(&parts)
        });
        wire::array(&ranges.collect::<Vec<_>>())
    }

    /// A slot begins to move to another primary: keys that it does not have are asked for there.
    pub fn begin_migration(&mut self, slot: u16, to: NodeId) {
        let from = self.owners[usize::from(slot)];
        if self.migration.is_none() && from != to {
            self.migration = Some(Migration { slot, from, to });
        }
    }

    /// Its keys have moved, and everybody knows.
    pub fn end_migration(&mut self) {
        let Some(Migration { slot, from, to }) = self.migration.take() else { return };
        if self.owners[usize::from(slot)] != from || self.nodes[to].follows.is_some() {
            return;
        }
        let moving: Vec<_> =
            self.nodes[from].data.keys().filter(|key| Slot::of_key(key).number() == slot).cloned().collect();
        for key in moving {
            if let Some(value) = self.nodes[from].data.remove(&key) {
                self.nodes[to].data.entry(key).or_insert(value);
            }
        }
        self.owners[usize::from(slot)] = to;
    }

    /// A replica takes its primary's place, with the writes that it has. The old one follows it, or is down.
    pub fn fail_over(&mut self, old: NodeId) -> bool {
        let follows_it = |node: &NodeId| self.nodes[*node].follows == Some(old) && self.nodes[*node].is_alive;
        let Some(new) = (0..self.nodes.len()).find(follows_it) else { return false };
        for node in 0..self.nodes.len() {
            if self.nodes[node].follows == Some(old) || node == old {
                self.nodes[node].follows = Some(new);
                self.nodes[node].incoming.clear();
                self.nodes[node].data = self.nodes[new].data.clone();
            }
        }
        self.nodes[new].follows = None;
        self.owners.iter_mut().filter(|owner| **owner == old).for_each(|owner| *owner = new);
        if self.migration.is_some_and(|migration| migration.from == old || migration.to == old) {
            self.migration = None;
        }
        true
    }
}
