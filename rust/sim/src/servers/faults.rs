//! The faults of the servers.

use std::time::Duration;

use super::data::Data;
use super::deployment::{Deployment, Layout, Timer};
use super::events::Event;
use super::functions::Libraries;
use super::ids::{ConnectionId, NodeId};
use super::node::Condition;

impl Deployment {
    pub fn set_condition(&mut self, node: NodeId, condition: Condition, holds: bool) {
        let was = self.nodes[node].is(condition);
        self.nodes[node].conditions.retain(|other| *other != condition);
        if holds {
            self.nodes[node].conditions.push(condition);
        }
        if was && !holds && condition == Condition::PrimaryDown {
            // It now receives the writes that it missed.
            match self.nodes[node].follows {
                Some(primary) if primary != node && self.nodes[primary].is_up => self.follow(node, primary),
                _ => {}
            }
            self.settle();
        }
    }

    /// NOREPLICAS, while fewer replicas than this are connected.
    pub fn require_replicas(&mut self, node: NodeId, least: usize) {
        self.nodes[node].min_replicas = least;
    }

    /// A rule of ACL SETUSER: `>password`, `resetpass`, `-eval`, `+@all`, …
    ///
    /// # Panics
    /// If the model does not know the rule.
    pub fn set_user(&mut self, node: NodeId, user: &str, rules: &[&str]) {
        for rule in rules {
            assert!(self.nodes[node].users.set(user, rule.as_bytes()), "a rule that the model does not know: {rule}");
        }
    }

    pub fn set_connections_limit(&mut self, limit: usize) {
        self.options.connections_limit = limit;
    }

    /// The server ends a connection, whatever it is doing.
    pub fn end_connection(&mut self, connection: ConnectionId) {
        if let Some(c) = self.connections.get_mut(&connection) {
            c.is_open = false;
            c.blocked = None;
            c.input.clear();
        }
    }

    /// The scripts are gone, as after SCRIPT FLUSH.
    pub fn flush_scripts(&mut self, node: NodeId) {
        self.nodes[node].cache.flush();
        self.report_flushed(node, "scripts");
    }

    /// The node dies: its connections, scripts and running script with it, and its data unless they are persistent.
    pub fn kill(&mut self, node: NodeId) {
        if !self.nodes[node].is_up {
            return;
        }
        self.crash_script(node);
        self.nodes[node].is_up = false;
        self.nodes[node].is_paused = false;
        self.nodes[node].cache.flush();
        self.nodes[node].arriving.clear();
        for c in self.connections.values_mut().filter(|c| c.node == node) {
            c.is_open = false;
            c.waits_for_script = false;
            c.blocked = None;
            c.input.clear();
        }
        self.connections.retain(|_, c| c.node != node || c.is_wanted);
        if !self.options.persistent {
            if !self.nodes[node].is_replica() && self.nodes[node].superseded_at.is_none() {
                let lost = std::mem::take(&mut self.nodes[node].history);
                self.report_rolled_back(node, &lost);
            }
            self.nodes[node].history.clear();
            self.nodes[node].data = Data::default();
            self.nodes[node].libraries = Libraries::default();
        }
        self.events.push(Event::Died { at: self.now, node });
    }

    /// The node starts again, in its old role, or as a replica if another node has taken its place.
    pub fn restart(&mut self, node: NodeId) {
        if self.nodes[node].is_up {
            return;
        }
        self.nodes[node].is_up = true;
        self.events.push(Event::Started { at: self.now, node });
        let followed = match self.layout {
            Layout::Standalone => None,
            _ => self.topology.replicas.iter().find(|(replica, _)| *replica == node).map(|(_, primary)| *primary),
        };
        self.nodes[node].view = self.topology.clone();
        match followed {
            Some(primary) if self.nodes[primary].is_up => self.follow(node, primary),
            Some(primary) => self.nodes[node].follows = Some(primary),
            None => {
                // Its replicas take over what it has.
                for replica in self.replicas_of(node) {
                    self.follow(replica, node);
                }
            }
        }
        self.settle();
    }

    /// The node is paused, as on a machine that is too busy: it reads nothing, and closes no connection.
    pub fn pause(&mut self, node: NodeId) {
        self.nodes[node].is_paused = self.nodes[node].is_up;
    }

    pub fn unpause(&mut self, node: NodeId) {
        self.nodes[node].is_paused = false;
        self.receive_writes(node);
        self.hear(node);
        self.resume_script(node);
        self.unread.insert(node);
        self.settle();
    }

    /// From now on no script takes long, nor does one that runs.
    pub fn hurry(&mut self) {
        self.is_in_haste = true;
        for node in 0..self.nodes.len() {
            if let Some(running) = &mut self.nodes[node].running {
                running.until = self.now;
            }
            self.resume_script(node);
        }
        self.settle();
    }

