//! How an outcome gets back to its caller, who may be on another thread.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::model::address::Address;
use crate::model::error::Error;
use crate::model::question::Question;
use crate::tasks::mailbox::Mailbox;
use crate::wire::resp::Reply;

/// How a call ended.
pub type Outcome = Result<Reply, Box<Error>>;

/// What arrives at a caller.
#[derive(Debug)]
pub enum Completion {
    Call(Outcome),
    /// The outcomes of a batch's commands, in their order.
    Batch(Vec<Outcome>),
    /// What is known of a call besides its outcome, which comes next.
    Trace(Box<CallTrace>),
    /// Not the end of a call, but a question to the owner of the ticket.
    Question(Question),
}

impl Completion {
    /// The outcome of a call that is no batch.
    pub fn into_call(self) -> Option<Outcome> {
        match self {
            Self::Call(outcome) => Some(outcome),
            Self::Batch(_) | Self::Trace(_) | Self::Question(_) => None,
        }
    }
}

/// What happened to a call before its outcome. It is sent for calls of an observed client, except batches and calls to
/// several nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTrace {
    /// The server that it was last sent to; `None`: to none.
    pub node: Option<Address>,
    /// The server did not have the script, so that its code was sent.
    pub sent_code: bool,
    /// How often it was sent again for another reason.
    pub retries: u32,
    /// It was answered from the record of an earlier call.
    pub from_record: bool,
}

/// Outcomes on their way to one event loop. Only the first of a burst wakes it, and none while it says it is awake.
pub struct Completions {
    done: Mutex<Vec<(u64, Completion)>>,
    arrived: AtomicBool,
    awake: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Completions {
    /// `wake` is called from the I/O thread, once a burst; the loop then calls [`take`](Self::take).
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let (arrived, awake) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { done: Mutex::default(), arrived, awake, wake: Box::new(wake) })
    }

    /// All outcomes that have arrived, in order, each with its call's ticket.
    pub fn take(&self) -> Vec<(u64, Completion)> {
        // The flag is cleared before the queue is read. An outcome that is added in between wakes the loop once more
        // than needed; no wake-up is lost.
        self.arrived.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is something to take.
    pub fn has_arrived(&self) -> bool {
        self.arrived.load(Ordering::SeqCst)
    }

    /// The event loop will look by itself, until it says that it no longer does. After that it must look once more.
    pub fn set_awake(&self, awake: bool) {
        self.awake.store(awake, Ordering::SeqCst);
    }

    /// Asks the owner of the ticket.
    pub fn ask(&self, ticket: u64, question: Question) {
        self.push(ticket, Completion::Question(question));
    }

    /// Wakes the loop, whether or not something has arrived.
    pub fn wake(&self) {
        (self.wake)();
    }

    /// Has the loop look, although nothing has arrived for a call.
    pub fn nudge(&self) {
        if !self.arrived.swap(true, Ordering::SeqCst) && !self.awake.load(Ordering::SeqCst) {
            (self.wake)();
        }
    }

    fn push(&self, ticket: u64, outcome: Completion) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, outcome));
        self.nudge();
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").finish_non_exhaustive()
    }
}

/// Where the outcome of one call goes. A call that is dropped without one ends in a `Closing` error: none is lost.
#[derive(Debug)]
pub struct ReplyTo {
    caller: Option<Caller>,
    /// The number of the call that this is a part of, if it is not a whole call.
    part: Option<NonZeroU64>,
    /// Counts this call among those in flight.
    permit: Option<Permit>,
}

#[derive(Debug)]
enum Caller {
    Loop { completions: Arc<Completions>, ticket: u64 },
    Thread { mailbox: Arc<Mailbox<Completion>>, id: CallId },
    Task(oneshot::Sender<Completion>),
}

impl ReplyTo {
    pub fn event_loop(completions: Arc<Completions>, ticket: u64) -> Self {
        Self { caller: Some(Caller::Loop { completions, ticket }), part: None, permit: None }
    }

