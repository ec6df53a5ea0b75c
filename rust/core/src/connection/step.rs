//! Commands that are sent in one write, and what is known of them while they are in flight and after a failure.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::unreachable::Unreachable;
use crate::wire::resp::Reply;

/// Why a call did not end in a value. The retries decide what comes next.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// The server answered with an error, or from the record of an earlier call.
    Answered(Reply),
    /// Certainly not executed: it was never written in full.
    Unsent,
    /// The same of so many bytes, of which a part was written: the server may have ended the connection because of them.
    CutOff(Unreachable, u64),
    /// Written, and the connection was lost before the reply.
    Lost(Unreachable),
}

impl Unfinished {
    /// Whether the server may have got the whole of it.
    pub(crate) fn was_sent(&self) -> bool {
        !matches!(self, Self::Unsent | Self::CutOff(..))
    }
}

/// Commands that go out in one write, each of which gets one reply.
pub(crate) struct Step {
    pub(crate) commands: Vec<Bytes>,
    pub(crate) options: StepOptions,
    pub(crate) progress: Rc<StepProgress>,
    pub(crate) answer: oneshot::Sender<Result<(), Unfinished>>,
}

/// What may have happened to a step whose connection is lost.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct StepOptions {
    /// Nothing is executed before the last command has been read.
    pub(crate) atomic: bool,
    /// Its commands do not depend on each other: those that the socket has not begun to take can be withdrawn.
    pub(crate) separable: bool,
    /// It may be sent on this connection of the lane only.
    pub(crate) only_on: Option<u64>,
    /// It waits for other clients, so its answer may come at any time.
    pub(crate) waits: bool,
    /// It makes the server forget its scripts.
    pub(crate) flushes_scripts: bool,
}

/// What is known of a step while it is with a server, and after.
#[derive(Debug, Default)]
pub(crate) struct StepProgress {
    /// The server may have read some of it.
    pub(crate) sent: Cell<bool>,
    /// How many of its bytes were written when the connection was lost, or it was unsent as far as it could be.
    pub(crate) written: Cell<u64>,
    pub(crate) replies: RefCell<Vec<Reply>>,
}

impl StepProgress {
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

/// A place in the queue for steps that come later.
#[derive(Default)]
pub(crate) struct Steps {
    pub(super) queue: VecDeque<(u64, Step)>,
    /// How many steps it has had.
    pub(super) given: u64,
    pub(super) is_kept: bool,
}

impl Steps {
    pub(crate) fn kept() -> Self {
        Self { is_kept: true, ..Self::default() }
    }

    pub(crate) fn is_over(&self) -> bool {
        !self.is_kept && self.queue.is_empty()
    }
}
