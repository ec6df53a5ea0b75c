//! Finds out whether an error in a server's words came from the server or from the script. No reply says who wrote it.
//! So the client asks the server something that runs none of the caller's code: if the server refuses that for the same
//! reason, it refused the script. This costs one more round trip, and only for errors.

use bytes::Bytes;
use memchr::memmem;

use super::wording::OUT_OF_MEMORY;
use super::{Asked, Meaning};
use crate::model::library::Library;
use crate::model::request::{Form, Request, asking};
use crate::model::route::Route;
use crate::wire::fields::Fields;
use crate::wire::pack;
use crate::wire::resp::{Item, Reply, ServerError};

/// A script that does nothing.
const NOTHING: &[u8] = b"return 1";

/// Declares that a script writes.
const WRITES: &[u8] = b"#!lua\n";

/// Declares that it does not: the read-only forms take no other.
const READS: &[u8] = b"#!lua flags=no-writes\n";

/// Whether a text is Lua, which this does not run.
const COMPILES: &[u8] = b"return loadstring(ARGV[1]) and 1 or 0";

/// What no script and no function is called.
const NO_HASH: &[u8] = &[b'0'; 40];
const NO_FUNCTION: &[u8] = b"?";

/// Codes that name a state of the server or its slots. A script's flags matter to none of them.
const PLACES: [&str; 6] = ["ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "TRYAGAIN"];

/// Whether a script may have made up an error that is taken for its server's.
pub(super) fn is_wanted(meaning: &Meaning, error: &ServerError, asked: &Asked<'_>) -> bool {
    let request = asked.request;
    if !asked.may_be_scripts() {
        return false;
    }
    match meaning {
        Meaning::OfScript | Meaning::OfCommand | Meaning::Killed => false,
        // These are common, and followed at once. One more round trip is only for scripts that have the words.
        Meaning::MissingScript | Meaning::MissingFunction | Meaning::Moved(..) | Meaning::Ask(_) | Meaning::Nowhere => {
            may_say(request, error)
        }
        // To ask would be to send as much again.
        Meaning::TooLarge => may_say(request, error),
        Meaning::Forbidden if asked.is_ahead => may_say(request, error),
        // Such a script may run again.
        Meaning::UnknownCommand => !request.is_read_only(),
        _ => true,
    }
}

/// Whether an error's words may be in the code, the keys or the arguments of what runs Lua.
fn may_say(request: &Request, error: &ServerError) -> bool {
    has_words(request, error) || code(request).is_none()
}

/// Whether they are there.
pub(super) fn has_words(request: &Request, error: &ServerError) -> bool {
    // Servers put `ERR` before words that have no code.
    let words = error.as_bytes().strip_prefix(b"ERR ").unwrap_or(error.as_bytes());
    let has = |text: &[u8]| memmem::find(text, words).is_some();
    code(request).is_some_and(|code| has(code)) || has(request.wire())
}

/// What is known of the code that a request runs.
fn code(request: &Request) -> Option<&Bytes> {
    request.callers_script().map(|script| script.code()).or_else(|| Some(request.library()?.code()))
}

/// What the answers to questions have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The server refuses so by itself.
    Given,
    /// After the reply it did not refuse so: it may have done before, or the script made the words up.
    NotNow,
    /// In the same write it did not refuse so: the script made the words up.
    NotThen,
}

/// What a server is asked to see whether it refuses a request by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Questions {
    commands: Vec<Bytes>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The answer to one of them has the same words, or the same code.
    SameRefusal,
    /// The same, and if it is for want of memory, the function declares no flag by which it would begin.
    SameRefusalOf(String),
    /// The server is a replica.
    Role,
    /// The script is not there.
    Script,
    /// The function is not there.
    Function(String),
    /// The code cannot be compiled, or the first line is refused.
    Code,
}

impl Questions {
    /// The questions about an error reply. `knows_little`: the peer may end the connection over commands that it does
    /// not know.
    pub(crate) fn new(meaning: &Meaning, asked: &Asked<'_>, is_asking: bool, knows_little: bool) -> Self {
        let request = asked.request;
        let (mut commands, kind) = match meaning {
            Meaning::MissingScript => {
                let hash = request.words().nth(1).unwrap_or_default();
                (vec![pack::command(&[b"SCRIPT", b"EXISTS", hash])], Kind::Script)
            }
            Meaning::MissingFunction | Meaning::NotCompiled if request.calls_function() => {
                (vec![Library::list()], Kind::Function(request.function_name()))
            }
            Meaning::NotPrimary | Meaning::StoppedOnReplica => {
                let hello = (!knows_little).then(|| pack::command(&[b"HELLO"]));
                let writer = pack::command(&[b"EVAL", &nothing(WRITES), b"0"]);
                (hello.into_iter().chain([writer]).collect(), Kind::Role)
            }
            Meaning::NotCompiled if let Some(script) = request.script() => {
                let compiling = pack::command(&[b"EVAL", COMPILES, b"0", script.code_without_shebang()]);
                (same_command(asked, knows_little).into_iter().chain([compiling]).collect(), Kind::Code)
            }
            Meaning::Refused if request.calls_function() => {
                let commands = same_command(asked, knows_little).into_iter().chain([Library::list()]).collect();
                (commands, Kind::SameRefusalOf(request.function_name()))
            }
            _ => (same_command(asked, knows_little), Kind::SameRefusal),
        };
        if is_asking && matches!(kind, Kind::SameRefusal | Kind::SameRefusalOf(_) | Kind::Code) {
            commands = commands.into_iter().flat_map(|command| [asking(), command]).collect();
        }
        Self { commands, kind }
    }

