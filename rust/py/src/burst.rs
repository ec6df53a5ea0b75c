//! What is known while replies are dealt with: which loop runs.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{ffi, intern};

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

/// Ends a burst when it is dropped, and goes on with the one whose task ran the loop within its step, if any did.
pub(crate) struct End(Option<Burst>);

impl Burst {
    pub(crate) fn begin(bridge: &Bound<'_, Bridge>) -> End {
        let py = bridge.py();
        let mark = Self::mark(py);
        let burst = mark.zip(bridge.get().event_loop(py)).map(|(mark, event_loop)| Self {
            bridge: bridge.clone().unbind(),
            event_loop: event_loop.unbind(),
            mark: mark.unbind(),
        });
        End(BURST.replace(burst))
    }

    pub(crate) fn of_running_loop(py: Python<'_>) -> Option<(Py<Bridge>, Bound<'_, PyAny>)> {
        let mark = Self::mark(py)?;
        BURST.with_borrow(|burst| {
            let burst = burst.as_ref()?;
            let is_same = mark.is(&burst.mark) && burst.bridge.get().is_ours();
            is_same.then(|| (burst.bridge.clone_ref(py), burst.event_loop.bind(py).clone()))
        })
    }

    /// `None` from Python 3.14 on, where asyncio keeps it elsewhere, and answers at once.
    fn mark(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
        // SAFETY: the interpreter is attached. The thread's dictionary is borrowed, or NULL, and lives as long as the
        // thread.
        let dict = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyThreadState_GetDict()) }?;
        dict.cast::<PyDict>().ok()?.get_item(intern!(py, "__asyncio_running_event_loop__")).ok()?
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let ended = BURST.replace(self.0.take());
        drop(ended);
    }
}
