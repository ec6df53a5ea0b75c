//! Forks: how a process recognises what its parent made. Threads do not survive a fork.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of forks between this process and the one that loaded the module.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Differs between a process and its forked child.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Called in the child of each fork.
#[cfg(unix)]
pub(super) fn count_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A value that only the process that made it uses and drops. A forked child does neither: the threads behind the value
/// are missing there, and a lock in it may have been held when the process forked.
pub(crate) struct ForkLocal<T> {
    value: Option<T>,
    generation: u64,
}

impl<T> ForkLocal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Some(value), generation: generation() }
    }

    /// `None` in a child of the process that made it.
    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_ours() { self.value.as_ref() } else { None }
    }

    pub(crate) fn into_inner(mut self) -> Option<T> {
        if self.is_ours() { self.value.take() } else { None }
    }

    fn is_ours(&self) -> bool {
        self.generation == generation()
    }
}

impl<T> Drop for ForkLocal<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            std::mem::forget(self.value.take());
        }
    }
}
