//! What answers where a server was expected.

use crate::wire::resp::Reply;

/// Which first bytes replies have.
const REPLIES: &[u8] = b"+-:$*_,#!=(%~|>";

/// Says what it is that begins to speak so; `None`: it may be a server.
pub(super) fn of_first_bytes(begin: &[u8]) -> Option<String> {
    match begin {
        [] => None,
        [first, ..] if REPLIES.contains(first) => None,
        [0x15 | 0x16, 3, ..] | [0x15 | 0x16] => Some(TLS.into()),
        [b'<', ..] | [b'H', b'T', b'T', b'P', ..] => Some(HTTP.into()),
        _ => {
            let shown = begin[..begin.len().min(24)].escape_ascii();
            Some(format!("what answers there is no Valkey or Redis: it begins with \"{shown}\""))
        }
    }
}

/// Whether the reply to HELLO is a Sentinel's.
pub(super) fn is_sentinel(hello: &Reply) -> bool {
    let Some(fields) = hello.clone().into_elements() else { return false };
    fields.chunks_exact(2).any(|pair| pair[0].as_bytes() == Some(b"mode") && pair[1].as_bytes() == Some(b"sentinel"))
}

/// Whether the reply to ROLE is a Sentinel's.
pub(super) fn has_role_of_sentinel(role: &Reply) -> bool {
    let elements = role.clone().into_elements().unwrap_or_default();
    elements.first().is_some_and(|name| name.as_bytes() == Some(b"sentinel"))
}

pub(super) const TLS: &str = "the server speaks TLS on this port; pass use_tls=True";

const HTTP: &str = "an HTTP server answers there; connect to the port of Valkey or Redis";

pub(super) const SENTINEL: &str = "a Sentinel answers there; connect to the server itself, or name the Sentinels and the \
                                   service in a SentinelConfiguration or a valkey+sentinel:// URL";
