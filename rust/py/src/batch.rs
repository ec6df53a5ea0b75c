//! The class `Batch`: commands packed as they are added.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glide_scripts_core::{Batch as CoreBatch, Entry, Library as CoreLibrary, Packer};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::command::{self, Target, choose_route, pack_keys};
use crate::convert::{Elements, elements};
use crate::errors::wrong_type;
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

    /// Adds a command, and says which one it is.
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

    /// Adds EVALSHA of a script, with what the client does where it is missing; which command of the batch it is.
    #[pyo3(signature = (script, keys, args, route=None))]
    fn invoke_script(
        &self,
        script: &Bound<'_, PyAny>,
        keys: Option<&Bound<'_, PyAny>>,
        args: Option<&Bound<'_, PyAny>>,
        route: Option<&Bound<'_, PyTuple>>,
    ) -> PyResult<usize> {
        let py = script.py();
        let Ok(script) = script.cast::<Script>() else { return Err(wrong_type("script", script, "a Script")) };
        let script = script.get();
        let keys = keys.map_or_else(|| Ok(Elements::none(py)), |keys| elements("keys", keys))?;
        let args = args.map_or_else(|| Ok(Elements::none(py)), |args| elements("args", args))?;
        let mut packer = Packer::script(script.core(), keys.len(), args.len());
        pack_keys(py, &keys, self.in_cluster, &mut packer)?;
        args.pack("args", &mut packer)?;
        let route = choose_route(py, route, packer.route())?;
        let key = packer.first_key().map(<[u8]>::to_vec);
        let request = packer.finish(script.carries_code());
        Ok(self.push(Entry::Whole { request, route, key }))
    }

    /// Adds a command; see `Client.command`. Which one of the batch it is.
    #[pyo3(signature = (
        words, *, read_only=false, code=None, library=None, admin=false, keys=None, step=None, route=None, gather=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "all but one are keywords in Python")]
    fn command(
        &self,
        words: &Bound<'_, PyAny>,
        read_only: bool,
        code: Option<&Bound<'_, PyBytes>>,
        library: Option<&Bound<'_, Library>>,
        admin: bool,
        keys: Option<(usize, usize)>,
        step: Option<usize>,
        route: Option<&Bound<'_, PyTuple>>,
        gather: Option<&str>,
    ) -> PyResult<usize> {
        let py = words.py();
        let in_cluster = self.in_cluster;
        let splits = !self.core().is_atomic();
        let target = Target { in_cluster, in_batch: true, splits, keys, step, route, gather };
        let about = command::About { read_only, code, library, admin };
        let entry = command::pack(py, words, &target, &about)?;
        Ok(self.push(entry))
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

/// What a batch's `route` leads to: one node.
pub(crate) fn route(py: Python<'_>, asked: Option<&Bound<'_, PyTuple>>) -> PyResult<Option<glide_scripts_core::Route>> {
    asked.map(|asked| choose_route(py, Some(asked), glide_scripts_core::Route::Any)).transpose()
}

/// The code of a library of functions, shared with the requests that call them.
#[pyclass(frozen, module = "glide_scripts._core")]
pub(crate) struct Library(Arc<CoreLibrary>);

#[pymethods]
impl Library {
    #[new]
    fn new(code: &Bound<'_, PyBytes>) -> Self {
        Self(Arc::new(CoreLibrary::new(code.as_bytes().to_vec())))
    }
}

impl Library {
    pub(crate) fn core(&self) -> &Arc<CoreLibrary> {
        &self.0
    }
}
