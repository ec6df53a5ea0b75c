//! What happened, as only the servers know.

use std::time::Duration;

use super::ids::{ConnectionId, NodeId};

/// In the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A script or function began to run: it has run from now on, whatever becomes of it. `run` numbers all runs of
    /// the deployment, `id` is the first of its ARGV, `name` the template's; `exec` numbers the EXEC that it is part of.
    Ran {
        at: Duration,
        run: u64,
        node: NodeId,
        connection: ConnectionId,
        id: Vec<u8>,
        name: String,
        exec: Option<u64>,
    },
    /// That run is over.
    Ended {
        at: Duration,
        run: u64,
        wrote: bool,
        ending: Ending,
    },
    /// A plain command ran, outside of scripts. Its words are all that names it.
    Command {
        at: Duration,
        node: NodeId,
        connection: ConnectionId,
        words: Vec<Vec<u8>>,
        wrote: bool,
        exec: Option<u64>,
    },
    /// Commands were refused before any of them ran: one, or what EXEC would have run.
    Refused {
        at: Duration,
        node: NodeId,
        connection: ConnectionId,
        commands: Vec<Vec<Vec<u8>>>,
    },
    /// What these runs and commands wrote is lost: the node that they ran on was replaced by one that did not have it
    /// yet, or had no copy on disk.
    RolledBack {
        at: Duration,
        node: NodeId,
        runs: Vec<u64>,
        commands: Vec<Vec<Vec<u8>>>,
    },
    /// The record of some call with `once` lost its reply.
    Forgotten {
        at: Duration,
        node: NodeId,
        key: Vec<u8>,
    },
    /// The script cache, or the functions, or all data, were emptied by a command.
    Flushed {
        at: Duration,
        node: NodeId,
        what: &'static str,
    },
    /// A replica became a primary.
    Promoted {
        at: Duration,
        node: NodeId,
    },
    Died {
        at: Duration,
        node: NodeId,
    },
    Started {
        at: Duration,
        node: NodeId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Returned,
    /// With an error, its own or a server's.
    Failed,
    /// By SCRIPT KILL or FUNCTION KILL.
    Killed,
    /// Its node died meanwhile; nothing that it wrote remains.
    Crashed,
}
