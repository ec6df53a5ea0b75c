//! What a lane does for others: calls, steps of several commands, and loads; waiting, and written.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::call::Call;
use crate::lane::Setback;
use crate::resp::Reply;

/// Commands that go out in one write, each of which gets one reply.
pub(crate) struct Step {
    pub(crate) commands: Vec<Bytes>,
    pub(crate) terms: Terms,
    pub(crate) receipt: Rc<Receipt>,
    pub(crate) answer: oneshot::Sender<Result<(), Setback>>,
}

/// What may become of a step whose connection is lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    /// Nothing is executed before the last command has been read.
    pub(crate) atomic: bool,
    /// It makes sense on this connection of the lane alone.
    pub(crate) only_on: Option<u64>,
    /// It may be answered as late as it likes: it waits for what others do.
    pub(crate) waits: bool,
}

/// What is known of a step while it is with a server, and after.
#[derive(Debug, Default)]
pub(crate) struct Receipt {
    /// The server may have read some of it.
    pub(crate) sent: Cell<bool>,
    /// How many of its bytes were written when the connection was lost.
    pub(crate) written: Cell<u64>,
    pub(crate) replies: RefCell<Vec<Reply>>,
}

impl Receipt {
    pub(crate) fn was_sent(&self) -> bool {
        self.sent.get()
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.get()
    }

    /// The replies so far.
    pub(crate) fn take_replies(&self) -> Vec<Reply> {
        self.replies.take()
    }

    pub(crate) fn clear(&self) {
        self.sent.set(false);
        self.written.set(0);
        self.replies.take();
    }
}

/// What a lane has to do and has done.
#[derive(Default)]
pub(crate) struct Queues {
    /// Not written.
    pub(crate) waiting: Waiting,
    /// Written, at least in part; replies come in this order.
    pub(crate) in_flight: VecDeque<InFlight>,
    /// No call's deadline is before this.
    pub(crate) sweep_at: Option<Instant>,
}

impl Queues {
    /// The room of one great burst is not kept for ever.
    pub(crate) fn give_back_room(&mut self) {
        const KEPT: usize = 4096;
        if self.in_flight.is_empty() && self.waiting.is_empty() {
            self.in_flight.shrink_to(KEPT);
            self.waiting.jobs.shrink_to(KEPT);
        }
    }
}

/// Jobs, and how long they are all together.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) bytes: usize,
}

impl Waiting {
    pub(crate) fn push_back(&mut self, job: Job) {
        self.bytes += job.bytes();
        self.jobs.push_back(job);
    }

    pub(crate) fn push_front(&mut self, job: Job) {
        self.bytes += job.bytes();
        self.jobs.push_front(job);
    }

    pub(crate) fn pop_front(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= job.bytes();
        Some(job)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// All of them; none is left.
    pub(crate) fn take(&mut self) -> VecDeque<Job> {
        std::mem::take(self).jobs
    }
}

pub(crate) enum Job {
    Call(Call),
    Step(Step),
    /// SCRIPT LOAD of the script of that hash; nobody waits for the reply.
    Load(Bytes, String),
}

impl Job {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Call(call) => call.request.wire().len(),
            Self::Step(step) => step.commands.iter().map(Bytes::len).sum(),
            Self::Load(wire, _) => wire.len(),
        }
    }

    /// Whether its reply may take as long as it likes.
    pub(crate) fn may_block(&self) -> bool {
        match self {
            Self::Step(step) => step.terms.waits,
            // They share their connection.
            Self::Call(_) | Self::Load(..) => false,
        }
    }
}

pub(crate) struct InFlight {
    /// `None`: nobody waits any more.
    pub(crate) job: Option<Job>,
    pub(crate) missing: usize,
    /// Where in the connection's output the job begins and ends.
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    pub(crate) sent_at: Instant,
}
