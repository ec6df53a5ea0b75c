//! What is known while replies are dealt with: which loop runs.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::{Borrowed, ffi, intern};

use crate::bridge::Bridge;

/// Replies that are dealt with on this thread, in a callback of the loop that runs on it.
///
/// Who calls again, as most do, need not ask asyncio which loop that is: before Python 3.12 it asks the system for the
/// process's id each time, which takes about as long as to pack the call.
pub(crate) struct Burst {
    bridge: Py<Bridge>,
    event_loop: Py<PyAny>,
    /// What asyncio keeps for the thread while that loop runs.
    mark: Py<PyAny>,
}

thread_local! {
    static BURST: RefCell<Option<Burst>> = const { RefCell::new(None) };
}

/// Ends the burst when it is dropped; another may have been under way, whose task ran the loop within its step.
pub(crate) struct Begun(Option<Burst>);

impl Burst {
    pub(crate) fn begin(bridge: &Bound<'_, Bridge>) -> Begun {
        let py = bridge.py();
        let mark = Self::mark(py);
        let burst = mark.zip(bridge.get().event_loop(py)).map(|(mark, event_loop)| Self {
            bridge: bridge.clone().unbind(),
            event_loop: event_loop.unbind(),
            mark: mark.to_owned().unbind(),
        });
        Begun(BURST.replace(burst))
    }

    pub(crate) fn of_running_loop(py: Python<'_>) -> Option<(Py<Bridge>, Bound<'_, PyAny>)> {
        BURST.with_borrow(|burst| {
            let burst = burst.as_ref()?;
            let is_same = Self::mark(py)?.is(&burst.mark) && burst.bridge.get().is_ours();
            is_same.then(|| (burst.bridge.clone_ref(py), burst.event_loop.bind(py).clone()))
        })
    }

    /// `None` from Python 3.14 on, where asyncio keeps it elsewhere, and answers at once.
    fn mark(py: Python<'_>) -> Option<Borrowed<'_, '_, PyAny>> {
        let key = intern!(py, "__asyncio_running_event_loop__");
        // SAFETY: the interpreter is attached. The thread's dictionary lives as long as the thread, or is NULL. What it
        // gives is borrowed from it, NULL without an exception where there is none, and used before Python runs.
        unsafe {
            let dict = ffi::PyThreadState_GetDict();
            let mark = (!dict.is_null()).then(|| ffi::PyDict_GetItemWithError(dict, key.as_ptr()))?;
            Borrowed::from_ptr_or_opt(py, mark)
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let ended = BURST.replace(self.0.take());
        drop(ended);
    }
}
