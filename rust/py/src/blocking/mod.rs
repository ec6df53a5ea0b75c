//! Between the I/O thread and threads that wait: what a thread waits for, and how it sleeps.

mod sleep;

pub(crate) mod pending;
pub(crate) mod questions;
