//! Questions that callbacks of Python answer: the password of a connection, and where to connect to a server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use glide_scripts_core::{Address, Answer, Question};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

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
        callback.map_or(Ok(()), |callback| call(&callback, question))
    }
}

/// Calls a callback with what takes its answer. Of an address it gets host and port, too.
pub(crate) fn call(callback: &Bound<'_, PyAny>, question: Question) -> PyResult<()> {
    match question {
        Question::Password(answer) => callback.call1((PasswordAnswer(Once::new(answer)),)),
        Question::Address(host, port, answer) => callback.call1((&*host, port, AddressAnswer(Once::new(answer)))),
    }
    .map(drop)
}

/// An answer that is given once; what comes after the first is dropped.
struct Once<T>(Mutex<Option<Answer<T>>>);

impl<T> Once<T> {
    fn new(answer: Answer<T>) -> Self {
        Self(Mutex::new(Some(answer)))
    }

    fn give(&self, answer: Result<T, String>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            waiting.give(answer);
        }
    }
}

/// Takes the password of one connection.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct PasswordAnswer(Once<String>);

#[pymethods]
impl PasswordAnswer {
    fn give(&self, password: String) {
        self.0.give(Ok(password));
    }

    /// There is none; `reason` holds no secret.
    fn fail(&self, reason: String) {
        self.0.give(Err(reason));
    }
}

/// Takes where to connect to a server.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct AddressAnswer(Once<Address>);

#[pymethods]
impl AddressAnswer {
    fn give(&self, host: String, port: u16) {
        self.0.give(Ok(Address::new(host, port)));
    }

    /// Nobody knows; `reason` holds no secret.
    fn fail(&self, reason: String) {
        self.0.give(Err(reason));
    }
}
