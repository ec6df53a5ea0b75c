//! Between the I/O thread and an event loop: the calls that wait, and who is woken for what, once a burst each way.
//!
//! What is awaited stays here, on its loop's thread; the I/O thread holds tickets and touches nothing of Python.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glide_scripts_core::{
    Bell, CallId, Client as CoreClient, Completion, Completions, PasswordRequest, PasswordSource, ReplyTo,
};
use pyo3::exceptions::{PyNotImplementedError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::burst::Burst;
use crate::pending::Pending;
use crate::process::fork::{ForkLocal, generation};
use crate::process::interpreter::{enter, may_run_python};
use crate::process::logging;
use crate::{errors, replies};

/// Completions on their way to one event loop. Made on the loop's first call, gone with the loop.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct Bridge {
    event_loop: Py<PyWeakrefReference>,
    generation: u64,
    completions: Arc<Completions>,
    wakeup: Option<Arc<Wakeup>>,
    desk: Mutex<Desk>,
    /// Who is asked for passwords, by the tickets that they are asked by.
    password_sources: Mutex<Vec<(u64, Py<PyWeakrefReference>)>>,
}

/// What changes with each call. No code of Python may run while it is locked.
#[derive(Default)]
struct Desk {
    calls: Calls,
    /// Completions that were taken and are not dealt with yet. A loop that is run within a task's step finds them.
    arrived: VecDeque<(u64, Completion)>,
    /// The loop will call `resolve`.
    is_scheduled: bool,
    /// When the loop was last asked to call something of this.
    asked_at: Option<Instant>,
    held: Held,
    vigil: Vigil,
}

/// A call that an event loop waits for.
pub(crate) struct Waiting<'py> {
    pub(crate) pending: Bound<'py, Pending>,
    pub(crate) reply_to: ReplyTo,
}

thread_local! {
    /// The bridge of the loop that ran last on this thread: nearly always the one that runs now.
    static LAST: RefCell<Option<Py<Bridge>>> = const { RefCell::new(None) };
}

impl Bridge {
    /// The bridge of the running loop, and that loop.
    pub(crate) fn of_running_loop(py: Python<'_>) -> PyResult<(Py<Self>, Bound<'_, PyAny>)> {
        static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if let Some(found) = Burst::of_running_loop(py) {
            return Ok(found);
        }
        let event_loop = GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        let last = LAST.with_borrow(|last| {
            let bridge = last.as_ref().filter(|bridge| bridge.get().belongs_to(&event_loop))?;
            Some(bridge.clone_ref(py))
        });
        let bridge = match last {
            Some(bridge) => bridge,
            None => {
                let bridge = Self::find_or_make(&event_loop)?;
                let before = LAST.replace(Some(bridge.clone_ref(py)));
                drop(before);
                bridge
            }
        };
        Ok((bridge, event_loop))
    }

    fn belongs_to(&self, event_loop: &Bound<'_, PyAny>) -> bool {
        self.event_loop(event_loop.py()).is_some_and(|own| own.is(event_loop)) && self.is_ours()
    }

