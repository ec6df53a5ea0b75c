//! Whether there is a connection to a server, and why not.

#[derive(Clone, Debug)]
pub(crate) enum Status {
    Connecting,
    Up,
    Down(Unreachable),
}

/// Why there is no connection, worded for the user; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub(crate) String);
