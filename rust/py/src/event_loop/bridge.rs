//! The class `Bridge`: brings replies from the I/O thread to the calls that an event loop waits for.
//!
//! Objects that Python awaits stay on their loop's thread. The I/O thread has only tickets, and never touches a Python
//! object. Each side wakes the other once per burst.

use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use glide_scripts_core::{
    Bell, Client as CoreClient, Completion, Completions, Look, Questioner, ROOM_KEPT, ReplyTo, look,
};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyWeakrefMethods, PyWeakrefReference};

use super::busy_poll::BusyPoll;
use super::loop_state::SharedLoop;
use super::pending::{Loop, Pending};
use super::questions::Callbacks;
use super::running_loop::remember;
use super::wakeup::Wakeup;
use crate::polling::time_to_look;
use crate::process::fork::{ForkLocal, generation};
use crate::process::interpreter::{enter, may_run_user_code};
use crate::process::kept::intern;
use crate::process::logging;
use crate::{errors, replies};

/// The bridge to one event loop. It is dropped with the loop.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct Bridge {
    event_loop: Py<PyWeakrefReference>,
    generation: u64,
    thread: ThreadId,
    shared: Arc<Loop>,
    /// `None` for a loop without `add_reader`.
    wakeup: Option<Arc<Wakeup>>,
    callbacks: Callbacks,
}

/// Where a call is issued.
pub(crate) struct Here<'py> {
    pub(crate) bridge: Bound<'py, Bridge>,
    pub(crate) event_loop: Bound<'py, PyAny>,
    /// A call that trio has cancelled already is not sent. asyncio cancels a task where it waits.
    pub(crate) is_cancelled: bool,
}

impl Bridge {
    /// A bridge to a loop that runs on this thread. `wakeup` makes the loop call `on_readable`.
    pub(super) fn new(
        event_loop: &Bound<'_, PyAny>,
        completions: Arc<Completions>,
        wakeup: Option<Arc<Wakeup>>,
    ) -> PyResult<Self> {
        let is_trio = event_loop.getattr_opt(intern!(event_loop.py(), "is_trio"))?.is_some();
        logging::wake_for_records(&completions);
        Ok(Self {
            event_loop: PyWeakrefReference::new(event_loop)?.unbind(),
            generation: generation(),
            thread: thread::current().id(),
            shared: Arc::new(SharedLoop::new(completions, is_trio)),
            wakeup,
            callbacks: Callbacks::default(),
        })
    }

    /// Whether it belongs to that loop, and was made in this process.
    pub(super) fn belongs_to(&self, event_loop: &Bound<'_, PyAny>) -> bool {
        self.event_loop(event_loop.py()).is_some_and(|own| own.is(event_loop)) && self.generation == generation()
    }

