//! A lane's signs of life: when its server last gave one, and whether the client asks for one.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::Lane;
use crate::connection::io::Io;

impl Lane {
    /// When there was the last sign of life: the server sent something, or its machine acknowledged more of a request.
    pub(crate) fn last_sign_of_life(&self) -> Instant {
        self.liveness.seen_at()
    }

    /// How long there has been no sign of life, or how long the request whose reply is due is unanswered.
    pub(crate) fn silence(&self) -> Duration {
        let asked_at = self.queues.borrow().in_flight.front().map(|entry| entry.sent_at);
        asked_at.map_or(self.last_sign_of_life(), |asked_at| asked_at.max(self.last_sign_of_life())).elapsed()
    }

    /// Checks soon whether the server's machine takes the request whose reply is due, by comparing two looks.
    pub(crate) fn check_progress(self: &Rc<Self>) {
        if self.config.unacknowledged.is_some() && !self.queues.borrow().in_flight.is_empty() {
            self.liveness.is_checked.set(true);
            self.wake();
        }
    }

    /// Whether, at the last look, the server's machine had all of the request whose reply is due, or the system cannot
    /// tell.
    pub(crate) fn has_arrived(&self) -> bool {
        let due = self.queues.borrow().in_flight.front().map(|entry| (entry.begins, entry.ends));
        self.config.unacknowledged.is_none()
            || matches!((due, self.liveness.looked_at.get()), (Some((begins, ends)), Some((same, taken))) if same == begins && taken >= ends)
    }

    /// Looks how much the server's machine has taken.
    pub(in crate::connection) fn measure_progress(&self, io: &Io) {
        let front = self.queues.borrow().in_flight.front().map(|entry| (entry.begins, entry.ends));
        let (Some((begins, ends)), Some(taken)) = (front, io.taken(self.config.unacknowledged)) else { return };
        self.liveness.note_taken(taken, begins, ends);
    }

    /// Marks that a probe is in flight; returns false if one is already.
    pub(crate) fn begin_probe(&self) -> bool {
        !self.liveness.is_probed.replace(true)
    }

    pub(crate) fn end_probe(&self) {
        self.liveness.is_probed.set(false);
    }
}
