//! The arguments `once` and `once_ttl`: under which id a script takes effect at most once.

use std::time::Duration;

use glide_scripts_core::Once;
use glide_scripts_core::script::{IdOfCalls, Options};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyMemoryView, PyString, PyTuple};

use crate::arguments::{Elements, with_bytes, wrong_type};

/// What a call was given as `once` and `once_ttl`, where it was given any of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct OnceArguments<'a, 'py> {
    pub(crate) once: Option<&'a Bound<'py, PyAny>>,
    pub(crate) ttl: Option<&'a Bound<'py, PyAny>>,
}

impl OnceArguments<'_, '_> {
    /// The id for a call, given here or declared by the script. `own_id` makes an id for this call alone.
    pub(crate) fn parse(
        self,
        script: &Options,
        keys: &Elements<'_>,
        args: &Elements<'_>,
        route: Option<&Bound<'_, PyTuple>>,
        own_id: impl FnOnce() -> Vec<u8>,
    ) -> PyResult<Option<Once>> {
        if self.once.is_none() && self.ttl.is_none() && script.once.is_none() {
            return Ok(None);
        }
        let ttl = seconds(self.ttl)?.or(script.once_ttl);
        let id = match self.once {
            None => match script.once {
                Some(IdOfCalls::Own) => None,
                Some(IdOfCalls::Key(index)) => Some(id_at("keys", keys, index)?),
                Some(IdOfCalls::Arg(index)) => Some(id_at("args", args, index)?),
                None => return Err(PyValueError::new_err("once_ttl is given without once; pass once, too")),
            },
            Some(once) => match once.cast::<PyBool>() {
                Ok(flag) if flag.is_true() => None,
                Ok(_) if self.ttl.is_none() => return Ok(None),
                Ok(_) => return Err(PyValueError::new_err("once_ttl is given with once=False; pass neither")),
                Err(_) => Some(given_id(once)?),
            },
        };
        refuse_repeatable(script.read_only, script.idempotent)?;
        if route.is_some() {
            let why = "once is given with route; leave route out: the call goes where its record is, in the slot of \
                       its first key";
            return Err(PyValueError::new_err(why));
        }
        Ok(Some(match id {
            Some(id) => Once::given(id, ttl),
            None => Once::own(own_id(), ttl),
        }))
    }
}

/// Refuses `once` for a script that may run twice: it needs no record.
pub(crate) fn refuse_repeatable(read_only: bool, idempotent: bool) -> PyResult<()> {
    let what = match (read_only, idempotent) {
        (true, _) => "is read-only",
        (_, true) => "is declared idempotent",
        _ => return Ok(()),
    };
    Err(PyValueError::new_err(format!(
        "once is given, and the script {what}, so that it may run twice; leave once out"
    )))
}

fn given_id(once: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let is_text = once.is_instance_of::<PyString>() || once.is_instance_of::<PyBytes>();
    if !is_text && !once.is_instance_of::<PyByteArray>() && !once.is_instance_of::<PyMemoryView>() {
        return Err(wrong_type("once", once, "True, or an id as str or bytes"));
    }
    let mut id = Vec::new();
    with_bytes(
        once,
        || "once".into(),
        |bytes| {
            id.extend_from_slice(bytes);
            Ok(())
        },
    )?;
    of_right_length("once", id)
}

/// The key or argument that is the call's id, as its script declares.
fn id_at(name: &str, elements: &Elements<'_>, index: usize) -> PyResult<Vec<u8>> {
    let (mut at, mut id) = (0, None);
    elements.each(name, |bytes| {
        if at == index {
            id = Some(bytes.to_vec());
        }
        at += 1;
        Ok(())
    })?;
    let what = format!("{name}[{index}], which the script declares as the id of once,");
    let missing = || PyValueError::new_err(format!("{what} is missing; pass it, or pass once"));
    of_right_length(&what, id.ok_or_else(missing)?)
}

fn of_right_length(what: &str, id: Vec<u8>) -> PyResult<Vec<u8>> {
    const LONGEST: usize = Once::LONGEST_ID;
    match id.len() {
        0 => Err(PyValueError::new_err(format!("{what} is empty; pass an id of 1 to {LONGEST} bytes"))),
        1..=LONGEST => Ok(id),
        length => {
            let why = format!("{what} is {length} bytes long; pass an id of 1 to {LONGEST} bytes");
            Err(PyValueError::new_err(why))
        }
    }
}

/// What a script declares of the ids of its calls: a bool, or `("keys", index)` or `("args", index)`.
pub(crate) fn declared(once: &Bound<'_, PyAny>) -> PyResult<Option<IdOfCalls>> {
    if let Ok(flag) = once.cast::<PyBool>() {
        return Ok(flag.is_true().then_some(IdOfCalls::Own));
    }
    match once.extract::<(String, usize)>() {
        Ok((name, index)) if name == "keys" => Ok(Some(IdOfCalls::Key(index))),
        Ok((name, index)) if name == "args" => Ok(Some(IdOfCalls::Arg(index))),
        _ => Err(wrong_type("once", once, "a bool, or (\"keys\", index) or (\"args\", index) of each call's id")),
    }
}

/// The same for Python.
pub(crate) fn shown(py: Python<'_>, once: Option<IdOfCalls>) -> PyResult<Bound<'_, PyAny>> {
    let place = |name: &str, index: usize| Ok((name, index).into_pyobject(py)?.into_any());
    match once {
        Some(IdOfCalls::Key(index)) => place("keys", index),
        Some(IdOfCalls::Arg(index)) => place("args", index),
        own => Ok(own.is_some().into_pyobject(py)?.to_owned().into_any()),
    }
}

/// A `once_ttl` argument.
pub(crate) fn seconds(ttl: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    /// A hundred years: a server adds it to the time of day in milliseconds.
    const LONGEST: f64 = 100.0 * 365.25 * 86_400.0;
    let Some(ttl) = ttl else { return Ok(None) };
    let is_number = ttl.is_instance_of::<PyInt>() || ttl.is_instance_of::<PyFloat>();
    if !is_number || ttl.is_instance_of::<PyBool>() {
        return Err(wrong_type("once_ttl", ttl, "seconds as an int or a float"));
    }
    let seconds = ttl.extract::<f64>().unwrap_or(f64::INFINITY);
    if seconds > 0.0 && seconds <= LONGEST {
        return Ok(Some(Duration::from_secs_f64(seconds).max(Duration::from_millis(1))));
    }
    Err(PyValueError::new_err(format!("once_ttl is {ttl}; pass seconds, more than 0 and at most {LONGEST}")))
}
