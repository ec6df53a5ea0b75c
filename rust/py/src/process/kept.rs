//! Python objects that are made or imported once a process.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

/// An object that is made at its first use. No thread waits for another that makes it, as with a `PyOnceLock`: in the
/// child of a fork the other thread is not there, and the wait would have no end. Two threads may make it; one of the two
/// is kept.
pub(crate) struct Kept<T>(OnceLock<Py<T>>);

impl<T> Kept<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn get_or_make<'py>(
        &self,
        py: Python<'py>,
        make: impl FnOnce() -> PyResult<Bound<'py, T>>,
    ) -> PyResult<&Bound<'py, T>> {
        let kept = match self.0.get() {
            Some(kept) => kept,
            None => {
                let object = make()?.unbind();
                self.0.get_or_init(|| object)
            }
        };
        Ok(kept.bind(py))
    }
}

impl Kept<PyAny> {
    /// What a module has under a name.
    pub(crate) fn import<'py>(&self, py: Python<'py>, module: &str, name: &str) -> PyResult<&Bound<'py, PyAny>> {
        self.get_or_make(py, || py.import(module)?.getattr(name))
    }
}

impl Kept<PyString> {
    pub(crate) fn interned<'py>(&self, py: Python<'py>, text: &str) -> &Bound<'py, PyString> {
        let kept = self.0.get().unwrap_or_else(|| {
            let object = PyString::intern(py, text).unbind();
            self.0.get_or_init(|| object)
        });
        kept.bind(py)
    }
}

/// A `str` that is made once, for names of attributes and methods.
macro_rules! intern {
    ($py:expr, $text:literal) => {{
        static KEPT: $crate::process::kept::Kept<pyo3::types::PyString> = $crate::process::kept::Kept::new();
        KEPT.interned($py, $text)
    }};
}
pub(crate) use intern;

/// Imports, with the module, what `PyO3` itself keeps under such a lock and the bindings need.
pub(crate) fn init(py: Python<'_>) {
    // Asking for a mapping imports the class of mappings.
    let _ = py.None().bind(py).cast::<PyMapping>();
}
