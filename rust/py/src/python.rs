//! What the bindings use of the package's Python: one module, the only one that Rust names.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Has the error classes, `OK`, and what reads scripts from files. What it is imported from, Python's type checker
/// looks after; `import glide_scripts` imports it, so that it cannot be missing later.
const MODULE: &str = "glide_scripts.for_core";

pub(crate) fn module(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static IMPORTED: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    Ok(IMPORTED.get_or_try_init(py, || PyResult::Ok(py.import(MODULE)?.unbind()))?.bind(py))
}
