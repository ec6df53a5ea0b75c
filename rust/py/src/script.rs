//! The class `Script`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use glide_scripts_core::script::{self, IdOfCalls, MadeAt, Options};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::arguments::{utf8, wrong_type};
use crate::once::{declared, refuse_repeatable, seconds, shown};
use crate::process::kept::intern;
use crate::python;

/// A Lua script. The client sends its code to servers that lack it.
///
/// Args:
///     code (str | bytes): The Lua source. A str is encoded as UTF-8.
///     name (str | None): A name for errors, such as the file's.
///     read_only (bool | None): Whether the script writes nothing. The client may run such a script on a replica, and
///         repeats it after a lost connection. None means True if its first line declares `#!lua flags=no-writes`.
///     idempotent (bool): Whether running the script twice has the same effect as running it once. The client repeats
///         such a script after a lost connection.
///     once (bool | tuple[str, int]): Whether each call takes effect at most once, as with `once` of `invoke_script`.
///         True means that the client makes an id for each call. `("args", 0)` or `("keys", 0)` means that this
///         argument or key is the id: the script takes effect once for all calls with the same id.
///     once_ttl (float | None): How long the server keeps the record of a call, in seconds. None means as
///         `invoke_script` says.
///
/// Raises:
///     TypeError: An argument has a wrong type.
///     ValueError: `once` is given for a script that is read-only or idempotent. `once_ttl` is given without `once`, or
///         is not more than 0.
///
/// Scripts with the same code and flags are equal. A script can be pickled, and shared between clients, threads and
/// event loops. See https://valkey.io/topics/eval-intro/.
#[expect(clippy::doc_markdown, reason = "the text is Python's docstring")]
#[pyclass(frozen, subclass, weakref, module = "glide_scripts")]
#[derive(Debug)]
pub(crate) struct Script {
    core: Arc<script::Script>,
    released: AtomicBool,
}

impl Script {
    pub(crate) fn from_core(core: Arc<script::Script>) -> Self {
        Self { core, released: AtomicBool::new(false) }
    }

    /// The argument `script`, which must be one.
    pub(crate) fn expected<'a>(argument: &'a Bound<'_, PyAny>) -> PyResult<&'a Self> {
        argument.cast::<Self>().map(Bound::get).map_err(|_| wrong_type("script", argument, "a Script"))
    }

    pub(crate) fn core(&self) -> &Arc<script::Script> {
        &self.core
    }

    pub(crate) fn carries_code(&self) -> bool {
        !self.released.load(Ordering::Acquire)
    }
}

