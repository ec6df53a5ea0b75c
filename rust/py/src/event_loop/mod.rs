//! Connects the I/O thread with an event loop of asyncio or a run of trio: what is awaited for a call, and who wakes
//! whom.

pub(crate) mod bridge;
mod bridges;
mod busy_poll;
mod deferred_wake;
mod done_callback;
mod loop_state;
pub(crate) mod pending;
mod questions;
mod running_loop;
pub(crate) mod runtime;
mod tickets;
mod trio;
mod wakeup;
