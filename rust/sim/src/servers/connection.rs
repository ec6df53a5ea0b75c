//! One client's connection, as its server sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{ConnectionId, NodeId};
use super::wire::{Protocol, Reply, Words};

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "a server's own flags of a client, each for itself")]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) node: NodeId,
    /// Bytes that the server did not read yet.
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    /// The server has not ended it.
    pub(super) is_open: bool,
    /// The client is still there.
    pub(super) is_wanted: bool,
    pub(super) protocol: Protocol,
    pub(super) database: usize,
    pub(super) name: Vec<u8>,
    /// The user that it logged in as.
    pub(super) user: Option<String>,
    pub(super) reads_from_replica: bool,
    pub(super) is_asking: bool,
    /// The command that runs came after ASKING.
    pub(super) was_asking: bool,
    pub(super) transaction: Option<Transaction>,
    /// The EXEC that runs, by its number in the deployment.
    pub(super) exec: Option<u64>,
    /// Keys with their versions when they were watched.
    pub(super) watched: BTreeMap<(usize, Vec<u8>), u64>,
    pub(super) blocked: Option<Blocked>,
    /// Its reply comes when a script ends.
    pub(super) waits_for_script: bool,
    /// Where in the node's writes its last write ended, for WAIT.
    pub(super) last_write: u64,
    /// The code that it was not allowed to load. If the next script is missing, this is why.
    pub(super) refused_loads: BTreeSet<Vec<u8>>,
}

/// What MULTI began.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) queued: Vec<Words>,
    /// The flags that any of the commands has, and those that any of them lacks.
    pub(super) flags: u16,
    pub(super) missing_flags: u16,
    pub(super) is_doomed: bool,
}

#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) until: Option<Duration>,
    pub(super) on: BlockedOn,
}

#[derive(Clone, Debug)]
pub(super) enum BlockedOn {
    /// BLPOP, in any of these keys.
    Lists { database: usize, keys: Vec<Vec<u8>> },
    /// WAIT.
    Replicas { count: usize, offset: u64 },
}

impl Connection {
    pub(super) fn new(id: ConnectionId, node: NodeId, user: Option<String>) -> Self {
        Self {
            id,
            node,
            input: Vec::new(),
            output: Vec::new(),
            is_open: true,
            is_wanted: true,
            protocol: Protocol::Resp2,
            database: 0,
            name: Vec::new(),
            user,
            reads_from_replica: false,
            is_asking: false,
            was_asking: false,
            transaction: None,
            exec: None,
            watched: BTreeMap::new(),
            blocked: None,
            waits_for_script: false,
            refused_loads: BTreeSet::new(),
            last_write: 0,
        }
    }

    pub(super) fn send(&mut self, reply: &Reply) {
        if self.is_open && self.is_wanted {
            reply.write(self.protocol, &mut self.output);
        }
    }

    pub(super) fn may_be_read(&self) -> bool {
        self.is_open && self.blocked.is_none() && !self.waits_for_script
    }
}