#[pymethods]
impl Script {
    #[new]
    #[pyo3(
        signature = (
            *arguments, name=None, read_only=None, idempotent=false, once=None, once_ttl=None, **named
        ),
        text_signature = "(code, *, name=None, read_only=None, idempotent=False, once=None, once_ttl=None)",
    )]
    fn new(
        arguments: &Bound<'_, PyTuple>,
        name: Option<&Bound<'_, PyAny>>,
        read_only: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = idempotent_flag)] idempotent: bool,
        once: Option<&Bound<'_, PyAny>>,
        once_ttl: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let made_at = callers_line(arguments.py());
        let code = code_bytes(&only_code(arguments, named)?)?;
        let name = name.map(|name| name.extract().map_err(|_| wrong_type("name", name, "str"))).transpose()?;
        let read_only = match read_only {
            None => script::declares_no_writes(&code),
            Some(flag) => flag.extract().map_err(|_| wrong_type("read_only", flag, "bool or None"))?,
        };
        let (once, once_ttl) = (once.map(declared).transpose()?.flatten(), seconds(once_ttl)?);
        if once.is_some() {
            refuse_repeatable(read_only, idempotent)?;
        } else if once_ttl.is_some() {
            return Err(PyValueError::new_err("once_ttl is given without once; pass once=True, too"));
        }
        let options = Options { name, read_only, idempotent, once, once_ttl, made_at };
        Ok(Self::from_core(Arc::new(script::Script::new(code, options))))
    }

    /// Load a script with its includes and declarations from a file.
    ///
    /// Args:
    ///     path (str | os.PathLike): The file.
    ///     name (str | None): Its name in errors; None means its ``--@name``, or the file's name.
    ///     root (str | os.PathLike | None): The folder that must contain its includes; None means the file's folder.
    ///
    /// Returns:
    ///     TypedScript: The script.
    ///
    /// Raises:
    ///     ScriptSourceError: A file is missing, cannot be read or is not UTF-8, or an include or declaration in it is
    ///         wrong. The text names the file and the line.
    #[expect(clippy::doc_markdown, reason = "the text is Python's docstring")]
    #[staticmethod]
    #[pyo3(signature = (path, *, name=None, root=None))]
    fn from_file<'py>(
        path: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
        root: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        python::module(path.py())?.call_method1("script_from_file", (path, name, root))
    }

    /// Load a script with its includes and declarations from a package, which may be in a zip file.
    ///
    /// Args:
    ///     package (str | types.ModuleType): The package.
    ///     resource (str): The file's path inside the package, with ``/``.
    ///     name (str | None): As for ``from_file``.
    ///
    /// Returns:
    ///     TypedScript: The script. The package must contain its includes.
    ///
    /// Raises:
    ///     ScriptSourceError: The package does not exist; or as for ``from_file``.
    #[expect(clippy::doc_markdown, reason = "the text is Python's docstring")]
    #[staticmethod]
    #[pyo3(signature = (package, resource, *, name=None))]
    fn from_resource<'py>(
        package: &Bound<'py, PyAny>,
        resource: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        python::module(package.py())?.call_method1("script_from_resource", (package, resource, name))
    }

    /// Return the SHA1 of the code, which identifies the script on servers: 40 lower-case hexadecimal digits.
    #[pyo3(name = "get_hash")]
    fn hash_method(&self) -> &str {
        self.core.hash()
    }

    /// The SHA1 of the code: 40 lower-case hexadecimal digits.
    #[getter(hash)]
    fn sha1(&self) -> &str {
        self.core.hash()
    }

    /// The Lua source.
    #[getter]
    fn code<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.core.code())
    }

    /// The name that errors show, or None.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.core.options().name.as_deref()
    }

    /// Whether the script writes nothing.
    #[getter]
    fn read_only(&self) -> bool {
        self.core.options().read_only
    }

    /// Whether the script is declared idempotent.
    #[getter]
    fn idempotent(&self) -> bool {
        self.core.options().idempotent
    }

    /// Whether each call takes effect at most once, or the place of the key or argument that is its id.
    #[getter]
    fn once<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        shown(py, self.core.options().once)
    }

    /// How long the server keeps the record of such a call, in seconds, or None.
    #[getter]
    fn once_ttl(&self) -> Option<f64> {
        self.core.options().once_ttl.map(|ttl| ttl.as_secs_f64())
    }

    /// The file and the line of the program's code that made it, or None.
    #[getter]
    fn _made_at(&self) -> Option<(&str, u32)> {
        self.core.options().made_at.as_ref().map(|at| (at.file.as_str(), at.line))
    }

    /// Release this instance: the client no longer sends its code to a server that lost it. You never need this,
    /// because dropping the object frees its memory. You may call it twice.
    fn __del__(&self) {
        self.released.store(true, Ordering::Release);
    }

    /// Raises an error for redis-py's users, who call scripts: it says what to write here.
    #[expect(clippy::unused_self, reason = "Python passes it")]
    #[pyo3(signature = (*_arguments, **_named))]
    fn __call__(&self, _arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "a Script is not called; pass it to a client: invoke_script(script, keys, args). Scripts with declared \
             parameters are called, with the client first",
        ))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core == other.core
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.core.hash().hash(&mut hasher);
        (self.read_only(), self.idempotent(), self.core.options().once).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        const SHOWN: usize = 48;
        let options = self.core.options();
        let source = String::from_utf8_lossy(self.core.code());
        let mut start: String = source.chars().take(SHOWN).collect();
        if start.len() < source.len() {
            start.push('…');
        }
        let mut shown = format!("Script({start:?}");
        if let Some(name) = &options.name {
            shown.push_str(&format!(", name={name:?}"));
        }
        if options.read_only {
            shown.push_str(", read_only=True");
        }
        if options.idempotent {
            shown.push_str(", idempotent=True");
        }
        if let Some(once) = options.once {
            shown.push_str(&match once {
                IdOfCalls::Own => ", once=True".into(),
                IdOfCalls::Key(index) => format!(", once=('keys', {index})"),
                IdOfCalls::Arg(index) => format!(", once=('args', {index})"),
            });
        }
        if let Some(ttl) = self.once_ttl() {
            shown.push_str(&format!(", once_ttl={ttl:?}"));
        }
        shown.push_str(&format!(", hash='{}')", self.core.hash()));
        shown
    }

    /// For pickle and copy, in all their protocols.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, script) = (slf.py(), slf.get());
        let flags = PyDict::new(py);
        flags.set_item("name", script.name())?;
        flags.set_item("read_only", script.read_only())?;
        flags.set_item("idempotent", script.idempotent())?;
        flags.set_item("once", script.once(py)?)?;
        flags.set_item("once_ttl", script.once_ttl())?;
        let partial = py.import("functools")?.getattr("partial")?;
        Ok((partial.call((slf.get_type(), script.code(py)), Some(&flags))?, PyTuple::empty(py)))
    }
}

