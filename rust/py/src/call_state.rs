//! How far a call has come that Python waits for, and what its result is.

use pyo3::exceptions::asyncio::{CancelledError, InvalidStateError};
use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

pub(crate) enum CallState {
    Waiting,
    Value(Py<PyAny>),
    Error(Py<PyBaseException>),
    /// With the message of who cancelled it, if there is one.
    Cancelled(Option<Py<PyAny>>),
    /// trio raises its own exception in the task that waited.
    CancelledInTrio,
}

impl CallState {
    pub(crate) fn ended(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> Self {
        match result {
            Ok(value) => Self::Value(value.unbind()),
            Err(error) => Self::Error(error.into_value(py)),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_) | Self::CancelledInTrio)
    }

    pub(crate) fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Err(match self {
            Self::Value(value) => return Ok(value.clone_ref(py)),
            Self::Error(error) => PyErr::from_value(error.bind(py).clone().into_any()),
            Self::Waiting => InvalidStateError::new_err("there is no reply yet"),
            Self::Cancelled(None) => CancelledError::new_err(()),
            Self::Cancelled(Some(message)) => CancelledError::new_err((message.clone_ref(py),)),
            Self::CancelledInTrio => PyRuntimeError::new_err("the call was cancelled"),
        })
    }

    /// The error that the result is, if it is one.
    pub(crate) fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self {
            Self::Error(error) => Ok(Some(error.clone_ref(py).into_any())),
            _ => self.result(py).map(|_| None),
        }
    }

    /// For the repr of what is awaited.
    pub(crate) fn shown(&self) -> &'static str {
        match self {
            Self::Waiting => "",
            Self::Value(_) | Self::Error(_) => " done",
            Self::Cancelled(_) | Self::CancelledInTrio => " cancelled",
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Value(value) => visit.call(value),
            Self::Error(error) => visit.call(error),
            Self::Cancelled(message) => visit.call(message),
            Self::Waiting | Self::CancelledInTrio => Ok(()),
        }
    }
}
