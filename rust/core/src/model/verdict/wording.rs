//! The servers' wordings of the errors that the verdict depends on.
//!
//! Where a wording is fixed, the whole line counts. Where it has parts that vary (a command, a user, a slot), they are
//! compared with what was sent. `rust/core/tests/wordings` holds what five servers say, and `verdict_tests.rs` what each
//! of these lines must be taken for.

mod compiling;
mod permission;
mod reasons;
mod redirect;

use super::{Asked, Meaning, Proof};
use crate::model::request::Request;
use crate::wire::resp::ServerError;

pub(crate) use self::compiling::is_not_compiled;
use self::compiling::is_of_first_line;
pub(crate) use self::permission::forbids;
use self::permission::is_about_keys;
use self::reasons::has_reason;
pub(crate) use self::redirect::Redirect;

/// Refusals that end by themselves after a while. A command within a script is never refused in these words.
const PASSING: [&str; 9] = [
    "CLUSTERDOWN Hash slot not served",
    "CLUSTERDOWN The cluster is down",
    "CLUSTERDOWN The cluster is down and only accepts read commands",
    "LOADING Redis is loading the dataset in memory",
    "LOADING Valkey is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on \
     the script.",
    "MASTERDOWN Link with PRIMARY is down and replica-serve-stale-data is set to 'no'.",
    "MASTERDOWN Link with PRIMARY is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on \
     the script.",
];

/// It ends by itself, too.
const REHASHING: &str = "TRYAGAIN Multiple keys request during rehashing of slot";

const MISSING_SCRIPT: [&str; 2] = ["NOSCRIPT No matching script.", "NOSCRIPT No matching script. Please use EVAL."];

const MISSING_FUNCTION: &str = "ERR Function not found";

/// The answer to a write, also within a script, and to a script that declares that it writes.
const READ_ONLY: &str = "READONLY You can't write against a read only replica.";

/// To a script that declares that it writes, and that was not there yet when a transaction queued it.
const READ_ONLY_FLAGGED: &str = "READONLY Can not run script with write flag on readonly replica";

/// To a command that waits for other clients, when its server becomes a replica.
const UNBLOCKED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/// It ends by itself, like [`PASSING`], but a command within a script can be refused in the same words.
const TOO_FEW_REPLICAS: &str = "NOREPLICAS Not enough good replicas to write.";

/// What a server checks before it starts a script that declares its flags, and at the first write of any other. One
/// that declares not to write gets it at its first write from Valkey 9.1: what a function declares, its server is asked.
pub(super) const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// The same, whatever the script declares about memory.
const NO_WRITES_NOW: [&str; 2] = [
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may \
     modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
     snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB \
     error.",
    "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that \
     may modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
     snapshotting fails (stop-writes-on-bgsave-error option). Please check the Valkey logs for details about the RDB \
     error.",
];

/// The same of the append-only file; the system's reason follows.
const NO_APPENDING_NOW: &str = "MISCONF Errors writing to the AOF file: ";

/// The same of a script that was not there yet when a transaction queued it; the system's reason follows.
const NO_APPENDING_SCRIPT: [&str; 2] = [
    "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable scripts \
     are blocked. Use 'no-writes' flag for read only scripts. AOF error: ",
    "MISCONF Valkey is configured to persist data to AOF, but it's currently unable to persist to disk. Writable \
     scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: ",
];

/// To a script that declares that it writes, sent as one that only reads.
const WRITES_READ_ONLY: &str = "ERR Can not execute a script with write flag using *_ro command.";

/// To a script that declares to run in no cluster.
const NO_CLUSTER: &str = "ERR Can not run script on cluster, 'no-cluster' flag is set.";

/// The first is said to SINTERCARD, too.
const WRONG_COUNT_OF_KEYS: [&str; 2] =
    ["ERR Number of keys can't be greater than number of args", "ERR Number of keys can't be negative"];

/// Other refusals. A command within a script is never refused in these words, except for a wrong number of keys.
const REFUSALS: [&str; 9] = [
    "CROSSSLOT Keys in request don't hash to the same slot",
    WRITES_READ_ONLY,
    NO_CLUSTER,
    WRONG_COUNT_OF_KEYS[0],
    WRONG_COUNT_OF_KEYS[1],
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts \
     are blocked. Use 'no-writes' flag for read only scripts.",
    "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts \
     are blocked. Use 'no-writes' flag for read only scripts.",
    "NOAUTH Authentication required.",
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
];

