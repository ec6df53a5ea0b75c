//! Recognises other programs that answer in place of a server.

use crate::model::unreachable::Stranger;
use crate::wire::resp::Reply;

/// The first bytes that replies can have.
const REPLIES: &[u8] = b"+-:$*_,#!=(%~|>";

/// Names what sends these first bytes; `None`: it may be a server.
pub(super) fn of_first_bytes(begin: &[u8]) -> Option<Stranger> {
    match begin {
        [] => None,
        [first, ..] if REPLIES.contains(first) => None,
        [0x15 | 0x16, 3, ..] | [0x15 | 0x16] => Some(Stranger::Tls),
        [b'<', ..] | [b'H', b'T', b'T', b'P', ..] => Some(Stranger::Http),
        _ => Some(Stranger::Unknown(begin[..begin.len().min(24)].escape_ascii().to_string())),
    }
}

/// Whether the reply to ROLE is a Sentinel's.
pub(super) fn has_role_of_sentinel(role: &Reply) -> bool {
    let elements = role.clone().into_elements().unwrap_or_default();
    elements.first().is_some_and(|name| name.as_bytes() == Some(b"sentinel"))
}
