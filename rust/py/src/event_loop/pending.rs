//! The class `Pending`: what is awaited for a reply.
//!
//! It speaks the protocol that asyncio has for futures other than its own. An asyncio future would have the loop call
//! the waiting task in its next turn, through a handle in a queue, and that takes longer than all that the call itself
//! does on the loop's thread. A burst of replies is a callback of the loop already: its tasks are stepped right there.

use std::sync::Arc;

use glide_scripts_core::{CallTrace, Client as CoreClient};
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::iterator::PySendResult;

use super::done_callback::DoneCallback;
use super::loop_state::SharedLoop;
use super::trio;
use crate::call_state::CallState;
use crate::process::fork::ForkLocal;
use crate::process::interpreter::enter;
use crate::process::kept::intern;
use crate::python::stop_with;
use crate::replies::{TraceTuple, trace_to_python};

/// A loop that calls are awaited on.
pub(super) type Loop = SharedLoop<Py<Pending>>;

#[pyclass(module = "glide_scripts._core")]
pub(crate) struct Pending {
    state: CallState,
    /// `_asyncio_future_blocking`: set from a task's step until asyncio has seen that the task awaits this.
    blocking: bool,
    /// A task has looked, and adds its callback next.
    is_awaited: bool,
    event_loop: Py<PyAny>,
    /// Who waits: nearly always one task.
    first: Option<DoneCallback>,
    further: Vec<DoneCallback>,
    /// The task of trio that waits.
    task: Option<Py<PyAny>>,
    /// The object by which it waits.
    waiting: Option<Py<PyAny>>,
    shared: Arc<Loop>,
    /// `None` for a client that is being opened, which is abandoned as a whole.
    pub(super) client: Option<Arc<ForkLocal<CoreClient>>>,
    /// Which call of the loop it is.
    pub(super) ticket: u64,
    /// What is known of an observed call besides its result.
    pub(super) trace: Option<Box<CallTrace>>,
}

impl Pending {
    pub(super) fn new(
        event_loop: &Bound<'_, PyAny>,
        shared: Arc<Loop>,
        client: Option<Arc<ForkLocal<CoreClient>>>,
    ) -> Self {
        Self {
            state: CallState::Waiting,
            blocking: false,
            is_awaited: false,
            event_loop: event_loop.clone().unbind(),
            first: None,
            further: Vec::new(),
            task: None,
            waiting: None,
            shared,
            client,
            ticket: 0,
            trace: None,
        }
    }

    /// A call that was cancelled before it was sent.
    pub(super) fn never_sent(event_loop: &Bound<'_, PyAny>, shared: Arc<Loop>) -> Self {
        let state = cancelled(&shared, None);
        Self { state, ..Self::new(event_loop, shared, None) }
    }

    /// Ends the wait, and steps who waited: at once, or in the loop's next turn. The error is one that ends the loop,
    /// such as `KeyboardInterrupt`.
    pub(super) fn resolve(slf: &Bound<'_, Self>, result: PyResult<Bound<'_, PyAny>>, at_once: bool) -> PyResult<()> {
        let py = slf.py();
        let callbacks = {
            let mut this = slf.borrow_mut();
            this.state = CallState::ended(py, result);
            this.take_callbacks()
        };
        let mut result = Ok(());
        for callback in callbacks {
            let called = if at_once { callback.run(slf) } else { Self::schedule(slf, &callback) };
            result = called.and(result);
        }
        Self::wake_task(slf).and(result)
    }

    /// Wakes the task of trio that waits, after all others.
    fn wake_task(slf: &Bound<'_, Self>) -> PyResult<()> {
        let task = slf.borrow_mut().task.take();
        task.map_or(Ok(()), |task| trio::wake(task.bind(slf.py())))
    }

    /// Has a task of trio wait for the end. If that has come, the task only lets others run.
    fn wait_in_trio<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let waiting = if slf.borrow().done() {
            trio::checkpoint(py)?
        } else {
            let waiting = trio::until_woken(&slf.getattr(intern!(py, "abort"))?)?;
            let task = trio::current_task(py)?.unbind();
            slf.borrow_mut().task = Some(task);
            waiting
        };
        slf.borrow_mut().waiting = Some(waiting.clone().unbind());
        match trio::step(&waiting, py.None().bind(py))? {
            PySendResult::Next(message) => Ok(message),
            PySendResult::Return(_) => unreachable!("both wait at first"),
        }
    }

    fn schedule(slf: &Bound<'_, Self>, callback: &DoneCallback) -> PyResult<()> {
        let event_loop = slf.borrow().event_loop.clone_ref(slf.py());
        callback.schedule(slf, event_loop.bind(slf.py()))
    }

    fn take_callbacks(&mut self) -> impl Iterator<Item = DoneCallback> + use<> {
        self.first.take().into_iter().chain(std::mem::take(&mut self.further))
    }
}

