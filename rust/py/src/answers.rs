//! Questions to Python callbacks: the password of a connection, and where to connect to a server.

use std::sync::{Mutex, PoisonError};

use glide_scripts_core::{Address, Answer, Question};
use pyo3::prelude::*;

/// Calls a callback with an object that takes the answer. For an address, it also gets host and port.
pub(crate) fn ask(callback: &Bound<'_, PyAny>, question: Question) -> PyResult<()> {
    match question {
        Question::Password(answer) => callback.call1((PasswordAnswer(Once::new(answer)),)),
        Question::Address(host, port, answer) => callback.call1((&*host, port, AddressAnswer(Once::new(answer)))),
    }
    .map(drop)
}

/// Passes on the first answer that it is given, and drops others.
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

    /// There is no password; `reason` holds no secret.
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

    /// The address is not known; `reason` holds no secret.
    fn fail(&self, reason: String) {
        self.0.give(Err(reason));
    }
}