    /// The replica becomes a primary with what it has by now, or, `in_step`, with all that its primary has. The old
    /// primary follows it once it hears of that: in a cluster when gossip reaches it, elsewhere after `demote_after`.
    /// Until then both take writes, and those of the old one are lost.
    pub fn fail_over(&mut self, replica: NodeId, in_step: bool, demote_after: Duration) {
        // While a script runs, a server neither takes over by itself nor obeys an operator.
        if !self.nodes[replica].is_up || self.runs_script(replica) || (in_step && self.nodes[replica].is_paused) {
            return;
        }
        let Some(primary) = self.promote(replica, in_step) else { return };
        // It goes on moving the slots that its primary was moving: their keys are on two nodes.
        self.nodes[replica].migrating = self.nodes[primary].migrating.clone();
        self.topology.promote(replica, primary);
        self.nodes[replica].view = self.topology.clone();
        if self.is_cluster() {
            self.spread();
            return;
        }
        for node in 0..self.nodes.len() {
            if node != replica {
                self.at(self.now + demote_after, Timer::Follow(node, replica));
            }
        }
    }

    /// A slot begins to move: the old node redirects commands for keys that it no longer has to the new node. Neither
    /// node may be busy, and the slot must not be moving to a third node, which may have some of its keys.
    pub fn begin_migration(&mut self, slot: u16, to: NodeId) {
        let is_idle = |node: NodeId| self.nodes[node].running.is_none();
        let stays = |node: NodeId| !self.nodes[node].migrating.contains_key(&slot);
        let may_move = |from: &NodeId| *from != to && is_idle(*from) && is_idle(to) && stays(*from);
        if let Some(from) = self.topology.owner(slot).filter(may_move) {
            self.nodes[from].migrating.insert(slot, to);
            self.nodes[to].importing.insert(slot, from);
        }
    }

    /// The slot has moved, with all of its keys. The old node and the new one know; others hear of it. Neither may be
    /// down or busy.
    pub fn finish_migration(&mut self, slot: u16) {
        let Some(from) = self.topology.owner(slot) else { return };
        let Some(&asked) = self.nodes[from].migrating.get(&slot) else { return };
        // Another may have taken the place of the one that it was to move to.
        let followed = self.topology.replicas.iter().find(|(replica, _)| *replica == asked);
        let to = followed.map_or(asked, |(_, primary)| *primary);
        if [from, to].iter().any(|&node| !self.nodes[node].is_up || self.nodes[node].running.is_some()) {
            return;
        }
        self.nodes[from].migrating.remove(&slot);
        self.nodes[asked].importing.remove(&slot);
        self.move_keys(from, to, |of| of == slot);
        self.topology.epoch += 1;
        self.topology.give(slot, Some(to));
        for node in [from, to] {
            self.nodes[node].view.give(slot, Some(to));
        }
        self.spread();
    }

    /// All slots of a primary move to another one, with their keys. Clients see no more of the first, nor of its
    /// replicas. Neither may be down or busy.
    pub fn give_up_slots(&mut self, from: NodeId, to: NodeId) {
        let topology = self.topology.clone();
        self.move_keys(from, to, |slot| topology.owner(slot) == Some(from));
        self.topology.give_all(from, to);
        for node in [from, to] {
            self.nodes[node].view = self.topology.clone();
        }
        self.spread();
    }

    /// Moves the keys of these slots.
    fn move_keys(&mut self, from: NodeId, to: NodeId, is_of: impl Fn(u16) -> bool) {
        let keys: Vec<_> = self.nodes[from].data.keys(0).filter(|key| is_of(super::slot(key))).cloned().collect();
        for key in keys {
            let value = self.nodes[from].data.value(0, &key).cloned();
            // It replaces keys that an earlier owner left there.
            for node in [from, to] {
                self.write(node, vec![b"DEL".to_vec(), key.clone()]);
            }
            value.iter().flat_map(|value| value.commands(&key)).for_each(|words| self.write(to, words));
        }
        self.commit(from);
        self.commit(to);
    }

    /// No node serves the slot any more, and all nodes know it.
    pub fn drop_slot(&mut self, slot: u16) {
        self.assign_slot(slot, None);
    }

    /// A primary serves the slot, and all nodes know it.
    pub fn assign_slot(&mut self, slot: u16, owner: Option<NodeId>) {
        self.topology.epoch += 1;
        self.topology.give(slot, owner);
        for node in &mut self.nodes {
            node.view = self.topology.clone();
        }
    }

    /// How often a script has counted an id under a key, as the primary that serves the key has it by now.
    pub fn count(&self, key: &[u8], id: &[u8]) -> i64 {
        use super::data::Value;
        let node = if self.is_cluster() {
            self.topology.owner(super::slot(key))
        } else {
            self.nodes.iter().position(|node| !node.is_replica() && node.superseded_at.is_none())
        };
        match node.and_then(|node| self.nodes[node].data.value(0, key)) {
            Some(Value::Hash(hash)) => hash.get(id).and_then(|count| super::wire::integer(count)).unwrap_or(0),
            Some(Value::List(list)) => {
                let count = list.iter().filter(|element| *element == id).count();
                i64::try_from(count).expect("no list is as long as that")
            }
            _ => 0,
        }
    }
}
