//! What a caller is told when a call fails: what went wrong, and whether the command may have run.

use std::sync::Arc;
use std::time::Duration;

use crate::model::script::Script;
use crate::model::status::Unreachable;

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

    /// Keys are in several slots; `message` says which.
    pub(crate) fn cross_slot(message: std::fmt::Arguments<'_>) -> Self {
        let message = format!("CROSSSLOT (CrossSlot): {message}");
        Self { code: Some("CROSSSLOT".into()), ..Self::new(Kind::CrossSlot, message) }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_once_may_have_executed_whatever_became_of_it_later() {
        let not_sent = || Error::new(Kind::Request, "not sent, because nobody is there");
        assert!(!not_sent().after_loss(false).may_have_executed);
        let error = not_sent().after_loss(true);
        assert!(error.may_have_executed && error.message.contains("it was sent before"), "{}", error.message);
    }
}
