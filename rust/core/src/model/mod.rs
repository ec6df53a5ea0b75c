//! What goes into and out of the client: calls, scripts, routes, settings, errors. Nothing here waits.

pub(crate) mod address;
pub(crate) mod address_map;
pub(crate) mod batch;
pub(crate) mod broken_stream;
pub(crate) mod call;
pub(crate) mod cause;
pub(crate) mod commands;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod library;
pub(crate) mod once;
pub(crate) mod question;
pub(crate) mod reply_error;
pub(crate) mod request;
pub(crate) mod route;
pub mod script;
pub(crate) mod script_words;
pub(crate) mod split;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod tls;
pub(crate) mod unreachable;
pub(crate) mod used;
pub(crate) mod verdict;
pub(crate) mod wait;
