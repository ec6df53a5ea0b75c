//! Passwords that a callback of Python gives: one question for each connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use glide_scripts_core::PasswordRequest;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

/// The callbacks of the clients of one loop, by ticket. Each is kept alive by its client.
#[derive(Default)]
pub(super) struct PasswordCallbacks(Mutex<Vec<(u64, Py<PyWeakrefReference>)>>);

impl PasswordCallbacks {
    /// The ticket by which the callback will be asked.
    pub(super) fn add(&self, callback: &Bound<'_, PyAny>) -> PyResult<u64> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let py = callback.py();
        let weak = PyWeakrefReference::new(callback)?.unbind();
        let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut callbacks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callbacks.retain(|(_, other)| other.bind(py).upgrade().is_some());
        callbacks.push((ticket, weak));
        Ok(ticket)
    }

    /// Calls the callback with a `PasswordAnswer`, unless it is gone.
    pub(super) fn ask(&self, py: Python<'_>, ticket: u64, request: PasswordRequest) -> PyResult<()> {
        let callback = {
            let callbacks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            callbacks.iter().find(|(other, _)| *other == ticket).and_then(|(_, weak)| weak.bind(py).upgrade())
        };
        let Some(callback) = callback else { return Ok(()) };
        callback.call1((PasswordAnswer::new(request),)).map(drop)
    }
}

/// Takes the password of one connection.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct PasswordAnswer(Mutex<Option<PasswordRequest>>);

#[pymethods]
impl PasswordAnswer {
    fn give(&self, password: String) {
        self.send(Ok(password));
    }

    /// There is none; `reason` holds no secret.
    fn fail(&self, reason: String) {
        self.send(Err(reason));
    }
}

impl PasswordAnswer {
    pub(crate) fn new(request: PasswordRequest) -> Self {
        Self(Mutex::new(Some(request)))
    }

    fn send(&self, answer: Result<String, String>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            waiting.answer(answer);
        }
    }
}
