//! How a thread sleeps until its call has ended.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Wake, Waker};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use glide_scripts_core::{Completion, Mailbox};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::process::fork::ForkLocal;
use crate::wakeup::Wakeup;

/// Waits until the call has ended, or at most until a signal came or `longest` has passed. The thread is detached.
pub(super) fn until_end(mailbox: &Mailbox<Completion>, longest: Option<Duration>) -> io::Result<()> {
    if spin(mailbox) {
        return Ok(());
    }
    with_sleeper(|sleeper| {
        if mailbox.wake_at_end(&sleeper.waker) {
            sleeper.sleep(longest)?;
        }
        Ok(())
    })
}

/// What wakes a thread: made when it first waits, gone with it.
struct Sleeper {
    wakeup: Arc<Wakeup>,
    waker: Waker,
}

thread_local! {
    /// A child of a fork has one of its own: to share a descriptor with its parent would have each wake the other.
    static SLEEPER: RefCell<Option<ForkLocal<Sleeper>>> = const { RefCell::new(None) };
}

fn with_sleeper(work: impl FnOnce(&Sleeper) -> io::Result<()>) -> io::Result<()> {
    SLEEPER.with_borrow_mut(|slot| {
        if let Some(sleeper) = slot.as_ref().and_then(ForkLocal::get) {
            return work(sleeper);
        }
        let wakeup = Arc::new(Wakeup::new()?);
        let sleeper = Sleeper { waker: wakeup.clone().into(), wakeup };
        let result = work(&sleeper);
        *slot = Some(ForkLocal::new(sleeper));
        result
    })
}

impl Sleeper {
    /// A wake that came too late for an earlier call ends it early; the caller looks again.
    fn sleep(&self, longest: Option<Duration>) -> io::Result<()> {
        // SAFETY: `self.wakeup` keeps the descriptor open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.wakeup.descriptor()) };
        let longest = longest.and_then(|longest| Timespec::try_from(longest).ok());
        match poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], longest.as_ref()) {
            Ok(0) | Err(Errno::INTR) => Ok(()),
            Ok(_) => {
                self.wakeup.clear();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.set();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set();
    }
}

/// How often a thread looked in vain, and how many calls it lets pass before it looks again.
#[derive(Clone, Copy, Default)]
struct Spins {
    failures: u32,
    skip: u32,
}

thread_local! {
    static SPINS: Cell<Spins> = const { Cell::new(Spins { failures: 0, skip: 0 }) };
}

/// Looks for the end for a short time before the thread sleeps; whether it has come. To sleep and be woken costs more
/// than the round trip to a server nearby. One thread at a time does so, and ever more rarely where it is in vain.
fn spin(mailbox: &Mailbox<Completion>) -> bool {
    const LENGTH: Duration = Duration::from_micros(150);
    const LOOKS: usize = 16;
    const MOST_FAILURES: u32 = 10;
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    static HAS_CORES: LazyLock<bool> = LazyLock::new(|| available_parallelism().is_ok_and(|cores| cores.get() > 1));
    let mut spins = SPINS.get();
    if spins.skip > 0 {
        spins.skip -= 1;
        SPINS.set(spins);
        return mailbox.has_ended();
    }
    if !*HAS_CORES || IS_TAKEN.swap(true, Ordering::Acquire) {
        return mailbox.has_ended();
    }
    let ends = Instant::now() + LENGTH;
    let has_ended = loop {
        let has_ended = (0..LOOKS).any(|_| {
            std::hint::spin_loop();
            mailbox.has_ended()
        });
        if has_ended || Instant::now() >= ends {
            break has_ended;
        }
    };
    IS_TAKEN.store(false, Ordering::Release);
    spins.failures = if has_ended { 0 } else { (spins.failures + 1).min(MOST_FAILURES) };
    spins.skip = (1 << spins.failures) - 1;
    SPINS.set(spins);
    has_ended
}
