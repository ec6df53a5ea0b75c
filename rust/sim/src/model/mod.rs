//! A model of servers: all of one installation, as far as a client of scripts can tell them from real ones.
//!
//! It is plain data with a clock of its own: bytes go in, bytes come out, and what was executed is an event.

mod cluster;
mod commands;
mod connection;
mod running;
pub mod scripts;
mod wire;

pub(crate) use wire::parse as parse_command;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use connection::Connection;
use running::Running;

pub type NodeId = usize;
pub type ConnectionId = u64;

/// Which servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Standalone,
    /// One primary with so many replicas.
    Replicated(usize),
    Cluster {
        shards: usize,
        /// Of each shard.
        replicas: usize,
    },
}

/// What servers of different versions do differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Without functions, read-only forms and `#!lua`.
    Redis6,
    Redis7,
    Valkey9,
}

/// Something that happened on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call's command took effect; `exec` counts the transactions.
    Ran {
        id: u64,
        node: NodeId,
        exec: Option<u64>,
    },
    Killed {
        id: u64,
    },
}

/// Why a node refuses all commands that touch data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Loading,
    ClusterDown,
    OutOfMemory,
    TooFewReplicas,
}

#[derive(Debug)]
pub(crate) struct Node {
    port: u16,
    pub(crate) is_alive: bool,
    /// `None`: it is a primary.
    pub(crate) follows: Option<NodeId>,
    data: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How often each key was written, for watches.
    versions: BTreeMap<Vec<u8>, u64>,
    /// Scripts that SCRIPT LOAD has brought, by their hashes.
    loaded: BTreeSet<String>,
    /// Those that EVAL has brought, the oldest first.
    evaluated: VecDeque<String>,
    has_library: bool,
    pub(crate) refusal: Option<Refusal>,
    running: Option<Running>,
    /// What was read and waits for its turn.
    queue: VecDeque<(ConnectionId, Vec<Vec<u8>>)>,
    /// Writes of its primary on their way.
    incoming: VecDeque<(Duration, Vec<u8>, Vec<u8>)>,
}

/// A slot on its way from one primary to another.
#[derive(Clone, Copy, Debug)]
struct Migration {
    slot: u16,
    from: NodeId,
    to: NodeId,
}

/// All servers of one installation.
#[derive(Debug)]
pub struct Deployment {
    layout: Layout,
    version: Version,
    nodes: Vec<Node>,
    /// For each slot its primary.
    owners: Vec<NodeId>,
    migration: Option<Migration>,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: ConnectionId,
    /// The code of every script that was ever sent, by its hash.
    codes: BTreeMap<String, Vec<u8>>,
    password: Option<String>,
    execs: u64,
    now: Duration,
    events: Vec<Event>,
    /// How long a write takes to a replica.
    lag: Duration,
    /// Slow scripts take no time any more.
    is_in_haste: bool,
}

impl Deployment {
    pub fn new(layout: Layout, version: Version, lag: Duration) -> Self {
        const FIRST_PORT: u16 = 7000;
        let (shards, replicas) = match layout {
            Layout::Standalone => (1, 0),
            Layout::Replicated(replicas) => (1, replicas),
            Layout::Cluster { shards, replicas } => (shards, replicas),
        };
        let primaries = (0..shards).map(|_| None);
        let followers = (0..shards).flat_map(|shard| (0..replicas).map(move |_| Some(shard)));
        let nodes: Vec<_> =
            (FIRST_PORT..).zip(primaries.chain(followers)).map(|(port, follows)| Node::new(port, follows)).collect();
        let slots = 16_384;
        Self {
            layout,
            version,
            owners: (0..slots).map(|slot| slot * shards / slots).collect(),
            nodes,
            migration: None,
            connections: BTreeMap::new(),
            next_connection: 1,
            codes: BTreeMap::new(),
            password: None,
            execs: 0,
            now: Duration::ZERO,
            events: Vec::new(),
            lag,
            is_in_haste: false,
        }
    }

    pub fn is_cluster(&self) -> bool {
        matches!(self.layout, Layout::Cluster { .. })
    }

