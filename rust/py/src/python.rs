//! The parts of Python that the bindings use: one module of the package, the only one that Rust names, and some of
//! Python itself.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::process::kept::Kept;

/// Has the module of error classes, `OK`, and what reads scripts from files. What it is imported from, Python's type checker
/// looks after; `import glide_scripts` imports it, so that it cannot be missing later.
const MODULE: &str = "glide_scripts.for_core";

pub(crate) fn module(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static IMPORTED: Kept<PyModule> = Kept::new();
    IMPORTED.get_or_make(py, || py.import(MODULE))
}

/// Sets `StopIteration` with a value, which `__next__` ends with by returning nothing.
pub(crate) fn stop_with(value: &Bound<'_, PyAny>) {
    let py = value.py();
    // A tuple would be taken for the exception's arguments, and an exception for the exception itself.
    // SAFETY: both are objects that are alive here, and the interpreter is attached. Until the return to it, nothing
    // of it is called.
    unsafe {
        if ffi::PyTuple_Check(value.as_ptr()) != 0 || ffi::PyExceptionInstance_Check(value.as_ptr()) != 0 {
            let arguments = PyTuple::new(py, [value]).expect("it has one element");
            ffi::PyErr_SetObject(ffi::PyExc_StopIteration, arguments.as_ptr());
        } else {
            ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value.as_ptr());
        }
    }
}
