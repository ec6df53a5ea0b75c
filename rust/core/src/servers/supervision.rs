//! Calls with tasks of their own: what ends them when their callers or the client are gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::model::completion::{CallId, ReplyTo};

/// By the ids by which their callers can cancel them.
type Supervised = RefCell<HashMap<CallId, oneshot::Sender<()>>>;

#[derive(Default)]
pub(crate) struct Supervisor {
    supervised: Rc<Supervised>,
    closed: CancellationToken,
}

impl Supervisor {
    /// Lets the caller of a call with a task of its own cancel it, from now on.
    pub(crate) fn supervise(&self, reply_to: &ReplyTo) -> Supervision {
        let (cancel, cancelled) = oneshot::channel();
        let id = reply_to.id();
        if let Some(id) = id {
            self.supervised.borrow_mut().insert(id, cancel);
        }
        Supervision { id, cancelled, supervised: Rc::downgrade(&self.supervised), closed: self.closed.clone() }
    }

    /// Ends the task of a call whose caller is gone, if it has one.
    pub(crate) fn cancel(&self, id: CallId) -> bool {
        let cancel = self.supervised.borrow_mut().remove(&id);
        // An error means that its task has just ended: there is nothing left to cancel.
        cancel.map(|cancel| cancel.send(())).is_some()
    }

    /// The client is closed: ends all tasks.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// What is cancelled when the client is closed.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let is_empty = self.supervised.borrow().is_empty();
        debug_assert!(is_empty || std::thread::panicking(), "a call that has ended is still supervised");
    }
}

/// Ends the work of a call when its caller or the client is gone.
pub(crate) struct Supervision {
    id: Option<CallId>,
    cancelled: oneshot::Receiver<()>,
    supervised: Weak<Supervised>,
    closed: CancellationToken,
}

impl Supervision {
    pub(crate) async fn over<T>(mut self, work: impl Future<Output = T>) -> Ended<T> {
        tokio::select! {
            biased;
            // An error here means only that the call has no id to cancel it by.
            Ok(()) = &mut self.cancelled => Ended::Cancelled,
            () = self.closed.cancelled() => Ended::Closed,
            result = work => Ended::Done(result),
        }
    }

    /// The same for work that ends by itself when the client is closed, because its parts do; `None`: the caller is
    /// gone.
    pub(crate) async fn over_parts<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            Ok(()) = &mut self.cancelled => None,
            result = work => Some(result),
        }
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        if let (Some(id), Some(supervised)) = (self.id, self.supervised.upgrade()) {
            supervised.borrow_mut().remove(&id);
        }
    }
}

/// How supervised work ended.
pub(crate) enum Ended<T> {
    Done(T),
    /// The caller is gone.
    Cancelled,
    /// The client was closed.
    Closed,
}

impl<T> Ended<T> {
    /// What is to be said to the caller; `None`: the caller is gone. `closed` says it where the client was closed.
    pub(crate) fn or_closed(self, closed: impl FnOnce() -> T) -> Option<T> {
        match self {
            Self::Done(done) => Some(done),
            Self::Cancelled => None,
            Self::Closed => Some(closed()),
        }
    }
}
