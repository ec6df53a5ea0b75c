//! What a client has counted, as a dict.

use glide_scripts_core::{Latency, NodeStats, Stats};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;

pub(crate) fn to_python<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let errors = PyDict::new(py);
    for (kind, count) in stats.errors() {
        errors.set_item(errors::name(kind), count)?;
    }
    let nodes = PyDict::new(py);
    let gone = stats.gone();
    let (mut bytes_sent, mut bytes_received) = (gone.bytes_sent.get(), gone.bytes_received.get());
    let (mut in_flight, mut reconnects) = (0, gone.losses.get());
    for (name, node) in stats.nodes() {
        in_flight += node.in_flight();
        bytes_sent += node.bytes_sent.get();
        bytes_received += node.bytes_received.get();
        reconnects += node.losses.get();
        nodes.set_item(name, of_node(py, &node)?)?;
    }
    let all = PyDict::new(py);
    all.set_item("calls", stats.calls.get())?;
    all.set_item("errors", errors)?;
    all.set_item("evalsha_hits", stats.script_hits.get())?;
    all.set_item("evalsha_misses", stats.script_misses.get())?;
    all.set_item("taught", stats.taught.get())?;
    all.set_item("answered_from_records", stats.from_records.get())?;
    all.set_item("redirects", stats.redirects.get())?;
    all.set_item("reconnects", reconnects)?;
    all.set_item("in_flight", in_flight)?;
    all.set_item("pending_bytes", stats.pending_bytes())?;
    all.set_item("bytes_sent", bytes_sent)?;
    all.set_item("bytes_received", bytes_received)?;
    all.set_item("latency", latency(py, stats.latency())?)?;
    all.set_item("nodes", nodes)?;
    Ok(all)
}

fn of_node<'py>(py: Python<'py>, node: &NodeStats) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    all.set_item("connects", node.connects.get())?;
    all.set_item("reconnects", node.losses.get())?;
    all.set_item("requests", node.requests.get())?;
    all.set_item("errors", node.errors.get())?;
    all.set_item("in_flight", node.in_flight())?;
    all.set_item("bytes_sent", node.bytes_sent.get())?;
    all.set_item("bytes_received", node.bytes_received.get())?;
    all.set_item("latency", latency(py, node.latency())?)?;
    Ok(all)
}

fn latency(py: Python<'_>, latency: Latency) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    all.set_item("count", latency.count)?;
    all.set_item("mean", latency.mean)?;
    all.set_item("p50", latency.p50)?;
    all.set_item("p90", latency.p90)?;
    all.set_item("p99", latency.p99)?;
    all.set_item("p999", latency.p999)?;
    all.set_item("max", latency.max)?;
    Ok(all)
}
