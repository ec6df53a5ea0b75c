//! One server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::access::Users;
use super::data::Data;
use super::execution::Execution;
use super::functions::Libraries;
use super::ids::{ConnectionId, NodeId};
use super::script_cache::ScriptCache;
use super::topology::Topology;
use super::wire::{Reply, Words};
use super::writes::{Arrival, Origin, Write};

/// A condition in which a server refuses some commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// LOADING.
    Loading,
    /// A replica whose primary is gone: MASTERDOWN, if it may not serve old data.
    PrimaryDown,
    /// CLUSTERDOWN.
    ClusterDown,
    /// OOM.
    OutOfMemory,
    /// MISCONF.
    CannotPersist,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) address: (String, u16),
    pub(super) zone: Option<String>,
    pub(super) is_up: bool,
    /// Stopped as by SIGSTOP: it reads nothing, and its scripts stand still.
    pub(super) is_paused: bool,
    pub(super) conditions: Vec<Condition>,
    pub(super) min_replicas: usize,
    pub(super) busy_after: Duration,
    pub(super) serves_stale_data: bool,
    pub(super) users: Users,
    pub(super) data: Data,
    pub(super) cache: ScriptCache,
    pub(super) libraries: Libraries,
    /// The primary that it follows.
    pub(super) follows: Option<NodeId>,
    /// That primary's writes on their way here.
    pub(super) arriving: VecDeque<Arrival>,
    /// The writes that made its data what they are.
    pub(super) history: Vec<Write>,
    /// A replica took its place; what it holds beyond this many writes will be lost.
    pub(super) superseded_at: Option<usize>,
    /// What it knows of the cluster.
    pub(super) view: Topology,
    /// Slots on their way to other nodes, and from them.
    pub(super) migrating: BTreeMap<u16, NodeId>,
    pub(super) importing: BTreeMap<u16, NodeId>,
    pub(super) running: Option<Running>,
    /// Writes of the command that runs, which replicas get once it is done.
    pub(super) uncommitted: Vec<(usize, Words, Origin)>,
}

/// A script that takes its time. While it does, the server reads nothing else; past a threshold it reads, and refuses
/// nearly all.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) connection: ConnectionId,
    pub(super) execution: Execution,
    /// The transaction that it is part of: what was answered so far, and what is left to do.
    pub(super) transaction: Option<(Vec<Reply>, VecDeque<Words>)>,
    pub(super) until: Duration,
    pub(super) is_busy: bool,
}

impl Node {
    pub(super) fn is(&self, condition: Condition) -> bool {
        self.conditions.contains(&condition)
    }

    pub(super) fn is_replica(&self) -> bool {
        self.follows.is_some()
    }

    /// A replica does not enforce the limit; its primary does.
    pub(super) fn is_out_of_memory(&self) -> bool {
        self.is(Condition::OutOfMemory) && !self.is_replica()
    }

    /// A replica that lost its primary and is configured to serve no old data.
    pub(super) fn is_stale(&self) -> bool {
        self.is_replica() && self.is(Condition::PrimaryDown) && !self.serves_stale_data
    }

    pub(super) fn reads_nothing(&self) -> bool {
        !self.is_up || self.is_paused || self.running.as_ref().is_some_and(|running| !running.is_busy)
    }
}
