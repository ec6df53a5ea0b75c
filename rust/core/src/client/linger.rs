//! Looking for the next call before the I/O thread sleeps.

use std::cell::Cell;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::task::yield_now;

/// A program that makes one call after another makes the next one soon after a reply. To sleep and be woken takes longer
/// than that, so the thread first looks for a moment whether it comes. Where none comes, it looks more and more rarely.
pub(super) struct Linger {
    is_allowed: bool,
    /// How often it looked in vain, and how many rests it lets pass before it looks again.
    failures: Cell<u32>,
    skip: Cell<u32>,
}

impl Linger {
    /// In a simulation time does not pass meanwhile, and with one core nobody else would run.
    pub(super) fn new(is_simulated: bool) -> Self {
        let has_cores = || available_parallelism().is_ok_and(|cores| cores.get() > 1);
        Self { is_allowed: !is_simulated && has_cores(), failures: Cell::new(0), skip: Cell::new(0) }
    }

    /// Whether to look after this rest.
    pub(super) fn is_due(&self) -> bool {
        if self.skip.get() > 0 {
            self.skip.update(|skip| skip - 1);
            return false;
        }
        self.is_allowed
    }

    /// Looks until a call has come, or while the client is at rest, or for as long as it is worth.
    pub(super) async fn look(&self, has_come: impl Fn() -> bool, is_at_rest: impl Fn() -> bool) {
        const LONGEST: Duration = Duration::from_micros(50);
        /// In a row: some microseconds, for which no other client's replies are read.
        const LOOKS: usize = 32;
        const MOST_FAILURES: u32 = 10;
        let ends = Instant::now() + LONGEST;
        loop {
            // Whatever else there is to do comes first.
            yield_now().await;
            if !is_at_rest() {
                return;
            }
            let found = (0..LOOKS).any(|_| {
                std::hint::spin_loop();
                has_come()
            });
            if found || Instant::now() >= ends {
                let failures = if found { 0 } else { (self.failures.get() + 1).min(MOST_FAILURES) };
                self.failures.set(failures);
                self.skip.set((1 << failures) - 1);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linger() -> Linger {
        Linger { is_allowed: true, ..Linger::new(true) }
    }

    /// How many rests pass until it looks.
    fn rests(linger: &Linger) -> u32 {
        let mut rests = 0;
        while !linger.is_due() {
            rests += 1;
        }
        rests
    }

    #[tokio::test]
    async fn where_no_call_comes_it_looks_more_and_more_rarely() {
        let linger = linger();
        for passed in [0, 1, 3, 7] {
            assert_eq!(rests(&linger), passed);
            linger.look(|| false, || true).await;
        }
        rests(&linger);
        linger.look(|| true, || true).await;
        assert_eq!(rests(&linger), 0);
    }

    #[tokio::test]
    async fn what_is_in_flight_ends_the_look_and_counts_as_nothing() {
        let linger = linger();
        linger.look(|| panic!("it does not look"), || false).await;
        assert_eq!(rests(&linger), 0);
    }

    #[test]
    fn it_never_looks_in_a_simulation() {
        assert!(!Linger::new(true).is_due());
    }
}
