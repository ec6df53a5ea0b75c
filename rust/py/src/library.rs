//! The class `Library`.

use std::sync::Arc;

use glide_scripts_core::Library as CoreLibrary;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The code of a library of functions, shared with the requests that call them.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct Library(pub(crate) Arc<CoreLibrary>);

#[pymethods]
impl Library {
    #[new]
    fn new(code: &Bound<'_, PyBytes>) -> Self {
        Self(Arc::new(CoreLibrary::new(code.as_bytes().to_vec())))
    }

    #[getter]
    fn code<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.code())
    }
}
