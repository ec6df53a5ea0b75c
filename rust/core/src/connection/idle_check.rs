//! Whether an idle connection has ended, asked before the next request is written to it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

/// Lets the runtime ask the system what has happened to the connections. Servers end idle connections, and so do
/// balancers. The system may know that by now while the runtime does not, most often on a busy machine: a request that
/// is written then is lost, and may have run as far as the client knows.
pub(super) struct IdleCheck {
    done_at: Instant,
    asking: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl IdleCheck {
    pub(super) fn new() -> Self {
        Self { done_at: Instant::now(), asking: None }
    }

    /// If nothing was heard for a while, ready once the runtime has asked: whether the connection is to be read before
    /// the next write. Calls that follow each other at once do not pay for it.
    pub(super) fn poll(&mut self, heard_at: Instant, cx: &mut Context<'_>) -> Poll<bool> {
        const IDLE: Duration = Duration::from_millis(1);
        if self.asking.is_none() && heard_at.max(self.done_at).elapsed() < IDLE {
            return Poll::Ready(false);
        }
        let asking = self.asking.get_or_insert_with(|| Box::pin(yield_now()));
        ready!(asking.as_mut().poll(cx));
        *self = Self::new();
        Poll::Ready(true)
    }
}
