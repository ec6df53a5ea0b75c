//! The class `Client`: from Python's arguments to a packed request, and its future.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glide_scripts_core::{
    Address, Backoff, BatchOptions, CallId, Client as CoreClient, Config, ConnectionConfig, Credentials, Entry, Error,
    Kind, Mode, Packer, PasswordSource, Protocol, ReadFrom, ReplyTo, Request, Route, Tls, TlsOptions,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyTuple, PyWeakrefReference};

use crate::batch::{self, Batch, Library};
use crate::bridge::{Bridge, Waiting};
use crate::command::{self, Target, choose_route, pack_keys};
use crate::convert::{Elements, elements};
use crate::errors::{to_python, wrong_type};
use crate::pending::Pending;
use crate::runtime;
use crate::script::Script;
use crate::socket;
use crate::stats;

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
        let config = config(settings, source)?;
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
        let Ok(script) = script.cast::<Script>() else { return Err(wrong_type("script", script, "a Script")) };
        let script = script.get();
        let keys = keys.map_or_else(|| Ok(Elements::none(py)), |keys| elements("keys", keys))?;
        let args = args.map_or_else(|| Ok(Elements::none(py)), |args| elements("args", args))?;
        let timeout = milliseconds(timeout)?;
        let mut packer = Packer::script(script.core(), keys.len(), args.len());
        pack_keys(py, &keys, slf.get().in_cluster, &mut packer)?;
        args.pack("args", &mut packer)?;
        let route = choose_route(py, route, packer.route())?;
        let mut request = packer.finish(script.carries_code());
        if kill {
            request = request.killed_on_timeout();
        }
        Self::call(slf, request, route, timeout)
    }

    /// A command, word by word. `code`: it runs this Lua code (or, if empty, some that is not known), so that errors
    /// are a script's. `library`: it calls a function of that. `keys`: which words are keys, as a range, by which a cluster routes it. `step`: its words come
    /// in groups of so many, each with a key, which may be in several slots. `gather`: what several replies make.
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
        let py = words.py();
        let _entered = runtime::enter()?;
        let timeout = milliseconds(timeout)?;
        let in_cluster = slf.get().in_cluster;
        let target = Target { in_cluster, in_batch: false, splits: true, keys, step, route, gather };
        let about = command::About { read_only, code, library, admin };
        match command::pack(py, words, &target, &about)? {
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
        let py = batch.py();
        let _entered = runtime::enter()?;
        let (timeout, route) = (milliseconds(timeout)?, batch::route(py, route)?);
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

/// A `timeout` argument.
fn milliseconds(timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    const LONGEST: f64 = 1e12;
    let Some(timeout) = timeout else { return Ok(None) };
    let is_number = timeout.is_instance_of::<PyInt>() || timeout.is_instance_of::<PyFloat>();
    if !is_number || timeout.is_instance_of::<PyBool>() {
        return Err(wrong_type("timeout", timeout, "milliseconds as an int"));
    }
    let milliseconds = timeout.extract::<f64>().unwrap_or(f64::INFINITY);
    if milliseconds > 0.0 && milliseconds <= LONGEST {
        return Ok(Some(Duration::from_secs_f64(milliseconds / 1000.0)));
    }
    Err(PyValueError::new_err(format!("timeout is {timeout}; pass milliseconds, more than 0 and at most {LONGEST:e}")))
}

/// What a configuration's `_settings()` gives. Its values were checked there; TLS is checked here.
fn config(settings: &Bound<'_, PyDict>, password_source: Option<PasswordSource>) -> PyResult<Config> {
    let setting = |name: &str| settings.as_any().get_item(name);
    let milliseconds = |name: &str| -> PyResult<Duration> { Ok(Duration::from_millis(setting(name)?.extract()?)) };
    let (retries, factor, base, jitter_percent): (u32, u64, u32, u32) = setting("backoff")?.extract()?;
    let addresses: Vec<(String, u16)> = setting("addresses")?.extract()?;
    let password: Option<String> = setting("password")?.getattr("value")?.extract()?;
    let username: Option<String> = setting("username")?.extract()?;
    let credentials = match password_source {
        Some(source) => Credentials::asking(username, source),
        None => Credentials::new(username, password),
    };
    let heartbeat: Option<u64> = setting("heartbeat_interval_ms")?.extract()?;
    let mode = if setting("cluster")?.extract()? {
        let interval: Option<u64> = setting("periodic_checks_ms")?.extract()?;
        Mode::Cluster {
            periodic_checks: interval.map(Duration::from_millis),
            refresh_from_seeds: setting("refresh_from_seeds")?.extract()?,
        }
    } else {
        Mode::Standalone
    };
    Ok(Config {
        mode,
        addresses: addresses.into_iter().map(|(host, port)| Address::new(host, port)).collect(),
        connection: ConnectionConfig {
            tls: tls(&setting("tls")?)?,
            credentials: Arc::new(credentials),
            protocol: if setting("protocol")?.extract::<u8>()? == 2 { Protocol::Resp2 } else { Protocol::Resp3 },
            database: setting("database")?.extract()?,
            client_name: setting("client_name")?.extract()?,
            tcp_nodelay: setting("tcp_nodelay")?.extract()?,
            timeout: milliseconds("connection_timeout_ms")?,
            observed: !setting("observer")?.is_none(),
            backoff: Backoff { retries, factor: Duration::from_millis(factor), base, jitter_percent },
            unacknowledged: socket::UNACKNOWLEDGED,
            transport: glide_scripts_core::system(),
        },
        read_from: read_from(&setting("read_from")?.extract::<String>()?, setting("client_az")?.extract()?),
        request_timeout: milliseconds("request_timeout_ms")?,
        inflight_limit: setting("inflight_limit")?.extract()?,
        lazy: setting("lazy")?.extract()?,
        heartbeat: heartbeat.map(Duration::from_millis),
        pending_bytes_limit: setting("pending_bytes_limit")?.extract()?,
    })
}

fn read_from(name: &str, zone: Option<String>) -> ReadFrom {
    match (name, zone) {
        ("prefer_replica", _) => ReadFrom::PreferReplica,
        ("az_affinity", Some(zone)) => ReadFrom::ZoneReplica(zone),
        ("az_affinity_replicas_and_primary", Some(zone)) => ReadFrom::ZoneReplicaOrPrimary(zone),
        _ => ReadFrom::Primary,
    }
}

fn tls(setup: &Bound<'_, PyAny>) -> PyResult<Option<Tls>> {
    let setup: Option<Bound<'_, TlsSetup>> = setup.extract()?;
    Ok(setup.map(|setup| setup.get().0.clone()))
}

/// TLS, set up from the contents of PEM files. It may read the system's certificates: make it off the event loop.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct TlsSetup(Tls);

#[pymethods]
impl TlsSetup {
    #[new]
    #[pyo3(signature = (*, ca, cert, key, server_name, insecure))]
    fn new(
        py: Python<'_>,
        ca: Option<&[u8]>,
        cert: Option<&[u8]>,
        key: Option<&[u8]>,
        server_name: Option<String>,
        insecure: bool,
    ) -> PyResult<Self> {
        let options = TlsOptions { ca, identity: cert.zip(key), server_name, insecure };
        py.detach(|| options.build()).map(Self).map_err(|error| to_python(py, error))
    }
}
