//! A value that tasks of one thread wait for.

use std::cell::{Ref, RefCell};

use tokio::sync::Notify;

/// Wakes those that wait in the order in which they began to. tokio's own `watch` does so at random, and nothing that
/// is left to chance can be simulated.
pub(crate) struct Signal<T> {
    value: RefCell<T>,
    changed: Notify,
}

impl<T> Signal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: RefCell::new(value), changed: Notify::new() }
    }

    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    pub(crate) fn set(&self, value: T) {
        self.value.replace(value);
        self.changed.notify_waiters();
    }

    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.borrow_mut());
        self.changed.notify_waiters();
        result
    }

    /// Waits until the value fulfils a condition, and returns what the condition makes of it.
    pub(crate) async fn wait_for<R>(&self, read: impl Fn(&T) -> Option<R>) -> R {
        loop {
            // From here on no change is missed.
            let changed = self.changed.notified();
            if let Some(result) = read(&self.value.borrow()) {
                return result;
            }
            changed.await;
        }
    }
}
