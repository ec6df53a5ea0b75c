//! What a caller gets when a call fails: what went wrong, and whether the command may have run.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::address::Address;
use crate::model::cause::{AtDeadline, Cause, CrossSlot};
use crate::model::script::Script;
use crate::model::script_words::{own_words, shown};
use crate::model::unreachable::Unreachable;
use crate::wire::resp::ServerError;

/// The one error of the crate. Its text is for users, and holds no secret.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    pub cause: Box<Cause>,
    /// The first word of the server's answer.
    pub code: Option<String>,
    /// Whether the server may have executed the command, in part or in whole.
    pub may_have_executed: bool,
    /// Where in which script, for errors of Lua.
    pub place: Option<Box<ScriptPlace>>,
    /// Which of several nodes it came from.
    pub node: Option<Address>,
    /// Which command of a batch failed.
    pub batch_index: Option<usize>,
    /// That command's name, where the text is to show it.
    pub command: Option<String>,
    /// The request was sent before, on a connection that was lost; it may have been executed then.
    pub(crate) was_lost: bool,
}

/// What kind of error it is; the bindings have a type for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Configuration,
    Closing,
    /// The client could not be made, because its login was refused.
    Authentication,
    Request,
    NoPermission,
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
    OnceConflict,
    OnceUnknown,
}

impl Kind {
    pub const ALL: [Self; 18] = [
        Self::Configuration,
        Self::Closing,
        Self::Authentication,
        Self::Request,
        Self::NoPermission,
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
        Self::OnceConflict,
        Self::OnceUnknown,
    ];
}

/// A place in a script, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct ScriptPlace {
    pub script: Option<Arc<Script>>,
    /// The name of the library, if the code is a function's.
    pub name: Option<String>,
    pub line: Option<u32>,
    pub source_line: Option<String>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::because(kind, Cause::Other(message.into()))
    }

    pub(crate) fn because(kind: Kind, cause: Cause) -> Self {
        Self {
            kind,
            cause: Box::new(cause),
            code: None,
            may_have_executed: false,
            place: None,
            node: None,
            batch_index: None,
            command: None,
            was_lost: false,
        }
    }

    /// What a server answered.
    pub(crate) fn answer(kind: Kind, answer: ServerError) -> Self {
        Self { code: Some(answer.code().to_owned()), ..Self::because(kind, Cause::Answer(answer)) }
    }

    /// The server has discarded a transaction because of what it answered to one of its commands.
    pub(crate) fn discarded(index: usize, command: String, answer: ServerError) -> Self {
        let cause = Cause::Discarded { index, command, answer };
        Self { code: Some("EXECABORT".into()), batch_index: Some(index), ..Self::because(Kind::ExecAbort, cause) }
    }

    #[must_use]
    pub fn may_have_executed(mut self, may: bool) -> Self {
        self.may_have_executed = may;
        self
    }

    pub fn cross_slot(conflict: CrossSlot) -> Self {
        Self { code: Some("CROSSSLOT".into()), ..Self::because(Kind::CrossSlot, Cause::CrossSlot(conflict)) }
    }

    /// A deadline passed.
    pub(crate) fn timeout(after: Duration, known: AtDeadline) -> Self {
        let may_have_executed = known.may_have_executed();
        Self::because(Kind::Timeout, Cause::Timeout { after, known }).may_have_executed(may_have_executed)
    }

    /// The connection was lost, and with it the reply.
    pub(crate) fn lost(reason: Unreachable) -> Self {
        Self::because(Kind::Connection, Cause::Lost(reason)).may_have_executed(true)
    }

    /// The connection was lost that often while the request was written.
    pub(crate) fn cut_off(times: u32, bytes: u64, reason: Unreachable) -> Self {
        Self::because(Kind::Connection, Cause::CutOff { times, bytes, reason })
    }

    /// Says of a request that it was sent once before, and may have been executed then.
    #[must_use]
    pub(crate) fn after_loss(mut self, was_lost: bool) -> Self {
        self.was_lost |= was_lost && !self.may_have_executed;
        self.may_have_executed |= was_lost;
        self
    }

    /// The client was closed before the call was issued.
    pub(crate) fn closed() -> Self {
        Self::because(Kind::Closing, Cause::Closed)
    }

    /// The client was closed before the call ended.
    pub(crate) fn closed_in_flight(sent: bool) -> Self {
        Self::because(Kind::Closing, Cause::ClosedInFlight).may_have_executed(sent)
    }

    /// The error with a text of its own, if it says that the client was closed before the call ended.
    #[must_use]
    pub fn with_closing_text(mut self, text: &str) -> Self {
        if matches!(*self.cause, Cause::ClosedInFlight) {
            *self.cause = Cause::Other(text.to_owned().into());
        }
        self
    }

    /// A node's reply is not of the form that its command has.
    pub(crate) fn unexpected(expected: &'static str) -> Self {
        Self::because(Kind::Request, Cause::Unexpected { expected }).may_have_executed(true)
    }

    /// A bug of ours hit the call.
    pub(crate) fn panicked() -> Self {
        Self::because(Kind::Connection, Cause::Panicked).may_have_executed(true)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "{node}: ")?;
        }
        match &*self.cause {
            Cause::Answer(answer) => self.answer_text(&answer.text(), f)?,
            cause => write!(f, "{cause}")?,
        }
        if self.was_lost {
            f.write_str("; it was sent before, and may have been executed then")?;
        }
        if let (Some(command), Some(index)) = (&self.command, self.batch_index) {
            write!(f, " (batch[{index}]: {command})")?;
        }
        self.place.as_ref().map_or(Ok(()), |place| place.fmt(f))
    }
}

