//! All servers of one deployment, and time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::access::Users;
use super::connection::Connection;
use super::data::Data;
use super::events::Event;
use super::functions::Libraries;
use super::ids::{ConnectionId, NodeId};
use super::node::Node;
use super::options::Options;
use super::script_cache::ScriptCache;
use super::topology::Topology;
use super::trace::Act;
use super::versions::Version;
use super::wire::{Reply, take_command};
use super::words::TOO_MANY_CLIENTS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Standalone,
    Replicated { replicas: usize },
    Cluster { shards: usize, replicas: usize },
}

#[derive(Debug)]
pub struct Deployment {
    pub(super) layout: Layout,
    pub(super) options: Options,
    pub(super) chance: fastrand::Rng,
    pub(super) now: Duration,
    pub(super) nodes: Vec<Node>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) latest_connection: ConnectionId,
    pub(super) latest_run: u64,
    pub(super) latest_exec: u64,
    /// Scripts take no time any more.
    pub(super) is_in_haste: bool,
    /// What the cluster has agreed on; its nodes learn of it later.
    pub(super) topology: Topology,
    timers: BTreeMap<(Duration, u64), Timer>,
    latest_timer: u64,
    /// Nodes that have become free to read what waits for them.
    pub(super) unread: BTreeSet<NodeId>,
    pub(super) events: Vec<Event>,
    /// What happened, if the run is traced.
    pub(super) trace: Option<Vec<Act>>,
}

/// Events that happen later. The call or connection that they are for may be gone by then.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    ScriptEnds(NodeId),
    ScriptTurnsBusy(NodeId, u64),
    Arrival(NodeId),
    Gossip(NodeId),
    Follow(NodeId, NodeId),
    Unblock(ConnectionId),
}

impl Deployment {
    pub fn new(layout: Layout, options: Options, seed: u64) -> Self {
        let (primaries, replicas) = match layout {
            Layout::Standalone => (1, 0),
            Layout::Replicated { replicas } => (1, replicas),
            Layout::Cluster { shards, replicas } => (shards, replicas),
        };
        let topology = Topology::new(primaries, replicas);
        let nodes = (0..primaries * (replicas + 1)).map(|id| {
            let address = options.addresses.get(id).cloned();
            Node {
                address: address.unwrap_or_else(|| ("10.0.0.1".into(), 7000 + u16::try_from(id).expect("few nodes"))),
                zone: options.availability_zones.get(id).cloned(),
                is_up: true,
                is_paused: false,
                conditions: Vec::new(),
                min_replicas: 0,
                busy_after: options.busy_after,
                serves_stale_data: options.serves_stale_data,
                users: Users::default(),
                data: Data::default(),
                cache: ScriptCache::default(),
                libraries: Libraries::default(),
                follows: topology.replicas.iter().find(|(replica, _)| *replica == id).map(|(_, primary)| *primary),
                arriving: VecDeque::new(),
                history: Vec::new(),
                superseded_at: None,
                view: topology.clone(),
                migrating: BTreeMap::new(),
                importing: BTreeMap::new(),
                running: None,
                uncommitted: Vec::new(),
            }
        });
        Self {
            nodes: nodes.collect(),
            layout,
            options,
            chance: fastrand::Rng::with_seed(seed),
            now: Duration::ZERO,
            connections: BTreeMap::new(),
            latest_connection: 0,
            latest_run: 0,
            latest_exec: 0,
            is_in_haste: false,
            topology,
            timers: BTreeMap::new(),
            latest_timer: 0,
            unread: BTreeSet::new(),
            events: Vec::new(),
            trace: None,
        }
    }

    pub fn version(&self) -> Version {
        self.options.version
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        (0..self.nodes.len()).collect()
    }

    pub fn address(&self, node: NodeId) -> (String, u16) {
        self.nodes[node].address.clone()
    }