#[pymethods]
impl Pending {
    #[getter(_asyncio_future_blocking)]
    fn is_blocking(&self) -> bool {
        self.blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&mut self, blocking: bool) {
        self.is_awaited = self.blocking && !blocking;
        self.blocking = blocking;
    }

    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Gives itself to the task that awaits it; when it is done, ends with the value. A task of trio gets the object
    /// that makes it wait, and goes on with `send`.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let mut this = slf.borrow_mut();
        if this.shared.is_trio {
            drop(this);
            return Self::wait_in_trio(slf).map(Some);
        }
        if this.state.is_waiting() {
            if this.blocking {
                return Err(PyRuntimeError::new_err("await wasn't used with a reply"));
            }
            this.blocking = true;
            return Ok(Some(slf.clone().into_any()));
        }
        let value = this.state.result(py)?;
        drop(this);
        stop_with(value.bind(py));
        Ok(None)
    }

    /// Goes on with what trio sends to the task.
    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let waiting = slf.borrow().waiting.as_ref().map(|waiting| waiting.clone_ref(py));
        let Some(waiting) = waiting else { return Self::wait_in_trio(slf) };
        match trio::step(waiting.bind(py), value)? {
            PySendResult::Next(message) => Ok(message),
            PySendResult::Return(_) => Err(PyStopIteration::new_err((slf.borrow().result(py)?,))),
        }
    }

    /// trio cancels the waiting task. What is not written yet is never sent.
    fn abort<'py>(slf: &Bound<'py, Self>, _raise_cancel: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // Without a task, the call has ended, and the task is about to be woken.
        let is_aborted = slf.borrow_mut().task.take().is_some();
        if is_aborted {
            Self::cancel(slf, None)?;
        }
        trio::aborted(slf.py(), is_aborted)
    }

    /// Has `callback` called with this when it is done, without another turn of the loop, in the order of the replies.
    #[pyo3(signature = (callback, /, *, context=None))]
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>, context: Option<Py<PyAny>>) -> PyResult<()> {
        let context = match context {
            Some(context) => context,
            None => slf.py().import("contextvars")?.call_method0("copy_context")?.unbind(),
        };
        let mut this = slf.borrow_mut();
        let steps_task = std::mem::take(&mut this.is_awaited);
        let callback = DoneCallback { callable: callback, context, steps_task };
        if !this.state.is_waiting() {
            drop(this);
            return Self::schedule(slf, &callback);
        }
        if this.first.is_none() {
            this.first = Some(callback);
        } else {
            this.further.push(callback);
        }
        Ok(())
    }

    /// Takes a callback back; how many times it was there.
    fn remove_done_callback(slf: &Bound<'_, Self>, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let all = slf.borrow_mut().take_callbacks();
        let (mut removed, mut kept) = (0, Vec::new());
        for each in all {
            if callback.eq(&each.callable)? {
                removed += 1;
            } else {
                kept.push(each);
            }
        }
        let mut kept = kept.into_iter();
        let mut this = slf.borrow_mut();
        this.first = kept.next();
        this.further = kept.collect();
        Ok(removed)
    }

    /// Returns whether the call was waited for until now. What is not written yet is never sent.
    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let mut callbacks = {
            let mut this = slf.borrow_mut();
            if !this.state.is_waiting() {
                return Ok(false);
            }
            this.state = cancelled(&this.shared, msg);
            this.take_callbacks()
        };
        let cancelled = slf.borrow().cancel_call();
        callbacks.try_for_each(|callback| Self::schedule(slf, &callback))?;
        Self::wake_task(slf)?;
        cancelled.map(|()| true)
    }

    fn cancelled(&self) -> bool {
        self.state.is_cancelled()
    }

    fn done(&self) -> bool {
        !self.state.is_waiting()
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.state.result(py)
    }

    fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.state.exception(py)
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    /// What is known of an observed call that has ended, besides its result.
    fn trace(&self) -> Option<TraceTuple> {
        self.trace.as_deref().map(trace_to_python)
    }

    fn __repr__(&self) -> String {
        format!("<Pending{}>", self.state.shown())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.task)?;
        visit.call(&self.waiting)?;
        self.state.traverse(&visit)?;
        self.first.iter().chain(&self.further).try_for_each(|callback| callback.traverse(&visit))
    }

    fn __clear__(&mut self) {
        drop(self.take_callbacks());
        (self.task, self.waiting) = (None, None);
    }
}

impl Pending {
    /// Has the client take the call back, if it is still in flight.
    fn cancel_call(&self) -> PyResult<()> {
        let id = self.shared.forget(self.ticket);
        let client = self.client.as_ref().and_then(|client| client.get());
        if let Some((id, client)) = id.zip(client) {
            let _entered = enter()?;
            client.cancel(id);
        }
        Ok(())
    }
}

fn cancelled(event_loop: &Loop, message: Option<Py<PyAny>>) -> CallState {
    if event_loop.is_trio { CallState::CancelledInTrio } else { CallState::Cancelled(message) }
}
