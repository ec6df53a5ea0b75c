//! PING, and the answer that shows that a server runs a script.

use bytes::Bytes;

use crate::model::verdict;
use crate::wire::pack;
use crate::wire::resp::Reply;

/// Whether the server runs a script, and so answers nothing else.
pub(crate) fn is_busy(reply: &Reply) -> bool {
    reply.error().is_some_and(verdict::is_busy)
}

pub(crate) fn ping() -> Bytes {
    pack::command(&[b"PING"])
}
