//! What the handle of a client sends to the task that serves it.

use std::fmt;

use crate::calls::watch::Watching;
use crate::model::batch::Sending;
use crate::model::call::Call;
use crate::model::completion::{CallId, ReplyTo};
use crate::model::error::Error;
use crate::model::split::Split;
use crate::wire::resp::Reply;

#[derive(Debug)]
pub(super) enum Message {
    Call(Call),
    Split(Split),
    Batch(Box<Sending>, ReplyTo),
    Watch(Box<Watching>),
    /// Nobody will use the connection of that name again.
    Release(u64),
    /// The slots have moved, as the caller has found out.
    Refresh,
    Authenticate(Box<Secret>, ReplyTo),
    Cancel(CallId),
    Close(ReplyTo),
}

/// A password.
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Message {
    /// Its state after the client has ended.
    pub(super) fn refuse(self) {
        let reply_to = match self {
            Self::Call(Call { reply_to, .. })
            | Self::Split(Split { reply_to, .. })
            | Self::Batch(_, reply_to)
            | Self::Authenticate(_, reply_to) => reply_to,
            Self::Watch(watching) => watching.reply_to,
            Self::Cancel(_) | Self::Release(_) | Self::Refresh => return,
            Self::Close(closed) => return closed.finish(Ok(Reply::OKAY)),
        };
        reply_to.finish(Err(Box::new(Error::closed())));
    }
}
