//! Makes the caller's error from a server's error reply: its kind, its text and its place in a script.

use crate::model::error::{Error, Kind, ScriptPlace};
use crate::model::request::Request;
use crate::model::verdict::{Meaning, Ran, Verdict, is_not_compiled, line_number};
use crate::wire::resp::ServerError;

impl Error {
    /// The caller's error for a server's error reply to `request`, after its verdict.
    pub(crate) fn answered(error: &ServerError, verdict: &Verdict, request: &Request) -> Self {
        let kind = kind(error, &verdict.meaning);
        let unwrapped = match request.record() {
            Some(record) if kind == Kind::ScriptSyntax => record.script.unwrapped(&error.text()),
            _ => request.script().and_then(|script| script.unprobed(&error.text())),
        };
        let unwrapped = unwrapped.map(|words| ServerError::new(words.into_bytes()));
        let error = unwrapped.as_ref().unwrap_or(error);
        Self::of(error, kind, verdict.ran != Ran::No, Some(request))
    }

    /// The error that a script ended in when it ran, as the record of that call has it.
    pub(crate) fn recorded(error: &ServerError, request: &Request) -> Self {
        Self::of(error, kind(error, &Meaning::OfScript), true, Some(request))
    }

    /// The id of a call with `once` stands for another call.
    pub(crate) fn once_conflict(request: &Request) -> Self {
        let id = request.shown_id();
        let message = format!(
            "once: the id {id} was used before for another script, or with other keys or arguments; nothing was \
             executed. Give each call an id of its own, or wait until the record of the other one expires"
        );
        Self::new(Kind::OnceConflict, message)
    }

    /// The script of a call with `once` has begun before, and the record does not say how it ended.
    pub(crate) fn once_unknown(request: &Request) -> Self {
        let id = request.shown_id();
        let message = format!(
            "once: the script was begun before with the id {id}, and its record has no reply; it did not run again. \
             Find out from the data whether it took effect"
        );
        Self::new(Kind::OnceUnknown, message).may_have_executed(true)
    }

    /// The error for an error reply inside another value.
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

    fn of(error: &ServerError, kind: Kind, may_have_executed: bool, request: Option<&Request>) -> Self {
        let place = is_script_kind(kind).then(|| {
            let line = line_number(&error.text());
            let script = request.and_then(Request::callers_script).cloned();
            let library = request.and_then(Request::library);
            let source_line = line.and_then(|line| match (&script, library) {
                (Some(script), _) => script.line(line),
                (None, library) => library?.line(line),
            });
            let name = library.and_then(|library| library.name());
            Box::new(ScriptPlace { script, name, line, source_line })
        });
        Self { place, ..Self::answer(kind, error.clone()).may_have_executed(may_have_executed) }
    }
}

fn kind(error: &ServerError, meaning: &Meaning) -> Kind {
    match meaning {
        Meaning::NotCompiled => return Kind::ScriptSyntax,
        Meaning::Killed => return Kind::ScriptKilled,
        Meaning::MissingFunction => return Kind::Script,
        // The code of a script's own error is the script's choice: it does not show what the server did.
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
        "NOPERM" => Kind::NoPermission,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::{Form, Packer};
    use crate::model::route::Route;
    use std::sync::Arc;

    use crate::model::script::{Options, Script};
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
            let place = error.place.as_ref().expect("a place");
            assert_eq!(
                (error.kind, place.line, place.source_line.as_deref()),
                (Kind::Script, Some(3), Some("  three"))
            );
            assert!(error.to_string().ends_with("\n  limit.lua, line 3: three"), "{error}");
            assert!(error.may_have_executed);
        }
    }

    #[test]
    fn a_script_that_does_not_compile_is_a_syntax_error() {
        let error = of_script("ERR Error compiling script (new function): user_script:1: '=' expected near 'x'");
        assert_eq!(error.kind, Kind::ScriptSyntax);
        assert!(error.to_string().starts_with("Lua syntax error: "));
    }

    #[test]
    fn kinds_follow_the_code() {
        assert_eq!(of_command("EXECABORT Transaction discarded").kind, Kind::ExecAbort);
        assert_eq!(of_command("CROSSSLOT Keys in request").kind, Kind::CrossSlot);
        assert_eq!(of_command("UNKILLABLE Sorry").kind, Kind::Unkillable);
        assert_eq!(of_command("NOTBUSY No scripts").kind, Kind::NotBusy);
        assert_eq!(of_command("ERR unknown command 'NOPE'").kind, Kind::Request);
        assert_eq!(of_script("ERR Script killed by user with SCRIPT KILL.").kind, Kind::ScriptKilled);
        assert_eq!(of_script("NOPERM User a has no permissions to run the 'eval' command").kind, Kind::NoPermission);
        assert_eq!(of_command("WRONGTYPE x").code.as_deref(), Some("WRONGTYPE"));
    }
}
