//! The signs of life of one connection.

use std::cell::{Cell, RefCell};

use tokio::time::Instant;

use crate::model::unreachable::Unreachable;

pub(crate) struct Liveness {
    /// When the server last said something.
    pub(super) heard_at: Cell<Instant>,
    /// A probe asks for a sign of life.
    pub(super) is_probed: Cell<bool>,
    /// The server's machine last took more of the request whose reply is due.
    pub(super) taken_at: Cell<Instant>,
    /// A probe asks whether it still takes more.
    pub(super) is_checked: Cell<bool>,
    /// The position of the request whose reply was due at the last look, and how much the machine had taken by then.
    pub(super) looked_at: Cell<Option<(u64, u64)>>,
    /// Why the connection is to be given up.
    pub(super) severed: RefCell<Option<Unreachable>>,
}

impl Liveness {
    pub(super) fn new() -> Self {
        Self {
            heard_at: Cell::new(Instant::now()),
            is_probed: Cell::new(false),
            taken_at: Cell::new(Instant::now()),
            is_checked: Cell::new(false),
            looked_at: Cell::new(None),
            severed: RefCell::default(),
        }
    }

    /// There is a new connection.
    pub(super) fn begin(&self) {
        self.heard_at.set(Instant::now());
        self.severed.take();
        self.looked_at.take();
    }

    /// When there last was a sign of life: the server said something, or its machine took more of a request.
    pub(super) fn seen_at(&self) -> Instant {
        self.heard_at.get().max(self.taken_at.get())
    }

    /// Notes how many bytes the server's machine has taken, and which bytes are those of the request that is answered
    /// next. Bytes of later requests prove nothing: a kernel also takes them for a process that is gone.
    pub(super) fn note_taken(&self, taken: u64, begins: u64, ends: u64) {
        if let Some((same, before)) = self.looked_at.replace(Some((begins, taken)))
            && same == begins
            && before < taken.min(ends)
        {
            self.taken_at.set(Instant::now());
        }
    }
}
