//! The handle that any thread holds, and the thread that serves it.

pub(crate) mod handle;
pub(crate) mod io_thread;
mod linger;
mod message;
pub(crate) mod outbox;
mod service;
