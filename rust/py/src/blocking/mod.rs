//! How threads wait for replies from the I/O thread.

mod sleep;

pub(crate) mod pending;
pub(crate) mod questions;
