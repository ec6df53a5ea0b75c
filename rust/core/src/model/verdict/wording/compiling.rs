//! The servers' wordings for code that does not compile.

use crate::model::request::Request;
use crate::wire::resp::ServerError;

/// The name of the engine follows, in quotes.
const NO_ENGINE: &str = "ERR Could not find scripting engine '";

/// What begins the answer to code whose first line declares what a server does not have: one word follows.
const NOT_SUPPORTED: [&str; 3] = [
    "ERR Unexpected engine in script shebang: #!",
    "ERR Unexpected flag in script shebang: ",
    "ERR Unknown lua shebang option: ",
];

/// What begins the answer to code that does not compile; its line follows, and what Lua says of it.
const NOT_COMPILED: [&str; 2] =
    ["ERR Error compiling function: user_function:", "ERR Error compiling script (new function): user_script:"];

/// A script that does not compile, or whose first line declares what the server does not know.
pub(crate) fn is_not_compiled(error: &ServerError) -> bool {
    let text = error.text();
    text == "ERR Invalid script shebang"
        || text.strip_prefix(NO_ENGINE).and_then(|name| name.strip_suffix('\'')).is_some()
        || NOT_SUPPORTED.iter().any(|wording| text.strip_prefix(wording).is_some_and(|word| !word.contains(' ')))
        || NOT_COMPILED.iter().any(|wording| text.strip_prefix(wording).is_some_and(is_said_by_compiler))
}

/// Lua names the token that it stopped at, unless the code exceeds a limit of the compiler.
fn is_said_by_compiler(text: &str) -> bool {
    let Some((line, text)) = text.split_once(": ") else { return false };
    line.parse::<u32>().is_ok()
        && ((text.contains(" near '") && text.ends_with('\''))
            || text.contains("function has more than ")
            || (text.starts_with("function at line ") && text.contains(" has more than "))
            || text == "chunk has too many syntax levels")
}

/// Whether a server's error about a first line fits this script's first line, if that is known.
pub(super) fn is_of_first_line(text: &str, request: &Request) -> bool {
    let Some(script) = request.script() else { return true };
    let first = script.code().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |word: &str| first.split(u8::is_ascii_whitespace).any(|other| other == word.as_bytes());
    if let Some(name) = text.strip_prefix(NO_ENGINE) {
        return has(&format!("#!{}", name.trim_end_matches('\'')));
    }
    match text.split_once(" script shebang: ").or_else(|| text.split_once(" lua shebang option: ")) {
        Some((before, flag)) if before.ends_with("flag in") => script.declares(flag),
        Some((_, word)) => has(word),
        None => text != "ERR Invalid script shebang" || first.starts_with(b"#!"),
    }
}
