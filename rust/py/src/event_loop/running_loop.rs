//! Which event loop runs on this thread.

use std::cell::RefCell;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::process::fork::ForkLocal;
use crate::process::kept::{Kept, intern};
use crate::python;

/// The event loop that runs on this thread; an error where none does.
///
/// A task that is stepped while replies are resolved nearly always calls again. Then asyncio need not be asked: before
/// Python 3.12 it asks the system for the process's id each time, which takes about as long as to pack the call.
pub(super) fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET_RUNNING_LOOP: Kept<PyAny> = Kept::new();
    match remembered(py) {
        Some(event_loop) => Ok(event_loop),
        None => GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0().map_err(|_| not_running(py)),
    }
}

/// The error that says why no event loop runs.
fn not_running(py: Python<'_>) -> PyErr {
    match python::module(py).and_then(|module| module.call_method0("no_running_loop")) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

struct RunningLoop {
    event_loop: Py<PyAny>,
    /// What asyncio keeps for the thread while that loop runs.
    mark: Py<PyAny>,
}

thread_local! {
    static REMEMBERED: RefCell<Option<ForkLocal<RunningLoop>>> = const { RefCell::new(None) };
}

/// Restores the loop that was remembered before, when dropped: a task may run another loop within its step.
pub(super) struct RestoreOnDrop(Option<ForkLocal<RunningLoop>>);

/// Remembers that this loop runs on this thread.
pub(super) fn remember(event_loop: Option<Bound<'_, PyAny>>) -> RestoreOnDrop {
    let running = event_loop.and_then(|event_loop| {
        let mark = mark(event_loop.py())?.unbind();
        Some(ForkLocal::new(RunningLoop { event_loop: event_loop.unbind(), mark }))
    });
    RestoreOnDrop(REMEMBERED.replace(running))
}

impl Drop for RestoreOnDrop {
    fn drop(&mut self) {
        let ended = REMEMBERED.replace(self.0.take());
        drop(ended);
    }
}

fn remembered(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    let mark = mark(py)?;
    REMEMBERED.with_borrow(|remembered| {
        let running = remembered.as_ref()?.get()?;
        mark.is(&running.mark).then(|| running.event_loop.bind(py).clone())
    })
}

/// `None` from Python 3.14 on, where asyncio keeps it elsewhere, and answers at once.
fn mark(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: the interpreter is attached. The thread's dictionary is borrowed, or NULL, and lives as long as the
    // thread.
    let dict = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyThreadState_GetDict()) }?;
    dict.cast::<PyDict>().ok()?.get_item(intern!(py, "__asyncio_running_event_loop__")).ok()?
}
