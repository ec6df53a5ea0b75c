//! When Rust may call Python: not after the interpreter has begun to end; and some code only on the main thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyImportError, PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;

use super::io_thread::stop_io_thread;

/// How many [`Entered`] there are, of all threads.
static ENTERED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many of them belong to this thread: only these exist in the child of a fork.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

static ENDING: AtomicBool = AtomicBool::new(false);

/// Has forks counted, and [`end`] called when the interpreter ends.
pub(crate) fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Windows has no forks.
    #[cfg(unix)]
    have_forks_counted()?;
    let end = wrap_pyfunction!(end, module)?;
    module.py().import("atexit")?.call_method1("register", (end,))?;
    Ok(())
}

#[cfg(unix)]
fn have_forks_counted() -> std::io::Result<()> {
    extern "C" fn in_child() {
        super::fork::count_fork();
        // Only the thread that forked exists in the child, and it is the main thread there.
        IS_MAIN.set(Some(true));
        ENTERED.store(DEPTH.get(), Ordering::SeqCst);
    }
    // SAFETY: the handler does nothing but set atomics and cells of its thread, which is allowed between fork and exec.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => Ok(()),
        failed => Err(std::io::Error::from_raw_os_error(failed)),
    }
}

/// Objects that exist once per process, such as the types of the bindings, belong to one interpreter.
pub(crate) fn refuse_subinterpreters() -> PyResult<()> {
    const MAIN: i64 = 0;
    // SAFETY: the interpreter is attached.
    let id = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if id == MAIN {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "glide_scripts runs in a process's main interpreter only, and this is a subinterpreter; under mod_wsgi set \
         \"WSGIApplicationGroup %{GLOBAL}\", under uWSGI \"single-interpreter = true\"",
    ))
}

/// Held while Rust may call Python. The end of the interpreter waits for it: `CPython` before 3.14 unwinds a daemon
/// thread that still runs then, and to unwind through the frames of Rust would abort the process.
pub(crate) struct Entered(());

/// Fails once the interpreter is ending.
pub(crate) fn enter() -> PyResult<Entered> {
    ENTERED.fetch_add(1, Ordering::SeqCst);
    DEPTH.set(DEPTH.get() + 1);
    let entered = Entered(());
    if is_ending() {
        return Err(PyRuntimeError::new_err("the interpreter is ending"));
    }
    Ok(entered)
}

pub(crate) fn is_ending() -> bool {
    ENDING.load(Ordering::SeqCst)
}

impl Drop for Entered {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        ENTERED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether Rust may call a program's own code on this thread, which may take any time: on the main thread, which
/// outlives the others, or where `CPython` does not unwind threads.
pub(crate) fn may_run_user_code(py: Python<'_>) -> bool {
    is_main_thread(py) || py.version_info() >= (3, 14)
}

thread_local! {
    /// Whether this thread handles signals; `None` before it was asked for.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Whether this is the thread that handles signals.
pub(crate) fn is_main_thread(py: Python<'_>) -> bool {
    IS_MAIN.get().unwrap_or_else(|| {
        let is_main = handles_signals(py).unwrap_or(false);
        IS_MAIN.set(Some(is_main));
        is_main
    })
}

/// `CPython` says it only by what it refuses to other threads. `threading` knows it, too, but not under gevent, where its
/// threads are greenlets.
fn handles_signals(py: Python<'_>) -> PyResult<bool> {
    const NO_DESCRIPTOR: i32 = i32::MAX;
    let result = py.import("signal")?.call_method1("set_wakeup_fd", (NO_DESCRIPTOR,));
    Ok(!result.is_err_and(|error| error.is_instance_of::<PyValueError>(py)))
}

/// Called when the interpreter ends: starts nothing more, and waits for what has been started.
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
