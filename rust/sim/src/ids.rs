//! The ids of calls, as they stand in commands.

/// The prefix of each id, by which ids are found in the bytes of a connection.
const ID: &str = "id:";

/// The word that carries the id of a call.
pub(crate) fn word_of(id: u64) -> String {
    format!("{ID}{id}")
}

/// The number of the call that a word is the id of.
pub(crate) fn id_of(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.strip_prefix(ID)?.parse().ok()
}
