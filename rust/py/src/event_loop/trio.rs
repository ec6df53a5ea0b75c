//! How a task of trio waits, by what `trio.lowlevel` offers.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyIterator;
use pyo3::types::iterator::PySendResult;

use super::pending::Pending;

/// An object of `trio.lowlevel`, imported once.
macro_rules! lowlevel {
    ($py:expr, $name:literal) => {{
        static FOUND: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        FOUND.import($py, "trio.lowlevel", $name)
    }};
}

/// Whether the task of trio that calls this is cancelled already; an error where no such task does.
pub(super) fn is_cancelled(py: Python<'_>) -> PyResult<bool> {
    // Only in a cancelled task it awaits something, and is left there.
    let check = lowlevel!(py, "checkpoint_if_cancelled")?.call0()?;
    match step(&check, py.None().bind(py))? {
        PySendResult::Return(_) => Ok(false),
        PySendResult::Next(_) => check.call_method0(intern!(py, "close")).map(|_| true),
    }
}

/// Has a task go on that waits.
pub(super) fn wake(task: &Bound<'_, PyAny>) -> PyResult<()> {
    lowlevel!(task.py(), "reschedule")?.call1((task,)).map(drop)
}

/// What a task of trio awaits for a `Pending`.
#[pyclass(module = "glide_scripts._core")]
pub(crate) struct TrioWait {
    pending: Py<Pending>,
    /// trio's coroutine that waits, once the task awaits this.
    waiting: Option<Py<PyAny>>,
}

impl TrioWait {
    pub(super) fn new(pending: Bound<'_, Pending>) -> Self {
        Self { pending: pending.unbind(), waiting: None }
    }

    /// Passes on what trio's coroutine gives to trio, and ends with the reply: by `StopIteration`, as iterators do.
    fn go_on<'py>(&self, waiting: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = waiting.py();
        match step(waiting, value)? {
            PySendResult::Next(message) => Ok(message),
            PySendResult::Return(_) => {
                let reply = self.pending.bind(py).borrow().result(py)?;
                Err(PyStopIteration::new_err((reply,)))
            }
        }
    }
}

#[pymethods]
impl TrioWait {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Has the task wait for the end of the call. If it has ended, the task only lets others run.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let waiting = {
            let this = slf.borrow();
            if this.waiting.is_some() {
                return Err(PyRuntimeError::new_err("a reply is awaited once"));
            }
            let mut pending = this.pending.bind(py).borrow_mut();
            if pending.is_waiting() {
                pending.task = Some(lowlevel!(py, "current_task")?.call0()?.unbind());
                let abort = slf.getattr(intern!(py, "abort"))?;
                lowlevel!(py, "wait_task_rescheduled")?.call1((abort,))?
            } else {
                lowlevel!(py, "checkpoint")?.call0()?
            }
        };
        slf.borrow_mut().waiting = Some(waiting.clone().unbind());
        slf.borrow().go_on(&waiting, py.None().bind(py))
    }

    /// Goes on with what trio sends.
    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let waiting = slf.borrow().waiting.as_ref().map(|waiting| waiting.clone_ref(slf.py()));
        match waiting {
            Some(waiting) => slf.borrow().go_on(waiting.bind(slf.py()), value),
            None => Self::__next__(slf),
        }
    }

    /// trio cancels the task. What was not written yet will not be.
    fn abort<'py>(slf: &Bound<'py, Self>, _raise_cancel: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let pending = slf.borrow().pending.clone_ref(py).into_bound(py);
        // Without a task it has ended, and the task is about to learn that.
        let is_aborted = pending.borrow_mut().task.take().is_some();
        if is_aborted {
            Pending::cancel(&pending, None)?;
        }
        lowlevel!(py, "Abort")?.getattr(if is_aborted { intern!(py, "SUCCEEDED") } else { intern!(py, "FAILED") })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.pending)?;
        visit.call(&self.waiting)
    }

    fn __clear__(&mut self) {
        self.waiting = None;
    }
}

/// The next step of a coroutine.
fn step<'py>(coroutine: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<PySendResult<'py>> {
    // SAFETY: `PyIter_Send`, which is all that is called of it, takes any object, and a coroutine as it is.
    unsafe { coroutine.cast_unchecked::<PyIterator>() }.send(value)
}