    /// Unless it is gone.
    pub(crate) fn event_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.event_loop.bind(py).upgrade()
    }

    /// Whether it was made in this process.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    fn find_or_make(event_loop: &Bound<'_, PyAny>) -> PyResult<Py<Self>> {
        static BRIDGES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = event_loop.py();
        let bridges = BRIDGES
            .get_or_try_init(py, || {
                PyResult::Ok(py.import("weakref")?.getattr("WeakKeyDictionary")?.call0()?.unbind())
            })?
            .bind(py);
        if let Ok(found) = bridges.get_item(event_loop)
            && let Ok(bridge) = found.cast::<Self>()
            && bridge.get().belongs_to(event_loop)
        {
            return Ok(bridge.clone().unbind());
        }
        Self::drop_closed(bridges)?;
        let bridge = Self::attach(event_loop)?;
        bridges.set_item(event_loop, &bridge)?;
        Ok(bridge.unbind())
    }

    /// Forgets loops that were closed with calls under way: nobody ends those, which hold the loop and its bridge.
    fn drop_closed(bridges: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = bridges.py();
        // A list: other threads have loops of their own, which come and go meanwhile.
        for event_loop in bridges.call_method0(intern!(py, "keyrefs"))?.try_iter()? {
            let event_loop = event_loop?.call0()?;
            if !event_loop.is_none() && event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()? {
                let bridge = bridges.call_method1(intern!(py, "pop"), (event_loop, py.None()))?;
                if let Ok(bridge) = bridge.cast::<Self>() {
                    let calls = std::mem::take(&mut bridge.get().desk().calls);
                    drop(calls);
                }
            }
        }
        Ok(())
    }

    /// Makes a bridge and lets the loop watch its descriptor; a loop that watches none is called instead.
    fn attach<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        let make = |completions: Arc<Completions>, wakeup| {
            logging::wake_for_records(&completions);
            let bridge = Self {
                event_loop: PyWeakrefReference::new(event_loop)?.unbind(),
                generation: generation(),
                completions,
                wakeup,
                desk: Mutex::default(),
                password_sources: Mutex::default(),
            };
            Bound::new(py, bridge)
        };
        #[cfg(unix)]
        {
            let wakeup = Arc::new(Wakeup::new()?);
            let signal = wakeup.clone();
            let bridge = make(Completions::new(move || signal.set()), Some(wakeup.clone()))?;
            let wake = bridge.getattr(intern!(py, "wake"))?;
            match event_loop.call_method1(intern!(py, "add_reader"), (wakeup.descriptor(), wake)) {
                Ok(_) => return Ok(bridge),
                Err(error) if error.is_instance_of::<PyNotImplementedError>(py) => {}
                Err(error) => return Err(error),
            }
        }
        let weak_loop = PyWeakrefReference::new(event_loop)?.unbind();
        make(Completions::new(move || call_loop(&weak_loop)), None)
    }

    /// Makes what one call is awaited with.
    pub(crate) fn wait<'py>(
        slf: &Bound<'py, Self>,
        event_loop: &Bound<'py, PyAny>,
        client: Option<Arc<ForkLocal<CoreClient>>>,
        now: Instant,
    ) -> PyResult<Waiting<'py>> {
        let (py, bridge) = (slf.py(), slf.get());
        let pending = Bound::new(py, Pending::new(event_loop, slf.clone().unbind(), client))?;
        let (ticket, watches, was_forgotten) = {
            let mut desk = bridge.desk();
            let was_forgotten = desk.is_forgotten(now);
            let ticket = desk.calls.insert(pending.clone().unbind());
            let waiting = desk.calls.len();
            (ticket, desk.vigil.should_start(waiting, now), was_forgotten)
        };
        pending.borrow_mut().set_ticket(ticket);
        if was_forgotten {
            bridge.completions.set_awake(false);
            bridge.completions.wake();
        }
        if watches {
            let watch = slf.getattr(intern!(py, "watch"));
            if let Err(error) = watch.and_then(|watch| bridge.call_soon(&watch)) {
                let forgotten = bridge.desk().calls.remove(ticket);
                drop(forgotten);
                return Err(error);
            }
            bridge.completions.set_awake(true);
        }
        let reply_to = ReplyTo::event_loop(bridge.completions.clone(), ticket);
        Ok(Waiting { pending, reply_to })
    }

    /// Wakes the I/O thread for a call that was enqueued: at once, or with others of the same burst.
    pub(crate) fn ring(slf: &Bound<'_, Self>, bell: &Bell, now: Instant) -> PyResult<()> {
        let mut desk = slf.get().desk();
        if Vigil::is_few(desk.calls.len()) {
            bell.ring();
        } else if desk.hold(bell, now) {
            desk.held.ring();
        } else if !desk.held.is_scheduled {
            // Also while replies are dealt with, at the end of which it is rung: a step may run the loop within itself.
            drop(desk);
            slf.get().call_soon(&slf.getattr(intern!(slf.py(), "ring_held"))?)?;
            slf.get().desk().held.is_scheduled = true;
        }
        Ok(())
    }

    /// Has a callback of Python asked for passwords: it takes a `PasswordAnswer`, and its client keeps it alive.
    pub(crate) fn password_source(&self, callback: &Bound<'_, PyAny>) -> PyResult<PasswordSource> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let py = callback.py();
        let weak = PyWeakrefReference::new(callback)?.unbind();
        let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut sources = self.password_sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|(_, other)| other.bind(py).upgrade().is_some());
        sources.push((ticket, weak));
        let completions = self.completions.clone();
        Ok(Box::new(move |request| completions.ask_password(ticket, request)))
    }

    fn ask_password(&self, py: Python<'_>, ticket: u64, answer: PasswordAnswer) -> PyResult<()> {
        let callback = {
            let sources = self.password_sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.iter().find(|(other, _)| *other == ticket).map(|(_, callback)| callback.clone_ref(py))
        };
        let callback = callback.and_then(|callback| callback.bind(py).upgrade());
        callback.map_or(Ok(()), |callback| callback.call1((answer,)).map(drop))
    }

    /// Forgets a call that waits, and says how to cancel it; `None` when it has ended.
    pub(crate) fn forget(&self, ticket: u64) -> Option<CallId> {
        let pending = self.desk().calls.remove(ticket);
        pending.map(|_| CallId::new(&self.completions, ticket))
    }

    /// Has the loop call `resolve` in its next turn.
    fn schedule(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, bridge) = (slf.py(), slf.get());
        if bridge.desk().is_scheduled {
            return Ok(());
        }
        bridge.call_soon(&slf.getattr(intern!(py, "resolve"))?)?;
        bridge.desk().is_scheduled = true;
        bridge.completions.set_awake(true);
        Ok(())
    }

    /// Has the loop call something in its next turn. What counts on it is noted only after, since `KeyboardInterrupt`
    /// may come in the midst: then the descriptor has the loop come back, and one call too many does no harm.
    fn call_soon(&self, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = callback.py();
        let event_loop = self.event_loop(py).ok_or_else(|| PyRuntimeError::new_err("the event loop is gone"))?;
        let result = event_loop.call_method1(intern!(py, "call_soon"), (callback,)).map(drop);
        let mut desk = self.desk();
        desk.asked_at = Some(Instant::now());
        if result.is_err() {
            desk.vigil.stop();
            desk.held.ring();
            drop(desk);
            self.completions.set_awake(false);
            self.completions.wake();
        }
        result
    }

    /// Ends the wait of one call.
    fn complete(
        &self,
        py: Python<'_>,
        ticket: u64,
        completion: Completion,
        pending: Option<Py<Pending>>,
        at_once: bool,
    ) -> PyResult<()> {
        let result = match (completion, &pending) {
            (Completion::Password(answer), _) => {
                return self.ask_password(py, ticket, PasswordAnswer(Mutex::new(Some(answer))));
            }
            // Its caller is gone.
            (_, None) => return Ok(()),
            (Completion::Facts(facts), Some(pending)) => {
                pending.borrow_mut(py).set_facts(facts);
                return Ok(());
            }
            (Completion::Call(Ok(reply)), _) => replies::to_python(py, reply),
            (Completion::Call(Err(error)), _) => Err(errors::to_python(py, *error)),
            (Completion::Batch(outcomes), _) => replies::batch_to_python(py, outcomes),
        };
        pending.map_or(Ok(()), |pending| Pending::resolve(pending.bind(py), result, at_once))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Bridge {
    /// Looks for replies, once in each turn of the loop.
    fn watch(slf: &Bound<'_, Self>) -> PyResult<()> {
        const LOOKS: usize = 16;
        let Ok(_entered) = enter() else { return Ok(()) };
        let (py, bridge) = (slf.py(), slf.get());
        let arrived = (0..LOOKS).any(|_| {
            std::hint::spin_loop();
            bridge.completions.has_arrived()
        });
        let mut desk = bridge.desk();
        let waiting = desk.calls.len();
        if !arrived && !desk.vigil.is_over(waiting) {
            drop(desk);
            return bridge.call_soon(&slf.getattr(intern!(py, "watch"))?);
        }
        desk.vigil.end(!arrived);
        drop(desk);
        Self::resolve(slf)
    }

    /// What the loop calls when its descriptor says that replies have come. It steps no task: a step may run the loop
    /// within itself, and a loop cannot call this again before it has returned.
    fn wake(slf: &Bound<'_, Self>) -> PyResult<()> {
        if let Some(wakeup) = &slf.get().wakeup {
            wakeup.clear();
        }
        let Ok(_entered) = enter() else { return Ok(()) };
        Self::schedule(slf)
    }

    /// Ends the waits of all calls that have ended.
    fn resolve(slf: &Bound<'_, Self>) -> PyResult<()> {
        const ROOM_KEPT: usize = 4096;
        let Ok(_entered) = enter() else { return Ok(()) };
        let (py, bridge) = (slf.py(), slf.get());
        let left = {
            let mut desk = bridge.desk();
            desk.is_scheduled = false;
            // From here on the first completion wakes the loop, unless it will look anyway.
            bridge.completions.set_awake(desk.vigil.is_on());
            desk.arrived.extend(bridge.completions.take());
            desk.arrived.len()
        };
        if left > 1 {
            // Where there are several, more will have come by then. And whoever runs the loop within a step, or ends it
            // with `KeyboardInterrupt`, has it come back for the rest.
            Self::schedule(slf)?;
        }
        let at_once = may_run_python(py);
        let _burst = at_once.then(|| Burst::begin(slf));
        let mut result = Ok(());
        while result.is_ok() {
            let next = {
                let mut desk = bridge.desk();
                // Steps may take long, and a call is not to wait for others'.
                desk.held.ring_if_old();
                desk.next(py)
            };
            let Some((ticket, completion, pending)) = next else { break };
            result = bridge.complete(py, ticket, completion, pending, at_once);
        }
        {
            let mut desk = bridge.desk();
            desk.held.ring();
            if desk.arrived.is_empty() {
                // The room of one great burst is not kept for ever.
                desk.arrived.shrink_to(ROOM_KEPT);
            }
        }
        result.and(logging::hand_over(py))
    }

    /// Wakes the I/O thread for the calls of one turn of the loop.
    fn ring_held(&self) {
        let Ok(_entered) = enter() else { return };
        let mut desk = self.desk();
        desk.held.is_scheduled = false;
        desk.held.ring();
    }
}

impl Desk {
    /// The next completion that was taken, with its ticket and with what is awaited for it, unless nobody does.
    fn next(&mut self, py: Python<'_>) -> Option<(u64, Completion, Option<Py<Pending>>)> {
        let (ticket, completion) = self.arrived.pop_front()?;
        let pending = match &completion {
            // Sources of passwords have tickets of their own.
            Completion::Password(_) => None,
            Completion::Facts(_) => self.calls.get(ticket).map(|pending| pending.clone_ref(py)),
            Completion::Call(_) | Completion::Batch(_) => self.calls.remove(ticket),
        };
        Some((ticket, completion, pending))
    }

    /// Whether the loop has not called for long what it was asked to, and is not counted on any more: it forgets that
    /// where `KeyboardInterrupt` comes after it took it from its queue. A loop that was only busy calls it once more
    /// than it need.
    fn is_forgotten(&mut self, now: Instant) -> bool {
        const LONG: Duration = Duration::from_millis(20);
        let is_counted_on = self.vigil.is_on() || self.is_scheduled || self.held.is_scheduled;
        if !is_counted_on || self.asked_at.is_none_or(|asked_at| now.saturating_duration_since(asked_at) < LONG) {
            return false;
        }
        self.vigil.stop();
        self.held.ring();
        (self.is_scheduled, self.held.is_scheduled) = (false, false);
        true
    }

    fn hold(&mut self, bell: &Bell, now: Instant) -> bool {
        self.held.hold(bell, self.calls.len(), now)
    }
}

/// Calls for which the I/O thread is not woken yet.
///
/// To wake it costs more than a call, and to write and read for each costs the server more than to run a script. All
/// in one, on the other hand, would leave the server idle while the loop prepares the next burst. So it is woken at
/// the end of a turn of the loop, and before when half of the calls under way are held.
#[derive(Default)]
struct Held {
    bells: Vec<Bell>,
    calls: usize,
    /// When the first of them was held.
    since: Option<Instant>,
    is_scheduled: bool,
}

impl Held {
    /// Holds a call, one of so many under way; whether those that are held are enough.
    fn hold(&mut self, bell: &Bell, waiting: usize, now: Instant) -> bool {
        const FEWEST: usize = 8;
        const MOST: usize = 64;
        if !self.bells.iter().any(|held| held.is(bell)) {
            self.bells.push(bell.clone());
        }
        self.calls += 1;
        self.since.get_or_insert(now);
        self.calls >= (waiting / 2).clamp(FEWEST, MOST)
    }

    fn ring(&mut self) {
        self.bells.drain(..).for_each(|bell| bell.ring());
        self.calls = 0;
        self.since = None;
    }

    fn ring_if_old(&mut self) {
        const OLD: Duration = Duration::from_millis(1);
        if self.since.is_some_and(|since| since.elapsed() > OLD) {
            self.ring();
        }
    }
}

/// Takes the password of one connection.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct PasswordAnswer(Mutex<Option<PasswordRequest>>);

#[pymethods]
impl PasswordAnswer {
    fn give(&self, password: String) {
        self.send(Ok(password));
    }

    /// There is none; `reason` holds no secret.
    fn fail(&self, reason: String) {
        self.send(Err(reason));
    }
}

impl PasswordAnswer {
    fn send(&self, answer: Result<String, String>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            waiting.answer(answer);
        }
    }
}

