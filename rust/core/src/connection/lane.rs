//! One connection to one server, kept up: what waits to be written, what waits for its reply, and the pairing of both.
//!
//! Replies come in the order of requests, so pairing is a queue. The lane knows of every request whether it was
//! written; what was not, waits for the next connection or is handed back as certainly not executed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::connection::connect::{Connection, Purpose, connect};
use crate::connection::io::Io;
use crate::connection::queues::{InFlight, Job, Queues, Steps};
use crate::connection::step::{Step, StepOptions, StepProgress, Unfinished};
use crate::model::call::Call;
use crate::model::completion::{CallId, CallTrace, ReplyTo};
use crate::model::config::{Address, ConnectionConfig};
use crate::model::error::{Error, PANICKED};
use crate::model::request::Request;
use crate::model::stats::{NodeStats, Stats};
use crate::model::status::{Status, Unreachable};
use crate::model::used::CodeId;
use crate::tasks::guard;
use crate::tasks::signal::Signal;
use crate::wire::resp::{Frame, Item, Reply};

/// What becomes of calls that the lane cannot finish, and of its losses.
pub(crate) trait LaneEvents {
    /// `place` is where what is sent again goes before what was issued later.
    fn unfinished(&self, lane: &Rc<Lane>, call: Call, unfinished: Unfinished, place: Option<Place>);
    /// Calls that were sent had no reply in time.
    fn stalled(&self, lane: &Rc<Lane>);
    /// The connection was lost or could not be made.
    fn disconnected(&self, lane: &Rc<Lane>, reason: &Unreachable);
}

const CLOSED: &str = "the connection was closed";

pub(crate) struct Lane {
    address: Address,
    config: Arc<ConnectionConfig>,
    purpose: Purpose,
    events: Weak<dyn LaneEvents>,
    queues: RefCell<Queues>,
    status: Signal<Status>,
    /// Wakes the task that runs the lane.
    waker: RefCell<Option<Waker>>,
    task: RefCell<Option<AbortHandle>>,
    closed: Cell<bool>,
    /// Scripts that are being loaded, so that many calls that miss one load it once.
    loading: RefCell<HashSet<String>>,
    /// What was loaded over this connection: scripts by their hashes, and function libraries.
    loaded: RefCell<HashSet<String>>,
    /// Counts the connections.
    connection: Cell<u64>,
    /// The connection on which the server is known to allow transactions.
    transacts_on: Cell<u64>,
    stats: Arc<Stats>,
    node_stats: Arc<NodeStats>,
    /// What of the waiting bytes, and of the requests under way, was told.
    published_bytes: Cell<usize>,
    published_in_flight: Cell<u64>,
    /// When the server last said something.
    heard_at: Cell<Instant>,
    /// Somebody asks for a sign of life.
    is_probed: Cell<bool>,
    /// The server's machine last took more of the request whose reply is due.
    taken_at: Cell<Instant>,
    /// Somebody asks whether it still does.
    is_checked: Cell<bool>,
    /// Where the request began whose reply was due at the last look, and what the machine had taken by then.
    looked_at: Cell<Option<(u64, u64)>>,
    /// Why the connection is to be given up.
    severed: RefCell<Option<Unreachable>>,
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
            node_stats: stats.node(&address),
            stats,
            published_bytes: Cell::new(0),
            published_in_flight: Cell::new(0),
            heard_at: Cell::new(Instant::now()),
            is_probed: Cell::new(false),
            taken_at: Cell::new(Instant::now()),
            is_checked: Cell::new(false),
            looked_at: Cell::new(None),
            severed: RefCell::default(),
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
            loaded: RefCell::default(),
            connection: Cell::new(0),
            transacts_on: Cell::new(0),
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

