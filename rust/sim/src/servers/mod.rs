//! A model of Valkey and Redis servers: standalone, with replicas, or a cluster.
//!
//! Pure and deterministic: bytes go in, bytes come out, and time is what the caller says. Beside the replies it keeps
//! an account of every script that ran ([`Event`]), which no real server gives. `tests/honest.rs` holds its replies to
//! those of real servers, byte for byte.
//!
//! | file | subject |
//! |---|---|
//! | `deployment` | all servers of one installation, and time |
//! | `faults` | what may befall them |
//! | `node`, `connection`, `data` | what one server, one connection, one data set is |
//! | `dispatch` | what a server checks before it runs a command, in its order |
//! | `commands`, `plain`, `server_commands` | the table of commands, and what they do |
//! | `evaluation`, `lua`, `scripts`, `functions` | EVAL and FCALL, what runs, and which scripts there are |
//! | `transactions`, `blocking`, `access` | MULTI and WATCH; BLPOP and WAIT; users and passwords |
//! | `cluster`, `replication` | slots and redirects; writes that reach replicas later, or never |
//! | `versions`, `words` | what servers can do, and how they say so |
//! | `wire`, `trace` | RESP; traces to replay |

mod access;
mod blocking;
mod cluster;
mod commands;
mod connection;
mod data;
mod deployment;
mod dispatch;
mod evaluation;
mod events;
mod faults;
mod functions;
mod lua;
mod node;
mod options;
mod plain;
mod replication;
pub mod scripts;
mod server_commands;
pub mod trace;
mod transactions;
mod versions;
mod wire;
mod words;

pub use cluster::{Topology, slot};
pub use connection::ConnectionId;
pub use deployment::{Deployment, Layout, NodeId};
pub use events::{Ending, Event};
pub use faults::Condition;
pub use options::Options;
pub use versions::Version;
pub(crate) use wire::take_command;
pub use wire::{Words, pack};