/// The argument `code`, the only one that is named in no signature of `new`. Others are an error with advice.
fn only_code<'py>(arguments: &Bound<'py, PyTuple>, named: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
    let py = arguments.py();
    let code = named.map(|named| named.get_item(intern!(py, "code"))).transpose()?.flatten();
    match (arguments.len(), named.map_or(0, PyDictMethods::len), code) {
        (1, 0, _) => arguments.get_item(0),
        (0, 1, Some(code)) => Ok(code),
        _ => Err(PyErr::from_value(python::module(py)?.call_method1("misfit_of_script", (arguments, named))?)),
    }
}

/// The innermost line of Python that runs and is not this package's.
fn callers_line(py: Python<'_>) -> Option<MadeAt> {
    let mut frame = py.import(intern!(py, "sys")).ok()?.call_method0(intern!(py, "_getframe")).ok()?;
    loop {
        let module = frame.getattr(intern!(py, "f_globals")).ok()?.get_item(intern!(py, "__name__")).ok();
        if !module.is_some_and(|name| is_ours(&name)) {
            let file = frame.getattr(intern!(py, "f_code")).ok()?.getattr(intern!(py, "co_filename")).ok()?;
            let line = frame.getattr(intern!(py, "f_lineno")).ok()?;
            return Some(MadeAt { file: file.extract().ok()?, line: line.extract().ok()? });
        }
        frame = frame.getattr(intern!(py, "f_back")).ok().filter(|frame| !frame.is_none())?;
    }
}

fn is_ours(module: &Bound<'_, PyAny>) -> bool {
    let name: Result<&str, _> = module.extract();
    name.is_ok_and(|name| name.split('.').next() == Some("glide_scripts"))
}

fn idempotent_flag(flag: &Bound<'_, PyAny>) -> PyResult<bool> {
    flag.extract().map_err(|_| wrong_type("idempotent", flag, "bool"))
}

fn code_bytes(code: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = code.cast::<PyString>() {
        return Ok(utf8(text, || "code".into())?.to_vec());
    }
    match code.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
        Err(_) => Err(wrong_type("code", code, "str or bytes")),
    }
}
