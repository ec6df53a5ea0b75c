//! Lua scripts on Valkey and Redis: connections, script caching, routing and retries.
//!
//! The way of one call: a [`Client`] packs nothing and decides nothing; it hands a packed [`Request`] to its task on
//! the [`IoThread`], which asks the topology for a lane to the right node. The lane writes the request and pairs the
//! reply with it. A value goes back to the caller at once; anything else goes up the ladder of `invoke`.

#![forbid(unsafe_code)]

mod batch;
mod call;
mod client;
mod completion;
mod config;
mod connect;
mod discovery;
mod error;
mod fanout;
mod guard;
mod heartbeat;
mod invoke;
mod io;
mod io_thread;
mod lane;
mod library;
mod node;
mod outbox;
mod overdue;
mod pipeline;
mod queues;
mod request;
pub mod resp;
mod route;
pub mod script;
mod servers;
mod signal;
mod stats;
mod text;
mod tls;
mod topology;
mod transaction;
mod transport;
mod used;
mod verdict;
mod watch;

pub use batch::{Batch, BatchOptions, Entry};
pub use client::Client;
pub use completion::{CallId, Completion, Completions, Facts, Outcome, ReplyTo};
pub use config::{
    Address, Backoff, Config, ConnectionConfig, Credentials, Mode, PasswordRequest, PasswordSource, Protocol, ReadFrom,
    Tls, Unacknowledged,
};
pub use error::{Error, Kind, Place};
pub use fanout::{Part, split_by_slot};
pub use io_thread::IoThread;
pub use library::Library;
pub use outbox::Bell;
pub use request::{Gather, Lane, Packer, Request, refusal};
pub use route::{Role, Route, SLOTS, Slot};
pub use stats::{Latency, NodeStats, Stats};
pub use tls::TlsOptions;
pub use transport::{Opening, Stream, Transport, system};
