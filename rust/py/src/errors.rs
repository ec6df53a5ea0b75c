//! From the core's error to the exceptions of `glide_scripts`.

use glide_scripts_core::{Client as CoreClient, Error, Kind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::process::fork::ForkLocal;
use crate::process::interpreter::is_ending;
use crate::process::kept::intern;
use crate::python;
use crate::script::Script;

/// The exception for a caller.
pub(crate) fn to_python(py: Python<'_>, error: Error) -> PyErr {
    build(py, error).unwrap_or_else(|failure| failure)
}

/// The exception for a caller of a client, worded with the text that the client was closed with.
pub(crate) fn of_client(py: Python<'_>, error: Error, client: Option<&ForkLocal<CoreClient>>) -> PyErr {
    let given = client.and_then(ForkLocal::get).and_then(CoreClient::closing_text);
    let text = given.or_else(|| is_ending().then_some("the program ended while the call was in flight"));
    to_python(
        py,
        match text {
            Some(text) => error.with_closing_text(text),
            None => error,
        },
    )
}

/// For a client in a child of the process that made it.
pub(crate) fn made_before_fork() -> Error {
    Error::new(Kind::Closing, "this client was made in the parent process, before the fork; make a new one here")
}

fn build(py: Python<'_>, error: Error) -> PyResult<PyErr> {
    let (details, text) = (PyDict::new(py), error.to_string());
    match error.kind {
        Kind::Configuration => {}
        Kind::Closing | Kind::Authentication => {
            details.set_item(intern!(py, "may_have_executed"), error.may_have_executed)?;
        }
        _ => {
            details.set_item(intern!(py, "code"), error.code)?;
            details.set_item(intern!(py, "may_have_executed"), error.may_have_executed)?;
        }
    }
    if let Some(place) = error.place {
        details.set_item(intern!(py, "script"), place.script.map(Script::from_core))?;
        details.set_item(intern!(py, "line"), place.line)?;
        details.set_item(intern!(py, "source_line"), place.source_line)?;
    }
    let is_unconnected = error.cause.is_unconnected();
    let exception = python::module(py)?.getattr("errors")?.getattr(name(error.kind))?.call((text,), Some(&details))?;
    if let Some(index) = error.batch_index {
        exception.setattr(intern!(py, "batch_index"), index)?;
    }
    if is_unconnected {
        exception.setattr(intern!(py, "is_unconnected"), true)?;
    }
    Ok(PyErr::from_value(exception))
}

pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Configuration => "ConfigurationError",
        Kind::Closing => "ClosingError",
        Kind::Authentication => "AuthenticationError",
        Kind::Request => "RequestError",
        Kind::NoPermission => "NoPermissionError",
        Kind::Timeout => "TimeoutError",
        Kind::Connection => "ConnectionError",
        Kind::ExecAbort => "ExecAbortError",
        Kind::CrossSlot => "CrossSlotError",
        Kind::Script => "ScriptError",
        Kind::ScriptSyntax => "ScriptSyntaxError",
        Kind::NoScript => "NoScriptError",
        Kind::ScriptKilled => "ScriptKilledError",
        Kind::ScriptBusy => "ScriptBusyError",
        Kind::Unkillable => "UnkillableError",
        Kind::NotBusy => "NotBusyError",
        Kind::OnceConflict => "OnceConflictError",
        Kind::OnceUnknown => "OnceUnknownError",
    }
}