/// To a request with too many words, or with a longer word than `proto-max-bulk-len`. The server reads no further, and
/// closes the connection.
const TOO_LARGE: [&str; 2] =
    ["ERR Protocol error: invalid bulk length", "ERR Protocol error: invalid multibulk length"];

const BUSY: [&str; 6] = [
    "BUSY Redis is busy running a module command.",
    "BUSY Valkey is busy running a module command.",
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "BUSY Valkey is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
    "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
];

pub(super) fn meaning(error: &ServerError, asked: &Asked<'_>) -> Meaning {
    let request = asked.request;
    if asked.is_queued
        && let Some(reason) = error.as_bytes().strip_prefix(DISCARDED)
    {
        return meaning(&ServerError::new(reason.to_vec()), asked);
    }
    let line = error.as_bytes();
    let is_made_up = |meaning: &Meaning| match asked.proof {
        Some(Proof::NotThen) => true,
        Some(Proof::NotNow) => !meaning.passes_by_itself(),
        Some(Proof::Given) | None => false,
    };
    if let Some(meaning) = refusal(error, line, asked).filter(|meaning| !is_made_up(meaning)) {
        return meaning;
    }
    let text = error.text();
    if asked.is_queued {
        return Meaning::OfCommand;
    }
    if is_kill(&text) {
        return Meaning::Killed;
    }
    if was_stopped_on_replica(&text, request) && !is_made_up(&Meaning::StoppedOnReplica) {
        return Meaning::StoppedOnReplica;
    }
    if request.runs_lua() || line_number(&text).is_some() { Meaning::OfScript } else { Meaning::OfCommand }
}

/// What precedes the reason for which EXEC itself was refused.
const DISCARDED: &[u8] = b"EXECABORT Transaction discarded because of: ";

/// What a server answers before it runs any Lua.
fn refusal(error: &ServerError, line: &[u8], asked: &Asked<'_>) -> Option<Meaning> {
    let request = asked.request;
    let runs_lua = asked.may_be_scripts();
    let is = |wording: &str| line == wording.as_bytes();
    let is_one = |wordings: &[&str]| wordings.iter().any(|wording| is(wording));
    if runs_lua && !has_reason(&error.text(), asked) {
        return None;
    }
    if is_one(&MISSING_SCRIPT) && asked.command().starts_with("EVALSHA") {
        return Some(Meaning::MissingScript);
    }
    if request.calls_function() && lacks_function(error) {
        return Some(Meaning::MissingFunction);
    }
    if is_one(&PASSING) {
        return Some(Meaning::Passing);
    }
    if is(REHASHING) {
        return Some(Meaning::Rehashing);
    }
    // A command within a script is refused in the same words.
    let is_servers = !runs_lua || asked.is_checked_before();
    if is(READ_ONLY_FLAGGED) || (is_servers && is(READ_ONLY)) {
        return Some(Meaning::NotPrimary);
    }
    // WAIT waits for what its own connection has written.
    if is(UNBLOCKED) && !asked.command().starts_with("WAIT") {
        return Some(Meaning::NotPrimary);
    }
    if is_servers && is(TOO_FEW_REPLICAS) {
        return Some(Meaning::Passing);
    }
    if is_one(&BUSY) {
        return Some(Meaning::Busy);
    }
    if ends_connection(error) {
        return Some(Meaning::TooLarge);
    }
    if !runs_lua && !matches!(error.code(), "MOVED" | "ASK" | "NOPERM" | "ERR") {
        return None;
    }
    let is_with_reason = |wording: &str| line.strip_prefix(wording.as_bytes()).is_some_and(is_system_reason);
    let takes_no_writes = || is_one(&NO_WRITES_NOW) || is_with_reason(NO_APPENDING_NOW);
    let refuses_memory = || {
        let by_script = request.script().is_some_and(|script| !script.allows_oom());
        !runs_lua || by_script || request.calls_function()
    };
    let is_out_of_memory = || is(OUT_OF_MEMORY) && refuses_memory();
    let cannot_append = NO_APPENDING_SCRIPT.iter().any(|wording| is_with_reason(wording));
    if is_one(&REFUSALS) || cannot_append || (is_servers && (takes_no_writes() || is_out_of_memory())) {
        return Some(Meaning::Refused);
    }
    // A server quotes arguments, which may be any bytes, or cut in the middle of a character.
    let text = &error.text();
    match error.code() {
        "MOVED" | "ASK" => redirect(text, asked),
        "NOPERM" if asked.is_refused_load => Some(Meaning::Forbidden),
        "NOPERM" if forbids(error, &asked.command(), request.subcommand().as_deref(), asked.user) => {
            Some(if is_about_keys(error) { Meaning::Refused } else { Meaning::Forbidden })
        }
        "ERR" if is_unknown_command(text, asked) => Some(Meaning::UnknownCommand),
        "ERR" if lacks_arguments(text, asked) => Some(Meaning::Refused),
        "ERR" if asked.brings_code() && is_not_compiled(error) && is_of_first_line(text, request) => {
            Some(Meaning::NotCompiled)
        }
        _ => None,
    }
}

