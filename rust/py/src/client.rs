//! The class `Client`: starts calls, and gives Python a `Pending` or a `BlockingPending` for each.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use glide_scripts_core::{BatchOptions, Client as CoreClient, Entry, Mode, Packer, ReplyTo, Request, Route};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::arguments::{elements, milliseconds};
use crate::batch::Batch;
use crate::blocking::pending::BlockingPending;
use crate::command::{Command, Routing, Sent, pack_keys, pack_script};
use crate::event_loop::bridge::Bridge;
use crate::event_loop::runtime::Runtime;
use crate::library::Library;
use crate::once::OnceArguments;
use crate::probes;
use crate::process::fork::ForkLocal;
use crate::process::interpreter::enter;
use crate::process::io_thread::with_io_thread;
use crate::script::Script;
use crate::{blocking, config, errors, route, stats};

/// A client of the core. Each call gives a `Pending`, which a task awaits; or a `BlockingPending`, if threads
/// wait for the client's calls.
#[pyclass(frozen, weakref, module = "glide_scripts._core")]
pub(crate) struct Client {
    core: Arc<ForkLocal<CoreClient>>,
    in_cluster: bool,
    is_blocking: bool,
    /// Unset while a client that may be used on any runtime has not been used.
    runtime: OnceLock<Runtime>,
    /// Called at its first call, with the run of trio that such a client then belongs to.
    on_trio_run: Option<Py<PyAny>>,
}