/// Keeps a loop that waits for one reply, or very few, from falling asleep in the moment before it comes.
///
/// To sleep and be woken costs a core more than the whole round trip to a server nearby: 84 µs a call became 30, and
/// 63 µs of CPU became 41. Each look is one turn of the loop, so that nothing else on it waits. Where replies do not
/// come that soon, it is tried less and less often.
#[derive(Default)]
struct Vigil {
    ends: Option<Instant>,
    /// Watches in a row that ended without a reply.
    vain: u32,
    /// Calls to let pass before the next one.
    skip: u32,
}

impl Vigil {
    const LENGTH: Duration = Duration::from_micros(150);

    /// With more calls under way, replies come in bursts and waking up is cheap for each.
    fn is_few(waiting: usize) -> bool {
        waiting <= 4
    }

    fn is_on(&self) -> bool {
        self.ends.is_some()
    }

    /// Whether a call, one of that many, should start it.
    fn should_start(&mut self, waiting: usize, now: Instant) -> bool {
        /// With one core, watching would keep the server from answering.
        static HAS_CORES: LazyLock<bool> =
            LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));
        if !Self::is_few(waiting) || !*HAS_CORES {
            return false;
        }
        if self.skip > 0 && !self.is_on() {
            self.skip -= 1;
            return false;
        }
        // One that should have ended may have been forgotten by the loop.
        let was_on = self.ends.is_some_and(|ends| ends > now);
        self.ends = Some(now + Self::LENGTH);
        !was_on
    }

    fn is_over(&self, waiting: usize) -> bool {
        waiting == 0 || !Self::is_few(waiting) || self.ends.is_none_or(|ends| ends <= Instant::now())
    }

    fn stop(&mut self) {
        self.ends = None;
    }

    fn end(&mut self, in_vain: bool) {
        const LONGEST_SKIP: u32 = 10;
        self.ends = None;
        self.vain = if in_vain { (self.vain + 1).min(LONGEST_SKIP) } else { 0 };
        self.skip = (1 << self.vain) - 1;
    }
}

