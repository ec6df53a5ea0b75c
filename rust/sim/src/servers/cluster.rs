//! How a node of a cluster answers commands about slots, and about keys that it does not serve.

use super::commands::Command;
use super::connection::Connection;
use super::deployment::{Deployment, Layout, Timer};
use super::ids::NodeId;
use super::node::Condition;
use super::scripts::sha1_hex;
use super::topology::{SLOTS, slot};
use super::wire::{Reply, Words, integer, same};
use super::words::{CLUSTER_DOWN, CROSS_SLOT, NO_CLUSTER, SLOT_NOT_SERVED, TRY_AGAIN};

/// Where a command's keys are.
pub(super) enum Placement {
    Here(Option<u16>),
    Elsewhere(String),
}

impl Deployment {
    pub fn is_cluster(&self) -> bool {
        matches!(self.layout, Layout::Cluster { .. })
    }

    /// Where the keys of these commands are: one command, or those of a transaction.
    pub(super) fn place(
        &self,
        c: &Connection,
        commands: &[(&'static Command, &Words)],
        writes: bool,
        is_asking: bool,
        is_queued: bool,
    ) -> Placement {
        let node = &self.nodes[c.node];
        let keys: Vec<&[u8]> = commands.iter().flat_map(|(command, words)| command.keys(words)).collect();
        let Some(first) = keys.first() else { return Placement::Here(None) };
        let wanted = slot(first);
        let Some(owner) = node.view.owner(wanted) else { return elsewhere(SLOT_NOT_SERVED) };
        if keys.iter().any(|key| slot(key) != wanted) {
            return elsewhere(CROSS_SLOT);
        }
        if node.is(Condition::ClusterDown) {
            return elsewhere(CLUSTER_DOWN);
        }
        let (there, missing): (Vec<&[u8]>, Vec<&[u8]>) =
            keys.iter().partition(|key| node.data.value(c.database, key).is_some());
        // Valkey asks for keys that have moved when they are used, not when they are queued.
        let asks_later = is_queued && self.options.version.is_valkey();
        if owner == c.node
            && !asks_later
            && let Some(&target) = node.migrating.get(&wanted)
            && !missing.is_empty()
        {
            return if there.is_empty() || !self.options.version.has_functions() {
                elsewhere(&self.redirect("ASK", wanted, target))
            } else {
                elsewhere(TRY_AGAIN)
            };
        }
        if owner != c.node && node.importing.contains_key(&wanted) && is_asking {
            return if keys.len() > 1 && !missing.is_empty() {
                elsewhere(TRY_AGAIN)
            } else {
                Placement::Here(Some(wanted))
            };
        }
        if c.reads_from_replica && !writes && node.follows == Some(owner) {
            return Placement::Here(Some(wanted));
        }
        if owner == c.node { Placement::Here(Some(wanted)) } else { elsewhere(&self.redirect("MOVED", wanted, owner)) }
    }

    fn redirect(&self, code: &str, slot: u16, to: NodeId) -> String {
        let (host, port) = &self.nodes[to].address;
        format!("{code} {slot} {host}:{port}")
    }

    /// CLUSTER and its subcommands.
    pub(super) fn cluster_command(&mut self, c: &mut Connection, words: &Words) -> Reply {
        if !self.is_cluster() {
            return Reply::error(NO_CLUSTER);
        }
        if same(&words[1], "keyslot") {
            return Reply::Int(slot(&words[2]).into());
        }
        if same(&words[1], "setslot") {
            return self.set_slot(c.node, words);
        }
        if same(&words[1], "addslots") {
            return Reply::error("ERR Slot is already busy");
        }
        let view = &self.nodes[c.node].view;
        let ranges = view.ranges().into_iter().map(|(first, last, primary)| {
            let replicas = view.replicas.iter().filter(|(_, of)| *of == primary).map(|(replica, _)| *replica);
            // A node that is known to have failed is left out.
            let replicas = replicas.filter(|&replica| self.nodes[replica].is_up);
            let mut range = vec![Reply::count(first), Reply::count(last)];
            range.extend(std::iter::once(primary).chain(replicas).map(|node| self.described(node)));
            Reply::Array(range)
        });
        Reply::Array(ranges.collect())
    }

    fn described(&self, node: NodeId) -> Reply {
        let (host, port) = &self.nodes[node].address;
        let mut parts = vec![Reply::bulk(host.clone()), Reply::Int((*port).into()), Reply::bulk(self.node_name(node))];
        if self.options.version.has_functions() {
            parts.push(Reply::Map(Vec::new()));
        }
        Reply::Array(parts)
    }

    /// The id of a node in its cluster.
    pub fn node_name(&self, node: NodeId) -> String {
        sha1_hex(format!("node {node}").as_bytes())
    }

    fn set_slot(&mut self, node: NodeId, words: &Words) -> Reply {
        let Some(slot) = integer(&words[2]).and_then(|slot| u16::try_from(slot).ok()).filter(|&slot| slot < SLOTS)
        else {
            return Reply::error("ERR Invalid or out of range slot");
        };
        let other =
            words.get(4).and_then(|id| (0..self.nodes.len()).find(|&node| self.node_name(node).as_bytes() == id));
        let here = &mut self.nodes[node];
        match (&words[3], other) {
            (word, Some(other)) if same(word, "migrating") => {
                here.migrating.insert(slot, other);
            }
            (word, Some(other)) if same(word, "importing") => {
                here.importing.insert(slot, other);
            }
            (word, Some(other)) if same(word, "node") => {
                here.migrating.remove(&slot);
                here.importing.remove(&slot);
                here.view.give(slot, Some(other));
            }
            (word, None) if same(word, "stable") => {
                here.migrating.remove(&slot);
                here.importing.remove(&slot);
            }
            _ => return Reply::error("ERR Invalid CLUSTER SETSLOT action or number of arguments"),
        }
        Reply::ok()
    }

    /// The other nodes learn of it later, each at another time.
    pub(super) fn spread(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.now + self.between(self.options.gossip_delay);
            self.at(at, Timer::Gossip(node));
        }
    }

    /// A node learns what the cluster has agreed on.
    pub(super) fn hear(&mut self, node: NodeId) {
        if !self.nodes[node].is_up || self.nodes[node].is_paused || self.nodes[node].view.epoch >= self.topology.epoch {
            return;
        }
        self.nodes[node].view = self.topology.clone();
        let primary = self.topology.replicas.iter().find(|(replica, _)| *replica == node).map(|(_, primary)| *primary);
        match primary {
            Some(primary) if self.nodes[node].follows != Some(primary) => self.follow(node, primary),
            _ => {}
        }
        let view = self.nodes[node].view.clone();
        self.nodes[node].migrating.retain(|&slot, _| view.owner(slot) == Some(node));
        self.nodes[node].importing.retain(|&slot, _| view.owner(slot) != Some(node));
    }
}

fn elsewhere(error: &str) -> Placement {
    Placement::Elsewhere(error.to_owned())
}
