//! How a call ended, and whether that outcome is allowed.

use glide_scripts_core::resp::{Item, Reply};
use glide_scripts_core::{Error, Kind};

/// A call's end, or that of a command of a batch.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "what nothing reads is shown where something does not hold")]
pub(crate) enum End {
    /// A right reply.
    Answered,
    /// A reply that the call cannot have.
    WrongReply(String),
    /// The error that its script answers with.
    OfScript,
    /// The script's error, or a server's answer in the same words.
    OfEither,
    /// A transaction that was not executed, because a watched key had changed.
    NotExecuted,
    Failed {
        kind: Kind,
        may_have_executed: bool,
        message: String,
    },
}

/// The reply that a call gets if it runs.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Bulk(String),
    Int(i64),
    Okay,
    /// An error of the script's own.
    Words {
        words: String,
        is_a_servers: bool,
    },
    /// The reply to a read depends on the other calls.
    Anything,
}

impl Expected {
    pub(crate) fn judge(&self, outcome: Result<Reply, Box<Error>>) -> End {
        match (outcome, self) {
            (Ok(Reply::One(Item::Okay)), Self::Okay) | (Ok(_), Self::Anything) => End::Answered,
            (Ok(Reply::One(Item::Int(reply))), Self::Int(expected)) if reply == *expected => End::Answered,
            (Ok(reply), Self::Bulk(expected)) if reply.as_bytes() == Some(expected.as_bytes()) => End::Answered,
            (Ok(reply), _) => End::WrongReply(format!("{reply:?}")),
            (Err(error), Self::Words { words, is_a_servers })
                if error.kind == Kind::Script && error.may_have_executed && said(&error.to_string()) == words =>
            {
                if *is_a_servers {
                    End::OfEither
                } else {
                    End::OfScript
                }
            }
            (Err(error), _) => failed(&error),
        }
    }
}

/// A script's own words, without what the client adds.
fn said(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split(" (batch[").next().unwrap_or(line)
}

pub(crate) fn failed(error: &Error) -> End {
    End::Failed { kind: error.kind, may_have_executed: error.may_have_executed, message: error.to_string() }
}
