//! What a client's calls are awaited on: asyncio, or a run of trio.

use pyo3::prelude::*;

use super::bridge::{Bridge, Here};
use super::{bridges, trio};
use crate::process::kept::intern;
use crate::python;

/// The runtime of a client's calls, decided once.
pub(crate) enum Runtime {
    /// Any event loop.
    Asyncio,
    /// The run of this bridge.
    Trio(Py<Bridge>),
}

impl Runtime {
    /// The caller's runtime.
    pub(crate) fn running(py: Python<'_>) -> PyResult<Self> {
        let run = python::module(py)?.call_method0(intern!(py, "running_trio"))?;
        if run.is_none() { Ok(Self::Asyncio) } else { Ok(Self::Trio(bridges::of_loop(&run)?)) }
    }

    /// The run of trio, unless it is gone.
    pub(crate) fn run<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match self {
            Self::Asyncio => None,
            Self::Trio(bridge) => bridge.get().event_loop(py),
        }
    }

    /// An error where the caller runs on another.
    #[inline]
    pub(crate) fn here<'py>(&self, py: Python<'py>) -> PyResult<Here<'py>> {
        match self {
            Self::Asyncio => {
                let (bridge, event_loop) = bridges::of_running_loop(py)?;
                Ok(Here { bridge: bridge.into_bound(py), event_loop, is_cancelled: false })
            }
            Self::Trio(bridge) => Self::in_run(bridge.bind(py)),
        }
    }

    fn in_run<'py>(bridge: &Bound<'py, Bridge>) -> PyResult<Here<'py>> {
        let py = bridge.py();
        let run = bridge.get().event_loop(py).filter(|_| bridge.get().is_on_this_thread());
        if let Some(event_loop) = run
            && !event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()?
            && let Ok(is_cancelled) = trio::is_cancelled(py)
        {
            return Ok(Here { bridge: bridge.clone(), event_loop, is_cancelled });
        }
        let error = python::module(py)?.call_method0(intern!(py, "not_in_its_run"))?;
        Err(PyErr::from_value(error))
    }
}
