//! Looking for the next call before the I/O thread sleeps.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::task::yield_now;

use crate::tasks::tries::{Look, Tries, has_cores};

/// A program that makes one call after another makes the next one soon after a reply. To sleep and be woken takes
/// longer than that, so the thread first looks for the next call for a moment. After a batch it looks for longer,
/// because the program takes longer to make the next one. If no call comes, it looks less and less often.
pub(super) struct Linger {
    is_allowed: bool,
    tries: Cell<Tries>,
    /// For how long it looks next.
    length: Cell<Duration>,
}

impl Linger {
    /// In a simulation, time does not pass during a look.
    pub(super) fn new(is_simulated: bool) -> Self {
        Self { is_allowed: !is_simulated && has_cores(), tries: Cell::default(), length: Cell::default() }
    }

    /// Whether to look now that the client is at rest. `commands`: how many were last sent together.
    pub(super) fn is_due(&self, commands: usize) -> bool {
        let mut tries = self.tries.get();
        self.length.set(tries.length(time_to_look(commands)));
        let is_due = tries.is_due();
        self.tries.set(tries);
        is_due && self.is_allowed
    }

    /// Looks for the next call until one has come, the client is busy again, or the time is used up.
    pub(super) async fn look(&self, has_come: impl Fn() -> bool, is_at_rest: impl Fn() -> bool) {
        /// How many looks are made in a row: some microseconds, in which no other client's replies are read.
        const LOOKS: usize = 32;
        let ends = Instant::now() + self.length.get();
        loop {
            // Other tasks come first.
            yield_now().await;
            if !is_at_rest() {
                return;
            }
            let found = (0..LOOKS).any(|_| {
                std::hint::spin_loop();
                has_come()
            });
            if found || Instant::now() >= ends {
                let mut tries = self.tries.get();
                tries.end(Look::ended(found));
                self.tries.set(tries);
                return;
            }
        }
    }
}

/// How long to look after so many commands.
fn time_to_look(commands: usize) -> Duration {
    const CALL: Duration = Duration::from_micros(50);
    const BATCH: Duration = Duration::from_micros(100);
    const EACH: Duration = Duration::from_micros(3);
    const MOST: u32 = 32;
    match u32::try_from(commands) {
        Ok(count @ 2..=MOST) => BATCH + EACH * count,
        _ => CALL,
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
        while !linger.is_due(1) {
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
        assert!(!Linger::new(true).is_due(1));
    }
}
