//! What a caller is told when a call fails: what went wrong, and whether the command may have run.

use std::sync::Arc;

use crate::request::Request;
use crate::resp::ServerError;
use crate::script::Script;

/// The one error of the crate. `message` is worded for whoever reads it, and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    /// The first word of the server's answer.
    pub code: Option<String>,
    /// Whether the server may have executed the command, in part or in whole.
    pub may_have_executed: bool,
    /// Where in which script, for errors of Lua.
    pub place: Option<Box<Place>>,
}

/// What kind of error it is; the bindings have a type for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Configuration,
    Closing,
    Request,
    Timeout,
    Connection,
    ExecAbort,
    CrossSlot,
    Script,
    ScriptSyntax,
    NoScript,
    ScriptKilled,
    ScriptBusy,
    Unkillable,
    NotBusy,
}

/// A place in a script, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub script: Option<Arc<Script>>,
    pub line: Option<u32>,
    pub source_line: Option<String>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, may_have_executed: false, place: None }
    }

    #[must_use]
    pub fn may_have_executed(mut self, may: bool) -> Self {
        self.may_have_executed = may;
        self
    }

    /// The client was closed before the call ended.
    pub(crate) fn closed_under_way(sent: bool) -> Self {
        Self::new(Kind::Closing, "the client was closed while the call was under way").may_have_executed(sent)
    }

    /// What the server's answer to `request` means to its caller.
    pub fn from_server(error: &ServerError, request: &Request) -> Self {
        Self::answered(error, request.runs_lua(), request.script())
    }

    /// What an error reply means that stands somewhere inside a value.
    pub fn nested(error: &ServerError) -> Self {
        Self::answered(error, false, None)
    }

    fn answered(error: &ServerError, runs_lua: bool, script: Option<&Arc<Script>>) -> Self {
        let text = error.text();
        let line = line_number(&text);
        let kind = kind(error, &text, runs_lua, line);
        let may_have_executed = runs_lua && kind != Kind::ScriptSyntax && (line.is_some() || !is_refusal(error));
        let place = is_script_kind(kind).then(|| {
            Box::new(Place { script: script.cloned(), line, source_line: line.and_then(|line| script?.line(line)) })
        });
        Self {
            kind,
            message: wording(kind, text, place.as_deref()),
            code: Some(error.code().to_owned()),
            may_have_executed,
            place,
        }
    }
}

fn kind(error: &ServerError, text: &str, runs_lua: bool, line: Option<u32>) -> Kind {
    match error.code() {
        "NOSCRIPT" => Kind::NoScript,
        "BUSY" => Kind::ScriptBusy,
        "UNKILLABLE" => Kind::Unkillable,
        "NOTBUSY" => Kind::NotBusy,
        "CROSSSLOT" => Kind::CrossSlot,
        "EXECABORT" => Kind::ExecAbort,
        "ERR" if text.contains("Script killed by user") => Kind::ScriptKilled,
        "ERR" if text.contains("Error compiling script") || text.contains("Error compiling function") => {
            Kind::ScriptSyntax
        }
        _ if line.is_some() || (runs_lua && !is_refusal(error)) => Kind::Script,
        _ => Kind::Request,
    }
}

fn is_script_kind(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Script
            | Kind::ScriptSyntax
            | Kind::NoScript
            | Kind::ScriptKilled
            | Kind::ScriptBusy
            | Kind::Unkillable
            | Kind::NotBusy
    )
}

/// Answers that a server gives before it runs anything, and never from inside a script without naming the line.
fn is_refusal(error: &ServerError) -> bool {
    const REFUSALS: [&str; 16] = [
        "ASK",
        "AUTH",
        "BUSY",
        "CLUSTERDOWN",
        "CROSSSLOT",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "WRONGPASS",
    ];
    const WORDINGS: [&[u8]; 4] = [
        b"ERR unknown command ",
        b"ERR wrong number of arguments ",
        b"ERR Number of keys ",
        b"ERR max number of clients",
    ];
    (error.code() == "NOSCRIPT" && is_missing_script(error))
        || REFUSALS.contains(&error.code())
        || WORDINGS.iter().any(|wording| error.as_bytes().starts_with(wording))
}

/// Whether this is the server's own NOSCRIPT. A script may answer with an error of that code too, after it wrote.
pub(crate) fn is_missing_script(error: &ServerError) -> bool {
    matches!(error.as_bytes(), b"NOSCRIPT No matching script." | b"NOSCRIPT No matching script. Please use EVAL.")
}

