//! What the core logs, handed to Python's `logging` by an event loop that has clients: the I/O thread does not attach
//! for it. The loops are woken for a record, and whichever is first takes it. Locks are only tried, because a fork may
//! have left one locked forever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use glide_scripts_core::Completions;
use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use super::fork::ForkLocal;

struct Relay;

static RECORDS: Mutex<Vec<ForkLocal<(Level, String)>>> = Mutex::new(Vec::new());
static HAS_RECORDS: AtomicBool = AtomicBool::new(false);

/// What wakes the loops. A child does not wake its parent's.
static LOOPS: Mutex<Vec<ForkLocal<Weak<Completions>>>> = Mutex::new(Vec::new());

/// More records wait only if no loop runs that could take them.
const MOST: usize = 1000;

impl Log for Relay {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug && metadata.target().starts_with("glide_scripts")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Ok(mut records) = RECORDS.try_lock()
            && records.len() < MOST
        {
            records.push(ForkLocal::new((record.level(), record.args().to_string())));
            drop(records);
            if !HAS_RECORDS.swap(true, Ordering::AcqRel) {
                wake_loops();
            }
        }
    }

    fn flush(&self) {}
}

pub(crate) fn init() {
    // Only a second extension module in the same library could have set one.
    if log::set_logger(&Relay).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// Has a loop woken for records, as long as it is there.
pub(crate) fn wake_for_records(completions: &Arc<Completions>) {
    if let Ok(mut loops) = LOOPS.try_lock() {
        loops.retain(|other| other.get().is_some_and(|other| other.strong_count() > 0));
        loops.push(ForkLocal::new(Arc::downgrade(completions)));
    }
}

fn wake_loops() {
    let waking: Vec<_> = match LOOPS.try_lock() {
        Ok(loops) => loops.iter().filter_map(|completions| completions.get()?.upgrade()).collect(),
        Err(_) => return,
    };
    waking.iter().for_each(|completions| completions.nudge());
}

/// Gives what has been logged in this process to the logger `glide_scripts`. A filter that raises is reported, and costs
/// its own record alone. The error is one that ends the loop.
pub(crate) fn hand_over(py: Python<'_>) -> PyResult<()> {
    if !HAS_RECORDS.swap(false, Ordering::Acquire) {
        return Ok(());
    }
    let records = match RECORDS.try_lock() {
        Ok(mut records) => std::mem::take(&mut *records),
        Err(_) => return Ok(()),
    };
    let mut result = Ok(());
    for (level, message) in records.into_iter().filter_map(ForkLocal::into_inner) {
        if let Err(error) = log_one(py, level, &message) {
            if error.is_instance_of::<PyException>(py) {
                error.write_unraisable(py, None);
            } else {
                result = Err(error);
            }
        }
    }
    result
}

fn log_one(py: Python<'_>, level: Level, message: &str) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", ("glide_scripts",))?;
    let method = match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    };
    logger.call_method1(method, ("%s", message)).map(drop)
}
