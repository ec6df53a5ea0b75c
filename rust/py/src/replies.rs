//! From replies to Python's objects.

use glide_scripts_core::resp::{Item, Reply};
use glide_scripts_core::{Address, CallTrace, Client as CoreClient, Error, Kind, Outcome};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyTuple};

use crate::errors;
use crate::process::fork::ForkLocal;
use crate::process::kept::Kept;
use crate::python;

/// A reply as Python's users know it. Depth costs no stack.
pub(crate) fn to_python(py: Python<'_>, reply: Reply) -> PyResult<Bound<'_, PyAny>> {
    match reply {
        Reply::One(item) => scalar(py, item, false),
        Reply::Nested(items) => nested(py, items),
    }
}

/// A batch's results, with errors in their places, and the index of the first of those.
pub(crate) fn batch_to_python<'py>(
    py: Python<'py>,
    outcomes: Vec<Outcome>,
    client: Option<&ForkLocal<CoreClient>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut first_error = None;
    let mut results = Vec::with_capacity(outcomes.len());
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let result = match outcome {
            Ok(reply) => to_python(py, reply),
            Err(error) => Err(errors::of_client(py, *error, client)),
        };
        results.push(result.unwrap_or_else(|error| {
            first_error.get_or_insert(index);
            error.into_value(py).into_bound(py).into_any()
        }));
    }
    Ok((PyList::new(py, results)?, first_error).into_pyobject(py)?.into_any())
}

/// What an observer learns of a call besides its outcome: the node's host and port, whether the script's code was sent,
/// the number of retries, and whether it was answered from the record of an earlier call.
pub(crate) type TraceTuple = (Option<(String, Option<u16>)>, bool, u32, bool);

pub(crate) fn trace_to_python(trace: &CallTrace) -> TraceTuple {
    let node = trace.node.as_ref().map(|node| match node {
        Address::Tcp { host, port } => (host.to_string(), Some(*port)),
        Address::Unix(path) => (path.to_string(), None),
    });
    (node, trace.sent_code, trace.retries, trace.from_record)
}

/// An aggregate whose elements are being converted.
struct Open {
    kind: Aggregate,
    /// The position of its first element in the list of values.
    start: usize,
    missing: usize,
    /// It will be hashed: it, or a value that contains it, is a key or a member of a set.
    frozen: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Array,
    Map,
    Set,
}

/// Hashing recurses, in C, on whatever stack its thread has; this much, which is all that a server sends, fits in the
/// 512 KiB of the smallest.
const MAX_FROZEN_DEPTH: usize = 8_000;

/// A reply that Python cannot represent, although it is valid.
fn beyond(py: Python<'_>, why: &str) -> PyErr {
    let message = format!("the reply cannot be converted: {why}");
    errors::to_python(py, Error::new(Kind::Request, message).may_have_executed(true))
}

fn nested(py: Python<'_>, items: Vec<Item>) -> PyResult<Bound<'_, PyAny>> {
    let mut values: Vec<Bound<'_, PyAny>> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for item in items {
        let frozen = open.last().is_some_and(|parent| {
            let is_key = parent.kind == Aggregate::Map && parent.missing % 2 == 0;
            parent.frozen || parent.kind == Aggregate::Set || is_key
        });
        let missing = item.children();
        if missing > 0 {
            if frozen && open.len() > MAX_FROZEN_DEPTH {
                return Err(beyond(py, &format!("it nests more than {MAX_FROZEN_DEPTH} levels in a key or in a set")));
            }
            let kind = match item {
                Item::Map(_) => Aggregate::Map,
                Item::Set(_) => Aggregate::Set,
                _ => Aggregate::Array,
            };
            open.push(Open { kind, start: values.len(), missing, frozen });
            continue;
        }
        values.push(scalar(py, item, frozen)?);
        while let Some(innermost) = open.last_mut() {
            innermost.missing -= 1;
            if innermost.missing > 0 {
                break;
            }
            if let Some(whole) = open.pop() {
                let value = aggregate(py, values.drain(whole.start..), whole.kind, whole.frozen)?;
                values.push(value);
            }
        }
    }
    Ok(values.pop().expect("the decoder gives whole replies"))
}

fn aggregate<'py>(
    py: Python<'py>,
    elements: std::vec::Drain<'_, Bound<'py, PyAny>>,
    kind: Aggregate,
    frozen: bool,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match (kind, frozen) {
        (Aggregate::Array, false) => PyList::new(py, elements)?.into_any(),
        (Aggregate::Array, true) => PyTuple::new(py, elements)?.into_any(),
        (Aggregate::Set, false) => PySet::new(py, elements)?.into_any(),
        (Aggregate::Set, true) => PyFrozenSet::new(py, elements)?.into_any(),
        (Aggregate::Map, false) => {
            let dict = PyDict::new(py);
            for_pairs(elements, |key, value| dict.set_item(key, value))?;
            dict.into_any()
        }
        (Aggregate::Map, true) => {
            let mut pairs = Vec::with_capacity(elements.len() / 2);
            for_pairs(elements, |key, value| {
                pairs.push(PyTuple::new(py, [key, value])?);
                Ok(())
            })?;
            PyTuple::new(py, pairs)?.into_any()
        }
    })
}

fn for_pairs<T>(mut elements: impl Iterator<Item = T>, mut each: impl FnMut(T, T) -> PyResult<()>) -> PyResult<()> {
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        each(key, value)?;
    }
    Ok(())
}

fn scalar(py: Python<'_>, item: Item, frozen: bool) -> PyResult<Bound<'_, PyAny>> {
    static OK: Kept<PyAny> = Kept::new();
    Ok(match item {
        Item::Bulk(bytes) | Item::Simple(bytes) => PyBytes::new(py, &bytes).into_any(),
        Item::Int(value) => value.into_pyobject(py)?.into_any(),
        Item::Nil => py.None().into_bound(py),
        Item::Okay => OK.get_or_make(py, || python::module(py)?.getattr("OK"))?.clone(),
        Item::Double(value) => PyFloat::new(py, value).into_any(),
        Item::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Item::BigNumber(digits) => big_number(py, &digits)?,
        Item::Error(error) => errors::to_python(py, Error::nested(&error)).into_value(py).into_bound(py).into_any(),
        // Aggregates are empty here.
        Item::Array(_) if frozen => PyTuple::empty(py).into_any(),
        Item::Array(_) => PyList::empty(py).into_any(),
        Item::Map(_) if frozen => PyTuple::empty(py).into_any(),
        Item::Map(_) => PyDict::new(py).into_any(),
        Item::Set(_) if frozen => PyFrozenSet::empty(py)?.into_any(),
        Item::Set(_) => PySet::empty(py)?.into_any(),
    })
}

/// Digits to an int, in pieces: Python refuses to parse more than 4,300 at once.
fn big_number<'py>(py: Python<'py>, digits: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    const PIECE: usize = 4000;
    /// The work grows with the square, on the event loop's thread.
    const LONGEST: usize = 20_000;
    let int = py.get_type::<PyInt>();
    let (negative, digits) = match digits {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > LONGEST || !digits.iter().all(u8::is_ascii_digit) {
        return Err(beyond(py, &format!("its big number is not one of 1 to {LONGEST} digits")));
    }
    let mut value = int.call1((0,))?;
    for piece in digits.chunks(PIECE) {
        let scale = int.call1((10,))?.pow(piece.len(), py.None())?;
        value = value.mul(scale)?.add(int.call1((PyBytes::new(py, piece),))?)?;
    }
    if negative { value.neg() } else { Ok(value) }
}
