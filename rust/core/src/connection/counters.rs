//! What a lane counts, and how much of that was published.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::config::Address;
use crate::model::stats::{NodeStats, Stats};

pub(crate) struct Counters {
    pub(super) client: Arc<Stats>,
    pub(super) node: Arc<NodeStats>,
    /// How many waiting bytes and requests in flight were published.
    bytes: Cell<usize>,
    in_flight: Cell<u64>,
}

impl Counters {
    pub(super) fn new(client: Arc<Stats>, address: &Address) -> Self {
        Self { node: client.node(address), client, bytes: Cell::new(0), in_flight: Cell::new(0) }
    }

    /// How many waiting bytes the client knows of.
    pub(super) fn published_bytes(&self) -> usize {
        self.bytes.get()
    }

    pub(super) fn publish_bytes(&self, now: usize) {
        let before = self.bytes.replace(now);
        if now > before {
            self.client.pending_bytes.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            self.client.pending_bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    pub(super) fn publish_in_flight(&self, now: u64) {
        let before = self.in_flight.replace(now);
        if now > before {
            self.node.in_flight.fetch_add(now - before, Ordering::Relaxed);
            self.client.in_flight.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            self.node.in_flight.fetch_sub(before - now, Ordering::Relaxed);
            self.client.in_flight.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}