/// Whether the text is an operating system's reason for a failed write.
fn is_system_reason(words: &[u8]) -> bool {
    const REASONS: [&str; 8] = [
        "Bad file descriptor",
        "Disk quota exceeded",
        "File too large",
        "Input/output error",
        "No space left on device",
        "Operation not permitted",
        "Permission denied",
        "Read-only file system",
    ];
    REASONS.iter().any(|reason| words == reason.as_bytes())
}

/// `MOVED 3999 127.0.0.1:6381`, and nothing more.
fn redirect(text: &str, asked: &Asked<'_>) -> Option<Meaning> {
    // For a plain command, it is not known which words are keys. A server has no reason to redirect a script without
    // keys, so such an answer comes from the script.
    let expected = if asked.request.runs_lua() { Some(asked.request.slot_of_script()?) } else { None };
    Some(match Redirect::read(text, expected, asked.node)? {
        Redirect::To(slot, address) if text.starts_with("MOVED") => Meaning::Moved(slot, address),
        Redirect::To(_, address) => Meaning::Ask(address),
        Redirect::Nowhere => Meaning::Nowhere,
    })
}

/// A command that runs a script has at least three words.
fn lacks_arguments(text: &str, asked: &Asked<'_>) -> bool {
    let may_lack = !asked.request.runs_lua() || asked.request.words().nth(2).is_none();
    may_lack && text == format!("ERR wrong number of arguments for '{}' command", asked.command().to_lowercase())
}

/// ``ERR unknown command `EVALSHA_RO`, with args beginning with: `5ca1ab1e`, `0`, ``, of the command that was sent.
fn is_unknown_command(text: &str, asked: &Asked<'_>) -> bool {
    [('`', "`, "), ('\'', "' ")].into_iter().any(|(open, close)| {
        let quoted = || {
            let (name, rest) =
                text.strip_prefix("ERR unknown command ")?.strip_prefix(open)?.split_once(&close[..1])?;
            let args = rest.strip_prefix(", with args beginning with: ")?;
            Some(name.eq_ignore_ascii_case(&asked.command()) && args == shown(asked, open, close))
        };
        quoted().unwrap_or_default()
    })
}

