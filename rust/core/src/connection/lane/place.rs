//! Places in a lane's line, and steps that stand there.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Lane;
use crate::connection::code_in_flight::BringsCode;
use crate::connection::job::Job;
use crate::connection::step::{Step, StepOptions, StepProgress, Unfinished};
use crate::model::known_code::CodeId;
use crate::model::unreachable::Unreachable;
use crate::wire::resp::Reply;

/// A place in a lane's line, for steps that go out one after the other before what comes later. Without a number it is
/// the end of the line.
pub(crate) struct Place {
    pub(in crate::connection) lane: Rc<Lane>,
    pub(in crate::connection) number: Option<u64>,
}

impl Place {
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    /// Waits until nothing before it brings this code to the server.
    pub(crate) async fn after_code(self, code: CodeId) -> Self {
        if !self.lane.code_in_flight.has(code) {
            return self;
        }
        let place = self.kept();
        if let Some(number) = place.number {
            place.lane.code_in_flight.is_over_before(code, number).await;
        }
        place
    }

    /// The same place, or where there is none the end of the line, kept from now on.
    pub(crate) fn kept(self) -> Self {
        if self.number.is_some() { self } else { self.lane.keep_place() }
    }

    /// Puts commands in line, for one write; see [`Lane::begin`].
    pub(crate) fn begin(
        &self,
        commands: Vec<Bytes>,
        options: StepOptions,
        progress: &Rc<StepProgress>,
    ) -> SubmittedStep {
        let (answer, answered) = oneshot::channel();
        progress.clear();
        let step = Step { commands, options, progress: progress.clone(), answer };
        let lane = &self.lane;
        let placed = match self.number {
            Some(number) => {
                let waiting = &mut lane.queues.borrow_mut().waiting;
                waiting.put_at_place(number, step).map(|number| (number, waiting.bytes))
            }
            None => Err(step),
        };
        let number = match placed {
            Ok((number, bytes)) => {
                lane.queue_has_grown(bytes);
                Some(number)
            }
            Err(step) => lane.push(Job::Step(step)),
        };
        SubmittedStep { lane: lane.clone(), progress: progress.clone(), number, answered: Some(answered) }
    }

    /// Sends one command and waits for its reply.
    pub(crate) async fn ask(&self, wire: Bytes) -> Result<Reply, Unfinished> {
        let progress = Rc::default();
        self.begin(vec![wire], StepOptions::default(), &progress).await?;
        progress.take_replies().pop().ok_or(Unfinished::Unsent)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.lane.queues.borrow_mut().waiting.leave_place(number);
            self.lane.wake();
        }
    }
}

/// A step that is in line, or on its way. Dropping it before the socket takes any of it unsends it.
pub(crate) struct SubmittedStep {
    lane: Rc<Lane>,
    progress: Rc<StepProgress>,
    /// Where it is in line; `None`: it was handed back.
    number: Option<u64>,
    answered: Option<oneshot::Receiver<Result<(), Unfinished>>>,
}

impl Future for SubmittedStep {
    type Output = Result<(), Unfinished>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answered) = &mut self.answered else { return Poll::Ready(Err(Unfinished::Unsent)) };
        let answer = std::task::ready!(Pin::new(answered).poll(cx));
        self.answered = None;
        Poll::Ready(answer.unwrap_or_else(|_| Err(self.dropped())))
    }
}

impl SubmittedStep {
    /// Notes that the step brings this code; `None` if another request does already.
    pub(crate) fn brings(&self, code: CodeId) -> Option<BringsCode> {
        self.number.and_then(|number| self.lane.code_in_flight.begin(code, number))
    }

    /// What is known of a step that the lane dropped, because it was closed or met a panic.
    fn dropped(&self) -> Unfinished {
        if !self.progress.was_sent() {
            return Unfinished::Unsent;
        }
        self.progress.written.set(u64::MAX);
        Unfinished::Lost(Unreachable::Dropped)
    }
}

impl Drop for SubmittedStep {
    fn drop(&mut self) {
        if self.answered.take().is_some()
            && let Some(number) = self.number
        {
            self.lane.unsend(number);
        }
    }
}
