//! One connection to one server, which is connected again when it is lost. The lane holds the requests that wait to be
//! written and those that wait for a reply, and pairs replies with requests.
//!
//! Replies come in the order of requests, so pairing is a queue. The lane knows of each request whether it was written.
//! A request that was not written waits for the next connection, or is handed back as certainly not executed.

mod code;
mod introduction;
mod place;
mod reconnecting;
mod signs;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{AbortHandle, spawn_local};

use crate::connection::code_in_flight::CodeInFlight;
use crate::connection::connect::Purpose;
use crate::connection::counters::Counters;
use crate::connection::job::Job;
use crate::connection::liveness::Liveness;
use crate::connection::queues::Queues;
use crate::connection::session::Session;
use crate::connection::step::{StepOptions, StepProgress, Steps, Unfinished};
use crate::model::call::Call;
use crate::model::cause::Obstacle;
use crate::model::completion::{CallId, CallTrace, ReplyTo};
use crate::model::config::{Address, ConnectionConfig};
use crate::model::error::Error;
use crate::model::stats::Stats;
use crate::model::status::Status;
use crate::model::unreachable::Unreachable;
use crate::tasks::signal::Signal;
use crate::wire::resp::Reply;

pub(crate) use self::introduction::NotReached;
pub(crate) use self::place::{Place, SubmittedStep};

/// Receives the calls that the lane cannot finish, and the connections that it loses.
pub(crate) trait LaneEvents {
    /// A call that is sent again goes from `place`, ahead of calls that were issued later.
    fn unfinished(&self, lane: &Rc<Lane>, call: Call, unfinished: Unfinished, place: Option<Place>);
    /// Calls that were sent had no reply in time.
    fn stalled(&self, lane: &Rc<Lane>);
    /// Each request that the client sent has its reply. The argument is how many commands were last sent together.
    fn at_rest(&self, _commands: usize) {}
    /// The connection was lost or could not be made.
    fn disconnected(&self, lane: &Rc<Lane>);
}

pub(crate) struct Lane {
    pub(super) address: Address,
    pub(super) config: Arc<ConnectionConfig>,
    purpose: Purpose,
    pub(super) events: Weak<dyn LaneEvents>,
    pub(super) queues: RefCell<Queues>,
    pub(super) status: Signal<Status>,
    /// Wakes the task that runs the lane.
    pub(super) waker: RefCell<Option<Waker>>,
    task: RefCell<Task>,
    code_in_flight: CodeInFlight,
    pub(super) session: Session,
    pub(super) counters: Counters,
    pub(super) liveness: Liveness,
}

/// The task that keeps a lane's connection up.
#[derive(Default)]
enum Task {
    #[default]
    Unstarted,
    Running(AbortHandle),
    Ended,
}

impl Lane {
    pub(crate) fn new(
        address: Address,
        config: Arc<ConnectionConfig>,
        purpose: Purpose,
        events: Weak<dyn LaneEvents>,
        stats: Arc<Stats>,
    ) -> Rc<Self> {
        Rc::new(Self {
            counters: Counters::new(stats, &address),
            liveness: Liveness::new(),
            session: Session::default(),
            address,
            config,
            purpose,
            events,
            queues: RefCell::default(),
            status: Signal::new(Status::Connecting),
            waker: RefCell::default(),
            task: RefCell::default(),
            code_in_flight: CodeInFlight::default(),
        })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.config.tls.is_some()
    }

    pub(crate) fn connection_timeout(&self) -> Duration {
        self.config.timeout
    }