impl Error {
    /// The server's text. The place comes first, unless the code is a script of the caller's.
    ///
    /// For a script, the text is unchanged: the code that shows it knows the file, and which words are secret.
    fn answer_text(&self, text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_deref() {
            Some(ScriptPlace { script: Some(_), .. }) => self.words(text, f),
            Some(ScriptPlace { line: Some(line), name, .. }) => {
                let server_name = if text.contains("user_function:") { "user_function" } else { "user_script" };
                write!(f, "{}:{line}: ", name.as_deref().unwrap_or(server_name))?;
                self.words(&shown(own_words(text)), f)
            }
            _ => self.words(&shown(text), f),
        }
    }

    /// The server's words, with the words that users search for added if they are missing.
    fn words(&self, text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::ScriptSyntax => write!(f, "Lua syntax error: {text}"),
            Kind::CrossSlot => write!(f, "CrossSlot: {text}"),
            Kind::ScriptBusy => write!(f, "{text} (script_kill() stops a script that has not written)"),
            Kind::Script if text.contains("Unknown ") && text.contains("command called from ") => {
                write!(f, "{text} (unknown command)")
            }
            Kind::Request if text.starts_with("MOVED ") || text.starts_with("ASK ") => {
                write!(f, "{text} (the server is a node of a cluster; a GlideClusterClient finds the right one)")
            }
            Kind::Request if text == "ERR Protocol error: invalid bulk length" => {
                write!(f, "{text} (an argument is longer than the server's proto-max-bulk-len)")
            }
            Kind::Request if lacks_scripts(text) => {
                write!(f, "{text} (does a Sentinel answer there, or a proxy that takes no scripts?)")
            }
            _ => f.write_str(text),
        }
    }
}

/// Whether what answered knows no command that runs scripts.
fn lacks_scripts(text: &str) -> bool {
    let name = text.to_ascii_lowercase();
    let name = name.strip_prefix("err unknown command ").unwrap_or_default().trim_start_matches(['`', '\'', '"']);
    name.starts_with("evalsha") && !name.starts_with("evalsha_ro")
}

impl fmt::Display for ScriptPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(line), Some(source)) = (self.line, &self.source_line) else { return Ok(()) };
        let name = self.script.as_ref().and_then(|script| script.options().name.as_deref());
        let name = name.or(self.name.as_deref()).unwrap_or("script");
        write!(f, "\n  {name}, line {line}: {}", shown(source.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_once_may_have_executed_whatever_became_of_it_later() {
        let not_sent = || Error::new(Kind::Request, "not sent, because nobody is there");
        assert!(!not_sent().after_loss(false).may_have_executed);
        let error = not_sent().after_loss(true);
        assert!(error.may_have_executed && error.to_string().contains("it was sent before"), "{error}");
    }
}
