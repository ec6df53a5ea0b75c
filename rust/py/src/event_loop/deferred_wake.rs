//! One wake of the I/O thread for many calls.

use std::time::{Duration, Instant};

use glide_scripts_core::Bell;

/// Calls for which the I/O thread is not woken yet.
///
/// Waking the thread costs more than a call, and a write and a read for each call cost the server more than running a
/// script. One write for all, on the other hand, would leave the server idle while the loop prepares the next burst. So
/// the thread is woken at the end of a turn of the loop, and before that when half of the calls in flight are held.
#[derive(Default)]
pub(super) struct DeferredWake {
    bells: Vec<Bell>,
    calls: usize,
    /// When the first of them was held.
    since: Option<Instant>,
    /// The loop will wake the thread at the end of its turn.
    pub(super) is_scheduled: bool,
}

impl DeferredWake {
    /// Holds a call, one of so many in flight. Returns whether enough calls are held now.
    pub(super) fn hold(&mut self, bell: &Bell, calls: usize, now: Instant) -> bool {
        const FEWEST: usize = 8;
        const MOST: usize = 64;
        if !self.bells.iter().any(|held| held.is(bell)) {
            self.bells.push(bell.clone());
        }
        self.calls += 1;
        self.since.get_or_insert(now);
        self.calls >= (calls / 2).clamp(FEWEST, MOST)
    }

    pub(super) fn wake(&mut self) {
        self.bells.drain(..).for_each(|bell| bell.ring());
        self.calls = 0;
        self.since = None;
    }

    pub(super) fn wake_if_old(&mut self, now: Instant) {
        const OLD: Duration = Duration::from_millis(1);
        if self.since.is_some_and(|since| now.saturating_duration_since(since) > OLD) {
            self.wake();
        }
    }
}
