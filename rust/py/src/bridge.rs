//! From the I/O thread to an event loop: calls' futures, and the descriptor that wakes their loop once a burst.
//!
//! Futures stay here, on their loop's thread; the I/O thread holds tickets and touches nothing of Python.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glide_scripts_core::{CallId, Completion, Completions, Facts, PasswordRequest, PasswordSource, ReplyTo};
use pyo3::exceptions::{PyNotImplementedError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyList, PyWeakrefMethods, PyWeakrefReference};
use pyo3::{import_exception, intern};

use crate::{convert, errors, logging, runtime};

import_exception!(asyncio, InvalidStateError);

/// Completions on their way to one event loop. Made on the loop's first call, gone with the loop.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct Bridge {
    event_loop: Py<PyWeakrefReference>,
    generation: u64,
    completions: Arc<Completions>,
    wakeup: Option<Arc<Wakeup>>,
    waiting: Mutex<Futures>,
    /// Of observed calls that have just ended, by their tickets.
    facts: Mutex<HashMap<u64, Facts>>,
    /// Who is asked for passwords, by the tickets that they are asked by.
    password_sources: Mutex<Vec<(u64, Py<PyAny>)>>,
    vigil: Vigil,
}

/// A call that an event loop waits for.
pub(crate) struct Waiting<'py> {
    pub(crate) future: Bound<'py, PyAny>,
    pub(crate) ticket: u64,
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
        let own = self.event_loop.bind(event_loop.py()).upgrade();
        own.is_some_and(|own| own.is(event_loop)) && self.generation == runtime::generation()
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

    /// Forgets loops that were closed with calls under way: their futures, which hold them, are resolved by nobody.
    fn drop_closed(bridges: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = bridges.py();
        for event_loop in PyList::type_object(py).call1((bridges,))?.try_iter()? {
            let event_loop = event_loop?;
            if event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()? {
                bridges.del_item(event_loop)?;
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
                generation: runtime::generation(),
                completions,
                wakeup,
                waiting: Mutex::default(),
                facts: Mutex::default(),
                password_sources: Mutex::default(),
                vigil: Vigil::default(),
            };
            Bound::new(py, bridge)
        };
        #[cfg(unix)]
        {
            let wakeup = Arc::new(Wakeup::new()?);
            let signal = wakeup.clone();
            let bridge = make(Completions::new(move || signal.set()), Some(wakeup.clone()))?;
            let drain = bridge.getattr(intern!(py, "drain"))?;
            match event_loop.call_method1(intern!(py, "add_reader"), (wakeup.descriptor(), drain)) {
                Ok(_) => return Ok(bridge),
                Err(error) if error.is_instance_of::<PyNotImplementedError>(py) => {}
                Err(error) => return Err(error),
            }
        }
        let weak_loop = PyWeakrefReference::new(event_loop)?.unbind();
        make(Completions::new(move || call_loop(&weak_loop)), None)
    }

    /// Makes the future of one call.
    pub(crate) fn wait<'py>(slf: &Bound<'py, Self>, event_loop: &Bound<'py, PyAny>) -> PyResult<Waiting<'py>> {
        let (py, bridge) = (slf.py(), slf.get());
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let ticket = bridge.futures().insert(future.clone().unbind());
        if bridge.vigil.should_start(bridge.futures().len()) {
            event_loop.call_method1(intern!(py, "call_soon"), (slf.getattr(intern!(py, "watch"))?,))?;
            bridge.completions.set_awake(true);
        }
        let reply_to = ReplyTo::event_loop(bridge.completions.clone(), ticket);
        Ok(Waiting { future, ticket, reply_to })
    }

    /// Has a callable of Python asked for passwords: it takes a `PasswordAnswer`.
    pub(crate) fn password_source(&self, callback: Py<PyAny>) -> (u64, PasswordSource) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
        self.password_sources.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, callback));
        let completions = self.completions.clone();
        (ticket, Box::new(move |request| completions.ask_password(ticket, request)))
    }

    pub(crate) fn forget_password_source(&self, ticket: u64) {
        let mut sources = self.password_sources.lock().unwrap_or_else(PoisonError::into_inner);
        let position = sources.iter().position(|(other, _)| *other == ticket);
        let source = position.map(|position| sources.swap_remove(position));
        drop(sources);
        drop(source);
    }

    fn ask_password(&self, py: Python<'_>, ticket: u64, answer: PasswordAnswer) -> PyResult<()> {
        let callback = {
            let sources = self.password_sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.iter().find(|(other, _)| *other == ticket).map(|(_, callback)| callback.clone_ref(py))
        };
        callback.map_or(Ok(()), |callback| callback.call1(py, (answer,)).map(drop))
    }

    /// Forgets the future of a call, and says how to cancel the call; `None` when it has ended.
    pub(crate) fn forget(&self, ticket: u64) -> Option<CallId> {
        let future = self.futures().remove(ticket);
        future.map(|_| CallId::new(&self.completions, ticket))
    }

    /// Keeps them for whoever observes the call; of a call that was cancelled nobody would ask.
    fn keep_facts(&self, ticket: u64, facts: Facts) {
        if self.futures().has(ticket) {
            self.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, facts);
        }
    }

    pub(crate) fn take_facts(&self, ticket: u64) -> Option<Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket)
    }

    fn resolve_arrived(&self, py: Python<'_>) -> PyResult<()> {
        let mut result = Ok(());
        for (ticket, outcome) in self.completions.take() {
            let outcome = match outcome {
                Completion::Password(answer) => {
                    let answer = PasswordAnswer(Mutex::new(Some(answer)));
                    result = self.ask_password(py, ticket, answer).and(result);
                    continue;
                }
                Completion::Facts(facts) => {
                    self.keep_facts(ticket, *facts);
                    continue;
                }
                outcome => outcome,
            };
            let future = self.futures().remove(ticket);
            if let Some(future) = future {
                // One that cannot be resolved is no reason to leave the others waiting.
                result = resolve(future.bind(py), outcome).and(result);
            }
        }
        result.and(logging::hand_over(py))
    }

    fn futures(&self) -> MutexGuard<'_, Futures> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Bridge {
    /// Looks for replies, once in each turn of the loop.
    fn watch(slf: &Bound<'_, Self>) -> PyResult<()> {
        const LOOKS: usize = 16;
        let Ok(_entered) = runtime::enter() else { return Ok(()) };
        let (py, bridge) = (slf.py(), slf.get());
        let arrived = (0..LOOKS).any(|_| {
            std::hint::spin_loop();
            bridge.completions.has_arrived()
        });
        if !arrived && !bridge.vigil.is_over(bridge.futures().len()) {
            let event_loop = bridge.event_loop.bind(py).upgrade();
            let event_loop = event_loop.ok_or_else(|| PyRuntimeError::new_err("the event loop is gone"))?;
            event_loop.call_method1(intern!(py, "call_soon"), (slf.getattr(intern!(py, "watch"))?,))?;
            return Ok(());
        }
        bridge.vigil.end(!arrived);
        bridge.completions.set_awake(false);
        if bridge.completions.has_arrived() { bridge.resolve_arrived(py) } else { Ok(()) }
    }

    /// Resolves the futures of all calls that have ended. The loop calls it.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        let Ok(_entered) = runtime::enter() else { return Ok(()) };
        if let Some(wakeup) = &self.wakeup {
            wakeup.clear();
        }
        self.resolve_arrived(py)
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
struct Vigil(Mutex<Watch>);

