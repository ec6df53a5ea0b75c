//! Writes reach replicas later, or never.

use std::time::Duration;

use super::data::Data;
use super::deployment::{Deployment, Timer};
use super::events::Event;
use super::ids::NodeId;
use super::node::Condition;
use super::plain;
use super::wire::Words;
use super::writes::{Arrival, Origin, Write};

impl Deployment {
    /// The command is done, and what it wrote becomes the node's history and is sent on.
    pub(super) fn commit(&mut self, node: NodeId) {
        if self.nodes[node].running.is_some() {
            return;
        }
        if self.nodes[node].is_replica() {
            // A script that began before the node followed another: `follow` has said that this is lost.
            self.nodes[node].uncommitted.clear();
            self.nodes[node].data.undo();
            return;
        }
        self.nodes[node].data.settle();
        let writes = std::mem::take(&mut self.nodes[node].uncommitted);
        if writes.is_empty() {
            return;
        }
        let write = |(database, words, origin)| Write { database, words, origin };
        let writes: Vec<_> = writes.into_iter().map(write).collect();
        // What a script writes, or a transaction, arrives as a whole.
        for replica in self.replicas_of(node) {
            let latest = self.nodes[replica].arriving.back().map_or(Duration::ZERO, |arrival| arrival.at);
            let at = latest.max(self.now + self.between(self.options.replication_delay));
            self.nodes[replica].arriving.extend(writes.iter().cloned().map(|write| Arrival { at, write }));
            self.at(at, Timer::Arrival(replica));
        }
        self.nodes[node].history.extend(writes);
        self.serve_blocked(node);
    }

    /// A write that the server makes by itself; `commit` sends it on.
    pub(super) fn write(&mut self, node: NodeId, words: Words) {
        plain::run(&mut self.nodes[node].data, 0, &words);
        self.nodes[node].uncommitted.push((0, words.clone(), Origin::Command(words)));
    }

    /// The replicas that are up and connected to it.
    pub(super) fn replicas_of(&self, node: NodeId) -> Vec<NodeId> {
        let follows = |id: &NodeId| {
            self.nodes[*id].follows == Some(node)
                && self.nodes[*id].is_up
                && !self.nodes[*id].is(Condition::PrimaryDown)
        };
        (0..self.nodes.len()).filter(follows).collect()
    }

    pub(super) fn receive_writes(&mut self, replica: NodeId) {
        let node = &mut self.nodes[replica];
        if node.is_paused || !node.is_up {
            return;
        }
        while node.arriving.front().is_some_and(|arrival| arrival.at <= self.now) {
            let Some(Arrival { write, .. }) = node.arriving.pop_front() else { break };
            apply(&mut node.data, &mut node.libraries, &write);
            node.history.push(write);
        }
        if let Some(primary) = node.follows {
            self.serve_blocked(primary);
        }
    }

    /// How many replicas have received this much of a node's history.
    pub(super) fn acknowledged_by(&self, node: NodeId, offset: u64) -> usize {
        let has = |replica: &NodeId| self.nodes[*replica].history.len() as u64 >= offset;
        self.replicas_of(node).into_iter().filter(has).count()
    }

    /// A node begins to follow another: it forgets what it has, and takes what the other has.
    pub(super) fn follow(&mut self, node: NodeId, primary: NodeId) {
        self.note_lost(node, primary);
        self.lose_uncommitted(node);
        let (mut data, history, libraries) = {
            let primary = &self.nodes[primary];
            (primary.data.clone(), primary.history.clone(), primary.libraries.clone())
        };
        // What a script that runs has written so far arrives when it is done.
        data.undo();
        let replica = &mut self.nodes[node];
        replica.follows = Some(primary);
        replica.superseded_at = None;
        replica.arriving.clear();
        replica.data.become_copy_of(&data);
        replica.history = history;
        replica.libraries = libraries;
        replica.migrating.clear();
        replica.importing.clear();
        self.unblock_all(node);
    }

    /// Notes as lost the writes of a node that the node which replaces it lacks.
    pub(super) fn note_lost(&mut self, node: NodeId, successor: NodeId) {
        let known = match self.nodes[node].superseded_at {
            Some(known) => known,
            None => self.nodes[successor].history.len(),
        };
        let lost: Vec<Write> = self.nodes[node].history.iter().skip(known).cloned().collect();
        self.nodes[node].superseded_at = Some(self.nodes[node].history.len().max(known));
        self.report_rolled_back(node, &lost);
    }

    /// The writes of a running script and of its transaction are lost, past and future ones.
    pub(super) fn lose_uncommitted(&mut self, node: NodeId) {
        let write = |(database, words, origin)| Write { database, words, origin };
        let mut lost: Vec<_> = std::mem::take(&mut self.nodes[node].uncommitted).into_iter().map(write).collect();
        if let Some(running) = &self.nodes[node].running {
            let origin = Origin::Run(running.execution.run);
            lost.push(Write { database: 0, words: Words::new(), origin });
        }
        self.report_rolled_back(node, &lost);
    }

    pub(super) fn report_rolled_back(&mut self, node: NodeId, lost: &[Write]) {
        let (mut runs, mut commands) = (Vec::new(), Vec::new());
        for write in lost {
            match &write.origin {
                Origin::Run(run) if !runs.contains(run) => runs.push(*run),
                Origin::Command(words) => commands.push(words.clone()),
                Origin::Run(_) => {}
            }
        }
        if !runs.is_empty() || !commands.is_empty() {
            let at = self.now;
            self.events.push(Event::RolledBack { at, node, runs, commands });
        }
    }

    /// A replica takes its primary's place, with what it has. `in_step` lets it hear all of it first, as a failover
    /// that an operator asks for does.
    pub(super) fn promote(&mut self, node: NodeId, in_step: bool) -> Option<NodeId> {
        let primary = self.nodes[node].follows?;
        if in_step {
            let rest = std::mem::take(&mut self.nodes[node].arriving);
            let node = &mut self.nodes[node];
            for Arrival { write, .. } in rest {
                apply(&mut node.data, &mut node.libraries, &write);
                node.history.push(write);
            }
        }
        self.nodes[node].arriving.clear();
        self.nodes[node].follows = None;
        self.nodes[node].superseded_at = None;
        self.note_lost(primary, node);
        let at = self.now;
        self.events.push(Event::Promoted { at, node });
        Some(primary)
    }
}

fn apply(data: &mut Data, libraries: &mut super::functions::Libraries, write: &Write) {
    if !libraries.apply(&write.words) {
        plain::run(data, write.database, &write.words);
    }
    data.settle();
}
