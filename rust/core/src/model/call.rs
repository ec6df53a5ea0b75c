//! One call of a user on its way: what to send, where to, until when, and who is waiting.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::cause::{AtDeadline, Obstacle};
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
        let known = match lane {
            _ if sent => verdict::no_reply(&self.request),
            Status::Down(reason) => AtDeadline::NotSent(Obstacle::Unreachable(reason.clone())),
            Status::Connecting => AtDeadline::NotSent(Obstacle::Connecting),
            Status::Up => AtDeadline::NotSent(Obstacle::Congested),
        };
        Error::timeout(self.timeout, known)
    }
}