#[derive(Default)]
struct Watch {
    ends: Option<Instant>,
    /// Watches in a row that ended without a reply.
    vain: u32,
    /// Calls to let pass before the next one.
    skip: u32,
}

impl Vigil {
    /// With more calls under way, replies come in bursts and waking up is cheap for each.
    const FEW: usize = 4;
    const LENGTH: Duration = Duration::from_micros(50);

    /// Whether a call, one of that many, should start it.
    fn should_start(&self, waiting: usize) -> bool {
        /// With one core, watching would keep the server from answering.
        static HAS_CORES: LazyLock<bool> =
            LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));
        if waiting > Self::FEW || !*HAS_CORES {
            return false;
        }
        let mut watch = self.watch();
        if watch.ends.is_some() {
            watch.ends = Some(Instant::now() + Self::LENGTH);
            return false;
        }
        if watch.skip > 0 {
            watch.skip -= 1;
            return false;
        }
        watch.ends = Some(Instant::now() + Self::LENGTH);
        true
    }

    fn is_over(&self, waiting: usize) -> bool {
        let ends = self.watch().ends;
        waiting == 0 || waiting > Self::FEW || ends.is_none_or(|ends| ends <= Instant::now())
    }

    fn end(&self, in_vain: bool) {
        const LONGEST_SKIP: u32 = 10;
        let mut watch = self.watch();
        watch.ends = None;
        watch.vain = if in_vain { (watch.vain + 1).min(LONGEST_SKIP) } else { 0 };
        watch.skip = (1 << watch.vain) - 1;
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a loop without `add_reader` runs in place of [`Bridge::drain`].
#[pyfunction]
pub(crate) fn drain_running_loop(py: Python<'_>) -> PyResult<()> {
    let (bridge, _) = Bridge::of_running_loop(py)?;
    bridge.get().drain(py)
}

fn resolve(future: &Bound<'_, PyAny>, completion: Completion) -> PyResult<()> {
    let py = future.py();
    let result = match completion {
        Completion::Call(Ok(reply)) => convert::to_python(py, reply),
        Completion::Call(Err(error)) => Err(errors::to_python(py, *error)),
        Completion::Batch(outcomes) => convert::batch_to_python(py, outcomes),
        Completion::Facts(_) | Completion::Password(_) => return Ok(()),
    };
    let resolved = match result {
        Ok(value) => future.call_method1(intern!(py, "set_result"), (value,)),
        Err(error) => future.call_method1(intern!(py, "set_exception"), (error.into_value(py),)),
    };
    match resolved {
        // Its task was cancelled in this very turn of the loop.
        Err(error) if error.is_instance_of::<InvalidStateError>(py) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Wakes a loop that watches no descriptors, from the I/O thread. A loop that is gone or closed has no waiting calls.
fn call_loop(weak_loop: &Py<PyWeakrefReference>) {
    let Ok(_entered) = runtime::enter() else { return };
    let _ = Python::try_attach(|py| -> PyResult<()> {
        let Some(event_loop) = weak_loop.bind(py).upgrade() else { return Ok(()) };
        let drain = py.import("glide_scripts._core")?.getattr("drain_running_loop")?;
        match event_loop.call_method1("call_soon_threadsafe", (drain,)) {
            Err(error) if !error.is_instance_of::<PyRuntimeError>(py) => Err(error),
            _ => Ok(()),
        }
    });
}

/// The futures that wait, by ticket. A ticket is a place and how often that place was taken before: a late reply to a
/// cancelled call meets nobody else's future.
#[derive(Default)]
struct Futures {
    places: Vec<(u32, Option<Py<PyAny>>)>,
    free: Vec<u32>,
}

impl Futures {
    fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn insert(&mut self, future: Py<PyAny>) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).expect("four thousand million calls do not fit into memory")
        });
        let place = &mut self.places[index as usize];
        place.1 = Some(future);
        u64::from(place.0) << 32 | u64::from(index)
    }

    fn has(&self, ticket: u64) -> bool {
        let (taken, index) = (ticket >> 32, ticket & u64::from(u32::MAX));
        let place = usize::try_from(index).ok().and_then(|index| self.places.get(index));
        place.is_some_and(|(count, future)| u64::from(*count) == taken && future.is_some())
    }

    fn remove(&mut self, ticket: u64) -> Option<Py<PyAny>> {
        let (taken, index) = (ticket >> 32, ticket & u64::from(u32::MAX));
        let place = self.places.get_mut(usize::try_from(index).ok()?)?;
        if u64::from(place.0) != taken {
            return None;
        }
        let future = place.1.take()?;
        place.0 = place.0.wrapping_add(1);
        self.free.push(u32::try_from(index).ok()?);
        Some(future)
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
