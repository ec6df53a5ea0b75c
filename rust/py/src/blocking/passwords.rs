//! Passwords that a callback of Python gives, where no event loop runs that could ask it.

use std::sync::Arc;
use std::thread;

use glide_scripts_core::{PasswordRequest, PasswordSource};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::event_loop::passwords::PasswordAnswer;
use crate::process::interpreter::enter;

/// Has a callback called with a `PasswordAnswer` for each connection; its client keeps it alive. It must not take long.
///
/// Each question has a thread of its own: connections are replaced while no thread waits for a call, and the I/O
/// thread does not attach.
pub(crate) fn source(callback: &Bound<'_, PyAny>) -> PyResult<PasswordSource> {
    let callback = Arc::new(PyWeakrefReference::new(callback)?.unbind());
    Ok(Box::new(move |request| {
        let callback = callback.clone();
        // Without a thread the request is dropped, and the connection is not made.
        let _ = thread::Builder::new().name("glide_scripts".into()).spawn(move || ask(&callback, request));
    }))
}

fn ask(callback: &Py<PyWeakrefReference>, request: PasswordRequest) {
    let Ok(_entered) = enter() else { return };
    let _ = Python::try_attach(|py| {
        let Some(callback) = callback.bind(py).upgrade() else { return };
        if let Err(error) = callback.call1((PasswordAnswer::new(request),)) {
            error.write_unraisable(py, Some(&callback));
        }
    });
}
