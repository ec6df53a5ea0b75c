//! A model of Valkey and Redis servers: standalone, with replicas, or a cluster.
//!
//! Pure and deterministic: bytes go in, bytes come out, and the caller sets the time. Besides replies, the model
//! reports every script that ran ([`Event`]), which no real server does. `tests/honest` compares its replies with those
//! of real servers, byte for byte.
//!
//! | file | subject |
//! |---|---|
//! | `deployment` | all servers of one installation, and time |
//! | `faults` | their faults |
//! | `node`, `connection`, `data` | what one server, one connection, one data set is |
//! | `dispatch` | what a server checks before it runs a command, in its order |
//! | `commands`, `plain`, `server_commands` | the table of commands, and what they do |
//! | `evaluation`, `lua`, `execution` | EVAL and FCALL, what runs, and how far it is |
//! | `once` | the records of calls with `once` |
//! | `scripts`, `script_cache`, `functions` | which scripts there are, and what of them a server has |
//! | `transactions`, `blocking`, `access` | MULTI and WATCH; BLPOP and WAIT; users and passwords |
//! | `cluster`, `topology` | redirects; slots and who serves them |
//! | `replication`, `writes` | writes, and how they reach replicas later, or never |
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
mod execution;
mod faults;
mod functions;
mod ids;
mod lua;
mod node;
mod once;
mod options;
mod plain;
mod replication;
mod script_cache;
pub mod scripts;
mod server_commands;
mod topology;
pub mod trace;
mod transactions;
mod versions;
mod wire;
mod words;
mod writes;

pub use deployment::{Deployment, Layout};
pub use events::{Ending, Event};
pub use ids::{ConnectionId, NodeId};
pub use node::Condition;
pub use options::Options;
pub use topology::{Topology, slot};
pub use versions::Version;
pub(crate) use wire::take_command;
pub use wire::{Words, pack};
