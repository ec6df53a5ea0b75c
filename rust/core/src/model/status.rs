//! Whether there is a connection to a server.

use crate::model::unreachable::Unreachable;

#[derive(Clone, Debug)]
pub(crate) enum Status {
    Connecting,
    Up,
    Down(Unreachable),
}