    /// Starts connecting, unless it has been started or closed.
    pub(crate) fn start(self: &Rc<Self>) {
        let mut task = self.task.borrow_mut();
        if matches!(*task, Task::Unstarted) {
            *task = Task::Running(spawn_local(self.clone().keep_connected()).abort_handle());
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        matches!(*self.task.borrow(), Task::Running(_))
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(*self.status.borrow(), Status::Up)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(*self.task.borrow(), Task::Ended)
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(*self.status.borrow(), Status::Down(_))
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// What a call waits for that is to be sent over this connection.
    pub(crate) fn obstacle(&self) -> Obstacle {
        let address = self.address().clone();
        match self.status() {
            Status::Up => Obstacle::None,
            Status::Connecting => Obstacle::ConnectingTo(address),
            Status::Down(reason) => Obstacle::UnreachableAt(address, reason),
        }
    }

    /// Waits for a connection, or for the first failure to get one.
    pub(crate) async fn connected(self: &Rc<Self>) -> Result<(), Unreachable> {
        self.start();
        let settled = |status: &Status| match status {
            Status::Connecting => None,
            Status::Up => Some(Ok(())),
            Status::Down(reason) => Some(Err(reason.clone())),
        };
        self.status.wait_for(settled).await
    }

    pub(crate) fn submit(self: &Rc<Self>, call: Call) {
        self.push(Job::Call(call));
    }

    /// Queues a job and returns its number; a closed lane hands it back at once.
    fn push(self: &Rc<Self>, job: Job) -> Option<u64> {
        if self.is_closed() {
            self.return_job(job, Unfinished::Unsent);
            return None;
        }
        let (number, bytes) = {
            let mut queues = self.queues.borrow_mut();
            (queues.put(job), queues.waiting.bytes)
        };
        self.queue_has_grown(bytes);
        Some(number)
    }

    /// The queue has grown, to that many bytes.
    fn queue_has_grown(self: &Rc<Self>, bytes: usize) {
        const NEWS: usize = 64 << 10;
        if bytes > self.counters.published_bytes() + NEWS {
            self.publish_bytes();
        }
        self.wake();
    }

    /// The queue has shrunk: jobs were taken out.
    pub(super) fn queue_has_shrunk(self: &Rc<Self>) {
        self.publish_bytes();
        self.publish_in_flight();
        if self.queues.borrow().is_mostly_withdrawn() {
            self.wake();
        }
    }

    /// Lets the client know how many bytes wait.
    pub(super) fn publish_bytes(&self) {
        self.counters.publish_bytes(self.queues.borrow().waiting.bytes);
    }

    /// Counts what is in flight with that of the node's other connections.
    pub(super) fn publish_in_flight(&self) {
        self.counters.publish_in_flight(self.queues.borrow().in_flight.len() as u64);
    }

    /// Tells the observed call's caller which node it went to. The call needed no second attempt.
    pub(crate) fn send_trace(&self, caller: &ReplyTo, from_record: bool) {
        if self.config.observed {
            caller.send_trace(CallTrace { node: Some(self.address.clone()), from_record, ..CallTrace::default() });
        }
    }

    /// Waits for a connection, whatever fails before.
    pub(crate) async fn up(self: &Rc<Self>) {
        self.start();
        self.status.wait_for(|status| matches!(status, Status::Up).then_some(())).await;
    }

    /// Queues commands for one write. The future ends when `progress` has all their replies. Dropping it before the
    /// socket takes any of them withdraws them.
    pub(crate) fn begin(
        self: &Rc<Self>,
        commands: Vec<Bytes>,
        options: StepOptions,
        progress: &Rc<StepProgress>,
    ) -> SubmittedStep {
        self.end_of_line().begin(commands, options, progress)
    }

    /// The end of the queue, for steps that no later job waits for.
    pub(crate) fn end_of_line(self: &Rc<Self>) -> Place {
        Place { lane: self.clone(), number: None }
    }

    /// Keeps a place in the queue: later jobs are not sent before the place is dropped.
    pub(crate) fn keep_place(self: &Rc<Self>) -> Place {
        Place { lane: self.clone(), number: self.push(Job::Place(Steps::kept())) }
    }

    /// Removes a step that nobody waits for any more.
    fn unsend(self: &Rc<Self>, number: u64) {
        let removed = self.queues.borrow_mut().remove(number);
        if let Some((Job::Step(step), bytes)) = removed {
            step.progress.sent.set(bytes > 0);
            step.progress.written.set(bytes);
            self.queue_has_shrunk();
        }
    }

    /// Sends one command and waits for its reply.
    pub(crate) async fn ask(self: &Rc<Self>, wire: Bytes) -> Result<Reply, Unfinished> {
        self.end_of_line().ask(wire).await
    }

    /// Whether something was written that has no reply yet, whoever still waits for it.
    pub(crate) fn is_owed_a_reply(&self) -> bool {
        self.is_up() && !self.queues.borrow().in_flight.is_empty()
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(crate) fn serves_reads(&self) -> bool {
        self.purpose == Purpose::Reads
    }

    /// Whether a request is in flight that the server may answer at any time.
    pub(crate) fn may_block(&self) -> bool {
        self.queues.borrow().in_flight.iter().any(|entry| entry.job.as_ref().is_some_and(Job::may_block))
    }

    /// Gives up the connection and starts a new one.
    pub(crate) fn sever(self: &Rc<Self>, reason: Unreachable) {
        self.liveness.severed.replace(Some(reason));
        self.wake();
    }

    /// Forgets calls whose callers are gone, and removes from `gone` those that it found. What the socket has not taken
    /// is never sent.
    pub(crate) fn cancel(self: &Rc<Self>, gone: &mut BTreeSet<CallId>) {
        let cancelled = self.queues.borrow_mut().cancelled(gone);
        if !cancelled.is_empty() {
            self.queue_has_shrunk();
            cancelled.into_iter().for_each(|(call, _)| call.reply_to.forget());
        }
    }

    /// Takes back all that waits for a connection, to send it elsewhere.
    pub(crate) fn hand_back(self: &Rc<Self>) {
        let waiting = self.queues.borrow_mut().waiting.take();
        self.publish_bytes();
        waiting.for_each(|job| self.return_job(job, Unfinished::Unsent));
    }

    /// Whether nobody waits for anything.
    pub(crate) fn is_idle(&self) -> bool {
        let queues = self.queues.borrow();
        queues.waiting.is_empty()
            && queues.in_flight.iter().all(|entry| matches!(&entry.job, None | Some(Job::Load(..))))
    }

    /// Ends the connection; callers of what is in flight get a closing error.
    pub(crate) fn close(&self) {
        let task = self.task.replace(Task::Ended);
        self.status.set(Status::Down(Unreachable::Closed));
        if let Task::Running(task) = task {
            task.abort();
        }
        let mut queues = std::mem::take(&mut *self.queues.borrow_mut());
        self.publish_bytes();
        self.publish_in_flight();
        let unsent = queues.waiting.take().map(|job| (job, false));
        let entries = queues.in_flight.take().into_iter();
        let sent = entries.filter_map(|(_, entry)| {
            let was_begun = queues.was_begun(&entry);
            Some((entry.job?, was_begun))
        });
        for (job, was_begun) in unsent.chain(sent) {
            match job {
                Job::Call(call) => {
                    self.counters.client.finish(call.reply_to, Err(Box::new(Error::closed_in_flight(was_begun))));
                }
                Job::Step(step) => step.progress.sent.set(was_begun),
                Job::Load(..) | Job::Place(_) => {}
            }
        }
    }

    fn wake(self: &Rc<Self>) {
        let waker = self.waker.borrow_mut().take();
        match waker {
            Some(waker) => waker.wake(),
            None => self.start(),
        }
    }

    pub(super) fn return_job(self: &Rc<Self>, job: Job, unfinished: Unfinished) {
        self.return_from(None, job, unfinished);
    }

    /// The same; what has to be sent for the job is sent from a place that was kept for it.
    pub(super) fn return_from(self: &Rc<Self>, place: Option<Place>, job: Job, unfinished: Unfinished) {
        match job {
            Job::Call(call) => {
                if let Some(events) = self.events.upgrade() {
                    events.unfinished(self, call, unfinished, place);
                }
            }
            Job::Step(step) => {
                // The receiver is gone if the step's task has ended. Then no one waits for the answer.
                let _ = step.answer.send(Err(unfinished));
            }
            Job::Load(_, hash) => {
                self.code_in_flight.end_load(&hash);
                if matches!(unfinished, Unfinished::Answered(reply) if reply.error().is_none()) {
                    self.set_loaded(&hash, true);
                }
            }
            Job::Place(_) => {}
        }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
