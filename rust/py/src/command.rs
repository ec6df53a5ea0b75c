//! Packs the arguments of a script or a command into a request, and finds where it goes.

use std::sync::Arc;

use glide_scripts_core::script::{Options, Script as CoreScript};
use glide_scripts_core::{
    Entry, Error, Gather, Kind, LaneKind, Packer, Part, Placement, Route, library_name, runs_lua, split_by_slot,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::arguments::{Elements, elements, optional_elements};
use crate::library::Library;
use crate::once::OnceArguments;
use crate::script::Script;
use crate::{errors, route};

/// Packs EVALSHA of a script. `own_id` makes an id for this call, should it need one.
#[expect(clippy::too_many_arguments, reason = "they are the arguments of Python's methods")]
pub(crate) fn pack_script(
    py: Python<'_>,
    script: &Script,
    keys: Option<&Bound<'_, PyAny>>,
    args: Option<&Bound<'_, PyAny>>,
    route: Option<&Bound<'_, PyTuple>>,
    once: OnceArguments<'_, '_>,
    own_id: impl FnOnce() -> Vec<u8>,
    in_cluster: bool,
) -> PyResult<(Packer, Route)> {
    let keys = optional_elements(py, "keys", keys)?;
    let args = optional_elements(py, "args", args)?;
    let once = once.parse(script.core().options(), &keys, &args, route, own_id)?;
    let mut packer = match once {
        None => Packer::script(script.core(), keys.len(), args.len()),
        Some(once) => Packer::script_once(script.core(), keys.len(), args.len(), once),
    };
    pack_keys(py, &keys, in_cluster, &mut packer)?;
    packer.record(in_cluster);
    args.pack("args", &mut packer)?;
    let route = route::choose(route, packer.route())?;
    Ok((packer, route))
}

/// How a command is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Alone,
    InPipeline,
    InTransaction,
}

/// A command, as Python gives it.
pub(crate) struct Command<'a, 'py> {
    pub(crate) words: &'a Bound<'py, PyAny>,
    pub(crate) read_only: bool,
    /// The Lua code it runs; empty where that is not known.
    pub(crate) code: Option<&'a Bound<'py, PyBytes>>,
    /// The library whose function it calls.
    pub(crate) library: Option<&'a Bound<'py, Library>>,
    pub(crate) routing: Routing<'a, 'py>,
}

/// Where a command goes.
#[derive(Clone, Copy)]
pub(crate) struct Routing<'a, 'py> {
    pub(crate) in_cluster: bool,
    pub(crate) sent: Sent,
    /// Which words are keys, as a range.
    pub(crate) keys: Option<(usize, usize)>,
    /// The words there are groups of so many, each with its key first, that may go to different slots.
    pub(crate) step: Option<usize>,
    pub(crate) route: Option<&'a Bound<'py, PyTuple>>,
    pub(crate) gather: Option<&'a str>,
}

impl Command<'_, '_> {
    pub(crate) fn pack(&self) -> PyResult<Entry> {
        let py = self.words.py();
        let words = elements("args", self.words)?;
        if words.len() == 0 {
            return Err(PyValueError::new_err("the command is empty; pass its name and its arguments"));
        }
        let Routing { in_cluster, sent, keys, step, route, gather } = self.routing;
        let gather = gather.map_or(Gather::ByNode, parse_gather);
        let (first, last) = keys.filter(|_| in_cluster).unwrap_or_default();
        // A transaction belongs to one slot, and a route holds for all keys.
        let may_split = in_cluster && route.is_none() && sent != Sent::InTransaction;
        if let Some(step) = step.filter(|_| may_split) {
            return Ok(Entry::Parts { parts: split(&words, first, step, self.read_only)?, gather });
        }
        let step = step.unwrap_or(1);
        let mut packer = Packer::command(words.len());
        let mut index = 0;
        words.each("args", |word| {
            if (first..last).contains(&index) && (index - first) % step == 0 {
                packer.key(word).map_err(|error| errors::to_python(py, error))?;
            } else {
                packer.word(word);
            }
            index += 1;
            Ok(())
        })?;
        let route = route::choose(route, packer.route())?;
        let key = packer.first_key().map(<[u8]>::to_vec);
        let mut request = packer.finish(false).gathered(gather);
        match Placement::of(&request, sent != Sent::Alone) {
            Placement::Shared => {}
            Placement::Refused(why) => {
                let message = format!("{} is refused: {why}", request.name());
                return Err(errors::to_python(py, Error::new(Kind::Request, message)));
            }
            Placement::OwnConnection(wait) => request = request.blocking(wait),
            Placement::Admin => request = request.over(LaneKind::Admin),
        }
        if self.read_only {
            request = request.read_only();
        }
        if let Some(code) = self.code {
            let code = code.as_bytes();
            let script = (!code.is_empty()).then(|| {
                let options = Options { name: library_name(code), ..Options::default() };
                let own = Arc::new(CoreScript::new(code.to_vec(), options));
                // While it is measured, EVAL sends it with probes.
                match runs_lua(&request).flatten() {
                    Some(sent) if sent != code => Arc::new(CoreScript::with_probes(&own, sent.to_vec())),
                    _ => own,
                }
            });
            request = request.running(script);
        } else if let Some(code) = runs_lua(&request) {
            let script = code.map(|code| Arc::new(CoreScript::new(code.to_vec(), Options::default())));
            request = request.running(script);
        }
        if let Some(library) = self.library {
            request = request.calling(library.get().0.clone());
        }
        Ok(Entry::Whole { request, route, key })
    }
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
    keys.each("keys", |key| packer.key(key).map_err(|error| errors::to_python(py, error)))
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
