//! The class `Batch`: commands packed as they are added; and the class that adds scripts to one for Python.

use std::sync::{Mutex, MutexGuard, PoisonError};

use glide_scripts_core::{Batch as CoreBatch, Entry, OwnIds};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::command::{Command, Routing, Sent, pack_script};
use crate::library::Library;
use crate::once::OnceArguments;
use crate::probes;
use crate::process::kept::intern;
use crate::script::Script;

/// Commands to be sent together.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct Batch {
    core: Mutex<CoreBatch>,
    in_cluster: bool,
}

impl Batch {
    pub(crate) fn core(&self) -> MutexGuard<'_, CoreBatch> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a command, and gives its index.
    fn push(&self, entry: Entry) -> usize {
        let mut core = self.core();
        core.push(entry);
        core.entries().len() - 1
    }
}

#[pymethods]
impl Batch {
    #[new]
    #[pyo3(signature = (*, atomic, cluster))]
    fn new(atomic: bool, cluster: bool) -> Self {
        Self { core: Mutex::new(CoreBatch::new(atomic)), in_cluster: cluster }
    }

    /// Adds a call of a script, and gives its index in the batch.
    #[pyo3(signature = (script, keys, args, route=None, once=None, once_ttl=None))]
    fn invoke_script(
        &self,
        script: &Bound<'_, PyAny>,
        keys: Option<&Bound<'_, PyAny>>,
        args: Option<&Bound<'_, PyAny>>,
        route: Option<&Bound<'_, PyTuple>>,
        once: Option<&Bound<'_, PyAny>>,
        once_ttl: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        let py = script.py();
        let sent = probes::sent(script)?;
        let script = Script::expected(&sent)?;
        let once = OnceArguments { once, ttl: once_ttl };
        // Each time that a client sends the batch, it makes the id.
        let own_id = || vec![b'0'; OwnIds::LENGTH];
        let (packer, route) = pack_script(py, script, keys, args, route, once, own_id, self.in_cluster)?;
        let key = packer.first_key().map(<[u8]>::to_vec);
        let request = packer.finish(script.carries_code());
        Ok(self.push(Entry::Whole { request, route, key }))
    }

    /// Adds a command, and gives its index; see `Client.command`.
    #[pyo3(signature = (
        words, *, read_only=false, code=None, library=None, keys=None, step=None, route=None, gather=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "all but one are keywords in Python")]
    fn command(
        &self,
        words: &Bound<'_, PyAny>,
        read_only: bool,
        code: Option<&Bound<'_, PyBytes>>,
        library: Option<&Bound<'_, Library>>,
        keys: Option<(usize, usize)>,
        step: Option<usize>,
        route: Option<&Bound<'_, PyTuple>>,
        gather: Option<&str>,
    ) -> PyResult<usize> {
        let sent = if self.is_atomic() { Sent::InTransaction } else { Sent::InPipeline };
        let routing = Routing { in_cluster: self.in_cluster, sent, keys, step, route, gather };
        let command = Command { words, read_only, code, library, routing };
        Ok(self.push(command.pack()?))
    }

    fn clear(&self) {
        self.core().clear();
    }

    fn copy(&self) -> Self {
        Self { core: Mutex::new(self.core().clone()), in_cluster: self.in_cluster }
    }

    #[getter]
    fn is_atomic(&self) -> bool {
        self.core().is_atomic()
    }

    /// The commands' names, for people to read.
    fn names(&self) -> Vec<String> {
        self.core().entries().iter().map(Entry::name).collect()
    }

    fn __len__(&self) -> usize {
        self.core().entries().len()
    }
}

/// The base of Python's batches. Most batches run scripts, thousands of them, so no Python code of this package runs
/// for each.
#[pyclass(subclass, module = "glide_scripts._core")]
pub(crate) struct ScriptBatch {
    /// What it adds to; `None` before Python has set it.
    #[pyo3(get, set, name = "_packed")]
    packed: Option<Py<Batch>>,
}

#[pymethods]
impl ScriptBatch {
    /// Python's class has the parameters, in its `__init__`.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { packed: None }
    }

    /// Add a script. The code is sent only if the server may lack it.
    ///
    /// In a transaction, the script is never missing. In a pipeline, it is missing only if another client has flushed the
    /// server's scripts since this client loaded it. It then runs once, but after the commands that follow it.
    ///
    /// See https://valkey.io/commands/evalsha/ and the client's ``invoke_script``.
    ///
    /// Args:
    ///     script: The script.
    ///     keys: The keys: ``KEYS`` in the script.
    ///     args: The arguments: ``ARGV`` in the script.
    ///     once: As for the client's ``invoke_script``. With True, the client that sends the batch makes a new id each
    ///         time.
    ///     once_ttl: As for the client's ``invoke_script``.
    ///
    /// In the results:
    ///     What the script returns.
    ///
    /// Raises:
    ///     TypeError: ``script`` is not a ``Script``, or ``keys`` or ``args`` is not a list of str or bytes.
    ///     ValueError: ``once`` or ``once_ttl`` cannot be used, as of ``invoke_script``.
    ///     CrossSlotError: ``keys`` are in several slots of a cluster.
    #[expect(clippy::doc_markdown, reason = "the text is Python's docstring")]
    #[pyo3(signature = (script, keys=None, args=None, *, once=None, once_ttl=None))]
    fn invoke_script<'py>(
        slf: Bound<'py, Self>,
        script: &Bound<'py, PyAny>,
        keys: Option<&Bound<'py, PyAny>>,
        args: Option<&Bound<'py, PyAny>>,
        once: Option<&Bound<'py, PyAny>>,
        once_ttl: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !script.is_exact_instance_of::<Script>() {
            // The errors of a typed script hold no secret, and have the classes that its library names.
            return slf.call_method1(intern!(slf.py(), "_invoke_typed"), (script, keys, args, once, once_ttl));
        }
        let this = slf.borrow();
        let Some(packed) = &this.packed else {
            return Err(PyRuntimeError::new_err("the batch was not initialized; call super().__init__()"));
        };
        packed.get().invoke_script(script, keys, args, None, once, once_ttl)?;
        drop(this);
        Ok(slf.into_any())
    }
}