    pub fn node_at(&self, host: &str, port: u16) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.address.0 == host && node.address.1 == port)
    }

    /// Whether the node believes that it is a replica.
    pub fn is_replica(&self, node: NodeId) -> bool {
        self.nodes[node].is_replica()
    }

    /// Whether a script has kept the node for so long that it answers BUSY.
    pub fn is_busy(&self, node: NodeId) -> bool {
        self.nodes[node].running.as_ref().is_some_and(|running| running.is_busy)
    }

    pub fn runs_script(&self, node: NodeId) -> bool {
        self.nodes[node].running.is_some()
    }

    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node].is_up
    }

    /// What the cluster has agreed on, whether or not each node knows.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// `None`: refused, since the node is down.
    pub fn connect(&mut self, node: NodeId) -> Option<ConnectionId> {
        if !self.nodes[node].is_up {
            return None;
        }
        let others = self.connections.values().filter(|other| other.node == node && other.is_open).count();
        self.latest_connection += 1;
        let id = self.latest_connection;
        let mut connection = Connection::new(id, node, self.nodes[node].users.without_password());
        if others >= self.options.connections_limit {
            connection.send(&Reply::error(TOO_MANY_CLIENTS));
            connection.is_open = false;
        }
        self.connections.insert(id, connection);
        Some(id)
    }

    /// The client's end closed, or the network lost it. Commands that have arrived in full still run, as on a real
    /// server they may.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.is_wanted = false;
        c.output.clear();
        if c.blocked.is_some() {
            // A server notices that a waiting client is gone, and pops nothing for it.
            c.is_open = false;
        }
        self.unread.insert(c.node);
        self.settle();
    }

    /// The server reads these bytes, or they wait until it does.
    pub fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let Some(c) = self.connections.get_mut(&connection).filter(|c| c.is_open && c.is_wanted) else { return };
        c.input.extend(bytes);
        self.read(connection);
        self.settle();
    }

    /// The bytes that were answered since the last time.
    pub fn take_output(&mut self, connection: ConnectionId) -> Vec<u8> {
        self.connections.get_mut(&connection).map(|c| std::mem::take(&mut c.output)).unwrap_or_default()
    }

    /// `false`: the server ended the connection, after its last output.
    pub fn is_open(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|c| c.is_open)
    }

    /// When something happens by itself.
    pub fn next_event(&self) -> Option<Duration> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets time pass up to `now`, measured from the start.
    pub fn advance(&mut self, now: Duration) {
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), timer) = first.remove_entry();
            self.now = self.now.max(at);
            self.fire(timer);
            self.settle();
        }
        self.now = self.now.max(now);
    }

    pub fn now(&self) -> Duration {
        self.now
    }

    /// What happened since the last time.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::ScriptEnds(node) => self.resume_script(node),
            Timer::ScriptTurnsBusy(node, run) => self.turn_busy(node, run),
            Timer::Arrival(replica) => self.receive_writes(replica),
            Timer::Gossip(node) => self.hear(node),
            // Another replica may have been promoted meanwhile.
            Timer::Follow(node, primary) => {
                if self.nodes[node].is_up && self.topology.replicas.contains(&(node, primary)) {
                    self.follow(node, primary);
                }
            }
            Timer::Unblock(connection) => self.give_up_waiting(connection),
        }
    }

    pub(super) fn at(&mut self, at: Duration, timer: Timer) {
        self.latest_timer += 1;
        self.timers.insert((at, self.latest_timer), timer);
    }

    pub(super) fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.chance.u64(nanoseconds(least)..=nanoseconds(most.max(least))))
    }

    /// Nodes that have become free read what waits for them, one connection after another in any order.
    pub(super) fn settle(&mut self) {
        while let Some(node) = self.unread.pop_first() {
            let mut waiting: Vec<ConnectionId> =
                self.connections.values().filter(|c| c.node == node).map(|c| c.id).collect();
            self.chance.shuffle(&mut waiting);
            waiting.into_iter().for_each(|id| self.read(id));
        }
    }

    /// Runs what one connection has sent in full.
    pub(super) fn read(&mut self, id: ConnectionId) {
        loop {
            let Some(c) = self.connections.get_mut(&id) else { return };
            if self.nodes[c.node].reads_nothing() && c.is_open {
                return;
            }
            if !c.may_be_read() {
                break;
            }
            match take_command(&mut c.input) {
                Ok(None) => break,
                Ok(Some(words)) if words.is_empty() => {}
                Ok(Some(words)) => {
                    let Some(mut c) = self.connections.remove(&id) else { return };
                    let node = c.node;
                    self.process(&mut c, &words);
                    self.connections.insert(id, c);
                    self.commit(node);
                }
                Err(error) => {
                    c.send(&Reply::error(format!("ERR {error}")));
                    c.is_open = false;
                }
            }
        }
        let is_over = |c: &Connection| !c.is_wanted && !c.waits_for_script;
        if self.connections.get(&id).is_some_and(is_over) {
            self.connections.remove(&id);
        }
    }

    /// From now on, commands and answers are recorded.
    pub fn begin_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// The recorded commands and answers since the last time, in the server's order.
    pub fn take_trace(&mut self) -> Vec<Act> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn record(&mut self, act: impl FnOnce() -> Act) {
        if let Some(trace) = &mut self.trace {
            trace.push(act());
        }
    }

    pub(super) fn answer(&mut self, c: &mut Connection, reply: &Reply) {
        let protocol = c.protocol;
        self.record(|| {
            let mut bytes = Vec::new();
            reply.write(protocol, &mut bytes);
            Act::Hear { connection: c.id, reply: bytes }
        });
        c.send(reply);
    }
}
