//! The class `BlockingPending`: a call that a thread waits for.
//!
//! Awaiting it blocks the thread. So a coroutine that awaits nothing else runs to its end in one step, without an event
//! loop. This is how the synchronous client uses the asynchronous client's methods.

use std::sync::Arc;
use std::time::Duration;

use glide_scripts_core::{CallId, CallTrace, Client as CoreClient, Completion, Mailbox, ReplyTo};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::sleep;
use crate::call_state::CallState;
use crate::process::fork::{ForkLocal, generation};
use crate::process::interpreter::{enter, is_main_thread};
use crate::process::kept::intern;
use crate::process::logging;
use crate::python::stop_with;
use crate::replies::{TraceTuple, trace_to_python};
use crate::{errors, replies};

#[pyclass(module = "glide_scripts._core")]
pub(crate) struct BlockingPending {
    state: CallState,
    mailbox: Arc<Mailbox<Completion>>,
    id: CallId,
    /// `None` for a client that is being opened, which is abandoned as a whole.
    client: Option<Arc<ForkLocal<CoreClient>>>,
    /// How many commands it has.
    commands: usize,
    /// The I/O thread was not woken for the call yet.
    is_held: bool,
    generation: u64,
    /// What is known of an observed call besides its result.
    trace: Option<Box<CallTrace>>,
    /// Each with its context.
    callbacks: Vec<(Py<PyAny>, Py<PyAny>)>,
}

impl BlockingPending {
    /// Makes the object that Python waits for, for a call of `commands` commands, and the receiver of the core's reply.
    pub(crate) fn expect_reply(
        py: Python<'_>,
        client: Option<Arc<ForkLocal<CoreClient>>>,
        commands: usize,
    ) -> PyResult<(Bound<'_, Self>, ReplyTo)> {
        let (reply_to, mailbox, id) = ReplyTo::thread();
        let (state, generation) = (CallState::Waiting, generation());
        let (trace, callbacks) = (None, Vec::new());
        let pending = Self { state, mailbox, id, client, commands, is_held: false, generation, trace, callbacks };
        Ok((Bound::new(py, pending)?, reply_to))
    }

    /// Wakes the I/O thread for the call: at once, or when other threads may run while this one waits. Waking it takes
    /// longer than everything else that a call does while it holds the GIL.
    pub(crate) fn wake_io_thread_soon(&mut self) {
        self.is_held = true;
        if !sleep::others_wait() {
            self.wake_io_thread();
        }
    }

    fn wake_io_thread(&mut self) {
        if std::mem::take(&mut self.is_held)
            && let Some(client) = self.client.as_ref().and_then(|client| client.get())
        {
            client.bell().ring();
        }
    }

    /// Waits for the end. An exception from a signal handler ends the call and cancels it.
    fn wait(slf: &Bound<'_, Self>) -> PyResult<()> {
        /// How long a signal waits for its handler at most.
        const BETWEEN_SIGNALS: Duration = Duration::from_millis(50);
        let py = slf.py();
        if !slf.borrow().state.is_waiting() {
            return Ok(());
        }
        let _entered = enter()?;
        let (mailbox, made, commands, mut held) = {
            let mut this = slf.borrow_mut();
            let held = if std::mem::take(&mut this.is_held) { this.client.clone() } else { None };
            (this.mailbox.clone(), this.generation, this.commands, held)
        };
        let longest = is_main_thread(py).then_some(BETWEEN_SIGNALS);
        while !mailbox.has_ended() {
            if made != generation() {
                let error = errors::to_python(py, errors::made_before_fork());
                Self::finish(slf, Err(error));
                return Ok(());
            }
            py.detach(|| {
                if let Some(client) = held.take().as_ref().and_then(|client| client.get()) {
                    client.bell().ring();
                }
                sleep::until_end(&mailbox, commands, longest);
            });
            if longest.is_some()
                && let Err(error) = py.check_signals()
            {
                slf.borrow().cancel_call();
                Self::finish(slf, Err(error));
                return Ok(());
            }
        }
        Self::receive(slf);
        logging::hand_over(py)
    }