/// What a loop without `add_reader` runs in place of [`Bridge::wake`].
#[pyfunction]
pub(crate) fn resolve_in_running_loop(py: Python<'_>) -> PyResult<()> {
    let (bridge, _) = Bridge::of_running_loop(py)?;
    Bridge::resolve(bridge.bind(py))
}

/// Wakes a loop that watches no descriptors, from the I/O thread. A loop that is gone or closed has no waiting calls.
fn call_loop(weak_loop: &Py<PyWeakrefReference>) {
    let Ok(_entered) = enter() else { return };
    let _ = Python::try_attach(|py| -> PyResult<()> {
        let Some(event_loop) = weak_loop.bind(py).upgrade() else { return Ok(()) };
        let resolve = py.import("glide_scripts._core")?.getattr("resolve_in_running_loop")?;
        match event_loop.call_method1("call_soon_threadsafe", (resolve,)) {
            Err(error) if !error.is_instance_of::<PyRuntimeError>(py) => Err(error),
            _ => Ok(()),
        }
    });
}

/// The calls that wait, by ticket. A ticket is a place and how often that place was taken before: a late reply to a
/// cancelled call meets nobody else's call.
#[derive(Default)]
struct Calls {
    places: Vec<(u32, Option<Py<Pending>>)>,
    free: Vec<u32>,
}