    /// For a thread that waits.
    pub fn thread() -> (Self, Arc<Mailbox<Completion>>, CallId) {
        let (mailbox, id) = (Arc::new(Mailbox::default()), CallId::numbered(CallId::next_number()));
        let caller = Some(Caller::Thread { mailbox: mailbox.clone(), id });
        (Self { caller, part: None, permit: None }, mailbox, id)
    }

    /// For callers in Rust.
    pub fn task() -> (Self, oneshot::Receiver<Completion>) {
        let (sender, receiver) = oneshot::channel();
        (Self { caller: Some(Caller::Task(sender)), part: None, permit: None }, receiver)
    }

    pub(crate) fn part() -> (Self, oneshot::Receiver<Completion>) {
        let (mut reply_to, receiver) = Self::task();
        reply_to.part = Some(CallId::next_number());
        (reply_to, receiver)
    }

    pub(crate) fn is_part(&self) -> bool {
        self.part.is_some()
    }

    /// For calls whose outcome nobody needs.
    pub fn nobody() -> Self {
        Self { caller: None, part: None, permit: None }
    }

    pub(crate) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    pub fn finish(mut self, outcome: Outcome) {
        self.send(Completion::Call(outcome));
    }

    pub(crate) fn finish_batch(mut self, outcomes: Vec<Outcome>) {
        self.send(Completion::Batch(outcomes));
    }

    /// Sends the caller more than the outcome, ahead of it.
    pub(crate) fn send_trace(&self, trace: CallTrace) {
        match &self.caller {
            Some(Caller::Loop { completions, ticket }) => {
                completions.push(*ticket, Completion::Trace(Box::new(trace)));
            }
            Some(Caller::Thread { mailbox, .. }) => mailbox.put_ahead(Completion::Trace(Box::new(trace))),
            Some(Caller::Task(_)) | None => {}
        }
    }

    /// The caller does not wait any more.
    pub(crate) fn forget(mut self) {
        self.caller = None;
    }

    /// The id by which the caller can cancel this call.
    pub(crate) fn id(&self) -> Option<CallId> {
        match &self.caller {
            Some(Caller::Loop { completions, ticket }) => Some(CallId::new(completions, *ticket)),
            Some(Caller::Thread { id, .. }) => Some(*id),
            Some(Caller::Task(_)) | None => self.part.map(CallId::numbered),
        }
    }

    /// Whether the caller is known to be gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(&self.caller, Some(Caller::Task(sender)) if sender.is_closed())
    }

    fn send(&mut self, outcome: Completion) {
        self.permit = None;
        match self.caller.take() {
            Some(Caller::Loop { completions, ticket }) => completions.push(ticket, outcome),
            Some(Caller::Thread { mailbox, .. }) => mailbox.end(outcome),
            Some(Caller::Task(sender)) => {
                // The receiver is gone if its task was cancelled. Then no one waits for the outcome.
                let _ = sender.send(outcome);
            }
            None => {}
        }
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if self.caller.is_some() {
            let error = if std::thread::panicking() { Error::panicked() } else { Error::closed_in_flight(true) };
            self.send(Completion::Call(Err(Box::new(error))));
        }
    }
}

/// Names a call, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId {
    completions: usize,
    ticket: u64,
}

impl CallId {
    /// Tickets are given once in the life of a client's event loop.
    pub fn new(completions: &Arc<Completions>, ticket: u64) -> Self {
        Self { completions: Arc::as_ptr(completions) as usize, ticket }
    }

    /// A call that no event loop waits for. No completions are at address 0.
    fn numbered(number: NonZeroU64) -> Self {
        Self { completions: 0, ticket: number.get() }
    }

    /// A number that no other call of this process has.
    fn next_number() -> NonZeroU64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).expect("64 bits count longer than any process runs")
    }
}

/// One place among the calls that may be in flight at once.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// `None` when `limit` calls are already in flight.
    pub(crate) fn take(in_flight: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        in_flight
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < limit).then_some(now + 1))
            .ok()
            .map(|_| Self(in_flight.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