    /// The loop, unless it is gone.
    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.event_loop.bind(py).upgrade()
    }

    /// Whether the bridge was made on this thread.
    pub(super) fn is_on_this_thread(&self) -> bool {
        self.thread == thread::current().id()
    }

    pub(super) fn forget_calls(&self) {
        let calls = std::mem::take(&mut self.shared.lock().calls);
        drop(calls);
    }

    /// The object that Python awaits for a call that is not sent.
    pub(crate) fn never_sent<'py>(here: &Here<'py>) -> PyResult<Bound<'py, Pending>> {
        let shared = here.bridge.get().shared.clone();
        Bound::new(here.bridge.py(), Pending::never_sent(&here.event_loop, shared))
    }

    /// Makes the object that Python awaits for one call of that many commands, and the receiver of the core's reply.
    /// Returns the time at which both were there: Python may collect garbage for each object that is made, and that
    /// does not count as the call's time.
    pub(crate) fn expect_reply<'py>(
        here: &Here<'py>,
        client: Option<Arc<ForkLocal<CoreClient>>>,
        commands: usize,
    ) -> PyResult<(Bound<'py, Pending>, ReplyTo, Instant)> {
        let (py, slf, bridge) = (here.bridge.py(), &here.bridge, here.bridge.get());
        let completions = &bridge.shared.completions;
        let pending = Bound::new(py, Pending::new(&here.event_loop, bridge.shared.clone(), client))?;
        let mut now = Instant::now();
        let (ticket, polls, has_lost_callbacks) = {
            let mut state = bridge.shared.lock();
            let has_lost_callbacks = state.has_lost_callbacks(now);
            let ticket = state.calls.insert(pending.clone().unbind());
            let calls = state.calls.len();
            (ticket, state.busy_poll.start(calls, now, time_to_look(commands)), has_lost_callbacks)
        };
        pending.borrow_mut().ticket = ticket;
        if has_lost_callbacks {
            completions.set_awake(false);
            completions.wake();
        }
        if polls {
            if let Err(error) = Self::call_soon(slf, intern!(py, "poll"), None) {
                bridge.shared.forget(ticket);
                return Err(error);
            }
            completions.set_awake(true);
            now = Instant::now();
        }
        let reply_to = ReplyTo::event_loop(completions.clone(), ticket);
        Ok((pending, reply_to, now))
    }

    /// Wakes the I/O thread for a call that was enqueued: at once, or with others of the same burst.
    pub(crate) fn wake_for_call(slf: &Bound<'_, Self>, bell: &Bell, now: Instant) -> PyResult<()> {
        let mut state = slf.get().shared.lock();
        let calls = state.calls.len();
        if BusyPoll::is_few(calls) {
            bell.ring();
        } else if state.deferred_wake.hold(bell, calls, now) {
            state.deferred_wake.wake();
        } else if !state.deferred_wake.is_scheduled {
            // Also while `resolve` runs, although it wakes the thread at its end: a task's step may run the loop within
            // itself.
            drop(state);
            Self::call_soon(slf, intern!(slf.py(), "wake_io_thread"), None)?;
            slf.get().shared.lock().deferred_wake.is_scheduled = true;
        }
        Ok(())
    }

    /// Registers a Python callback, see `Callbacks::ask`. Its client keeps it alive.
    pub(crate) fn questioner(&self, callback: &Bound<'_, PyAny>) -> PyResult<Questioner> {
        let ticket = self.callbacks.add(callback)?;
        let completions = self.shared.completions.clone();
        Ok(Box::new(move |question| completions.ask(ticket, question)))
    }

    /// Has the loop call `resolve` in its next turn.
    fn schedule(slf: &Bound<'_, Self>) -> PyResult<()> {
        let bridge = slf.get();
        let turn = {
            let mut state = bridge.shared.lock();
            if state.is_scheduled {
                return Ok(());
            }
            state.turn += 1;
            state.turn
        };
        Self::call_soon(slf, intern!(slf.py(), "resolve"), Some(turn))?;
        bridge.shared.lock().is_scheduled = true;
        bridge.shared.completions.set_awake(true);
        Ok(())
    }

    /// Has the loop call one of the methods below in its next turn. The caller notes this only afterwards, since
    /// `KeyboardInterrupt` may come in between: the descriptor then wakes the loop again, and a superfluous call does
    /// no harm.
    fn call_soon(slf: &Bound<'_, Self>, method: &Bound<'_, PyString>, turn: Option<u64>) -> PyResult<()> {
        let (py, shared) = (slf.py(), &slf.get().shared);
        let event_loop = slf.get().event_loop(py).ok_or_else(|| PyRuntimeError::new_err("the event loop is gone"))?;
        let (call_soon, method) = (intern!(py, "call_soon"), slf.getattr(method)?);
        let result = match turn {
            Some(turn) => event_loop.call_method1(call_soon, (method, turn)),
            None => event_loop.call_method1(call_soon, (method,)),
        };
        let result = result.map(drop);
        let mut state = shared.lock();
        state.asked_at = Some(Instant::now());
        if result.is_err() {
            state.busy_poll.stop();
            state.deferred_wake.wake();
            drop(state);
            shared.completions.set_awake(false);
            shared.completions.wake();
        }
        result
    }

    /// Handles the next completion that was taken; `None`: there is none.
    fn handle_next(&self, py: Python<'_>, at_once: bool, now: Instant) -> Option<PyResult<()>> {
        let mut state = self.shared.lock();
        // Steps may take long, and a call must not wait for other tasks.
        state.deferred_wake.wake_if_old(now);
        let (ticket, completion) = state.arrived.pop_front()?;
        let pending = match &completion {
            // The callbacks have tickets of their own.
            Completion::Question(_) => None,
            Completion::Trace(_) => state.calls.get(ticket).map(|pending| pending.clone_ref(py)),
            Completion::Call(_) | Completion::Batch(_) => state.calls.remove(ticket),
        };
        drop(state);
        let result = match (completion, &pending) {
            (Completion::Question(question), _) => return Some(self.callbacks.ask(py, ticket, question)),
            // The caller is gone.
            (_, None) => return Some(Ok(())),
            (Completion::Trace(trace), Some(pending)) => {
                pending.borrow_mut(py).trace = Some(trace);
                return Some(Ok(()));
            }
            (Completion::Call(Ok(reply)), _) => replies::to_python(py, reply),
            (Completion::Call(Err(error)), Some(pending)) => {
                Err(errors::of_client(py, *error, pending.borrow(py).client.as_deref()))
            }
            (Completion::Batch(outcomes), Some(pending)) => {
                replies::batch_to_python(py, outcomes, pending.borrow(py).client.as_deref())
            }
        };
        pending.map(|pending| Pending::resolve(pending.bind(py), result, at_once))
    }
}

