//! One call of a user on its way: what to send, where to, until when, and who is waiting.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::completion::ReplyTo;
use crate::model::error::Error;
use crate::model::request::Request;
use crate::model::route::Route;
use crate::model::status::Status;
use crate::model::verdict;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) route: Route,
    /// What the caller asked for, for errors to say.
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
    pub(crate) reply_to: ReplyTo,
}

impl Call {
    /// The error of a deadline that passed while the call was, or was not, with a server.
    pub(crate) fn timed_out(&self, sent: bool, lane: &Status) -> Error {
        let state = match lane {
            _ if sent => self.without_reply().into(),
            Status::Down(reason) => format!("not sent, because there is no connection: {reason}"),
            Status::Connecting => "not sent, because there is no connection yet".into(),
            Status::Up => "not sent, because the server takes no more requests".into(),
        };
        let may_have_executed = verdict::may_have_run(&self.request, sent);
        Error::timeout(self.timeout, &state, may_have_executed)
    }

    /// What is known of it once it was sent.
    pub(crate) fn without_reply(&self) -> &'static str {
        if self.request.is_killed_on_timeout() {
            "no reply from the server; the script may be running still, and is to be killed"
        } else if self.request.runs_lua() {
            "no reply from the server; the script may have run, or be running still"
        } else if self.request.runs_nothing() {
            "no reply from the server"
        } else {
            "no reply from the server; the command may have been executed"
        }
    }
}