type Started<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Client {
    /// Makes a client. Awaiting the result gives OK when the client can serve, or raises the reason why it cannot.
    #[staticmethod]
    fn open<'py>(settings: &Bound<'py, PyDict>) -> PyResult<(Self, Bound<'py, PyAny>)> {
        let py = settings.py();
        let _entered = enter()?;
        let setting = |name| settings.as_any().get_item(name)?.extract();
        let (is_blocking, is_of_any_runtime): (bool, bool) = (setting("blocking")?, setting("any_runtime")?);
        let own_runtime = OnceLock::new();
        let (config, pending, reply_to) = if is_blocking {
            let config = config::from_settings(settings, blocking::questions::questioner)?;
            let (pending, reply_to) = BlockingPending::expect_reply(py, None, 1)?;
            (config, pending.into_any(), reply_to)
        } else {
            let runtime = Runtime::running(py)?;
            let here = runtime.here(py)?;
            let config = config::from_settings(settings, |callback| here.bridge.get().questioner(callback))?;
            let (pending, reply_to, _) = Bridge::expect_reply(&here, None, 1)?;
            if !is_of_any_runtime {
                let _ = own_runtime.set(runtime);
            }
            (config, pending.into_any(), reply_to)
        };
        let in_cluster = config.mode != Mode::Standalone;
        let core = Arc::new(ForkLocal::new(with_io_thread(|io| CoreClient::open(config, io, reply_to))?));
        Ok((Self { core, in_cluster, is_blocking, runtime: own_runtime, on_trio_run: None }, pending))
    }

    /// Makes a client that connects at its first call; no event loop has to run, unless there are callbacks to ask.
    /// `on_trio_run` is called with the run of trio that makes the first call.
    #[staticmethod]
    fn open_unconnected(settings: &Bound<'_, PyDict>, on_trio_run: Py<PyAny>) -> PyResult<Self> {
        let py = settings.py();
        let _entered = enter()?;
        let is_blocking: bool = settings.as_any().get_item("blocking")?.extract()?;
        let config = config::from_settings(settings, |callback| {
            if is_blocking {
                return blocking::questions::questioner(callback);
            }
            Runtime::running(py)?.here(py)?.bridge.get().questioner(callback)
        })?;
        let in_cluster = config.mode != Mode::Standalone;
        let core = Arc::new(ForkLocal::new(with_io_thread(|io| CoreClient::open(config, io, ReplyTo::nobody()))?));
        Ok(Self { core, in_cluster, is_blocking, runtime: OnceLock::new(), on_trio_run: Some(on_trio_run) })
    }

    /// Calls a script. `kill`: the server is asked to kill it if its deadline passes while it runs.
    #[pyo3(signature = (script, keys, args, timeout, route=None, kill=false, once=None, once_ttl=None))]
    #[expect(clippy::too_many_arguments, reason = "half of them are keywords in Python")]
    fn invoke_script<'py>(
        &self,
        script: &Bound<'py, PyAny>,
        keys: Option<&Bound<'py, PyAny>>,
        args: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
        route: Option<&Bound<'py, PyTuple>>,
        kill: bool,
        once: Option<&Bound<'py, PyAny>>,
        once_ttl: Option<&Bound<'py, PyAny>>,
    ) -> Started<'py> {
        let py = script.py();
        let _entered = enter()?;
        let sent = probes::sent(script)?;
        let script = Script::expected(&sent)?;
        let timeout = milliseconds(timeout)?;
        let once = OnceArguments { once, ttl: once_ttl };
        let own_id = || self.core.get().map(|core| core.own_ids().next()).unwrap_or_default();
        let (packer, route) = pack_script(py, script, keys, args, route, once, own_id, self.in_cluster)?;
        let mut request = packer.finish(script.carries_code());
        if kill {
            request = request.killed_on_timeout();
        }
        self.enqueue(py, request, route, timeout)
    }

    /// Calls a command, given word by word; see the fields of `Command` and `Routing`.
    #[pyo3(signature = (
        words, timeout, *, read_only=false, code=None, library=None, keys=None, step=None, route=None,
        gather=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "all but two are keywords in Python")]
    fn command<'py>(
        &self,
        words: &Bound<'py, PyAny>,
        timeout: Option<&Bound<'py, PyAny>>,
        read_only: bool,
        code: Option<&Bound<'py, PyBytes>>,
        library: Option<&Bound<'py, Library>>,
        keys: Option<(usize, usize)>,
        step: Option<usize>,
        route: Option<&Bound<'py, PyTuple>>,
        gather: Option<&str>,
    ) -> Started<'py> {
        let py = words.py();
        let _entered = enter()?;
        let timeout = milliseconds(timeout)?;
        let routing = Routing { in_cluster: self.in_cluster, sent: Sent::Alone, keys, step, route, gather };
        let command = Command { words, read_only, code, library, routing };
        match command.pack()? {
            Entry::Whole { request, route, .. } => self.enqueue(py, request, route, timeout),
            Entry::Parts { parts, gather } => {
                self.send(py, 1, |core, reply_to| core.call_in_parts(parts, gather, timeout, reply_to))
            }
        }
    }

    /// Sends a batch. Awaiting gives None where a watched key had changed; else the commands' results, and the index of
    /// the first that is an error. `watch` names the watch that a transaction ends.
    #[pyo3(signature = (batch, timeout, *, route=None, retry_connection_error=false, watch=None))]
    fn exec<'py>(
        &self,
        batch: &Bound<'py, Batch>,
        timeout: Option<&Bound<'py, PyAny>>,
        route: Option<&Bound<'py, PyTuple>>,
        retry_connection_error: bool,
        watch: Option<u64>,
    ) -> Started<'py> {
        let py = batch.py();
        let _entered = enter()?;
        let timeout = milliseconds(timeout)?;
        let route = route.map(route::parse).transpose()?;
        let options = BatchOptions { timeout, route, retries_lost: retry_connection_error, watch };
        let batch = batch.get().core().clone();
        self.send(py, batch.entries().len(), |core, reply_to| core.exec(batch, options, reply_to))
    }

    /// Sends WATCH on a connection that only this watch uses; `watch` names both.
    fn watch<'py>(&self, watch: u64, keys: &Bound<'py, PyAny>, timeout: Option<&Bound<'py, PyAny>>) -> Started<'py> {
        let py = keys.py();
        let _entered = enter()?;
        let (keys, timeout) = (elements("keys", keys)?, milliseconds(timeout)?);
        if keys.len() == 0 {
            return Err(PyValueError::new_err("keys is empty; pass at least one"));
        }
        let mut packer = Packer::command(1 + keys.len());
        packer.word(b"WATCH");
        pack_keys(py, &keys, self.in_cluster, &mut packer)?;
        let route = packer.route();
        let keys = Some((packer.finish(false), route));
        self.send(py, 1, |core, reply_to| core.watch(watch, keys, timeout, reply_to))
    }

    /// Ends the watch.
    fn unwatch<'py>(&self, py: Python<'py>, watch: u64, timeout: Option<&Bound<'py, PyAny>>) -> Started<'py> {
        let _entered = enter()?;
        let timeout = milliseconds(timeout)?;
        self.send(py, 1, |core, reply_to| core.watch(watch, None, timeout, reply_to))
    }

    /// Gives back the connection of a watch.
    fn release(&self, watch: u64) {
        if let Some(core) = self.core.get() {
            core.release(watch);
        }
    }

    /// Learns in the background which node has which slots.
    fn refresh(&self) {
        if let Some(core) = self.core.get() {
            core.refresh();
        }
    }

    /// New connections log in with that password. With `authenticate`, open ones log in with it, too.
    fn update_password<'py>(&self, py: Python<'py>, password: Option<String>, authenticate: bool) -> Started<'py> {
        let _entered = enter()?;
        self.send(py, 1, |core, reply_to| core.update_password(password, authenticate, reply_to))
    }

    /// What the client has counted: see `crate::stats`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats::to_python(py, self.core(py)?.stats())
    }

    /// Awaiting gives OK once the connections are gone. None in a child of the process that made the client. Any
    /// runtime may close it. `text`: the error text of calls in flight.
    #[pyo3(signature = (text=None))]
    fn close<'py>(&self, py: Python<'py>, text: Option<&str>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.core.get().is_none() {
            return Ok(None);
        }
        let _entered = enter()?;
        if self.is_blocking {
            return self.block(py, 1, |core, closed| core.close(text, closed)).map(Some);
        }
        let here = Runtime::running(py)?.here(py)?;
        let (pending, reply_to, _) = Bridge::expect_reply(&here, Some(self.core.clone()), 1)?;
        self.core(py)?.close(text, reply_to);
        Ok(Some(pending.into_any()))
    }

    /// Closes it without waiting for the end.
    fn abandon(&self) {
        if let Some(core) = self.core.get() {
            core.close(None, ReplyTo::nobody());
        }
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.core.get().is_none_or(CoreClient::is_closed)
    }
}

