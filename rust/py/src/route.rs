//! From a `route` argument to the core's route.

use glide_scripts_core::{Address, Error, Kind, Role, Route, Slot};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors;

/// The route that the caller asked for, which must fit the keys; else where the keys are.
pub(crate) fn choose(asked: Option<&Bound<'_, PyTuple>>, keys: Route) -> PyResult<Route> {
    let Some(target) = asked else { return Ok(keys) };
    let asked = parse(target)?;
    let Route::Slot(slot) = keys else { return Ok(asked) };
    let message = match &asked {
        Route::Shard(asked, _) if *asked != slot => {
            format!("CROSSSLOT (CrossSlot): the keys are in slot {slot}, and route is to slot {asked}")
        }
        Route::AllNodes | Route::AllPrimaries | Route::RandomNode => {
            format!("CROSSSLOT (CrossSlot): the keys are in slot {slot}, which not all nodes of route hold; pass none")
        }
        _ => return Ok(asked),
    };
    Err(errors::to_python(target.py(), Error::new(Kind::CrossSlot, message)))
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
