//! Lua scripts on Valkey and Redis: connections, script caching, routing and retries.
//!
//! The life of a call: a [`Client`] hands a packed [`Request`] to its task on the [`IoThread`]. The task asks the
//! topology for a lane to the right node. The lane writes the request and pairs the reply with it. A value goes back to
//! the caller at once; `calls::single` handles everything else.

#![forbid(unsafe_code)]

mod calls;
mod client;
mod connection;
mod model;
mod servers;
mod tasks;
mod upkeep;
mod wire;

pub use crate::client::handle::Client;
pub use crate::client::io_thread::IoThread;
pub use crate::client::outbox::Bell;
pub use crate::connection::transport::system;
pub use crate::model::address::Address;
pub use crate::model::address_map::AddressMap;
pub use crate::model::batch::{Batch, BatchOptions, Entry};
pub use crate::model::cause::{AtDeadline, Cause, CrossSlot, Doubt, InSlot, Obstacle};
pub use crate::model::commands::{Placement, runs_lua};
pub use crate::model::completion::{CallId, CallTrace, Completion, Completions, Outcome, ReplyTo};
pub use crate::model::config::{
    Backoff, Config, ConnectionConfig, Credentials, Deadlines, Mode, Opening, Protocol, ReadFrom, SentinelConfig,
    Stream, Transport, Unacknowledged,
};
pub use crate::model::error::{Error, Kind, ScriptPlace};
pub use crate::model::gather::Gather;
pub use crate::model::library::{Library, library_name};
pub use crate::model::once::{Once, OwnIds};
pub use crate::model::question::{Answer, CallbackError, Question, Questioner};
pub use crate::model::request::{CONTAINERS, LaneKind, Packer, Request};
pub use crate::model::route::{Role, Route, SLOTS, Slot};
pub use crate::model::script;
pub use crate::model::split::{Part, split_by_slot};
pub use crate::model::stats::{Latency, NodeStats, Stats};
pub use crate::model::tls::setting_error::{SettingError, Unusable};
pub use crate::model::tls::{Identity, Pem, Tls, TlsOptions};
pub use crate::model::topology_error::{
    AtServer, CommandRefused, DiscoveryError, NotConfirmed, SentinelError, TopologyError,
};
pub use crate::model::unreachable::{Refused, Stranger, Unreachable};
pub use crate::model::wait::Wait;
pub use crate::tasks::mailbox::Mailbox;
pub use crate::tasks::room::ROOM_KEPT;
pub use crate::tasks::tries::{Look, Tries, has_cores, look};
pub use crate::wire::resp;
pub use socket2::SockRef;
