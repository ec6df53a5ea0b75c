//! The callback of a task that waits for a reply.

use std::ptr;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::process::kept::{Kept, intern};

/// Called with what is awaited, in a context. `future` below is a `Pending`.
pub(super) struct DoneCallback {
    pub(super) callable: Py<PyAny>,
    pub(super) context: Py<PyAny>,
    /// It steps the task that awaits the future.
    pub(super) steps_task: bool,
}

impl DoneCallback {
    /// Calls it at once, as a handle of the loop would. The error is one that ends the loop.
    pub(super) fn run(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = future.py();
        let argument = if self.steps_task { ended(py)?.as_ptr() } else { future.as_ptr() };
        let (context, name, callable) = (self.context.as_ptr(), intern!(py, "run").as_ptr(), self.callable.as_ptr());
        // SAFETY: all are objects that are alive here, and NULL ends the arguments. It gives a new reference, or NULL
        // with an exception set. `call_method1` would make a bound method and a tuple for each call.
        let result = unsafe {
            let null = ptr::null_mut::<ffi::PyObject>();
            Bound::from_owned_ptr_or_err(py, ffi::PyObject_CallMethodObjArgs(context, name, callable, argument, null))
        };
        let Err(error) = result else { return Ok(()) };
        if error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py) {
            return Err(error);
        }
        let about = PyDict::new(py);
        about.set_item("message", "Exception in a callback of a reply")?;
        about.set_item("exception", error.into_value(py))?;
        about.set_item("future", future)?;
        let event_loop = future.call_method0(intern!(py, "get_loop"))?;
        event_loop.call_method1(intern!(py, "call_exception_handler"), (about,)).map(drop)
    }

    /// Has the loop call it in its next turn.
    pub(super) fn schedule(&self, future: &Bound<'_, PyAny>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = future.py();
        let in_context = PyDict::new(py);
        in_context.set_item(intern!(py, "context"), &self.context)?;
        let arguments = (&self.callable, future);
        event_loop.call_method(intern!(py, "call_soon"), arguments, Some(&in_context)).map(drop)
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.callable)?;
        visit.call(&self.context)
    }
}

/// A future of asyncio's own that has ended, of no loop.
///
/// A task's callback asks its argument for its exception, and then lets the coroutine go on, which gets the result from
/// what it awaits. For asyncio's own futures it reads a field; for others it calls a method that it looks up by name.
fn ended(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static ENDED: Kept<PyAny> = Kept::new();
    ENDED.get_or_make(py, || {
        let in_no_loop = PyDict::new(py);
        in_no_loop.set_item("loop", Bound::new(py, NoLoop)?)?;
        let future = py.import("asyncio")?.getattr("Future")?.call((), Some(&in_no_loop))?;
        future.call_method1("set_result", (py.None(),))?;
        Ok(future)
    })
}

/// The loop of `ended`. asyncio only asks it whether it debugs.
#[pyclass(frozen)]
struct NoLoop;

#[pymethods]
impl NoLoop {
    #[expect(clippy::unused_self, reason = "a method of asyncio's")]
    fn get_debug(&self) -> bool {
        false
    }
}
