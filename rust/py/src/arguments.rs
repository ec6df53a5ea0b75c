//! Python's arguments as bytes and times. Errors name the argument that cannot be used.

use std::time::Duration;

use glide_scripts_core::Packer;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyInt, PyList, PyMapping, PyMemoryView, PyString, PyTuple};

use crate::python;

/// The elements of a list of keys or of arguments. They are read one by one, because the list may change meanwhile.
pub(crate) fn elements<'py>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<Elements<'py>> {
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(Elements::List(list.clone(), list.len()));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Ok(Elements::Tuple(tuple.clone()));
    }
    let is_one = value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>()
        || value.cast::<PyMapping>().is_ok();
    let wrong = || wrong_type(name, value, "a list of str or bytes");
    if is_one {
        return Err(wrong());
    }
    let elements = value.try_iter().map_err(|_| wrong())?.collect::<PyResult<Vec<_>>>()?;
    Ok(Elements::Tuple(PyTuple::new(value.py(), elements)?))
}

/// The same of an argument that may be left out.
pub(crate) fn optional_elements<'py>(
    py: Python<'py>,
    name: &str,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<Elements<'py>> {
    value.map_or_else(|| Ok(Elements::Tuple(PyTuple::empty(py))), |value| elements(name, value))
}

pub(crate) enum Elements<'py> {
    /// With the length that it had when the call began.
    List(Bound<'py, PyList>, usize),
    Tuple(Bound<'py, PyTuple>),
}

impl Elements<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::List(_, length) => *length,
            Self::Tuple(tuple) => tuple.len(),
        }
    }

    /// Passes the bytes of each to `use_bytes`. Errors name the element's position.
    pub(crate) fn each(&self, name: &str, mut use_bytes: impl FnMut(&[u8]) -> PyResult<()>) -> PyResult<()> {
        let mut each = |index: usize, element: &Bound<'_, PyAny>| {
            with_bytes(element, || format!("{name}[{index}]"), &mut use_bytes)
        };
        match self {
            Self::Tuple(tuple) => {
                tuple.iter_borrowed().enumerate().try_for_each(|(index, element)| each(index, &element))
            }
            // A copy would cost as much as packing it.
            Self::List(list, length) => (0..*length).try_for_each(|index| {
                let element = list.get_item(index);
                let changed = |_| PyValueError::new_err(format!("{name} became shorter while it was read"));
                each(index, &element.map_err(changed)?)
            }),
        }
    }

    pub(crate) fn pack(&self, name: &str, packer: &mut Packer) -> PyResult<()> {
        self.each(name, |bytes| {
            packer.word(bytes);
            Ok(())
        })
    }
}

/// The bytes of a str, bytes, bytearray or memoryview.
pub(crate) fn with_bytes(
    value: &Bound<'_, PyAny>,
    name: impl Fn() -> String,
    use_bytes: impl FnOnce(&[u8]) -> PyResult<()>,
) -> PyResult<()> {
    if let Ok(text) = value.cast::<PyString>() {
        return use_bytes(utf8(text, name)?);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return use_bytes(bytes.as_bytes());
    }
    if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
        return use_bytes(&copied(value).map_err(|error| PyValueError::new_err(format!("{}: {error}", name())))?);
    }
    Err(wrong_type(&name(), value, "str or bytes"))
}

/// The bytes of a str.
pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>, name: impl Fn() -> String) -> PyResult<&'a [u8]> {
    text.to_str().map(str::as_bytes).map_err(|error| {
        PyValueError::new_err(format!("{} is text that cannot be encoded as UTF-8 ({error}); pass bytes", name()))
    })
}

/// What a bytearray or memoryview of any format and layout holds, as `bytes(value)` would.
fn copied(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(buffer) = PyBuffer::<u8>::get(value) {
        return buffer.to_vec(value.py());
    }
    let bytes = value.py().get_type::<PyBytes>().call1((value,))?;
    Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
}

/// A `timeout` argument.
pub(crate) fn milliseconds(timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(timeout) = timeout else { return Ok(None) };
    // Python code words the errors. The common case is checked here.
    if timeout.is_exact_instance_of::<PyInt>()
        && let Ok(milliseconds @ 1..) = timeout.extract::<u32>()
    {
        return Ok(Some(Duration::from_millis(milliseconds.into())));
    }
    let checked = python::module(timeout.py())?.call_method1("milliseconds", ("timeout", timeout))?;
    Ok(Some(Duration::from_millis(checked.extract()?)))
}

/// The error for an argument whose type cannot be used.
pub(crate) fn wrong_type(what: &str, value: &Bound<'_, PyAny>, instead: &str) -> PyErr {
    let found = value.get_type().name().map_or_else(|_| "of an unknown type".into(), |name| name.to_string());
    PyTypeError::new_err(format!("{what} is {found}; pass {instead}"))
}
