//! From a command's words to a packed request, and where it goes.

use std::sync::Arc;

use glide_scripts_core::script::{Options, Script};
use glide_scripts_core::{
    Address, Entry, Error, Gather, Kind, Lane, Packer, Part, Placement, Role, Route, Slot, split_by_slot,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::batch::Library;
use crate::convert::{Elements, elements};
use crate::errors::to_python;

/// Where a command goes.
pub(crate) struct Target<'a, 'py> {
    pub(crate) in_cluster: bool,
    pub(crate) in_batch: bool,
    /// Whether one whose keys are in several slots may be sent in parts.
    pub(crate) splits: bool,
    /// Which words are keys, as a range.
    pub(crate) keys: Option<(usize, usize)>,
    /// The words there come in groups of so many, of which the first is the key; each key stands for itself.
    pub(crate) step: Option<usize>,
    pub(crate) route: Option<&'a Bound<'py, PyTuple>>,
    pub(crate) gather: Option<&'a str>,
}

/// What a command does.
pub(crate) struct About<'a, 'py> {
    pub(crate) read_only: bool,
    /// The Lua code it runs; empty where that is not known.
    pub(crate) code: Option<&'a Bound<'py, PyBytes>>,
    /// It calls a function of that.
    pub(crate) library: Option<&'a Bound<'py, Library>>,
    pub(crate) admin: bool,
}

/// Packs a command.
pub(crate) fn pack(
    py: Python<'_>,
    words: &Bound<'_, PyAny>,
    target: &Target<'_, '_>,
    about: &About<'_, '_>,
) -> PyResult<Entry> {
    let words = elements("args", words)?;
    if words.len() == 0 {
        return Err(PyValueError::new_err("the command is empty; pass its name and its arguments"));
    }
    let gather = target.gather.map_or(Gather::ByNode, parse_gather);
    let (first, last) = target.keys.filter(|_| target.in_cluster).unwrap_or_default();
    if let (Some(step), None, true, true) = (target.step, target.route, target.in_cluster, target.splits) {
        return Ok(Entry::Parts { parts: split(&words, first, step, about.read_only)?, gather });
    }
    let step = target.step.unwrap_or(1);
    let mut packer = Packer::command(words.len());
    let mut index = 0;
    words.each("args", |word| {
        if (first..last).contains(&index) && (index - first) % step == 0 {
            packer.key(word).map_err(|error| to_python(py, error))?;
        } else {
            packer.word(word);
        }
        index += 1;
        Ok(())
    })?;
    let route = choose_route(py, target.route, packer.route())?;
    let key = packer.first_key().map(<[u8]>::to_vec);
    let mut request = packer.finish(false).gathered(gather);
    match Placement::of(&request, target.in_batch) {
        Placement::Shared => {}
        Placement::Refused(why) => {
            let message = format!("{} is refused: {why}", request.name());
            return Err(to_python(py, Error::new(Kind::Request, message)));
        }
        Placement::OwnConnection(wait) => request = request.blocking(wait),
    }
    if about.read_only {
        request = request.read_only();
    }
    if let Some(code) = about.code {
        let code = code.as_bytes();
        let script = (!code.is_empty()).then(|| Arc::new(Script::new(code.to_vec(), Options::default())));
        request = request.running(script);
    }
    if let Some(library) = about.library {
        request = request.calling(library.get().core().clone());
    }
    if about.admin {
        request = request.over(Lane::Admin);
    }
    Ok(Entry::Whole { request, route, key })
}

fn split(words: &Elements<'_>, first: usize, step: usize, read_only: bool) -> PyResult<Vec<Part>> {
    let mut owned = Vec::with_capacity(words.len());
    words.each("args", |word| {
        owned.push(word.to_vec());
        Ok(())
    })?;
    let parts = split_by_slot(&owned, first, step);
    let mark = |part: Part| if read_only { Part { request: part.request.read_only(), ..part } } else { part };
    Ok(parts.into_iter().map(mark).collect())
}

/// Packs the keys, which must be in one slot of a cluster.
pub(crate) fn pack_keys(py: Python<'_>, keys: &Elements<'_>, in_cluster: bool, packer: &mut Packer) -> PyResult<()> {
    if !in_cluster {
        return keys.pack("keys", packer);
    }
    keys.each("keys", |key| packer.key(key).map_err(|error| to_python(py, error)))
}

/// The route that the caller asked for, which must fit the keys; else where the keys are.
pub(crate) fn choose_route(py: Python<'_>, asked: Option<&Bound<'_, PyTuple>>, keys: Route) -> PyResult<Route> {
    let Some(asked) = asked else { return Ok(keys) };
    let asked = parse_route(asked)?;
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
    Err(to_python(py, Error::new(Kind::CrossSlot, message)))
}

fn parse_gather(name: &str) -> Gather {
    match name {
        "all" => Gather::AllSucceeded,
        "one" => Gather::OneSucceeded,
        "sum" => Gather::Sum,
        "and" => Gather::And,
        "in_order" => Gather::InOrder,
        "joined" => Gather::Joined,
        "least" => Gather::Least,
        _ => Gather::ByNode,
    }
}

/// What `Route._target()` gives.
fn parse_route(target: &Bound<'_, PyTuple>) -> PyResult<Route> {
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
