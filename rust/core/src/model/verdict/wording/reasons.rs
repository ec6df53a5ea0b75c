//! Whether a server has a reason to answer a request with a line. If it has none, a script has made the line up.

use super::{NO_APPENDING_SCRIPT, NO_CLUSTER, TOO_LARGE, WRITES_READ_ONLY, WRONG_COUNT_OF_KEYS};
use crate::model::request::ACCEPTED;
use crate::model::verdict::Asked;

/// Whether a server may answer so to a command that runs Lua, before any Lua runs.
pub(super) fn has_reason(line: &str, asked: &Asked<'_>) -> bool {
    let request = asked.request;
    match line.split(' ').next().unwrap_or_default() {
        // Only a node of a cluster answers so, and only to a command with keys.
        "ASK" | "CLUSTERDOWN" | "MOVED" | "TRYAGAIN" => may_be_in_cluster(asked) && request.slot_of_script().is_some(),
        "CROSSSLOT" => may_be_in_cluster(asked) && request.spans_slots(),
        _ if line == NO_CLUSTER => may_be_in_cluster(asked) && may_declare(asked, "no-cluster"),
        _ if line == WRITES_READ_ONLY => may_have_flags(asked) && asked.command().ends_with("_RO"),
        _ if is_of_flags(line) => may_have_flags(asked),
        _ if TOO_LARGE.contains(&line) => may_be_too_large(asked),
        _ if WRONG_COUNT_OF_KEYS.contains(&line) => !request.counts_its_keys(),
        _ => true,
    }
}

/// Whether a server may be set to refuse a word of that length, or so many words.
fn may_be_too_large(asked: &Asked<'_>) -> bool {
    let args = asked.args();
    args.len() >= ACCEPTED || args.iter().any(|arg| arg.len() > ACCEPTED)
}

/// Whether only a script whose first line declares its flags is refused so.
fn is_of_flags(line: &str) -> bool {
    line.starts_with("OOM allow-oom flag ")
        || line.contains(" Writable scripts are blocked.")
        || NO_APPENDING_SCRIPT.iter().any(|wording| line.starts_with(wording))
}

fn may_be_in_cluster(asked: &Asked<'_>) -> bool {
    !asked.is_without_cluster
}

/// Whether the code may declare flags: a function's code does, and some code is not known.
fn may_have_flags(asked: &Asked<'_>) -> bool {
    asked.request.script().is_none_or(|script| script.code().starts_with(b"#!"))
}

fn may_declare(asked: &Asked<'_>, flag: &str) -> bool {
    asked.request.script().is_none_or(|script| script.declares(flag))
}
