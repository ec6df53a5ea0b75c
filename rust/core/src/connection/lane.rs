//! One connection to one server, kept up: what waits to be written, what waits for its reply, and the pairing of both.
//!
//! Replies come in the order of requests, so pairing is a queue. The lane knows of every request whether it was
//! written; what was not, waits for the next connection or is handed back as certainly not executed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep};

use crate::connection::bringing::{Bringing, Lead};
use crate::connection::connect::{Purpose, connect};
use crate::connection::counters::Counters;
use crate::connection::io::Io;
use crate::connection::job::Job;
use crate::connection::liveness::Liveness;
use crate::connection::queues::Queues;
use crate::connection::session::Session;
use crate::connection::step::{Step, StepOptions, StepProgress, Steps, Unfinished};
use crate::model::call::Call;
use crate::model::completion::{CallId, CallTrace, ReplyTo};
use crate::model::config::{Address, ConnectionConfig};
use crate::model::error::Error;
use crate::model::request::Request;
use crate::model::stats::Stats;
use crate::model::status::Status;
use crate::model::unreachable::Unreachable;
use crate::model::used::CodeId;
use crate::tasks::guard;
use crate::tasks::signal::Signal;
use crate::wire::resp::Reply;

/// What becomes of calls that the lane cannot finish, and of its losses.
pub(crate) trait LaneEvents {
    /// `place` is where what is sent again goes before what was issued later.
    fn unfinished(&self, lane: &Rc<Lane>, call: Call, unfinished: Unfinished, place: Option<Place>);
    /// Calls that were sent had no reply in time.
    fn stalled(&self, lane: &Rc<Lane>);
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
    task: RefCell<Option<AbortHandle>>,
    closed: Cell<bool>,
    /// Scripts that are being loaded, so that many calls that miss one load it once.
    loading: RefCell<HashSet<String>>,
    bringing: Bringing,
    pub(super) session: Session,
    pub(super) counters: Counters,
    pub(super) liveness: Liveness,
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
            closed: Cell::new(false),
            loading: RefCell::default(),
            bringing: Bringing::default(),
        })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn connection_timeout(&self) -> Duration {
        self.config.timeout
    }

    /// Starts connecting, unless it has been started or closed.
    pub(crate) fn start(self: &Rc<Self>) {
        let mut task = self.task.borrow_mut();
        if task.is_none() && !self.closed.get() {
            *task = Some(spawn_local(self.clone().keep_running()).abort_handle());
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.task.borrow().is_some()
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(*self.status.borrow(), Status::Up)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(*self.status.borrow(), Status::Down(_))
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
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

    /// The code that is on its way to the server.
    pub(crate) fn bringing(&self) -> &Bringing {
        &self.bringing
    }

    /// Whether a command of the client's own that is not known there may end the connection.
    pub(crate) fn is_fragile(&self) -> bool {
        self.session.is_fragile()
    }

    /// SCRIPT LOAD was the next to be answered when a connection ended.
    pub(crate) fn distrust(&self) {
        self.session.distrust();
    }

    /// Sends SCRIPT LOAD, if there is a connection that stands it: it is no reason to wait for one.
    pub(crate) fn load(self: &Rc<Self>, wire: Bytes, hash: &str) {
        if self.is_up() && !self.is_fragile() && self.loading.borrow_mut().insert(hash.to_owned()) {
            self.push(Job::Load(wire, hash.to_owned()));
        }
    }

    /// Puts a job in line, and says its number there; a closed lane hands it back at once.
    fn push(self: &Rc<Self>, job: Job) -> Option<u64> {
        if self.closed.get() {
            self.return_job(job, Unfinished::Unsent);
            return None;
        }
        let (number, bytes) = {
            let mut queues = self.queues.borrow_mut();
            (queues.put(job), queues.waiting.bytes)
        };
        self.has_more(bytes);
        Some(number)
    }

    /// There is more to be written: so many bytes in all.
    fn has_more(self: &Rc<Self>, bytes: usize) {
        const NEWS: usize = 64 << 10;
        if bytes > self.counters.published_bytes() + NEWS {
            self.publish_bytes();
        }
        self.wake();
    }

    /// There is less: jobs were taken out.
    pub(super) fn has_less(self: &Rc<Self>) {
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

    /// Sends an observed call, which needed no second attempt, the node that has it.
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

    /// Puts commands in line, for one write. The future ends when `progress` has all their replies; dropping it before
    /// the socket takes any of them unsends them.
    pub(crate) fn begin(
        self: &Rc<Self>,
        commands: Vec<Bytes>,
        options: StepOptions,
        progress: &Rc<StepProgress>,
    ) -> Begun {
        self.end_of_line().begin(commands, options, progress)
    }

    /// Where steps go that nothing waits for.
    pub(crate) fn end_of_line(self: &Rc<Self>) -> Place {
        Place { lane: self.clone(), number: None }
    }

    /// Keeps a place in line: what comes later is not sent before the place is dropped.
    pub(crate) fn keep_place(self: &Rc<Self>) -> Place {
        Place { lane: self.clone(), number: self.push(Job::Place(Steps::kept())) }
    }

    /// Takes a step out that nobody waits for any more.
    fn unsend(self: &Rc<Self>, number: u64) {
        let removed = self.queues.borrow_mut().remove(number);
        if let Some((Job::Step(step), bytes)) = removed {
            step.progress.sent.set(bytes > 0);
            step.progress.written.set(bytes);
            self.has_less();
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

    /// When there last was a sign of life: the server said something, or its machine took more of a request.
    pub(crate) fn heard_at(&self) -> Instant {
        self.liveness.seen_at()
    }

    /// How long there has been no sign of life, or the server has left unanswered what it was asked first.
    pub(crate) fn silence(&self) -> Duration {
        let asked_at = self.queues.borrow().in_flight.front().map(|entry| entry.sent_at);
        asked_at.map_or(self.heard_at(), |asked_at| asked_at.max(self.heard_at())).elapsed()
    }

    /// Has a look soon whether the server's machine takes the request whose reply is due; it takes two looks.
    pub(crate) fn check_taking(self: &Rc<Self>) {
        if self.config.unacknowledged.is_some() && !self.queues.borrow().in_flight.is_empty() {
            self.liveness.is_checked.set(true);
            self.wake();
        }
    }

    /// Whether the server's machine had all of the request whose reply is due at the last look, or it cannot be asked.
    pub(crate) fn has_arrived(&self) -> bool {
        let due = self.queues.borrow().in_flight.front().map(|entry| (entry.begins, entry.ends));
        self.config.unacknowledged.is_none()
            || matches!((due, self.liveness.looked_at.get()), (Some((begins, ends)), Some((same, taken))) if same == begins && taken >= ends)
    }

    /// Looks how much the server's machine has taken.
    pub(super) fn look(&self, io: &Io) {
        let front = self.queues.borrow().in_flight.front().map(|entry| (entry.begins, entry.ends));
        let (Some((begins, ends)), Some(taken)) = (front, io.taken(self.config.unacknowledged)) else { return };
        self.liveness.note_taken(taken, begins, ends);
    }

    /// Marks that a probe runs; returns false if one runs already.
    pub(crate) fn begin_probe(&self) -> bool {
        !self.liveness.is_probed.replace(true)
    }

    pub(crate) fn end_probe(&self) {
        self.liveness.is_probed.set(false);
    }

    /// Whether a request is in flight that the server may answer at any time.
    pub(crate) fn may_block(&self) -> bool {
        self.queues.borrow().in_flight.iter().any(|entry| entry.job.as_ref().is_some_and(Job::may_block))
    }

    /// Gives the connection up, for a new one.
    pub(crate) fn sever(self: &Rc<Self>, reason: Unreachable) {
        self.liveness.severed.replace(Some(reason));
        self.wake();
    }

    /// Which of its connections the lane has now; another one knows nothing of what was said on it.
    pub(crate) fn connection(&self) -> u64 {
        self.session.number()
    }

    /// Whether this connection has loaded what goes by that name.
    pub(crate) fn has_loaded(&self, name: &str) -> bool {
        self.session.has_loaded(name)
    }

    pub(crate) fn set_loaded(&self, name: &str, loaded: bool) {
        self.session.set_loaded(name, loaded);
    }

    /// A call has had the server forget all scripts.
    pub(crate) fn forget_loaded(&self) {
        self.session.forget_loaded();
        self.queues.borrow_mut().used.clear();
    }

    /// The server has the script of that hash.
    pub(crate) fn note_code(&self, hash: &str) {
        self.queues.borrow_mut().used.insert(CodeId::new(hash));
    }

    /// Whether the server may lack the code that a request runs.
    pub(crate) fn is_first_use(&self, request: &Request) -> bool {
        request.code().is_some_and(|code| self.queues.borrow_mut().used.is_first(code))
    }

    /// The server has the code that a request runs.
    pub(crate) fn note_use(&self, request: &Request) {
        if let Some(code) = request.code() {
            self.queues.borrow_mut().used.insert(code);
        }
    }

    /// The server lacks the code that a request runs: its next use counts as the first.
    pub(crate) fn forget_use(&self, request: &Request) {
        if let Some(code) = request.code() {
            self.queues.borrow_mut().used.remove(code);
        }
    }

    /// Whether the server is known to let this connection's user begin transactions.
    pub(crate) fn transacts(&self) -> bool {
        self.session.transacts()
    }

    pub(crate) fn set_transacts(&self, connection: u64) {
        self.session.set_transacts(connection);
    }

    /// Forgets calls whose callers have gone, and takes those that it had out of `gone`. What the socket has not taken
    /// never will be sent.
    pub(crate) fn cancel(self: &Rc<Self>, gone: &mut BTreeSet<CallId>) {
        let cancelled = self.queues.borrow_mut().cancelled(gone);
        if !cancelled.is_empty() {
            self.has_less();
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
        self.closed.set(true);
        self.status.set(Status::Down(Unreachable::Closed));
        if let Some(task) = self.task.borrow_mut().take() {
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

    /// The same; what the job leads to is sent from a place that was kept for it.
    pub(super) fn return_from(self: &Rc<Self>, place: Option<Place>, job: Job, unfinished: Unfinished) {
        match job {
            Job::Call(call) => {
                if let Some(events) = self.events.upgrade() {
                    events.unfinished(self, call, unfinished, place);
                }
            }
            Job::Step(step) => {
                // Its receiver is gone when the step's task has ended: then nobody wants to know.
                let _ = step.answer.send(Err(unfinished));
            }
            Job::Load(_, hash) => {
                self.loading.borrow_mut().remove(&hash);
                if matches!(unfinished, Unfinished::Answered(reply) if reply.error().is_none()) {
                    self.set_loaded(&hash, true);
                }
            }
            Job::Place(_) => {}
        }
    }

    /// Runs the lane again after a panic, without which what waits would never meet its deadlines.
    async fn keep_running(self: Rc<Self>) {
        while guard::run("a connection", self.clone().run()).await.is_err() {
            self.status.set(Status::Connecting);
            self.lose_in_flight(u64::MAX, &Unreachable::Panicked);
            sleep(self.config.backoff.pause(0)).await;
        }
    }

    async fn run(self: Rc<Self>) {
        let mut failures = 0;
        let mut last_reason = None;
        loop {
            let connecting = connect(&self.address, &self.config, self.purpose);
            let (reason, served, verb) = match self.while_sweeping(connecting).await {
                Ok(connection) => {
                    let again = if last_reason.take().is_some() { " again" } else { "" };
                    log::info!("connected to {}{again}", self.address);
                    let (reason, served) = self.serve(connection).await;
                    (reason, served, "lost the")
                }
                Err(reason) => (reason, false, "no"),
            };
            let words = reason.to_string();
            if last_reason.as_ref() != Some(&words) {
                log::info!("{verb} connection to {}: {words}", self.address);
            }
            last_reason = Some(words);
            if self.closed.get() {
                return;
            }
            self.status.set(if served { Status::Connecting } else { Status::Down(reason) });
            if let Some(events) = self.events.upgrade() {
                events.disconnected(&self);
            }
            if served {
                // The first attempt is made at once.
                failures = 0;
                continue;
            }
            self.while_sweeping(sleep(self.config.backoff.pause(failures))).await;
            failures = failures.saturating_add(1);
        }
    }
}

/// A place in a lane's line, for steps that go out one after the other before what comes later. Without a number it is
/// the end of the line.
pub(crate) struct Place {
    pub(super) lane: Rc<Lane>,
    pub(super) number: Option<u64>,
}

impl Place {
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    /// Waits until nothing before it brings this code to the server.
    pub(crate) async fn after_code(self, code: CodeId) -> Self {
        if !self.lane.bringing.has(code) {
            return self;
        }
        let place = self.kept();
        if let Some(number) = place.number {
            place.lane.bringing.is_over_before(code, number).await;
        }
        place
    }

    /// The same place, or where there is none the end of the line, kept from now on.
    pub(crate) fn kept(self) -> Self {
        if self.number.is_some() { self } else { self.lane.keep_place() }
    }

    /// Puts commands in line, for one write; see [`Lane::begin`].
    pub(crate) fn begin(&self, commands: Vec<Bytes>, options: StepOptions, progress: &Rc<StepProgress>) -> Begun {
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
                lane.has_more(bytes);
                Some(number)
            }
            Err(step) => lane.push(Job::Step(step)),
        };
        Begun { lane: lane.clone(), progress: progress.clone(), number, answered: Some(answered) }
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
pub(crate) struct Begun {
    lane: Rc<Lane>,
    progress: Rc<StepProgress>,
    /// Where it is in line; `None`: it was handed back.
    number: Option<u64>,
    answered: Option<oneshot::Receiver<Result<(), Unfinished>>>,
}

impl Future for Begun {
    type Output = Result<(), Unfinished>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answered) = &mut self.answered else { return Poll::Ready(Err(Unfinished::Unsent)) };
        let answer = std::task::ready!(Pin::new(answered).poll(cx));
        self.answered = None;
        Poll::Ready(answer.unwrap_or_else(|_| Err(self.dropped())))
    }
}

impl Begun {
    /// Notes that the step brings this code; `None` if another request does already.
    pub(crate) fn brings(&self, code: CodeId) -> Option<Lead> {
        self.number.and_then(|number| self.lane.bringing.begin(code, number))
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

impl Drop for Begun {
    fn drop(&mut self) {
        if self.answered.take().is_some()
            && let Some(number) = self.number
        {
            self.lane.unsend(number);
        }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