/// The methods that the loop calls.
#[pymethods]
impl Bridge {
    /// Called when the descriptor says that replies have come. It steps no task: a step may run the loop within itself,
    /// and a loop cannot call this again before it has returned.
    fn on_readable(slf: &Bound<'_, Self>) -> PyResult<()> {
        if let Some(wakeup) = &slf.get().wakeup {
            wakeup.clear();
        }
        let Ok(_entered) = enter() else { return Ok(()) };
        Self::schedule(slf)
    }

    /// Looks for replies, once in each turn of the loop.
    fn poll(slf: &Bound<'_, Self>) -> PyResult<()> {
        let Ok(_entered) = enter() else { return Ok(()) };
        let (py, bridge) = (slf.py(), slf.get());
        let look = look(|| bridge.shared.completions.has_arrived());
        let mut state = bridge.shared.lock();
        let calls = state.calls.len();
        if look == Look::InVain && !state.busy_poll.is_over(calls) {
            drop(state);
            return Self::call_soon(slf, intern!(py, "poll"), None);
        }
        state.busy_poll.end(look);
        drop(state);
        Self::handle_arrived(slf)
    }

    /// Ends the waits of calls that have ended, in the turn that it was scheduled for last. In another one, it was
    /// scheduled again meanwhile, and would come twice in each turn.
    fn resolve(slf: &Bound<'_, Self>, turn: u64) -> PyResult<()> {
        let Ok(_entered) = enter() else { return Ok(()) };
        {
            let mut state = slf.get().shared.lock();
            if turn != state.turn {
                return Ok(());
            }
            state.is_scheduled = false;
        }
        Self::handle_arrived(slf)
    }

    /// Wakes the I/O thread for the calls of one turn of the loop.
    fn wake_io_thread(&self) {
        let Ok(_entered) = enter() else { return };
        let mut state = self.shared.lock();
        state.deferred_wake.is_scheduled = false;
        state.deferred_wake.wake();
    }
}

impl Bridge {
    /// Ends the waits of calls that have ended: of all, unless that takes too long.
    pub(super) fn handle_arrived(slf: &Bound<'_, Self>) -> PyResult<()> {
        /// The loop's other callbacks wait for at most this long; then it is their turn, however many calls have ended.
        const LONGEST: Duration = Duration::from_micros(700);
        let (py, bridge) = (slf.py(), slf.get());
        let arrived = {
            let mut state = bridge.shared.lock();
            // From here on, the first completion wakes the loop, unless the loop is polling.
            bridge.shared.completions.set_awake(state.busy_poll.is_on() || state.is_scheduled);
            state.arrived.extend(bridge.shared.completions.take());
            state.arrived.len()
        };
        if arrived > 1 {
            // If there are several, more will have arrived by then. And if a step runs the loop within itself, or
            // raises `KeyboardInterrupt`, the loop comes back for the rest.
            Self::schedule(slf)?;
        }
        let at_once = may_run_user_code(py);
        let _restore = at_once.then(|| remember(bridge.event_loop(py)));
        let mut result = Ok(());
        let mut now = Instant::now();
        let ends = now + LONGEST;
        while result.is_ok() && now < ends {
            let Some(handled) = bridge.handle_next(py, at_once, now) else { break };
            result = handled;
            now = Instant::now();
        }
        {
            let mut state = bridge.shared.lock();
            state.deferred_wake.wake();
            if state.arrived.is_empty() {
                state.arrived.shrink_to(ROOM_KEPT);
            }
        }
        result.and(logging::hand_over(py))
    }
}
