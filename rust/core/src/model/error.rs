//! What a caller is told when a call fails: what went wrong, and whether the command may have run.

use std::sync::Arc;
use std::time::Duration;

use crate::connection::connect::Unreachable;
use crate::model::request::Request;
use crate::model::script::Script;
use crate::model::verdict::{Meaning, Ran, Verdict, is_not_compiled, line_number};
use crate::wire::resp::ServerError;

/// What those are told whose calls or connection a panic has hit.
pub(crate) const PANICKED: &str = "a bug in glide_scripts was met, and standard error has the panic's message";

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
    /// Which command of a batch it is of.
    pub batch_index: Option<usize>,
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

impl Kind {
    pub const ALL: [Self; 14] = [
        Self::Configuration,
        Self::Closing,
        Self::Request,
        Self::Timeout,
        Self::Connection,
        Self::ExecAbort,
        Self::CrossSlot,
        Self::Script,
        Self::ScriptSyntax,
        Self::NoScript,
        Self::ScriptKilled,
        Self::ScriptBusy,
        Self::Unkillable,
        Self::NotBusy,
    ];
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
        Self { kind, message: message.into(), code: None, may_have_executed: false, place: None, batch_index: None }
    }

    #[must_use]
    pub fn may_have_executed(mut self, may: bool) -> Self {
        self.may_have_executed = may;
        self
    }

    /// A deadline passed.
    pub(crate) fn timeout(after: Duration, state: &str, may_have_executed: bool) -> Self {
        let message = format!("timeout after {} ms: {state}", after.as_millis());
        Self::new(Kind::Timeout, message).may_have_executed(may_have_executed)
    }

    /// The connection was lost, and with it the reply.
    pub(crate) fn lost(reason: &Unreachable) -> Self {
        let message =
            format!("the connection was lost after the request was sent ({reason}); it may have been executed");
        Self::new(Kind::Connection, message).may_have_executed(true)
    }

    /// Says of a request that it was sent once before, and may have been executed then.
    #[must_use]
    pub(crate) fn after_loss(mut self, was_lost: bool) -> Self {
        if was_lost && !self.may_have_executed {
            self.may_have_executed = true;
            self.message.push_str("; it was sent before on a connection that was lost, and may have been executed");
        }
        self
    }

    /// The client was closed before the call ended.
    pub(crate) fn closed_under_way(sent: bool) -> Self {
        Self::new(Kind::Closing, "the client was closed while the call was under way").may_have_executed(sent)
    }

    /// A bug of ours hit the call.
    pub(crate) fn panicked() -> Self {
        let message = format!("{PANICKED}; the request may have been executed");
        Self::new(Kind::Connection, message).may_have_executed(true)
    }

    /// What a server's answer to `request` means to its caller, as it was judged.
    pub(crate) fn answered(error: &ServerError, verdict: &Verdict, request: &Request) -> Self {
        Self::of(error, kind(error, &verdict.meaning), verdict.ran != Ran::No, request.script())
    }

    /// What an error reply means that stands somewhere inside a value.
    pub fn nested(error: &ServerError) -> Self {
        let kind = if is_not_compiled(error) {
            Kind::ScriptSyntax
        } else if line_number(&error.text()).is_some() {
            Kind::Script
        } else {
            kind(error, &Meaning::OfCommand)
        };
        Self::of(error, kind, false, None)
    }

    fn of(error: &ServerError, kind: Kind, may_have_executed: bool, script: Option<&Arc<Script>>) -> Self {
        let text = error.text();
        let line = line_number(&text);
        let place = is_script_kind(kind).then(|| {
            Box::new(Place { script: script.cloned(), line, source_line: line.and_then(|line| script?.line(line)) })
        });
        Self {
            kind,
            message: wording(kind, text, place.as_deref()),
            code: Some(error.code().to_owned()),
            may_have_executed,
            place,
            batch_index: None,
        }
    }
}

fn kind(error: &ServerError, meaning: &Meaning) -> Kind {
    match meaning {
        Meaning::NotCompiled => return Kind::ScriptSyntax,
        Meaning::Killed => return Kind::ScriptKilled,
        Meaning::MissingFunction => return Kind::Script,
        // Of a script's own errors the code tells what they are about, and not what the server did.
        Meaning::OfScript | Meaning::StoppedOnReplica => return Kind::Script,
        _ => {}
    }
    match error.code() {
        "NOSCRIPT" => Kind::NoScript,
        "BUSY" => Kind::ScriptBusy,
        "UNKILLABLE" => Kind::Unkillable,
        "NOTBUSY" => Kind::NotBusy,
        "CROSSSLOT" => Kind::CrossSlot,
        "EXECABORT" => Kind::ExecAbort,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::{Form, Packer};
    use crate::model::route::Route;
    use crate::model::script::Options;
    use crate::model::verdict::{Asked, of_error};

    fn of_script(text: &str) -> Error {
        let options = Options { name: Some("limit.lua".into()), ..Options::default() };
        let script = Arc::new(Script::new("one\ntwo\n  three", options));
        judged(text, &Packer::script(&script, 0, 0).finish(true), Some(Form::Code))
    }

    fn judged(text: &str, request: &Request, form: Option<Form>) -> Error {
        let error = ServerError::new(text.to_owned().into_bytes());
        let asked = Asked { form, ..Asked::plainly(request, &Route::Any) };
        Error::answered(&error, &of_error(&error, &asked), request)
    }

    fn of_command(text: &str) -> Error {
        judged(text, &Packer::command(0).finish(false), None)
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
    fn a_script_that_does_not_compile_is_a_syntax_error() {
        let error = of_script("ERR Error compiling script (new function): user_script:1: '=' expected near 'x'");
        assert_eq!(error.kind, Kind::ScriptSyntax);
        assert!(error.message.starts_with("Lua syntax error: "));
    }

    #[test]
    fn what_was_lost_once_may_have_executed_whatever_became_of_it_later() {
        let not_sent = || Error::new(Kind::Request, "not sent, because nobody is there");
        assert!(!not_sent().after_loss(false).may_have_executed);
        let error = not_sent().after_loss(true);
        assert!(error.may_have_executed && error.message.contains("it was sent before"), "{}", error.message);
    }

    #[test]
    fn kinds_follow_the_code() {
        assert_eq!(of_command("EXECABORT Transaction discarded").kind, Kind::ExecAbort);
        assert_eq!(of_command("CROSSSLOT Keys in request").kind, Kind::CrossSlot);
        assert_eq!(of_command("UNKILLABLE Sorry").kind, Kind::Unkillable);
        assert_eq!(of_command("NOTBUSY No scripts").kind, Kind::NotBusy);
        assert_eq!(of_command("ERR unknown command 'NOPE'").kind, Kind::Request);
        assert_eq!(of_script("ERR Script killed by user with SCRIPT KILL.").kind, Kind::ScriptKilled);
        assert_eq!(of_script("NOPERM User a has no permissions to run the 'eval' command").kind, Kind::Request);
        assert_eq!(of_command("WRONGTYPE x").code.as_deref(), Some("WRONGTYPE"));
    }
}
