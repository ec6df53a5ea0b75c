//! How servers word their errors, as far as it matters what they mean.
//!
//! A script may answer with any error too, under any code, after it wrote. So a code says nothing of what a script did;
//! only a server's own wording does. A script that words an error of its own exactly like one of these is taken for
//! the server.

use crate::resp::ServerError;

/// The server's own NOSCRIPT.
pub(crate) fn is_missing_script(error: &ServerError) -> bool {
    matches!(error.as_bytes(), b"NOSCRIPT No matching script." | b"NOSCRIPT No matching script. Please use EVAL.")
}

/// FCALL of a function that the server does not have.
pub(crate) fn is_missing_function(error: &ServerError) -> bool {
    error.as_bytes() == b"ERR Function not found"
}

/// Refusals that pass by themselves: the server did not start on the command, and will take it later, or another will.
pub(crate) fn is_passing_refusal(error: &ServerError) -> bool {
    const WORDINGS: [&str; 10] = [
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "CLUSTERDOWN Hash slot not served",
        "LOADING Valkey is loading the dataset",
        "LOADING Redis is loading the dataset",
        "LOADING server is loading the dataset",
        "MASTERDOWN Link with MASTER is down",
        "MASTERDOWN Link with PRIMARY is down",
        "READONLY You can't write against a read only",
        "READONLY Can not run script with write flag on readonly replica",
    ];
    begins_with_one(error, &WORDINGS) && line_number(&error.text()).is_none()
}

/// A script that had started was stopped at its first write, because its server is a replica.
pub(crate) fn is_write_on_replica(error: &ServerError) -> bool {
    begins_with_one(error, &["READONLY You can't write against a read only"]) && line_number(&error.text()).is_some()
}

/// What a server answers before it runs any Lua. Not all that it may: where a script's own `redis.pcall` can return
/// the same words after a write (OOM, NOREPLICAS, READONLY), the script may have run.
pub(crate) fn is_refusal(error: &ServerError) -> bool {
    const WORDINGS: [&str; 14] = [
        "ASK ",
        "BUSY Redis is busy running a script",
        "BUSY Valkey is busy running a script",
        "BUSY server is busy running a script",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "ERR Number of keys can't be",
        "ERR unknown command '",
        "ERR unknown command `",
        "ERR wrong number of arguments for 'ev",
        "ERR wrong number of arguments for 'fcall",
        "MOVED ",
        "NOAUTH Authentication required",
        "NOPERM User ",
        "NOPERM this user has no permissions",
    ];
    let text = error.text();
    if line_number(&text).is_some() {
        return false;
    }
    let is_redirect = || text.split(' ').nth(1).is_some_and(|slot| slot.parse::<u16>().is_ok());
    match error.code() {
        "MOVED" | "ASK" => is_redirect(),
        "READONLY" => text.starts_with("READONLY Can not run script with write flag on readonly replica"),
        _ => is_missing_script(error) || is_passing_refusal(error) || begins_with_one(error, &WORDINGS),
    }
}

/// What a server checks before it starts a script that declares its flags with `#!`, and at the first write of any
/// other. The words are the same.
pub(crate) fn is_refusal_of_flagged(error: &ServerError) -> bool {
    const WORDINGS: [&str; 3] = [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "NOREPLICAS Not enough good replicas to write.",
        "MISCONF Valkey is configured to save RDB snapshots",
    ];
    begins_with_one(error, &WORDINGS) && line_number(&error.text()).is_none()
}

/// A script that does not compile.
pub(crate) fn is_compile_error(text: &str) -> bool {
    ["ERR Error compiling script (new function): ", "ERR Error compiling function: "]
        .iter()
        .any(|wording| text.starts_with(wording))
}

/// A script that `SCRIPT KILL` or `FUNCTION KILL` stopped.
pub(crate) fn is_kill(text: &str) -> bool {
    text.starts_with("ERR Script killed by user with ")
        || (text.starts_with("ERR Error running ") && text.contains(": Script killed by user with "))
}

/// A read-only form of EVAL, which servers before Redis 7 do not know.
pub(crate) fn is_unknown_read_only_form(error: &ServerError) -> bool {
    let text = error.text();
    text.starts_with("ERR unknown command") && (text.contains("EVALSHA_RO") || text.contains("EVAL_RO"))
}

/// The line that an error names, in any of the servers' formats: `user_script:3:`, `@user_script:3.`,
/// `@user_script: 3:` and the same of a function.
pub(crate) fn line_number(text: &str) -> Option<u32> {
    ["user_script:", "user_function:"].iter().find_map(|marker| {
        let (_, rest) = text.split_once(marker)?;
        let rest = rest.trim_start();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        rest[..digits].parse().ok()
    })
}

fn begins_with_one(error: &ServerError, wordings: &[&str]) -> bool {
    wordings.iter().any(|wording| error.as_bytes().starts_with(wording.as_bytes()))
}
