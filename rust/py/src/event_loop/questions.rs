//! The callbacks of Python that the I/O thread asks through an event loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use glide_scripts_core::Question;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::answers;

/// The callbacks of the clients of one loop, by ticket. Each is kept alive by its client.
#[derive(Default)]
pub(super) struct Callbacks(Mutex<Vec<(u64, Py<PyWeakrefReference>)>>);

impl Callbacks {
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

    /// Calls the callback, unless it is gone.
    pub(super) fn ask(&self, py: Python<'_>, ticket: u64, question: Question) -> PyResult<()> {
        let callback = {
            let callbacks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            callbacks.iter().find(|(other, _)| *other == ticket).and_then(|(_, weak)| weak.bind(py).upgrade())
        };
        callback.map_or(Ok(()), |callback| answers::ask(&callback, question))
    }
}
