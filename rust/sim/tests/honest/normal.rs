//! Replaces the parts of replies that differ between any two servers.

use glide_scripts_sim::servers::Words;

/// | command | what differs |
/// |---|---|
/// | HELLO | the connection's number, and the modules that were built in |
/// | CLIENT ID | that number |
/// | INFO | nearly all; that it is text is compared |
/// | ROLE | how much was replicated is counted in bytes, not writes; how a link is being made |
/// | KEYS, FUNCTION LIST, and both in scripts | the order is that of a hash map |
/// | CLUSTER SLOTS | nodes' ids |
pub(crate) fn normal(words: &Words, reply: &[u8]) -> Vec<u8> {
    let names: Vec<String> =
        words.iter().take(2).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let name = names.first().map_or("", String::as_str);
    let next = names.get(1).map_or("", String::as_str);
    if reply.first().is_none_or(|&marker| marker == b'-') {
        return reply.to_vec();
    }
    let lines = || reply.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match (name, next) {
        ("hello", _) => {
            let mut kept: Vec<_> = lines().into_iter().take_while(|line| line != b"modules\r").collect();
            if let Some(id) = kept.iter().position(|line| line == b"id\r") {
                kept.remove(id + 1);
            }
            kept.concat()
        }
        ("client", "id") => b"an id".to_vec(),
        ("info", _) => reply[..1].to_vec(),
        ("role", _) => lines().into_iter().filter(|line| !line.starts_with(b":")).take(6).flatten().collect(),
        ("keys", _) | ("function", "list") => {
            let mut lines = lines();
            lines.sort();
            lines.concat()
        }
        ("cluster", "slots") => lines().into_iter().filter(|line| line.len() != 41).flatten().collect(),
        _ => reply.to_vec(),
    }
}
