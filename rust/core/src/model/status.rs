//! Whether there is a connection to a server, and why not.

use crate::model::address::Address;

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

impl Unreachable {
    /// The same of a server that `address_map` has at another address.
    pub(crate) fn at(self, target: &Address) -> Self {
        Self(format!("{self} (address_map: it is at {target})"))
    }
}
