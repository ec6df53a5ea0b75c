//! Where the outcome of one call arrives, for a thread that waits for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Receives the end of a call, and what comes ahead of it. It wakes a thread only for the end, and only if one sleeps.
pub struct Mailbox<T> {
    has_ended: AtomicBool,
    content: Mutex<Content<T>>,
}

struct Content<T> {
    ahead: Vec<T>,
    end: Option<T>,
    sleeper: Option<Waker>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let content = Content { ahead: Vec::new(), end: None, sleeper: None };
        Self { has_ended: AtomicBool::new(false), content: Mutex::new(content) }
    }
}

impl<T> Mailbox<T> {
    /// Whether the end has come.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// What came ahead of the end, and the end, once; `None` before the end has come.
    pub fn take(&self) -> Option<(Vec<T>, T)> {
        if !self.has_ended() {
            return None;
        }
        let mut content = self.content();
        let end = content.end.take()?;
        Some((std::mem::take(&mut content.ahead), end))
    }

    /// Has `waker` woken when the end comes; false: it has come already.
    pub fn wake_at_end(&self, waker: &Waker) -> bool {
        let mut content = self.content();
        if self.has_ended() {
            return false;
        }
        content.sleeper = Some(waker.clone());
        true
    }

    pub(crate) fn put_ahead(&self, message: T) {
        self.content().ahead.push(message);
    }

    pub(crate) fn end(&self, message: T) {
        let sleeper = {
            let mut content = self.content();
            content.end = Some(message);
            self.has_ended.store(true, Ordering::Release);
            content.sleeper.take()
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    fn content(&self) -> MutexGuard<'_, Content<T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_the_end_wakes_who_sleeps_and_all_is_taken_once() {
        let (mailbox, counted) = (Mailbox::default(), Arc::new(Counted::default()));
        let waker = Waker::from(counted.clone());
        assert!(mailbox.wake_at_end(&waker));
        mailbox.put_ahead(1);
        assert!(mailbox.take().is_none());
        assert_eq!(counted.0.load(Ordering::Relaxed), 0);
        mailbox.end(2);
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
        assert!(!mailbox.wake_at_end(&waker));
        assert_eq!(mailbox.take(), Some((vec![1], 2)));
        assert_eq!(mailbox.take(), None);
    }
}
