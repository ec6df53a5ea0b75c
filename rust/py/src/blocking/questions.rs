//! Questions that Python callbacks answer, without an event loop that could ask them.

use std::sync::Arc;
use std::thread;

use glide_scripts_core::{Question, Questioner};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::answers;
use crate::process::interpreter::enter;

/// Calls a callback for each connection. Its client keeps it alive. It must not take long.
///
/// Each question has a thread of its own: connections are replaced while no thread waits for a call, and the I/O thread
/// does not attach.
pub(crate) fn questioner(callback: &Bound<'_, PyAny>) -> PyResult<Questioner> {
    let callback = Arc::new(PyWeakrefReference::new(callback)?.unbind());
    Ok(Box::new(move |question| {
        let callback = callback.clone();
        // If no thread can start, the question is dropped, and the connection is not made.
        let _ = thread::Builder::new().name("glide_scripts".into()).spawn(move || ask(&callback, question));
    }))
}

fn ask(callback: &Py<PyWeakrefReference>, question: Question) {
    let Ok(_entered) = enter() else { return };
    let _ = Python::try_attach(|py| {
        let Some(callback) = callback.bind(py).upgrade() else { return };
        if let Err(error) = answers::ask(&callback, question) {
            error.write_unraisable(py, Some(&callback));
        }
    });
}