/// The text of an error: the server's words, with those that users look for where the server does not use them.
fn wording(kind: Kind, text: String, place: Option<&Place>) -> String {
    let mut message = match kind {
        Kind::ScriptSyntax => format!("Lua syntax error: {text}"),
        Kind::CrossSlot => format!("CrossSlot: {text}"),
        Kind::ScriptBusy => format!("{text} (script_kill() stops a script that has not written)"),
        Kind::Script if text.contains("Unknown ") && text.contains("command called from script") => {
            format!("{text} (unknown command)")
        }
        _ => text,
    };
    if let Some(Place { script, line: Some(line), source_line: Some(source) }) = place {
        let name = script.as_ref().and_then(|script| script.options().name.as_deref()).unwrap_or("script");
        message.push_str(&format!("\n  {name}, line {line}: {}", source.trim()));
    }
    message
}

/// The line that an error names, in any of the servers' formats: `user_script:3:`, `@user_script:3.`,
/// `@user_script: 3:` and the same of a function.
fn line_number(text: &str) -> Option<u32> {
    ["user_script:", "user_function:"].iter().find_map(|marker| {
        let (_, rest) = text.split_once(marker)?;
        let rest = rest.trim_start();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        rest[..digits].parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Packer;
    use crate::script::Options;

    fn of_script(text: &str) -> Error {
        let options = Options { name: Some("limit.lua".into()), ..Options::default() };
        let script = Arc::new(Script::new("one\ntwo\n  three", options));
        let request = Packer::script(&script, 0, 0).finish(true);
        Error::from_server(&ServerError::new(text.to_owned().into_bytes()), &request)
    }

    fn of_command(text: &str) -> Error {
        Error::from_server(&ServerError::new(text.to_owned().into_bytes()), &Packer::command(1).finish(false))
    }

    #[test]
    fn the_line_is_found_in_every_format() {
        for text in [
            "ERR user_script:3: boom script: on @user_script:3.",
            "ERR user_script:3: boom script: 5ca1ab1e, on @user_script:3.",
            "ERR Error running script (call to f_5ca1ab1e): @user_script:3: user_script:3: boom",
            "WRONGTYPE Operation against a key script: on @user_script:3.",
        ] {
            let error = of_script(text);
            let place = error.place.expect("a place");
            assert_eq!(
                (error.kind, place.line, place.source_line.as_deref()),
                (Kind::Script, Some(3), Some("  three"))
            );
            assert!(error.message.ends_with("\n  limit.lua, line 3: three"), "{}", error.message);
            assert!(error.may_have_executed);
        }
    }

    #[test]
    fn a_script_that_does_not_compile_did_not_run() {
        let error = of_script("ERR Error compiling script (new function): user_script:1: '=' expected near 'x'");
        assert_eq!(error.kind, Kind::ScriptSyntax);
        assert!(error.message.starts_with("Lua syntax error: "));
        assert!(!error.may_have_executed);
    }

    #[test]
    fn an_error_that_a_script_returned_may_follow_its_writes() {
        for text in ["OUT_OF_STOCK sku 7", "NOSCRIPT of my own", "ERR no"] {
            assert!(of_script(text).may_have_executed, "{text}");
        }
    }

    #[test]
    fn what_a_server_refuses_did_not_run() {
        for text in ["NOSCRIPT No matching script.", "LOADING Valkey is loading", "BUSY Valkey is busy", "OOM no"] {
            assert!(!of_script(text).may_have_executed, "{text}");
        }
        assert!(!of_command("WRONGTYPE Operation against a key").may_have_executed);
    }

    #[test]
    fn kinds_follow_the_code() {
        assert_eq!(of_command("EXECABORT Transaction discarded").kind, Kind::ExecAbort);
        assert_eq!(of_command("CROSSSLOT Keys in request").kind, Kind::CrossSlot);
        assert_eq!(of_command("UNKILLABLE Sorry").kind, Kind::Unkillable);
        assert_eq!(of_command("NOTBUSY No scripts").kind, Kind::NotBusy);
        assert_eq!(of_command("ERR unknown command 'NOPE'").kind, Kind::Request);
        assert_eq!(of_script("ERR Script killed by user with SCRIPT KILL.").kind, Kind::ScriptKilled);
        assert_eq!(of_script("NOPERM this user").kind, Kind::Request);
        assert_eq!(of_command("WRONGTYPE x").code.as_deref(), Some("WRONGTYPE"));
    }
}