    /// Takes the outcome, which has come.
    fn receive(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let taken = slf.borrow().mailbox.take();
        // Another thread has taken it.
        let Some((ahead, outcome)) = taken else { return };
        for message in ahead {
            if let Completion::Trace(trace) = message {
                slf.borrow_mut().trace = Some(trace);
            }
        }
        let result = match outcome {
            Completion::Call(Ok(reply)) => replies::to_python(py, reply),
            Completion::Call(Err(error)) => Err(errors::of_client(py, *error, slf.borrow().client.as_deref())),
            Completion::Batch(outcomes) => replies::batch_to_python(py, outcomes, slf.borrow().client.as_deref()),
            Completion::Trace(_) | Completion::Question(_) => unreachable!("neither ends a call"),
        };
        Self::finish(slf, result);
    }

    fn finish(slf: &Bound<'_, Self>, result: PyResult<Bound<'_, PyAny>>) {
        slf.borrow_mut().state = CallState::ended(slf.py(), result);
        Self::call_back(slf);
    }

    /// Calls the callbacks that wait for the end. An exception in one is reported, and the others still run.
    fn call_back(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let callbacks = std::mem::take(&mut slf.borrow_mut().callbacks);
        for (callback, context) in callbacks {
            if let Err(error) = context.bind(py).call_method1(intern!(py, "run"), (&callback, slf)) {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
        }
    }

    fn cancel_call(&self) {
        if let Some(client) = self.client.as_ref().and_then(|client| client.get()) {
            client.cancel(self.id);
        }
    }
}

/// No one waits for the call any more: an interrupt came before its thread began to wait. What is not written yet is
/// never sent.
impl Drop for BlockingPending {
    fn drop(&mut self) {
        if self.state.is_waiting() && !self.mailbox.has_ended() {
            self.cancel_call();
        }
    }
}

#[pymethods]
impl BlockingPending {
    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Waits, and ends with the value.
    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        Self::wait(slf)?;
        let value = slf.borrow().state.result(py)?;
        stop_with(value.bind(py));
        Ok(None)
    }

    /// Calls `callback` with this when the waiting thread learns of the end.
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>) -> PyResult<()> {
        let context = slf.py().import("contextvars")?.call_method0("copy_context")?.unbind();
        slf.borrow_mut().callbacks.push((callback, context));
        let is_waiting = slf.borrow().state.is_waiting();
        if !is_waiting {
            Self::call_back(slf);
        }
        Ok(())
    }

    /// Returns whether the call was waited for until now. What is not written yet is never sent.
    fn cancel(slf: &Bound<'_, Self>) -> bool {
        if slf.borrow_mut().done() {
            return false;
        }
        slf.borrow().cancel_call();
        slf.borrow_mut().state = CallState::Cancelled(None);
        Self::call_back(slf);
        true
    }

    fn cancelled(&self) -> bool {
        self.state.is_cancelled()
    }

    fn done(&mut self) -> bool {
        self.wake_io_thread();
        !self.state.is_waiting() || self.mailbox.has_ended()
    }

    /// Waits for the result.
    fn result(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Self::wait(slf)?;
        slf.borrow().state.result(slf.py())
    }

    /// Waits for the end, and gives the error that it was, if any.
    fn exception(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        Self::wait(slf)?;
        slf.borrow().state.exception(slf.py())
    }

    /// What an observer learns of a call that has ended, besides its result.
    fn trace(&self) -> Option<TraceTuple> {
        self.trace.as_deref().map(trace_to_python)
    }

    fn __repr__(&self) -> String {
        format!("<BlockingPending{}>", self.state.shown())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.state.traverse(&visit)?;
        self.callbacks.iter().try_for_each(|(callback, context)| {
            visit.call(callback)?;
            visit.call(context)
        })
    }

    fn __clear__(&mut self) {
        self.callbacks.clear();
    }
}
