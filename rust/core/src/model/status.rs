//! Whether there is a connection to a server, and why not.

use std::fmt;

#[derive(Clone, Debug)]
pub(crate) enum Status {
    Connecting,
    Up,
    Down(Unreachable),
}

/// Why there is no connection, worded for the user; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable(pub(crate) String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
