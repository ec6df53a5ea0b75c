//! The class `Client`: from Python's arguments to a packed request, and its future.

use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use glide_scripts_core::{
    BatchOptions, CallId, Client as CoreClient, Entry, Error, Kind, Mode, Packer, ReplyTo, Request, Route,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyWeakrefReference};

use crate::arguments::{elements, milliseconds};
use crate::batch::Batch;
use crate::bridge::{Bridge, Waiting};
use crate::command::{Command, Routing, Sent, pack_keys, pack_script};
use crate::errors::to_python;
use crate::library::Library;
use crate::pending::Pending;
use crate::script::Script;
use crate::{config, route, runtime, stats};

/// A client's connection to the I/O thread. Every call gives what its reply is awaited with, by the running loop.
#[pyclass(frozen, weakref, module = "glide_scripts._core")]
pub(crate) struct Client {
    core: ManuallyDrop<CoreClient>,
    /// Who is asked for its passwords, and by which ticket.
    password_source: Option<(Py<Bridge>, u64)>,
    generation: u64,
    in_cluster: bool,
}

type Started<'py> = PyResult<Bound<'py, Pending>>;

#[pymethods]
impl Client {
    /// Makes a client; awaiting gives OK once it can serve, or the error that it cannot.
    #[staticmethod]
    fn open<'py>(settings: &Bound<'py, PyDict>) -> PyResult<(Self, Bound<'py, Pending>)> {
        let py = settings.py();
        let _entered = runtime::enter()?;
        let (bridge, event_loop) = Bridge::of_running_loop(py)?;
        let callback: Option<Bound<'_, PyAny>> = settings.as_any().get_item("password_callback")?.extract()?;
        let callback = callback.map(|callback| PyWeakrefReference::new(&callback)).transpose()?;
        let source = callback.map(|callback| bridge.get().password_source(callback.unbind()));
        let (password_ticket, source) = source.unzip();
        let password_source = password_ticket.map(|ticket| (bridge.clone_ref(py), ticket));
        let config = config::from_settings(settings, source)?;
        let in_cluster = config.mode != Mode::Standalone;
        let Waiting { pending, reply_to } = Bridge::wait(bridge.bind(py), &event_loop, None, Instant::now())?;
        let core = runtime::with_io_thread(|io| CoreClient::open(config, io, reply_to))?;
        let core = ManuallyDrop::new(core);
        let client = Self { core, password_source, generation: runtime::generation(), in_cluster };
        Ok((client, pending))
    }

    /// EVALSHA of a script, with what the client does where it is missing. `kill`: it is to be killed if its deadline
    /// passes while it runs.
    #[pyo3(signature = (script, keys, args, timeout, route=None, kill=false))]
    fn invoke_script<'py>(
        slf: &Bound<'py, Self>,
        script: &Bound<'py, PyAny>,
        keys: Option<&Bound<'py, PyAny>>,
        args: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
        route: Option<&Bound<'py, PyTuple>>,
        kill: bool,
    ) -> Started<'py> {
        let py = script.py();
        let _entered = runtime::enter()?;
        let script = Script::expected(script)?;
        let timeout = milliseconds(timeout)?;
        let (packer, route) = pack_script(py, script, keys, args, route, slf.get().in_cluster)?;
        let mut request = packer.finish(script.carries_code());
        if kill {
            request = request.killed_on_timeout();
        }
        Self::call(slf, request, route, timeout)
    }

    /// A command, word by word; see the fields of `Command` and `Routing`.
    #[pyo3(signature = (
        words, timeout, *, read_only=false, code=None, library=None, admin=false, keys=None, step=None, route=None,
        gather=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "all but two are keywords in Python")]
    fn command<'py>(
        slf: &Bound<'py, Self>,
        words: &Bound<'py, PyAny>,
        timeout: Option<&Bound<'py, PyAny>>,
        read_only: bool,
        code: Option<&Bound<'py, PyBytes>>,
        library: Option<&Bound<'py, Library>>,
        admin: bool,
        keys: Option<(usize, usize)>,
        step: Option<usize>,
        route: Option<&Bound<'py, PyTuple>>,
        gather: Option<&str>,
    ) -> Started<'py> {
        let _entered = runtime::enter()?;
        let timeout = milliseconds(timeout)?;
        let in_cluster = slf.get().in_cluster;
        let routing = Routing { in_cluster, sent: Sent::Alone, keys, step, route, gather };
        let command = Command { words, read_only, code, library, admin, routing };
        match command.pack()? {
            Entry::Whole { request, route, .. } => Self::call(slf, request, route, timeout),
            Entry::Parts { parts, gather } => {
                let Waiting { pending, reply_to } = Self::wait(slf)?;
                slf.get().core.call_in_parts(parts, gather, timeout, reply_to);
                Ok(pending)
            }
        }
    }

    /// Sends a batch; the future gets None where a watched key had changed, else its commands' results and the index
    /// of the first that is an error. `watch` names the watch that a transaction ends.
    #[pyo3(signature = (batch, timeout, *, route=None, retry_connection_error=false, watch=None))]
    fn exec<'py>(
        slf: &Bound<'py, Self>,
        batch: &Bound<'py, Batch>,
        timeout: Option<&Bound<'py, PyAny>>,
        route: Option<&Bound<'py, PyTuple>>,
        retry_connection_error: bool,
        watch: Option<u64>,
    ) -> Started<'py> {
        let _entered = runtime::enter()?;
        let (timeout, route) = (milliseconds(timeout)?, route.map(route::parse).transpose()?);
        let options = BatchOptions { timeout, route, retries_lost: retry_connection_error, watch };
        let Waiting { pending, reply_to } = Self::wait(slf)?;
        let batch = batch.get().core().clone();
        slf.get().core.exec(batch, options, reply_to);
        Ok(pending)
    }

    /// Watches keys, on a connection that `watch` names and that nobody else uses.
    fn watch<'py>(
        slf: &Bound<'py, Self>,
        watch: u64,
        keys: &Bound<'py, PyAny>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Started<'py> {
        let py = keys.py();
        let _entered = runtime::enter()?;
        let (keys, timeout) = (elements("keys", keys)?, milliseconds(timeout)?);
        if keys.len() == 0 {
            return Err(PyValueError::new_err("keys is empty; pass at least one"));
        }
        let mut packer = Packer::command(1 + keys.len());
        packer.word(b"WATCH");
        pack_keys(py, &keys, slf.get().in_cluster, &mut packer)?;
        let route = packer.route();
        let Waiting { pending, reply_to } = Self::wait(slf)?;
        slf.get().core.watch(watch, Some((packer.finish(false), route)), timeout, reply_to);
        Ok(pending)
    }

    /// Ends the watch.
    fn unwatch<'py>(slf: &Bound<'py, Self>, watch: u64, timeout: Option<&Bound<'py, PyAny>>) -> Started<'py> {
        let _entered = runtime::enter()?;
        let timeout = milliseconds(timeout)?;
        let Waiting { pending, reply_to } = Self::wait(slf)?;
        slf.get().core.watch(watch, None, timeout, reply_to);
        Ok(pending)
    }

    /// Nobody will use the connection of that name again.
    fn release(&self, watch: u64) {
        if self.is_ours() {
            self.core.release(watch);
        }
    }

    /// Connections to come log in with that password, and with `authenticate` those that there are, too.
    fn update_password<'py>(slf: &Bound<'py, Self>, password: Option<String>, authenticate: bool) -> Started<'py> {
        let _entered = runtime::enter()?;
        let Waiting { pending, reply_to } = Self::wait(slf)?;
        slf.get().core.update_password(password, authenticate, reply_to);
        Ok(pending)
    }

    /// What the client has counted: see `crate::stats`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.check_ours(py)?;
        stats::to_python(py, self.core.stats())
    }

    /// The future gets OK once the connections are gone; None in a child of the process that made the client.
    fn close<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, Pending>>> {
        if !slf.get().is_ours() {
            return Ok(None);
        }
        let _entered = runtime::enter()?;
        let Waiting { pending, reply_to } = Self::wait(slf)?;
        slf.get().core.close(reply_to);
        Ok(Some(pending))
    }

    /// Closes it, and nobody waits for the end.
    fn abandon(&self) {
        if self.is_ours() {
            self.core.close(ReplyTo::nobody());
        }
    }

    #[getter]
    fn is_closed(&self) -> bool {
        !self.is_ours() || self.core.is_closed()
    }
}