impl Calls {
    fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn insert(&mut self, pending: Py<Pending>) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).expect("four thousand million calls do not fit into memory")
        });
        let place = &mut self.places[index as usize];
        place.1 = Some(pending);
        u64::from(place.0) << 32 | u64::from(index)
    }

    fn get(&self, ticket: u64) -> Option<&Py<Pending>> {
        let (taken, index) = (ticket >> 32, ticket & u64::from(u32::MAX));
        let (count, pending) = self.places.get(usize::try_from(index).ok()?)?;
        pending.as_ref().filter(|_| u64::from(*count) == taken)
    }

    fn remove(&mut self, ticket: u64) -> Option<Py<Pending>> {
        let (taken, index) = (ticket >> 32, ticket & u64::from(u32::MAX));
        let place = self.places.get_mut(usize::try_from(index).ok()?)?;
        if u64::from(place.0) != taken {
            return None;
        }
        let pending = place.1.take()?;
        place.0 = place.0.wrapping_add(1);
        self.free.push(u32::try_from(index).ok()?);
        Some(pending)
    }
}

/// What an event loop watches.
#[cfg(target_os = "linux")]
struct Wakeup(std::fs::File);

#[cfg(target_os = "linux")]
impl Wakeup {
    fn new() -> std::io::Result<Self> {
        use std::os::fd::FromRawFd;
        // SAFETY: eventfd takes no pointers.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nothing else owns it.
        Ok(Self(unsafe { std::fs::File::from_raw_fd(descriptor) }))
    }

    fn descriptor(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.0)
    }

    /// A counter that is full is set already: errors need nothing done.
    fn set(&self) {
        let _ = std::io::Write::write(&mut &self.0, &1_u64.to_ne_bytes());
    }

    fn clear(&self) {
        let _ = std::io::Read::read(&mut &self.0, &mut [0; 8]);
    }
}

/// What an event loop watches where there is no eventfd.
#[cfg(all(unix, not(target_os = "linux")))]
struct Wakeup {
    ours: std::os::unix::net::UnixStream,
    theirs: std::os::unix::net::UnixStream,
}

#[cfg(all(unix, not(target_os = "linux")))]
impl Wakeup {
    fn new() -> std::io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        Ok(Self { ours, theirs })
    }

    fn descriptor(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.theirs)
    }

    /// A socket that is full is set already: errors need nothing done.
    fn set(&self) {
        let _ = std::io::Write::write(&mut &self.ours, &[1]);
    }

    fn clear(&self) {
        let _ = std::io::Read::read(&mut &self.theirs, &mut [0; 64]);
    }
}

#[cfg(not(unix))]
struct Wakeup;

#[cfg(not(unix))]
impl Wakeup {
    fn clear(&self) {}
}
