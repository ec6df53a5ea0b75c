//! How long a call may take: until it is sent, and until it has its reply.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::model::config::Deadlines;
use crate::model::wait::Wait;
use crate::servers::directory::Servers;

/// A call's deadline, and what extends it.
pub(crate) struct TimeLimit {
    timeout: Duration,
    deadline: Instant,
    /// How long an attempt may take once it was sent, on top of that.
    own_time: Option<Wait>,
    /// The time by which the next attempt must be sent.
    send_by: Cell<Instant>,
}

/// A time limit has passed, so long after the call was issued.
#[derive(Clone, Copy)]
pub(crate) struct TooLate {
    pub(crate) after: Duration,
}

impl TimeLimit {
    /// `own_time`: how long the call waits for other clients.
    pub(crate) fn new(servers: &Servers, timeout: Duration, deadline: Instant, own_time: Option<Wait>) -> Self {
        let is_endless = servers.config.connection.deadlines == Deadlines::UntilSent;
        let own_time =
            if is_endless { Some(Wait::Forever) } else { own_time.filter(|time| *time != Wait::For(Duration::ZERO)) };
        Self { timeout, deadline, own_time, send_by: Cell::new(deadline) }
    }

    pub(crate) fn send_by(&self) -> Instant {
        self.send_by.get()
    }

    /// An attempt was sent, and another one may follow. If the server kept it beyond the deadline, the next one has as
    /// much time to be sent as a new call.
    pub(crate) fn note_sent(&self) {
        let now = Instant::now();
        if self.own_time.is_some() && now > self.send_by.get() {
            self.send_by.set(now + self.timeout);
        }
    }

    /// Bounds work. If it was sent in time, it gets its own time in addition.
    pub(crate) async fn over<T>(
        &self,
        was_sent: impl Fn() -> bool,
        work: impl Future<Output = T>,
    ) -> Result<T, TooLate> {
        let mut work = pin!(work);
        let (mut until, mut own_time) = (self.send_by.get(), self.own_time);
        loop {
            if let Ok(done) = timeout_at(until, &mut work).await {
                return Ok(done);
            }
            match own_time.filter(|_| was_sent()) {
                None => return Err(TooLate { after: self.timeout + (until - self.deadline) }),
                Some(Wait::For(time)) => (until, own_time) = (until + time, None),
                // If its connection is lost before the socket has taken all of it, it waits to be sent again.
                Some(Wait::Forever) => until = Instant::now() + self.timeout,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::future::pending;

    use tokio::time::timeout;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(20);

    fn limit(own_time: Option<Wait>) -> TimeLimit {
        let deadline = Instant::now() + TIMEOUT;
        TimeLimit { timeout: TIMEOUT, deadline, own_time, send_by: Cell::new(deadline) }
    }

    /// After how long a limit stops work that never ends.
    async fn after(limit: &TimeLimit, was_sent: impl Fn() -> bool) -> Duration {
        let work = timeout(Duration::from_secs(10), limit.over(was_sent, pending::<()>()));
        work.await.expect("there is a limit").expect_err("the work has no end").after
    }

    #[tokio::test]
    async fn what_is_not_sent_has_the_timeout_alone() {
        for own_time in [None, Some(Wait::For(TIMEOUT)), Some(Wait::Forever)] {
            assert_eq!(after(&limit(own_time), || false).await, TIMEOUT, "{own_time:?}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_has_its_own_time_in_addition() {
        assert_eq!(after(&limit(Some(Wait::For(TIMEOUT))), || true).await, 2 * TIMEOUT);
        assert_eq!(after(&limit(None), || true).await, TIMEOUT);
    }

    #[tokio::test]
    async fn what_waits_to_be_sent_again_does_not_wait_without_end() {
        let looks = Cell::new(0);
        let was_sent = || looks.replace(looks.get() + 1) < 2;
        assert!(after(&limit(Some(Wait::Forever)), was_sent).await >= 3 * TIMEOUT);
    }

    #[test]
    fn only_what_has_its_own_time_has_more_time_to_be_sent_again() {
        const HOUR: Duration = Duration::from_secs(3600);
        for (own_time, has_more) in [(None, false), (Some(Wait::Forever), true)] {
            for (deadline, is_late) in [(Instant::now() + HOUR, false), (Instant::now() - HOUR, true)] {
                let limit = TimeLimit { deadline, send_by: Cell::new(deadline), ..limit(own_time) };
                limit.note_sent();
                let wanted = if is_late && has_more { Ordering::Greater } else { Ordering::Equal };
                assert_eq!(limit.send_by().cmp(&deadline), wanted, "{own_time:?}, {is_late}");
            }
        }
    }
}