    pub fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.port).collect()
    }

    pub fn node_at(&self, port: u16) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.port == port)
    }

    pub fn primaries(&self) -> Vec<NodeId> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].follows.is_none()).collect()
    }

    /// What happened since this was asked last.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// When something happens by itself.
    pub fn next_event(&self) -> Option<Duration> {
        let of_node = |node: &Node| {
            let replication = node.incoming.front().map(|(at, ..)| *at);
            let running = node.running.as_ref().map(|running| running.next_event(!node.queue.is_empty(), self.now));
            replication.into_iter().chain(running).min()
        };
        self.nodes.iter().filter(|node| node.is_alive).filter_map(of_node).min()
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Duration) {
        self.now = now;
        for node in 0..self.nodes.len() {
            while self.nodes[node].incoming.front().is_some_and(|(at, ..)| *at <= now)
                && let Some((_, key, value)) = self.nodes[node].incoming.pop_front()
            {
                self.nodes[node].set(key, value);
            }
            if self.nodes[node].running.as_ref().is_some_and(|running| running.ends <= now) {
                self.end_running(node, None);
            }
            self.serve(node);
        }
    }

    /// Writes to a primary, and to its replicas a little later.
    fn write(&mut self, node: NodeId, key: &[u8], value: &[u8]) {
        self.nodes[node].set(key.to_vec(), value.to_vec());
        let at = self.now + self.lag;
        for replica in self.nodes.iter_mut().filter(|other| other.follows == Some(node)) {
            replica.incoming.push_back((at, key.to_vec(), value.to_vec()));
        }
    }

    pub fn refuse(&mut self, node: NodeId, refusal: Option<Refusal>) {
        self.nodes[node].refusal = refusal;
    }

    /// What connections to come must log in with.
    pub fn set_password(&mut self, password: Option<String>) {
        self.password = password;
    }

    /// Another client's SCRIPT FLUSH.
    pub fn flush_scripts(&mut self, node: NodeId) {
        self.nodes[node].flush_scripts();
    }

    /// The process ends: its scripts are gone, its data is not.
    pub fn kill_node(&mut self, node: NodeId) {
        self.nodes[node].die();
        let lost: Vec<_> = self.connections.iter().filter(|(_, c)| c.node == node).map(|(id, _)| *id).collect();
        lost.into_iter().for_each(|id| self.close(id));
    }

    /// From now on no script takes long.
    pub fn hurry(&mut self) {
        self.is_in_haste = true;
        for node in &mut self.nodes {
            if let Some(running) = &mut node.running {
                running.ends = self.now;
            }
        }
        self.advance(self.now);
    }

    pub fn restart_node(&mut self, node: NodeId) {
        self.nodes[node].is_alive = true;
    }

    pub fn is_alive(&self, node: NodeId) -> bool {
        self.nodes[node].is_alive
    }
}

impl Node {
    fn new(port: u16, follows: Option<NodeId>) -> Self {
        Self {
            port,
            is_alive: true,
            follows,
            data: BTreeMap::new(),
            versions: BTreeMap::new(),
            loaded: BTreeSet::new(),
            evaluated: VecDeque::new(),
            has_library: false,
            refusal: None,
            running: None,
            queue: VecDeque::new(),
            incoming: VecDeque::new(),
        }
    }

    fn set(&mut self, key: Vec<u8>, value: Vec<u8>) {
        *self.versions.entry(key.clone()).or_default() += 1;
        self.data.insert(key, value);
    }

    fn version(&self, key: &[u8]) -> u64 {
        self.versions.get(key).copied().unwrap_or_default()
    }

    fn has_script(&self, hash: &str) -> bool {
        self.loaded.contains(hash) || self.evaluated.iter().any(|other| other == hash)
    }

    /// Keeps a script that EVAL brought. Servers keep 500 of those.
    fn keep_evaluated(&mut self, hash: &str) {
        const KEPT: usize = 500;
        if self.has_script(hash) {
            return;
        }
        self.evaluated.push_back(hash.to_owned());
        if self.evaluated.len() > KEPT {
            self.evaluated.pop_front();
        }
    }

    fn flush_scripts(&mut self) {
        self.loaded.clear();
        self.evaluated.clear();
    }

    fn die(&mut self) {
        self.is_alive = false;
        self.flush_scripts();
        self.has_library = false;
        self.running = None;
        self.queue.clear();
        self.incoming.clear();
    }
}