    /// The questions about an error that a request may get; `None`: it would need no proof.
    pub(crate) fn ahead(meaning: &Meaning, request: &Request, form: Option<Form>) -> Option<Self> {
        // They are the same wherever it is sent.
        let route = Route::RandomNode;
        let asked = Asked { form, ..Asked::plainly(request, &route) };
        asked.may_be_scripts().then(|| Self::new(meaning, &asked, false, false))
    }

    pub(crate) fn commands(&self) -> &[Bytes] {
        &self.commands
    }

    pub(crate) fn are_about_role(&self) -> bool {
        self.kind == Kind::Role
    }

    /// What the answers show; `otherwise`: if they do not show that the server refuses the request by itself.
    pub(crate) fn prove(&self, error: &ServerError, answers: Vec<Reply>, otherwise: Proof) -> Proof {
        let refuses = answers.iter().filter_map(Reply::error).any(|answer| is_same(answer, error));
        let needs_memory = |name: &str| answers.iter().find_map(|listed| needs_memory(listed, name));
        let is_of_memory = error.as_bytes() == OUT_OF_MEMORY.as_bytes();
        if let Kind::SameRefusalOf(name) = &self.kind
            && is_of_memory
        {
            return match needs_memory(name) {
                Some(true) if refuses => Proof::Given,
                Some(false) => Proof::NotThen,
                _ => otherwise,
            };
        }
        let is_given = refuses
            || match &self.kind {
                Kind::SameRefusal | Kind::SameRefusalOf(_) => false,
                Kind::Role => answers.into_iter().any(is_of_replica),
                Kind::Code => answers.iter().any(|answer| answer.as_int() == Some(0)),
                Kind::Script => {
                    answers.iter().any(|answer| matches!(answer.items(), [_, Item::Int(0)]) || is_denied(answer))
                }
                Kind::Function(name) => answers.iter().any(|list| match list.error() {
                    Some(_) => is_denied(list),
                    None => !lists_function(list, name),
                }),
            };
        if is_given { Proof::Given } else { otherwise }
    }
}

/// The same command, and EVAL, of nothing, with the same keys.
fn same_command(asked: &Asked<'_>, knows_little: bool) -> Vec<Bytes> {
    let request = asked.request;
    let command = asked.command();
    let rest: Vec<&[u8]> = request.words().skip(2).take(request.words_to_last_key()).collect();
    let of = |command: &str, code: &[u8]| pack::command(&[&[command.as_bytes(), code], &rest[..]].concat());
    let is_function = request.calls_function();
    // A server checks what the first line declares.
    let first_line = match request.script() {
        _ if is_function && command.ends_with("_RO") => READS,
        _ if is_function => WRITES,
        script => script.map_or(&[][..], |script| script.shebang()),
    };
    let code = nothing(first_line);
    let eval = if command.ends_with("_RO") { "EVAL_RO" } else { "EVAL" };
    match () {
        () if command.starts_with("EVALSHA") => vec![of(&command, NO_HASH), of(eval, &code)],
        () if is_function && knows_little => vec![of(&command, NO_FUNCTION)],
        () if is_function => vec![of(&command, NO_FUNCTION), of(eval, &code)],
        () => vec![of(&command, &code)],
    }
}

/// A script that does nothing, with that first line.
fn nothing(first_line: &[u8]) -> Vec<u8> {
    let is_all = !first_line.is_empty() && !first_line.ends_with(b"\n");
    [first_line, if is_all { b"" } else { NOTHING }].concat()
}

/// Whether a server that gives this answer also gave the other one.
fn is_same(answer: &ServerError, error: &ServerError) -> bool {
    match error.code() {
        // These may be about another command, or about anything.
        "ERR" | "NOPERM" => known_part(answer) == known_part(error),
        code => answer.code() == code || [answer.code(), code].iter().all(|code| PLACES.contains(code)),
    }
}

/// The line without the arguments that a server quotes.
fn known_part(error: &ServerError) -> String {
    let text = error.text();
    match text.find(", with args beginning with: ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Whether the user has no right to ask, or the server does not know the question. The script is taken for missing then:
/// that runs it twice at most.
fn is_denied(answer: &Reply) -> bool {
    answer.error().is_some_and(|error| matches!(error.code(), "NOPERM" | "ERR"))
}

/// Whether it is HELLO's of a replica.
fn is_of_replica(answer: Reply) -> bool {
    let fields = Fields::read(answer);
    fields.is_some_and(|fields| matches!(fields.text("role"), Some("replica" | "slave")))
}

/// Whether a function declares no flag by which it would begin on a server without memory; `None`: it is not listed.
fn needs_memory(listed: &Reply, name: &str) -> Option<bool> {
    let items = listed.items();
    items.windows(6).enumerate().find_map(|(index, function)| {
        let [key, value, _, _, flags, Item::Array(count) | Item::Set(count)] = function else { return None };
        let mut declared = items[index + 6..].iter().take(*count);
        let is_it = is_text(key, "name") && is_text(value, name) && is_text(flags, "flags");
        is_it.then(|| !declared.any(|flag| is_text(flag, "no-writes") || is_text(flag, "allow-oom")))
    })
}

/// Whether one of the libraries that a server listed has a function of that name.
pub(crate) fn lists_function(listed: &Reply, name: &str) -> bool {
    listed.items().iter().any(|item| is_text(item, name))
}

fn is_text(item: &Item, text: &str) -> bool {
    matches!(item, Item::Bulk(bytes) | Item::Simple(bytes) if &bytes[..] == text.as_bytes())
}