    /// Sends SCRIPT LOAD, if there is a connection: it is no reason to wait for one.
    pub(crate) fn load(self: &Rc<Self>, wire: Bytes, hash: &str) {
        if self.is_up() && self.loading.borrow_mut().insert(hash.to_owned()) {
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
        if bytes > self.published_bytes.get() + NEWS {
            self.publish_bytes();
        }
        self.wake();
    }

    /// There is less: jobs were taken out.
    fn has_less(self: &Rc<Self>) {
        self.publish_bytes();
        self.publish_in_flight();
        if self.queues.borrow().is_mostly_withdrawn() {
            self.wake();
        }
    }

    /// Lets the client know how many bytes wait.
    fn publish_bytes(&self) {
        let now = self.queues.borrow().waiting.bytes;
        let before = self.published_bytes.replace(now);
        if now > before {
            self.stats.pending_bytes.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            self.stats.pending_bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// Tells an observed call, which needed no second attempt, who has it.
    pub(crate) fn send_trace(&self, caller: &ReplyTo) {
        if self.config.observed {
            caller.send_trace(CallTrace { node: Some(self.address.clone()), ..CallTrace::default() });
        }
    }

    /// Counts what is under way among that of the node's other connections.
    fn publish_in_flight(&self) {
        let now = self.queues.borrow().in_flight.len() as u64;
        let before = self.published_in_flight.replace(now);
        if now > before {
            self.node_stats.in_flight.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            self.node_stats.in_flight.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// Waits for a connection, whatever fails before.
    pub(crate) async fn up(self: &Rc<Self>) {
        self.start();
        self.status.wait_for(|status| matches!(status, Status::Up).then_some(())).await;
    }

    /// Sends commands in one write and waits until `progress` has all their replies. Dropping the future before the
    /// socket takes any of them unsends them.
    pub(crate) async fn request(
        self: &Rc<Self>,
        commands: Vec<Bytes>,
        options: StepOptions,
        progress: &Rc<StepProgress>,
    ) -> Result<(), Unfinished> {
        self.begin(commands, options, progress).await
    }

    /// The same, in line at once.
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
        self.heard_at.get().max(self.taken_at.get())
    }

    /// How long there has been no sign of life, or the server has left unanswered what it was asked first.
    pub(crate) fn silence(&self) -> Duration {
        let asked_at = self.queues.borrow().in_flight.front().map(|entry| entry.sent_at);
        asked_at.map_or(self.heard_at(), |asked_at| asked_at.max(self.heard_at())).elapsed()
    }

    /// Has a look soon whether the server's machine takes the request whose reply is due; two looks tell.
    pub(crate) fn check_taking(self: &Rc<Self>) {
        if self.config.unacknowledged.is_some() && !self.queues.borrow().in_flight.is_empty() {
            self.is_checked.set(true);
            self.wake();
        }
    }

    /// Whether the server's machine had all of the request whose reply is due at the last look, or it cannot be asked.
    pub(crate) fn has_arrived(&self) -> bool {
        let due = self.queues.borrow().in_flight.front().map(|entry| (entry.begins, entry.ends));
        self.config.unacknowledged.is_none()
            || matches!((due, self.looked_at.get()), (Some((begins, ends)), Some((same, taken))) if same == begins && taken >= ends)
    }

    /// What is taken of later requests proves nothing: a kernel takes them also for a process that is gone.
    fn look(&self, io: &Io) {
        let front = self.queues.borrow().in_flight.front().map(|entry| (entry.begins, entry.ends));
        let (Some((begins, ends)), Some(taken)) = (front, io.taken(self.config.unacknowledged)) else { return };
        if let Some((same, before)) = self.looked_at.replace(Some((begins, taken)))
            && same == begins
            && before < taken.min(ends)
        {
            self.taken_at.set(Instant::now());
        }
    }

    /// Whether nobody has begun a probe of it; somebody has now.
    pub(crate) fn begin_probe(&self) -> bool {
        !self.is_probed.replace(true)
    }

    pub(crate) fn end_probe(&self) {
        self.is_probed.set(false);
    }

    /// Whether something is under way that the server may answer as late as it likes.
    pub(crate) fn may_block(&self) -> bool {
        self.queues.borrow().in_flight.iter().any(|entry| entry.job.as_ref().is_some_and(Job::may_block))
    }

    /// Gives the connection up, for a new one.
    pub(crate) fn sever(self: &Rc<Self>, reason: Unreachable) {
        self.severed.replace(Some(reason));
        self.wake();
    }

    /// Which of its connections the lane has now; another one knows nothing of what was said on it.
    pub(crate) fn connection(&self) -> u64 {
        self.connection.get()
    }

    /// Whether this connection has loaded what goes by that name.
    pub(crate) fn has_loaded(&self, name: &str) -> bool {
        self.loaded.borrow().contains(name)
    }

    pub(crate) fn set_loaded(&self, name: &str, loaded: bool) {
        let mut all = self.loaded.borrow_mut();
        if loaded {
            all.insert(name.to_owned());
        } else {
            all.remove(name);
        }
    }

    /// The server was told to forget all scripts.
    pub(crate) fn forget_loaded(&self) {
        self.loaded.borrow_mut().clear();
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
        self.transacts_on.get() == self.connection.get()
    }

    pub(crate) fn set_transacts(&self, connection: u64) {
        self.transacts_on.set(connection);
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

    /// Ends the connection; callers of what is under way get a closing error.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.status.set(Status::Down(Unreachable(CLOSED.into())));
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
                    self.stats.finish(call.reply_to, Err(Box::new(Error::closed_under_way(was_begun))));
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

    fn return_job(self: &Rc<Self>, job: Job, unfinished: Unfinished) {
        self.return_from(None, job, unfinished);
    }

    /// The same; what the job leads to is sent from a place that was kept for it.
    fn return_from(self: &Rc<Self>, place: Option<Place>, job: Job, unfinished: Unfinished) {
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
            self.lose_in_flight(u64::MAX, &Unreachable(PANICKED.into()));
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
            if last_reason.as_ref() != Some(&reason) {
                log::info!("{verb} connection to {}: {reason}", self.address);
            }
            last_reason = Some(reason.clone());
            if self.closed.get() {
                return;
            }
            self.status.set(if served { Status::Connecting } else { Status::Down(reason.clone()) });
            if let Some(events) = self.events.upgrade() {
                events.disconnected(&self, &reason);
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

    /// Serves calls until the connection is lost: why it was, and whether there had been any reply.
    async fn serve(self: &Rc<Self>, connection: Connection) -> (Unreachable, bool) {
        let mut io = Io::new(connection);
        self.connection.set(self.connection.get() + 1);
        self.heard_at.set(Instant::now());
        self.severed.take();
        self.looked_at.take();
        self.node_stats.connects.add(1);
        self.loaded.borrow_mut().clear();
        self.status.set(Status::Up);
        let mut timer = Timer::default();
        let reason = poll_fn(|cx| {
            // Caught here, where it is known how much was written.
            let step = guard::caught("a connection", || self.poll_io(&mut io, &mut timer, cx));
            step.unwrap_or_else(|_| Poll::Ready(Unreachable(PANICKED.into())))
        })
        .await;
        self.status.set(Status::Connecting);
        self.node_stats.losses.add(1);
        self.lose_in_flight(io.written, &reason);
        (reason, io.received > 0)
    }

    /// Ends calls at their deadlines while there is no connection to do it.
    async fn while_sweeping<T>(self: &Rc<Self>, work: impl Future<Output = T>) -> T {
        let mut timer = Timer::default();
        let sweeping = poll_fn(|cx| -> Poll<std::convert::Infallible> {
            self.poll_sweep(&mut timer, cx);
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        });
        tokio::select! {
            biased;
            result = work => result,
            never = sweeping => match never {},
        }
    }

    /// Writes, reads and pairs until the connection is lost, and says why it was.
    fn poll_io(self: &Rc<Self>, io: &mut Io, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<Unreachable> {
        if let Some(reason) = self.severed.take() {
            return Poll::Ready(reason);
        }
        if self.is_checked.take() {
            self.look(io);
        }
        let written = io.written;
        loop {
            self.fill(io);
            match self.poll_write(io, cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Unreachable(error.to_string())),
                Poll::Ready(Ok(())) if self.queues.borrow().waiting.has_next() => continue,
                _ => {}
            }
            match io.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Unreachable("the server closed the connection".into())),
                Poll::Ready(Ok(count)) => {
                    self.node_stats.bytes_received.add(count as u64);
                    self.heard_at.set(Instant::now());
                    if let Err(reason) = self.deliver(io) {
                        return Poll::Ready(reason);
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Unreachable(error.to_string())),
                Poll::Pending => break,
            }
        }
        if io.written > written {
            self.node_stats.bytes_sent.add(io.written - written);
        }
        self.poll_sweep(timer, cx);
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Writes the output, less what was withdrawn.
    fn poll_write(&self, io: &mut Io, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            if self.queues.borrow().should_withdraw() {
                self.queues.borrow_mut().withdraw(io);
                self.publish_in_flight();
            }
            let up_to = self.queues.borrow().may_be_written();
            let result = io.poll_write(cx, up_to);
            self.queues.borrow_mut().note_written(io);
            if up_to == u64::MAX || !matches!(result, Poll::Ready(Ok(()))) {
                return result;
            }
        }
    }

    /// Moves what waits to the output, as long as that is short: what is there shares a buffer, and is dearer to unsend.
    fn fill(self: &Rc<Self>, io: &mut Io) {
        const ENOUGH: usize = 256 << 10;
        if !self.queues.borrow().waiting.has_next() {
            return;
        }
        let sent_at = Instant::now();
        let (mut too_late, mut expired) = (Vec::new(), Vec::new());
        let mut requests = 0;
        let mut queues = self.queues.borrow_mut();
        while io.output.len() < ENOUGH {
            let Some((number, job)) = queues.waiting.pop_front() else { break };
            match &job {
                Job::Call(call) if call.reply_to.is_abandoned() => continue,
                // Nobody waits for what it would do.
                Job::Call(call) if call.deadline <= sent_at => {
                    expired.push(job);
                    continue;
                }
                Job::Step(step) if step.options.only_on.is_some_and(|only| only != self.connection.get()) => {
                    too_late.push(job);
                    continue;
                }
                Job::Step(step) => step.progress.sent.set(true),
                _ => {}
            }
            let (begins, missing) = (io.queued(), job.replies());
            job.write(&mut io.output);
            let ends = io.queued();
            requests += missing as u64;
            let entry = InFlight { job: Some(job), missing, begins, ends, sent_at, is_first_use: false };
            queues.push_in_flight(number, entry);
        }
        drop(queues);
        self.node_stats.requests.add(requests);
        self.publish_in_flight();
        self.publish_bytes();
        too_late.into_iter().for_each(|job| self.return_job(job, Unfinished::Unsent));
        for job in expired {
            if let Job::Call(call) = job {
                self.time_out(call, false);
            }
        }
    }

    fn deliver(self: &Rc<Self>, io: &mut Io) -> Result<(), Unreachable> {
        let now = self.heard_at.get();
        let mut times = Vec::new();
        let result = loop {
            match io.decoder.decode(&mut io.input) {
                Ok(Some(Frame::Reply(reply))) => match self.pair(io, reply) {
                    Ok(sent_at) => times.push(now.saturating_duration_since(sent_at)),
                    Err(reason) => break Err(reason),
                },
                // Such a push stands in place of a reply, and the client asks for none.
                Ok(Some(Frame::Push(items))) if confirms_subscription(&items) => {
                    break Err(Unreachable("the server confirmed a subscription that nobody asked for".into()));
                }
                Ok(Some(Frame::Push(_))) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(Unreachable(error.to_string())),
            }
        };
        if !times.is_empty() {
            self.node_stats.record(times.into_iter());
            self.publish_in_flight();
            self.queues.borrow_mut().give_back_room();
        }
        result
    }

    /// Gives a reply to the request that it answers: when that was sent.
    fn pair(self: &Rc<Self>, io: &mut Io, reply: Reply) -> Result<Instant, Unreachable> {
        io.received += 1;
        let mut queues = self.queues.borrow_mut();
        // A server may refuse what it has read only the beginning of, but not answer it.
        let may_be_answered = |entry: &&mut InFlight| {
            if reply.error().is_some() || entry.missing > 1 {
                entry.begins < io.written
            } else {
                entry.ends <= io.written
            }
        };
        let Some(entry) = queues.in_flight.front_mut().filter(may_be_answered) else {
            return Err(Unreachable(match reply.error() {
                Some(error) => error.text(),
                None => "the server sent a reply that nobody asked for".into(),
            }));
        };
        let sent_at = entry.sent_at;
        if reply.error().is_some() {
            self.node_stats.errors.add(1);
        }
        entry.missing -= 1;
        let is_last = entry.missing == 0;
        if let Some(Job::Step(step)) = &entry.job {
            step.progress.replies.borrow_mut().push(reply);
            if is_last && let Some((_, InFlight { job: Some(Job::Step(step)), .. })) = queues.in_flight.pop_front() {
                // Its receiver is gone when the step's task has ended: then nobody wants to know.
                let _ = step.answer.send(Ok(()));
            }
            return Ok(sent_at);
        }
        if !is_last {
            return Ok(sent_at);
        }
        let Some((number, entry)) = queues.in_flight.pop_front() else { return Ok(sent_at) };
        drop(queues);
        let place = entry.is_first_use.then(|| Place { lane: self.clone(), number: Some(number) });
        match entry.job {
            Some(Job::Call(call)) if reply.error().is_none() => {
                if place.is_some() {
                    self.note_use(&call.request);
                }
                if call.request.has_forms() {
                    self.stats.script_hits.add(1);
                }
                self.send_trace(&call.reply_to);
                self.stats.finish(call.reply_to, Ok(reply));
            }
            Some(job) => self.return_from(place, job, Unfinished::Answered(reply)),
            None => {}
        }
        Ok(sent_at)
    }

    /// What was under way when the connection went: unsent where the server cannot have read the whole command.
    fn lose_in_flight(self: &Rc<Self>, written: u64, reason: &Unreachable) {
        let in_flight = self.queues.borrow_mut().lose_in_flight();
        self.publish_in_flight();
        let mut unsent = Vec::new();
        for (number, entry) in in_flight {
            let Some(job) = entry.job else { continue };
            let was_sent = match &job {
                Job::Step(step) if step.commands.len() > 1 && !step.options.atomic => entry.begins < written,
                _ => entry.ends <= written,
            };
            if let Job::Step(step) = &job {
                if was_sent {
                    step.progress.written.set(written - entry.begins);
                } else {
                    step.progress.clear();
                }
            }
            if was_sent {
                self.return_job(job, Unfinished::Lost(reason.clone()));
            } else {
                unsent.push((number, job));
            }
        }
        let mut queues = self.queues.borrow_mut();
        unsent.into_iter().rev().for_each(|(number, job)| queues.waiting.push_front(number, job));
    }

    fn poll_sweep(self: &Rc<Self>, timer: &mut Timer, cx: &mut Context<'_>) {
        loop {
            let sweep_at = self.queues.borrow().sweep_at();
            if timer.poll(sweep_at, cx).is_pending() {
                return;
            }
            self.sweep(Instant::now());
        }
    }

    /// Ends the calls whose deadline has passed. Those that the socket has not begun to take never will be sent.
    fn sweep(self: &Rc<Self>, now: Instant) {
        let expired = self.queues.borrow_mut().expired(now);
        if expired.is_empty() {
            return;
        }
        self.has_less();
        if expired.iter().any(|(_, was_begun)| *was_begun)
            && let Some(events) = self.events.upgrade()
        {
            events.stalled(self);
        }
        expired.into_iter().for_each(|(call, was_begun)| self.time_out(call, was_begun));
    }

    fn time_out(&self, call: Call, was_begun: bool) {
        let error = call.timed_out(was_begun, &self.status());
        if was_begun {
            self.send_trace(&call.reply_to);
        }
        self.stats.finish(call.reply_to, Err(Box::new(error)));
    }
}

/// A place in a lane's line, for steps that go out one after the other before what comes later. Without a number it is
/// the end of the line.
pub(crate) struct Place {
    lane: Rc<Lane>,
    number: Option<u64>,
}

impl Place {
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    /// The same place, or where there is none the end of the line, kept from now on.
    pub(crate) fn kept(self) -> Self {
        if self.number.is_some() { self } else { self.lane.keep_place() }
    }

    /// Puts commands in line, for one write; see [`Lane::request`].
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
    /// What is known of a step that the lane dropped, because it was closed or met a panic.
    fn dropped(&self) -> Unfinished {
        if !self.progress.was_sent() {
            return Unfinished::Unsent;
        }
        self.progress.written.set(u64::MAX);
        Unfinished::Lost(Unreachable("it was dropped".into()))
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

fn confirms_subscription(push: &[Item]) -> bool {
    match push.first() {
        Some(Item::Bulk(kind) | Item::Simple(kind)) => kind.ends_with(b"subscribe"),
        _ => false,
    }
}

/// A timer that is set anew only when its time changes.
#[derive(Default)]
struct Timer(Option<(Instant, Pin<Box<Sleep>>)>);

impl Timer {
    fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            self.0 = None;
            return Poll::Pending;
        };
        let (set_for, sleep) = self.0.get_or_insert_with(|| (at, Box::pin(sleep_until(at))));
        if *set_for != at {
            sleep.as_mut().reset(at);
            *set_for = at;
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