/// The arguments as a server quotes them, which stops after that many bytes.
fn shown(asked: &Asked<'_>, open: char, close: &str) -> String {
    const LONGEST: usize = 128;
    let mut shown: Vec<u8> = Vec::new();
    for arg in asked.args() {
        if shown.len() >= LONGEST {
            break;
        }
        let arg = &arg[..memchr::memchr(0, arg).unwrap_or(arg.len())];
        let length = arg.len().min(LONGEST - shown.len());
        shown.push(open as u8);
        shown.extend(arg[..length].iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        shown.extend_from_slice(close.as_bytes());
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// A script that `SCRIPT KILL` or `FUNCTION KILL` stopped.
fn is_kill(text: &str) -> bool {
    text.starts_with("ERR Script killed by user with ")
        || (text.starts_with("ERR Error running ") && text.contains(": Script killed by user with "))
}

/// A server's [`READ_ONLY`] with the place in the script that it stopped, in either format.
fn was_stopped_on_replica(text: &str, request: &Request) -> bool {
    if !request.runs_lua() {
        return false;
    }
    if let Some(place) = text.strip_prefix(READ_ONLY) {
        let Some(place) = place.strip_prefix(" script: ").and_then(|place| place.strip_suffix('.')) else {
            return false;
        };
        // Servers of some versions name the script, others do not.
        let at = place.split_once(", on ").map_or_else(|| place.strip_prefix("on "), |(_, at)| Some(at));
        return at.is_some_and(|at| at.starts_with('@') && line_number(at).is_some());
    }
    // Before Redis 7.
    text.strip_prefix("ERR Error running script (call to f_")
        .and_then(|rest| rest.split_once("): @user_script:"))
        .and_then(|(_, rest)| rest.split_once(": -"))
        .is_some_and(|(_, words)| words == READ_ONLY)
}

/// Whether a script's answer has the words in which a replica refuses writes: the script may have passed them on.
pub(super) fn passes_on_refusal(error: &ServerError) -> bool {
    error.text().contains(READ_ONLY)
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

/// Whether a server says that it lacks the script.
pub(crate) fn lacks_script(error: &ServerError) -> bool {
    MISSING_SCRIPT.iter().any(|wording| error.as_bytes() == wording.as_bytes())
}

/// Whether a server says that it lacks the function.
pub(crate) fn lacks_function(error: &ServerError) -> bool {
    error.as_bytes() == MISSING_FUNCTION.as_bytes()
}

/// The result of SCRIPT LOAD or FUNCTION LOAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    Done,
    /// A library of that name is there already.
    WasThere,
    /// The user may not do that, or the server cannot.
    Forbidden,
    Failed,
}

/// Reads the answer to SCRIPT LOAD (`command` is `SCRIPT`) or FUNCTION LOAD.
pub(crate) fn load(error: Option<&ServerError>, command: &str) -> Load {
    let Some(error) = error else { return Load::Done };
    let text = error.text();
    let unknown = format!("ERR unknown command '{command}'");
    let is_unknown = text.replace('`', "'").starts_with(&unknown) || text.starts_with("ERR unknown subcommand 'LOAD'");
    match () {
        () if text.starts_with("ERR Library '") && text.ends_with("' already exists") => Load::WasThere,
        () if is_unknown || forbids(error, command, Some("LOAD"), None) => Load::Forbidden,
        () => Load::Failed,
    }
}

/// Whether EXEC was refused, and the transaction is over.
pub(crate) fn is_discarded(error: &ServerError) -> bool {
    error.code() == "EXECABORT"
}

/// Whether the server says that it runs a script.
pub(crate) fn is_busy(error: &ServerError) -> bool {
    error.code() == "BUSY"
}

/// Whether the server reads nothing after the command that it answers so, and ends the connection. A script may say so,
/// too.
pub(crate) fn ends_connection(error: &ServerError) -> bool {
    TOO_LARGE.iter().any(|wording| error.as_bytes() == wording.as_bytes())
}

/// What SCRIPT KILL says where no script runs.
pub(crate) fn is_not_busy(error: &ServerError) -> bool {
    error.code() == "NOTBUSY"
}

/// Whether an answer to HELLO says that the login in it has failed. Others may refuse HELLO itself, in any words, and
/// the same credentials are tried with AUTH.
pub(crate) fn denies_login(error: &ServerError) -> bool {
    error.code() == "WRONGPASS"
}

/// Whether the server may give another answer soon.
pub(crate) fn is_temporary(error: &ServerError) -> bool {
    matches!(error.code(), "BUSY" | "LOADING" | "MASTERDOWN" | "NOAUTH")
}

/// Whether the server accepts no connection, whatever commands it gets.
pub(crate) fn turns_away(error: &ServerError) -> bool {
    error.code() == "DENIED" || error.text().starts_with("ERR max number of clients")
}

/// Whether what answered does not know the command.
pub(crate) fn lacks_command(error: &ServerError) -> bool {
    error.code() == "ERR" && error.text().contains("unknown command")
}

/// What a server that is no node of a cluster says to CLUSTER.
pub(crate) fn is_no_cluster(error: &ServerError) -> bool {
    error.text().contains("cluster support disabled")
}

/// Whether the server wants credentials.
pub(crate) fn wants_password(error: &ServerError) -> bool {
    error.code() == "NOAUTH"
}
