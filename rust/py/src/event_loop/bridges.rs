//! Finds an event loop's bridge, or makes it at the loop's first call.

use std::cell::RefCell;
use std::sync::Arc;

use glide_scripts_core::Completions;
use pyo3::exceptions::{PyNotImplementedError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use super::bridge::Bridge;
use super::running_loop::running_loop;
use super::wakeup::Wakeup;
use crate::process::interpreter::enter;
use crate::process::kept::{Kept, intern};

thread_local! {
    /// The bridge of the loop that last ran on this thread, which is nearly always the running one.
    static LAST: RefCell<Option<Py<Bridge>>> = const { RefCell::new(None) };
}

/// The bridge of the running loop, and that loop.
pub(super) fn of_running_loop(py: Python<'_>) -> PyResult<(Py<Bridge>, Bound<'_, PyAny>)> {
    let event_loop = running_loop(py)?;
    let last = LAST.with_borrow(|last| {
        let bridge = last.as_ref().filter(|bridge| bridge.get().belongs_to(&event_loop))?;
        Some(bridge.clone_ref(py))
    });
    let bridge = match last {
        Some(bridge) => bridge,
        None => {
            let bridge = of_loop(&event_loop)?;
            let before = LAST.replace(Some(bridge.clone_ref(py)));
            drop(before);
            bridge
        }
    };
    Ok((bridge, event_loop))
}

/// The bridge of a loop that runs on this thread, found or made.
pub(super) fn of_loop(event_loop: &Bound<'_, PyAny>) -> PyResult<Py<Bridge>> {
    static BRIDGES: Kept<PyAny> = Kept::new();
    let py = event_loop.py();
    let bridges = BRIDGES.get_or_make(py, || py.import("weakref")?.getattr("WeakKeyDictionary")?.call0())?;
    let found = bridges.get_item(event_loop).ok().and_then(|found| found.cast_into::<Bridge>().ok());
    let bridge = match found.filter(|bridge| bridge.get().belongs_to(event_loop)) {
        Some(bridge) => bridge,
        None => {
            forget_closed_loops(bridges)?;
            let bridge = attach(event_loop)?;
            bridges.set_item(event_loop, &bridge)?;
            bridge
        }
    };
    Ok(bridge.unbind())
}

/// Forgets the calls of closed loops: they never end, and would keep the loop alive.
fn forget_closed_loops(bridges: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = bridges.py();
    // `keyrefs` returns a list, because loops of other threads come and go during the iteration.
    for event_loop in bridges.call_method0(intern!(py, "keyrefs"))?.try_iter()? {
        let event_loop = event_loop?.call0()?;
        if !event_loop.is_none() && event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()? {
            let bridge = bridges.call_method1(intern!(py, "pop"), (event_loop, py.None()))?;
            if let Ok(bridge) = bridge.cast::<Bridge>() {
                bridge.get().forget_calls();
            }
        }
    }
    Ok(())
}

/// Makes a bridge and gives its descriptor to the loop. A loop without `add_reader` is called from the I/O thread.
fn attach<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Bridge>> {
    let py = event_loop.py();
    let wakeup = Arc::new(Wakeup::new()?);
    let signal = wakeup.clone();
    let completions = Completions::new(move || signal.set());
    let bridge = Bound::new(py, Bridge::new(event_loop, completions, Some(wakeup.clone()))?)?;
    let on_readable = bridge.getattr(intern!(py, "on_readable"))?;
    match event_loop.call_method1(intern!(py, "add_reader"), (wakeup.descriptor(), on_readable)) {
        Ok(_) => return Ok(bridge),
        Err(error) if error.is_instance_of::<PyNotImplementedError>(py) => {}
        Err(error) => return Err(error),
    }
    let weak_loop = PyWeakrefReference::new(event_loop)?.unbind();
    let completions = Completions::new(move || call_loop(&weak_loop));
    Bound::new(py, Bridge::new(event_loop, completions, None)?)
}

/// Wakes a loop without `add_reader`, from the I/O thread. A loop that is gone or closed has no waiting calls.
fn call_loop(weak_loop: &Py<PyWeakrefReference>) {
    let Ok(_entered) = enter() else { return };
    let _ = Python::try_attach(|py| -> PyResult<()> {
        let Some(event_loop) = weak_loop.bind(py).upgrade() else { return Ok(()) };
        let resolve = wrap_pyfunction!(resolve_in_running_loop, py)?;
        match event_loop.call_method1("call_soon_threadsafe", (resolve,)) {
            Err(error) if !error.is_instance_of::<PyRuntimeError>(py) => Err(error),
            _ => Ok(()),
        }
    });
}

/// Called by a loop without `add_reader`, in place of `Bridge::on_readable`.
#[pyfunction]
fn resolve_in_running_loop(py: Python<'_>) -> PyResult<()> {
    let Ok(_entered) = enter() else { return Ok(()) };
    let (bridge, _) = of_running_loop(py)?;
    Bridge::handle_arrived(bridge.bind(py))
}