impl Client {
    /// Starts a call. One wake of the I/O thread may serve several of them.
    fn enqueue<'py>(&self, py: Python<'py>, request: Request, route: Route, timeout: Option<Duration>) -> Started<'py> {
        if self.is_blocking {
            let core = self.core(py)?;
            let (pending, reply_to) = BlockingPending::expect_reply(py, Some(self.core.clone()), 1)?;
            core.enqueue(request, route, timeout, Instant::now(), reply_to);
            pending.borrow_mut().wake_io_thread_soon();
            return Ok(pending.into_any());
        }
        self.start(py, self.runtime(py)?, 1, |core, bridge, reply_to, now| {
            core.enqueue(request, route, timeout, now, reply_to);
            Bridge::wake_for_call(bridge, core.bell(), now)
        })
    }

    /// Starts a call of that many commands, and wakes the I/O thread at once.
    fn send<'py>(&self, py: Python<'py>, commands: usize, call: impl FnOnce(&CoreClient, ReplyTo)) -> Started<'py> {
        if self.is_blocking {
            return self.block(py, commands, call);
        }
        self.start(py, self.runtime(py)?, commands, |core, _, reply_to, _| {
            call(core, reply_to);
            Ok(())
        })
    }

    /// Starts a call that a thread waits for.
    fn block<'py>(&self, py: Python<'py>, commands: usize, call: impl FnOnce(&CoreClient, ReplyTo)) -> Started<'py> {
        let core = self.core(py)?;
        let (pending, reply_to) = BlockingPending::expect_reply(py, Some(self.core.clone()), commands)?;
        call(core, reply_to);
        Ok(pending.into_any())
    }

    /// Starts a call that a task waits for, unless the task is cancelled already.
    #[inline]
    fn start<'py>(
        &self,
        py: Python<'py>,
        runtime: &Runtime,
        commands: usize,
        call: impl FnOnce(&CoreClient, &Bound<'py, Bridge>, ReplyTo, Instant) -> PyResult<()>,
    ) -> Started<'py> {
        let core = self.core(py)?;
        let here = runtime.here(py)?;
        if here.is_cancelled {
            return Ok(Bridge::never_sent(&here)?.into_any());
        }
        let (pending, reply_to, now) = Bridge::expect_reply(&here, Some(self.core.clone()), commands)?;
        call(core, &here.bridge, reply_to, now)?;
        Ok(pending.into_any())
    }

    /// The runtime that the client's calls are awaited on: decided before, or the caller's.
    #[inline]
    fn runtime(&self, py: Python<'_>) -> PyResult<&Runtime> {
        match self.runtime.get() {
            Some(runtime) => Ok(runtime),
            None => {
                let running = Runtime::running(py)?;
                let run = running.run(py);
                let mut is_first = false;
                let runtime = self.runtime.get_or_init(|| {
                    is_first = true;
                    running
                });
                if let Some((on_trio_run, run)) = self.on_trio_run.as_ref().zip(run).filter(|_| is_first) {
                    on_trio_run.call1(py, (run,))?;
                }
                Ok(runtime)
            }
        }
    }

    /// An error in a child of the process that made the client.
    fn core(&self, py: Python<'_>) -> PyResult<&CoreClient> {
        self.core.get().ok_or_else(|| errors::to_python(py, errors::made_before_fork()))
    }
}
