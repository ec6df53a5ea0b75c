//! Pauses between the attempts of a call: each longer than the one before, with a random part.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const LONGEST: Duration = Duration::from_millis(100);

#[derive(Clone, Default)]
pub(crate) struct Pauses {
    count: u32,
    redirects: u32,
    losses: u32,
    due: Duration,
}

impl Pauses {
    /// Has the next attempt wait.
    pub(crate) fn back_off(&mut self) {
        self.set_due(Duration::from_millis(1), LONGEST, self.count);
        self.count += 1;
    }

    /// Its connection was lost with it. Perhaps the server has ended the connection because of this request, so each
    /// attempt may end the calls of others: the first is made at once, and later ones less and less often.
    pub(crate) fn lost(&mut self) {
        const SHORTEST: Duration = Duration::from_millis(5);
        const LONGEST: Duration = Duration::from_millis(500);
        if let Some(paused) = self.losses.checked_sub(1) {
            self.set_due(SHORTEST, LONGEST, paused);
        }
        self.losses += 1;
    }

    /// Twice as long as the time before, up to the longest pause.
    fn set_due(&mut self, shortest: Duration, longest: Duration, times_before: u32) {
        let pause = (shortest * (1 << times_before.min(10))).min(longest);
        self.due = pause.mul_f64(0.5 + 0.5 * fastrand::f64());
    }

    /// A few redirects are followed at once; more mean that the nodes do not agree yet.
    pub(crate) fn redirected(&mut self) {
        const AT_ONCE: u32 = 4;
        self.redirects += 1;
        if self.redirects > AT_ONCE {
            self.back_off();
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        !self.due.is_zero()
    }

    /// How long to wait before the next attempt, as the last verdict asks. If too little time for an answer would be
    /// left after that, the call waits for its deadline instead: each refused attempt has not run, and a last attempt
    /// without an answer would leave that unknown.
    pub(crate) fn take(&mut self, deadline: Instant) -> Duration {
        let pause = std::mem::take(&mut self.due);
        // A pipeline calls this for each command, and most commands are not refused. So the clock is read only after a
        // refusal.
        if pause.is_zero() {
            return pause;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if 2 * pause > left { left + LONGEST } else { pause }
    }

    /// Waits for the pause that is due.
    pub(crate) async fn wait(&mut self, deadline: Instant) {
        let pause = self.take(deadline);
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_not_sent_so_late_that_its_answer_would_have_less_time_than_the_pause() {
        for milliseconds in [1, 2, 5, 20, 100, 5_000, 60_000] {
            let mut pauses = Pauses::default();
            let mut gave_up = false;
            for _ in 0..20 {
                pauses.back_off();
                let deadline = Instant::now() + Duration::from_millis(milliseconds);
                let most = deadline - Instant::now();
                let pause = pauses.take(deadline);
                let least = deadline - Instant::now();
                assert!(2 * pause <= most || pause > least, "{pause:?}, {least:?} before the deadline");
                assert!(pause <= LONGEST || least < 2 * LONGEST, "{least:?} before the deadline");
                gave_up |= pause > least;
            }
            assert_eq!(gave_up, milliseconds <= 100, "{milliseconds} ms");
        }
    }

    #[test]
    fn what_loses_its_connection_again_and_again_is_sent_less_and_less_often() {
        let mut pauses = Pauses::default();
        let deadline = Instant::now() + Duration::from_secs(3600);
        pauses.lost();
        assert_eq!(pauses.take(deadline), Duration::ZERO, "the first loss is followed at once");
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            pauses.lost();
            longest = longest.max(pauses.take(deadline));
        }
        assert!((250..=500).contains(&longest.as_millis()), "{longest:?}");
    }

    #[test]
    fn what_was_not_refused_is_sent_at_once_until_the_deadline() {
        let deadline = Instant::now() + Duration::from_millis(1);
        assert_eq!(Pauses::default().take(deadline), Duration::ZERO);
    }
}
