//! What a command wrote, and what is on its way to replicas.

use std::time::Duration;

use super::wire::Words;

/// What a write came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Run(u64),
    Command(Words),
}

#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) database: usize,
    pub(super) words: Words,
    pub(super) origin: Origin,
}

#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) at: Duration,
    pub(super) write: Write,
}