impl Client {
    /// Whether it was made in this process.
    fn is_ours(&self) -> bool {
        self.generation == runtime::generation()
    }

    fn call<'py>(slf: &Bound<'py, Self>, request: Request, route: Route, timeout: Option<Duration>) -> Started<'py> {
        let now = Instant::now();
        let (bridge, Waiting { pending, reply_to }) = Self::wait_on_bridge(slf, now)?;
        let core = &slf.get().core;
        core.enqueue(request, route, timeout, now, reply_to);
        Bridge::ring(bridge.bind(slf.py()), core.bell(), now)?;
        Ok(pending)
    }

    fn wait<'py>(slf: &Bound<'py, Self>) -> PyResult<Waiting<'py>> {
        Ok(Self::wait_on_bridge(slf, Instant::now())?.1)
    }

    fn wait_on_bridge<'py>(slf: &Bound<'py, Self>, now: Instant) -> PyResult<(Py<Bridge>, Waiting<'py>)> {
        let py = slf.py();
        slf.get().check_ours(py)?;
        let (bridge, event_loop) = Bridge::of_running_loop(py)?;
        let waiting = Bridge::wait(bridge.bind(py), &event_loop, Some(slf.clone().unbind()), now)?;
        Ok((bridge, waiting))
    }

    /// The caller of that call is gone.
    pub(crate) fn cancel(&self, id: CallId) -> PyResult<()> {
        let _entered = runtime::enter()?;
        if self.is_ours() {
            self.core.cancel(id);
        }
        Ok(())
    }

    fn check_ours(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_ours() {
            return Ok(());
        }
        let message = "this client was made in the parent process, before the fork; make a new one here";
        Err(to_python(py, Error::new(Kind::Closing, message)))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A parent's client is left alone: its thread is not here, and may have held a lock when the process forked.
        if self.is_ours() {
            if let Some((bridge, ticket)) = self.password_source.take() {
                bridge.get().forget_password_source(ticket);
            }
            // SAFETY: it is not used after this, for it is being dropped.
            unsafe { ManuallyDrop::drop(&mut self.core) };
        }
    }
}
