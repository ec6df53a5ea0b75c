//! What a client counts. The I/O thread writes the counters; any thread reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::address::Address;
use crate::model::completion::{Outcome, ReplyTo};
use crate::model::error::{Error, Kind};

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a client counts, over all servers.
#[derive(Debug, Default)]
pub struct Stats {
    /// Calls that ended, in a value or an error; each command of a batch is one.
    pub calls: Counter,
    errors: [Counter; Kind::ALL.len()],
    /// Scripts that a server had, and scripts whose code was sent.
    pub script_hits: Counter,
    pub script_misses: Counter,
    /// Different scripts that were put on servers for good.
    pub taught: Counter,
    pub redirects: Counter,
    /// Calls with `once` that were answered from records.
    pub from_records: Counter,
    /// Bytes that wait to be written.
    pub(crate) pending_bytes: AtomicUsize,
    /// Requests written that have no reply yet, over all servers.
    pub(crate) in_flight: AtomicU64,
    nodes: Mutex<Nodes>,
}

/// What is counted of the servers, one by one.
#[derive(Debug, Default)]
struct Nodes {
    known: BTreeMap<String, Arc<NodeStats>>,
    /// Of all that no connection is for any more.
    gone: Arc<NodeStats>,
}

impl Nodes {
    /// Adds the counters of nodes without connections to the sum for all nodes that are gone.
    fn forget_gone(&mut self) {
        let gone = &self.gone;
        self.known.retain(|_, node| {
            let is_gone = Arc::strong_count(node) == 1;
            if is_gone {
                gone.add(node);
            }
            !is_gone
        });
    }
}

/// What is counted of one server.
#[derive(Default)]
pub struct NodeStats {
    pub connects: Counter,
    /// Connections that were lost after they had been made.
    pub losses: Counter,
    /// Requests written; of a batch, one a command.
    pub requests: Counter,
    pub errors: Counter,
    pub bytes_sent: Counter,
    pub bytes_received: Counter,
    /// Requests written that have no reply yet.
    pub(crate) in_flight: AtomicU64,
    /// From writing a request to its reply, in microseconds.
    latency: Mutex<Option<Histogram<u64>>>,
}

/// Percentiles of the time from writing a request to its reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    pub count: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl Stats {
    /// Ends a call, of which `None` says that its caller is gone.
    pub(crate) fn finish_unless_gone(&self, reply_to: ReplyTo, outcome: Option<Outcome>) {
        match outcome {
            Some(outcome) => self.finish(reply_to, outcome),
            None => reply_to.forget(),
        }
    }

    /// Ends a call, and counts it.
    pub(crate) fn finish(&self, reply_to: ReplyTo, outcome: Outcome) {
        if !reply_to.is_part() {
            self.count(&outcome);
        }
        reply_to.finish(outcome);
    }

    pub(crate) fn count(&self, outcome: &Outcome) {
        self.calls.add(1);
        if let Err(error) = outcome {
            self.count_error(error);
        }
    }

    fn count_error(&self, error: &Error) {
        if let Some(index) = Kind::ALL.iter().position(|kind| *kind == error.kind) {
            self.errors[index].add(1);
        }
    }

    /// How many calls ended in each kind of error. Kinds that did not occur are left out.
    pub fn errors(&self) -> Vec<(Kind, u64)> {
        let counts = Kind::ALL.iter().zip(&self.errors).map(|(kind, counter)| (*kind, counter.get()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Counts bytes as waiting until the returned value is dropped.
    pub(crate) fn hold(&self, bytes: usize) -> HeldBytes<'_> {
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
        HeldBytes { stats: self, bytes }
    }

    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing is written or waits to be.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && self.pending_bytes() == 0
    }

    fn nodes_now(&self) -> MutexGuard<'_, Nodes> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.forget_gone();
        nodes
    }

    pub(crate) fn node(&self, address: &Address) -> Arc<NodeStats> {
        self.nodes_now().known.entry(address.to_string()).or_default().clone()
    }

    /// The servers that there are, by `host:port`.
    pub fn nodes(&self) -> Vec<(String, Arc<NodeStats>)> {
        self.nodes_now().known.iter().map(|(name, node)| (name.clone(), node.clone())).collect()
    }

    /// What was counted of all servers that are gone, together.
    pub fn gone(&self) -> Arc<NodeStats> {
        self.nodes_now().gone.clone()
    }

    /// Over all servers.
    pub fn latency(&self) -> Latency {
        let mut all: Option<Histogram<u64>> = None;
        let nodes = self.nodes_now();
        for node in nodes.known.values().chain([&nodes.gone]) {
            add_histogram(&mut all, node.histogram().as_ref());
        }
        Latency::of(all.as_ref())
    }
}

/// Bytes that wait for a connection.
pub(crate) struct HeldBytes<'a> {
    stats: &'a Stats,
    bytes: usize,
}

impl Drop for HeldBytes<'_> {
    fn drop(&mut self) {
        self.stats.pending_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn add_histogram(all: &mut Option<Histogram<u64>>, one: Option<&Histogram<u64>>) {
    match (all, one) {
        (Some(all), Some(one)) => all.add(one).expect("all have the same bounds"),
        (all @ None, Some(one)) => *all = Some(one.clone()),
        (_, None) => {}
    }
}

impl NodeStats {
    fn add(&self, other: &Self) {
        for (counter, other) in [
            (&self.connects, &other.connects),
            (&self.losses, &other.losses),
            (&self.requests, &other.requests),
            (&self.errors, &other.errors),
            (&self.bytes_sent, &other.bytes_sent),
            (&self.bytes_received, &other.bytes_received),
        ] {
            counter.add(other.get());
        }
        add_histogram(&mut self.histogram(), other.histogram().as_ref());
    }

    fn histogram(&self) -> MutexGuard<'_, Option<Histogram<u64>>> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the times of replies that arrived together.
    pub(crate) fn record(&self, times: impl Iterator<Item = Duration>) {
        const LONGEST: u64 = 3_600_000_000;
        let mut histogram = self.histogram();
        let histogram = histogram
            .get_or_insert_with(|| Histogram::new_with_bounds(1, LONGEST, 2).expect("these bounds make a histogram"));
        for time in times {
            histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
    }

    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub fn latency(&self) -> Latency {
        Latency::of(self.histogram().as_ref())
    }
}

impl Latency {
    fn of(histogram: Option<&Histogram<u64>>) -> Self {
        histogram.map_or_else(Self::default, |histogram| Self {
            count: histogram.len(),
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        })
    }
}

impl fmt::Debug for NodeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeStats").field("requests", &self.requests).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_servers_that_are_gone_the_totals_stay() {
        let stats = Stats::default();
        let (kept, gone) = (stats.node(&Address::new("h", 1)), stats.node(&Address::new("h", 2)));
        for node in [&kept, &gone] {
            node.bytes_sent.add(7);
            node.record([Duration::from_millis(1)].into_iter());
        }
        assert_eq!(stats.nodes().len(), 2);
        drop(gone);
        let names: Vec<_> = stats.nodes().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["h:1"]);
        assert_eq!(stats.gone().bytes_sent.get(), 7);
        assert_eq!(stats.latency().count, 2);
    }
}
