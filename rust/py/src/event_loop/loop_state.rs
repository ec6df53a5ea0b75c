//! What an event loop waits for and was asked to call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glide_scripts_core::{CallId, Completion, Completions};

use super::busy_poll::BusyPoll;
use super::deferred_wake::DeferredWake;
use super::tickets::Tickets;

/// Shared by a loop's bridge and by all that is awaited on the loop. `P` is what a call is awaited with.
pub(super) struct SharedLoop<P> {
    pub(super) completions: Arc<Completions>,
    /// It is a run of trio, whose tasks await by other means than asyncio's.
    pub(super) is_trio: bool,
    state: Mutex<LoopState<P>>,
}

/// What changes with each call. No code of Python may run while it is locked.
pub(super) struct LoopState<P> {
    pub(super) calls: Tickets<P>,
    /// Completions that were taken and are not handled yet. A loop that is run within a task's step finds them.
    pub(super) arrived: VecDeque<(u64, Completion)>,
    /// The loop will call `resolve`.
    pub(super) is_scheduled: bool,
    /// The number of the turn for which that was scheduled last.
    pub(super) turn: u64,
    /// When the loop was last asked to call something.
    pub(super) asked_at: Option<Instant>,
    pub(super) deferred_wake: DeferredWake,
    pub(super) busy_poll: BusyPoll,
}

impl<P> SharedLoop<P> {
    pub(super) fn new(completions: Arc<Completions>, is_trio: bool) -> Self {
        let state = LoopState {
            calls: Tickets::default(),
            arrived: VecDeque::new(),
            is_scheduled: false,
            turn: 0,
            asked_at: None,
            deferred_wake: DeferredWake::default(),
            busy_poll: BusyPoll::default(),
        };
        Self { completions, is_trio, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LoopState<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a call that waits, and says how to cancel it; `None` when it has ended.
    pub(super) fn forget(&self, ticket: u64) -> Option<CallId> {
        let pending = self.lock().calls.remove(ticket);
        pending.map(|_| CallId::new(&self.completions, ticket))
    }
}

impl<P> LoopState<P> {
    /// Whether the loop has long not called what it was asked to; it is not relied on any more then. The loop loses a
    /// callback where `KeyboardInterrupt` comes after it took that from its queue. What a loop calls late, because it
    /// was only busy, does nothing.
    pub(super) fn has_lost_callbacks(&mut self, now: Instant) -> bool {
        const LONG: Duration = Duration::from_millis(20);
        let is_relied_on = self.busy_poll.is_on() || self.is_scheduled || self.deferred_wake.is_scheduled;
        if !is_relied_on || self.asked_at.is_none_or(|asked_at| now.saturating_duration_since(asked_at) < LONG) {
            return false;
        }
        self.busy_poll.stop();
        self.deferred_wake.wake();
        (self.is_scheduled, self.deferred_wake.is_scheduled) = (false, false);
        true
    }
}
