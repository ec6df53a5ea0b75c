//! How a thread sleeps until its call has ended.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use glide_scripts_core::{Completion, Look, Mailbox, Tries, look};

use crate::polling::time_to_look;

/// Waits until the call of that many commands has ended, or at most until `longest` has passed; it may end early. The
/// thread is detached.
pub(super) fn until_end(mailbox: &Mailbox<Completion>, commands: usize, longest: Option<Duration>) {
    let _waiting = Waiting::begin();
    if spin(mailbox, commands) {
        return;
    }
    WAKER.with(|waker| {
        if mailbox.wake_at_end(waker) {
            match longest {
                Some(longest) => thread::park_timeout(longest),
                None => thread::park(),
            }
        }
    });
}

thread_local! {
    static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// How many threads wait. After a fork it may count those of the parent, too.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Whether any thread waits.
pub(super) fn others_wait() -> bool {
    WAITING.load(Ordering::Relaxed) > 0
}

struct Waiting(());

impl Waiting {
    fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    static TRIES: Cell<Tries> = const { Cell::new(Tries::NONE) };
}

/// Looks for the reply for a short time before the thread sleeps, and returns whether it has arrived. Sleeping and
/// waking take longer than the round trip to a server nearby. Any number of threads may look: each look lets the others
/// run, and they take turns in making their calls. The replies of a batch take longer, so only a thread that waits alone
/// looks for those. If a thread often finds nothing, it looks less often.
fn spin(mailbox: &Mailbox<Completion>, commands: usize) -> bool {
    let may_look = || commands == 1 || WAITING.load(Ordering::Relaxed) == 1;
    let Some(length) = time_to_look(commands).filter(|_| may_look()) else { return false };
    let mut tries = TRIES.get();
    let is_due = tries.is_due();
    TRIES.set(tries);
    if !is_due {
        return false;
    }
    let ends = Instant::now() + tries.length(length);
    let last = loop {
        let last = look(|| mailbox.has_ended());
        if last != Look::InVain || !may_look() || Instant::now() >= ends {
            break last;
        }
    };
    tries.end(last);
    TRIES.set(tries);
    last == Look::Found
}
