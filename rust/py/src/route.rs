//! From a `route` argument to the core's route.

use glide_scripts_core::{Address, CrossSlot, Error, Role, Route, Slot};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors;

/// The route that the caller asked for, which must fit the keys; else where the keys are.
pub(crate) fn choose(asked: Option<&Bound<'_, PyTuple>>, keys: Route) -> PyResult<Route> {
    let Some(target) = asked else { return Ok(keys) };
    let asked = parse(target)?;
    let Route::Slot(keys) = keys else { return Ok(asked) };
    let conflict = match asked {
        Route::Shard(route, _) if route != keys => CrossSlot::Route { keys, route },
        Route::AllNodes | Route::AllPrimaries | Route::RandomNode => CrossSlot::Nodes { keys },
        _ => return Ok(asked),
    };
    Err(errors::to_python(target.py(), Error::cross_slot(conflict)))
}

/// What `Route._target()` gives.
pub(crate) fn parse(target: &Bound<'_, PyTuple>) -> PyResult<Route> {
    let kind: String = target.get_item(0)?.extract()?;
    let role = |index| -> PyResult<Role> {
        let role: String = target.get_item(index)?.extract()?;
        Ok(if role == "replica" { Role::Replica } else { Role::Primary })
    };
    Ok(match kind.as_str() {
        "random" => Route::RandomNode,
        "all_primaries" => Route::AllPrimaries,
        "all_nodes" => Route::AllNodes,
        "slot" => {
            let slot = Slot::new(target.get_item(1)?.extract()?);
            Route::Shard(slot.ok_or_else(|| PyValueError::new_err("slot_id is not a slot"))?, role(2)?)
        }
        "slot_key" => Route::Shard(Slot::of_key(target.get_item(1)?.extract()?), role(2)?),
        "address" => {
            Route::Address(Address::new(target.get_item(1)?.extract::<String>()?, target.get_item(2)?.extract()?))
        }
        _ => return Err(PyTypeError::new_err(format!("{kind} is no route"))),
    })
}
