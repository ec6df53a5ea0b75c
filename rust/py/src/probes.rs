//! Scripts that are sent with probes in their code, while coverage is measured.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use glide_scripts_core::script::Script as CoreScript;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::script::Script;

/// Read by each call, so that it costs one instruction while nothing is measured.
static IS_MEASURED: AtomicBool = AtomicBool::new(false);

/// Returns the script to send in place of another. Both are Python objects.
static SUBSTITUTE: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Sends what a function returns in place of each script, from now on; with None, the script itself.
#[pyfunction]
pub(crate) fn add_probes(substitute: Option<Py<PyAny>>) {
    IS_MEASURED.store(substitute.is_some(), Ordering::Relaxed);
    let before = std::mem::replace(&mut *SUBSTITUTE.lock().unwrap_or_else(PoisonError::into_inner), substitute);
    // Outside of the lock: it may run Python code.
    drop(before);
}

/// The script with probes in its code: it is sent so, and its errors are the script's own.
#[pyfunction]
pub(crate) fn with_probes(script: &Bound<'_, Script>, code: &Bound<'_, PyBytes>) -> Script {
    Script::from_core(Arc::new(CoreScript::with_probes(script.get().core(), code.as_bytes().to_vec())))
}

/// What is sent in place of a script.
pub(crate) fn sent<'a, 'py>(script: &'a Bound<'py, PyAny>) -> PyResult<Cow<'a, Bound<'py, PyAny>>> {
    if !IS_MEASURED.load(Ordering::Relaxed) || !script.is_instance_of::<Script>() {
        return Ok(Cow::Borrowed(script));
    }
    let py = script.py();
    let substitute =
        SUBSTITUTE.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|function| function.clone_ref(py));
    match substitute {
        Some(function) => function.bind(py).call1((script,)).map(Cow::Owned),
        None => Ok(Cow::Borrowed(script)),
    }
}
