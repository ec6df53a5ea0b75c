//! The items that a client's callers pass to the I/O thread, in order.
//!
//! Adding an item and waking the thread are two steps, because the second costs far more: the calls of a burst are
//! added one by one, and the thread is woken once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::tasks::room::ROOM_KEPT;

/// Makes the two ends.
pub(crate) fn outbox<T>() -> (Sender<T>, Receiver<T>) {
    let queue = Mutex::new(Queue { items: VecDeque::new(), is_open: true });
    let shared = Arc::new(Shared { queue, has_items: AtomicBool::new(false) });
    let bell = Bell(Arc::default());
    (Sender { shared: shared.clone(), bell: bell.clone() }, Receiver { shared, bell })
}

#[derive(Debug)]
struct Shared<T> {
    queue: Mutex<Queue<T>>,
    /// For looking without the lock.
    has_items: AtomicBool,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    /// Neither end was dropped.
    is_open: bool,
}

impl<T> Shared<T> {
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the I/O thread for what was put in.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Notify>);

impl Bell {
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Whether both belong to the same client.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Debug)]
pub(crate) struct Sender<T> {
    shared: Arc<Shared<T>>,
    bell: Bell,
}

impl<T> Sender<T> {
    /// Adds an item. The thread sees it at the latest when the bell is rung next. Returns the item if the thread has
    /// ended.
    pub(crate) fn put(&self, item: T) -> Result<(), T> {
        let mut queue = self.shared.queue();
        if !queue.is_open {
            return Err(item);
        }
        queue.items.push_back(item);
        self.shared.has_items.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.queue().is_open = false;
        self.bell.ring();
    }
}

#[derive(Debug)]
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    bell: Bell,
}

impl<T> Receiver<T> {
    /// Waits until there is something, and exchanges it for `items`, which is empty; false: nothing will come any more.
    pub(crate) async fn take(&mut self, items: &mut VecDeque<T>) -> bool {
        loop {
            if let Some(is_open) = self.look(items) {
                return is_open;
            }
            self.rung().await;
        }
    }

    /// The same without waiting; `None`: there is nothing now.
    pub(crate) fn look(&mut self, items: &mut VecDeque<T>) -> Option<bool> {
        let mut queue = self.shared.queue();
        if !queue.items.is_empty() {
            std::mem::swap(&mut queue.items, items);
            self.shared.has_items.store(false, Ordering::Relaxed);
            return Some(true);
        }
        if !queue.is_open {
            return Some(false);
        }
        queue.items.shrink_to(ROOM_KEPT);
        items.shrink_to(ROOM_KEPT);
        None
    }

    /// Waits until the bell is rung.
    pub(crate) async fn rung(&self) {
        self.bell.0.notified().await;
    }

    /// Whether there is something to take.
    pub(crate) fn has_items(&self) -> bool {
        self.shared.has_items.load(Ordering::Acquire)
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Takes the rest; nothing more is let in.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut queue = self.shared.queue();
        queue.is_open = false;
        std::mem::take(&mut queue.items)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // The rest is dropped outside of the lock: its callers get errors, and may send more.
        drop(self.close());
    }
}
