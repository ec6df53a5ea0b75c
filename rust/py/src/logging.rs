//! What the core logs, handed to Python's `logging` by the event loop that is woken next: the I/O thread does not attach
//! for it. Locks are only tried, because a fork may have left one locked for good.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;

struct Relay;

static RECORDS: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());
static HAS_RECORDS: AtomicBool = AtomicBool::new(false);

/// More wait only where no loop runs that could take them.
const MOST: usize = 1000;

impl Log for Relay {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info && metadata.target().starts_with("glide_scripts")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Ok(mut records) = RECORDS.try_lock()
            && records.len() < MOST
        {
            records.push((record.level(), record.args().to_string()));
            HAS_RECORDS.store(true, Ordering::Release);
        }
    }

    fn flush(&self) {}
}

pub(crate) fn init() {
    // Only a second extension module in the same library could have set one.
    if log::set_logger(&Relay).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Gives what has been logged to the logger `glide_scripts`.
pub(crate) fn hand_over(py: Python<'_>) -> PyResult<()> {
    if !HAS_RECORDS.swap(false, Ordering::Acquire) {
        return Ok(());
    }
    let records = match RECORDS.try_lock() {
        Ok(mut records) => std::mem::take(&mut *records),
        Err(_) => return Ok(()),
    };
    let logger = py.import("logging")?.call_method1("getLogger", ("glide_scripts",))?;
    for (level, message) in records {
        let method = match level {
            Level::Error => "error",
            Level::Warn => "warning",
            _ => "info",
        };
        logger.call_method1(method, ("%s", message))?;
    }
    Ok(())
}
