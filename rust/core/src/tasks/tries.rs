//! Whether a thread should look for something before it sleeps.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Found,
    InVain,
    /// Other programs needed the core: it took as long as their turn.
    Crowded,
}

impl Look {
    pub(crate) fn ended(has_found: bool) -> Self {
        if has_found { Self::Found } else { Self::InVain }
    }
}

/// How many looks in a row found nothing, and how many occasions to skip before the next look. The longer nothing is
/// found, the more are skipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tries {
    failures: u32,
    skip: u32,
    /// A longer look has found something. The next one shows whether the usual length is enough again.
    is_confirming: bool,
}

impl Tries {
    /// Before the first look.
    pub const NONE: Self = Self { failures: 0, skip: 0, is_confirming: false };

    /// Whether to look on this occasion; if not, it counts as skipped.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        is_due
    }

    /// How long to look, if `usual` is the usual time. After a look that found nothing, the threads of client and server
    /// have slept. To wake them takes longer than a call, so looks of the usual length would never find anything again.
    pub fn length(&self, usual: Duration) -> Duration {
        if self.is_longer() { 2 * usual } else { usual }
    }

    fn is_longer(&self) -> bool {
        self.failures > 0 && !self.is_confirming
    }

    /// Notes how a look ended.
    pub fn end(&mut self, look: Look) {
        /// Looks that find nothing then take a fiftieth of the time or less.
        const IN_VAIN: u32 = 6;
        /// A turn of another program takes some milliseconds, thirty times as long as a look.
        const CROWDED: u32 = 10;
        self.is_confirming = look == Look::Found && self.is_longer();
        self.failures = match look {
            Look::Found if self.is_confirming => self.failures,
            Look::Found => 0,
            Look::InVain => (self.failures + 1).min(self.failures.max(IN_VAIN)),
            Look::Crowded => (self.failures + 1).clamp(IN_VAIN, CROWDED),
        };
        self.skip = if look == Look::Found { 0 } else { (1 << self.failures) - 1 };
    }
}

/// Looks once. If nothing has come, another thread gets this core: the system may have put the server's on it, or a
/// thread that makes a call, and would not run that before the look is over. If the core is not given back soon, other
/// programs need it.
pub fn look(has_come: impl Fn() -> bool) -> Look {
    const SOON: Duration = Duration::from_millis(1);
    if has_come() {
        return Look::Found;
    }
    let began = Instant::now();
    thread::yield_now();
    if began.elapsed() < SOON { Look::InVain } else { Look::Crowded }
}

/// Whether other threads can run during a look. With one core, looking would keep them from making what it looks for.
pub fn has_cores() -> bool {
    /// Not a `LazyLock`: while one thread makes it others wait, and in the child of a fork that thread is not there.
    static CORES: AtomicUsize = AtomicUsize::new(UNKNOWN);
    const UNKNOWN: usize = 0;
    let mut cores = CORES.load(Ordering::Relaxed);
    if cores == UNKNOWN {
        cores = thread::available_parallelism().map_or(1, NonZero::get);
        CORES.store(cores, Ordering::Relaxed);
    }
    cores > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many occasions pass until the next look.
    fn passed(tries: &mut Tries) -> u32 {
        let mut passed = 0;
        while !tries.is_due() {
            passed += 1;
        }
        passed
    }

    #[test]
    fn what_is_not_found_is_looked_for_more_and_more_rarely() {
        let mut tries = Tries::NONE;
        for wanted in [0, 1, 3, 7, 15, 31, 63, 63] {
            assert_eq!(passed(&mut tries), wanted);
            tries.end(Look::InVain);
        }
        for _ in 0..2 {
            tries.end(Look::Found);
            assert_eq!(passed(&mut tries), 0);
        }
    }

    #[test]
    fn where_other_programs_need_the_cores_looks_become_much_rarer_until_one_finds_something() {
        let mut tries = Tries::NONE;
        for wanted in [0, 63, 127, 255, 511, 1023, 1023] {
            assert_eq!(passed(&mut tries), wanted);
            tries.end(Look::Crowded);
        }
        for look in [Look::InVain, Look::Found, Look::Found, Look::InVain] {
            passed(&mut tries);
            tries.end(look);
        }
        assert_eq!(passed(&mut tries), 1);
    }

    #[test]
    fn after_a_look_in_vain_the_next_one_is_longer() {
        const USUAL: Duration = Duration::from_micros(50);
        let mut tries = Tries::NONE;
        for (has_found, is_longer) in [(true, false), (false, true), (false, true), (true, false), (true, false)] {
            tries.end(Look::ended(has_found));
            assert_eq!(tries.length(USUAL) > USUAL, is_longer);
        }
    }

    #[test]
    fn where_only_longer_looks_find_something_looks_become_rare_too() {
        let mut tries = Tries::NONE;
        tries.end(Look::InVain);
        for wanted in [1, 3, 7, 15, 31, 63, 63] {
            assert_eq!(passed(&mut tries), wanted);
            tries.end(Look::Found);
            assert_eq!(passed(&mut tries), 0);
            tries.end(Look::InVain);
        }
    }
}
