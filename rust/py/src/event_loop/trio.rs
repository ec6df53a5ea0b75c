//! What `trio.lowlevel` offers to wait in a task of trio.

use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::types::iterator::PySendResult;

use crate::process::kept::{Kept, intern};

/// An object of `trio.lowlevel`, imported once.
macro_rules! lowlevel {
    ($py:expr, $name:literal) => {{
        static FOUND: Kept<PyAny> = Kept::new();
        FOUND.import($py, "trio.lowlevel", $name)
    }};
}

/// Whether the task of trio that calls this is cancelled already; an error where no such task does.
pub(super) fn is_cancelled(py: Python<'_>) -> PyResult<bool> {
    // It awaits something only in a cancelled task, and then it stays there.
    let check = lowlevel!(py, "checkpoint_if_cancelled")?.call0()?;
    match step(&check, py.None().bind(py))? {
        PySendResult::Return(_) => Ok(false),
        PySendResult::Next(_) => check.call_method0(intern!(py, "close")).map(|_| true),
    }
}

/// The task that calls this.
pub(super) fn current_task(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    lowlevel!(py, "current_task")?.call0()
}

/// A coroutine that waits until the task is woken, or `abort` says that it need not be.
pub(super) fn until_woken<'py>(abort: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    lowlevel!(abort.py(), "wait_task_rescheduled")?.call1((abort,))
}

/// Wakes a task that waits.
pub(super) fn wake(task: &Bound<'_, PyAny>) -> PyResult<()> {
    lowlevel!(task.py(), "reschedule")?.call1((task,)).map(drop)
}

/// The answer of `abort`: whether the task will not be woken any more.
pub(super) fn aborted(py: Python<'_>, is_aborted: bool) -> PyResult<Bound<'_, PyAny>> {
    let name = if is_aborted { intern!(py, "SUCCEEDED") } else { intern!(py, "FAILED") };
    lowlevel!(py, "Abort")?.getattr(name)
}

/// A coroutine that lets other tasks run, and ends in a task that is cancelled.
pub(super) fn checkpoint(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    lowlevel!(py, "checkpoint")?.call0()
}

/// The next step of a coroutine.
pub(super) fn step<'py>(coroutine: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<PySendResult<'py>> {
    // SAFETY: `PyIter_Send`, which is all that is called of it, takes any object, and a coroutine as it is.
    unsafe { coroutine.cast_unchecked::<PyIterator>() }.send(value)
}
