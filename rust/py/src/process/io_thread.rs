//! The process's I/O thread: started when first needed, and again in a forked child.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use glide_scripts_core::IoThread;
use pyo3::prelude::*;

use super::fork::ForkLocal;

static IO_THREAD: Mutex<Option<ForkLocal<IoThread>>> = Mutex::new(None);

pub(crate) fn with_io_thread<T>(work: impl FnOnce(&IoThread) -> T) -> PyResult<T> {
    let mut slot = IO_THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(io_thread) = slot.as_ref().and_then(ForkLocal::get) {
        return Ok(work(io_thread));
    }
    let io_thread = IoThread::start()?;
    let result = work(&io_thread);
    *slot = Some(ForkLocal::new(io_thread));
    Ok(result)
}

/// Ends the I/O thread. Calls in flight end with `ClosingError`; the next client starts a new thread.
#[pyfunction]
pub(crate) fn stop_io_thread(py: Python<'_>) {
    const BOUND: Duration = Duration::from_secs(1);
    let io_thread = IO_THREAD.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(io_thread) = io_thread.and_then(ForkLocal::into_inner) {
        py.detach(|| io_thread.stop(BOUND));
    }
}
