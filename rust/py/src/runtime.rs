//! The process's I/O thread: started when first needed, again in a forked child, stopped when the interpreter ends.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glide_scripts_core::IoThread;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// How many forks lie between this process and the one that loaded the module.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Threads in which Rust may be calling Python, and how often one within the other.
static ENTERED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's part of them: all that is left in the child of a fork.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

static ENDING: AtomicBool = AtomicBool::new(false);

static IO_THREAD: Mutex<Option<(u64, IoThread)>> = Mutex::new(None);

/// Threads do not survive a fork: what belongs to another generation must be neither used nor dropped.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

pub(crate) fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[cfg(unix)]
    {
        extern "C" fn count_fork() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            ENTERED.store(DEPTH.get(), Ordering::SeqCst);
        }
        // SAFETY: the handler does nothing but set atomics, which is allowed between fork and exec.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        if failed != 0 {
            return Err(std::io::Error::from_raw_os_error(failed).into());
        }
    }
    let end = wrap_pyfunction!(end, module)?;
    module.py().import("atexit")?.call_method1("register", (end,))?;
    Ok(())
}

/// Held while Rust may call Python: a daemon thread that meets the end of the interpreter there would abort the
/// process, because `CPython` before 3.14 unwinds such a thread through the frames of Rust.
pub(crate) struct Entered(());

/// Fails once the interpreter is ending.
pub(crate) fn enter() -> PyResult<Entered> {
    ENTERED.fetch_add(1, Ordering::SeqCst);
    DEPTH.set(DEPTH.get() + 1);
    let entered = Entered(());
    if ENDING.load(Ordering::SeqCst) {
        return Err(PyRuntimeError::new_err("the interpreter is ending"));
    }
    Ok(entered)
}

impl Drop for Entered {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        ENTERED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether this thread may run a program's own code for as long as that takes while Rust waits for it: if it is the
/// main thread, after which nothing is left to end, or if `CPython` does not unwind threads.
pub(crate) fn may_run_python(py: Python<'_>) -> bool {
    static MAIN: PyOnceLock<Option<u64>> = PyOnceLock::new();
    // SAFETY: the interpreter is attached.
    #[allow(clippy::useless_conversion, reason = "it is of 32 bits on some systems")]
    let this = u64::try_from(unsafe { ffi::PyThread_get_thread_ident() }).ok();
    let main = MAIN.get_or_init(py, || {
        let main = py.import("threading").and_then(|threading| threading.call_method0("main_thread"));
        main.and_then(|main| main.getattr("ident")?.extract()).ok()
    });
    (this.is_some() && *main == this) || py.version_info() >= (3, 14)
}

/// What runs when the interpreter ends: nothing is started any more, and what has been is waited for.
#[pyfunction]
fn end(py: Python<'_>) {
    const BOUND: Duration = Duration::from_secs(1);
    ENDING.store(true, Ordering::SeqCst);
    stop_io_thread(py);
    py.detach(|| {
        let deadline = Instant::now() + BOUND;
        while ENTERED.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

pub(crate) fn with_io_thread<T>(work: impl FnOnce(&IoThread) -> T) -> PyResult<T> {
    let mut slot = IO_THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    let current = generation();
    if slot.as_ref().is_none_or(|(generation, _)| *generation != current) {
        // The parent's thread does not exist here, and what it held when the process forked may be locked for good.
        std::mem::forget(slot.take());
        *slot = Some((current, IoThread::start()?));
    }
    let (_, io_thread) = slot.as_ref().expect("it was started above");
    Ok(work(io_thread))
}

/// Ends the I/O thread. Calls under way end with `ClosingError`; the next client starts a new thread.
#[pyfunction]
pub(crate) fn stop_io_thread(py: Python<'_>) {
    const BOUND: Duration = Duration::from_secs(1);
    let mut slot = IO_THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    match slot.take() {
        Some((generation, io_thread)) if generation == self::generation() => {
            drop(slot);
            py.detach(|| io_thread.stop(BOUND));
        }
        of_the_parent => std::mem::forget(of_the_parent),
    }
}
