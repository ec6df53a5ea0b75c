//! The commands of a transaction as they go over the wire.

use std::collections::HashMap;

use bytes::Bytes;

use super::Transaction;
use crate::calls::attempt::{Attempt, code_form};
use crate::model::request::{Form, asking};
use crate::wire::pack;

/// A transaction as it is sent, without MULTI and EXEC.
pub(super) struct Queue {
    pub(super) commands: Vec<Bytes>,
    /// For each command, which request it is; `None`: it loads a library.
    pub(super) requests: Vec<Option<usize>>,
    /// For each command, how its request is sent; `None`: as it was packed.
    pub(super) forms: Vec<Option<Form>>,
    pub(super) flushes_scripts: bool,
}

impl Queue {
    /// How a request is sent; `None`: as it was packed.
    pub(super) fn form_of(&self, request: usize) -> Option<Form> {
        let position = self.requests.iter().position(|index| *index == Some(request))?;
        self.forms[position]
    }

    /// All that is sent, from MULTI to EXEC.
    pub(super) fn framed(&self, ask: bool) -> Vec<Bytes> {
        let mut framed = Vec::with_capacity(self.commands.len() + 3);
        if ask {
            // ASKING is valid until EXEC.
            framed.push(asking());
        }
        framed.push(pack::command(&[b"MULTI"]));
        framed.extend(self.commands.iter().cloned());
        framed.push(pack::command(&[b"EXEC"]));
        framed
    }
}

impl Transaction<'_> {
    /// The commands as they go to a server that may lack their code.
    pub(super) fn queue(&self, loads_libraries: bool) -> Queue {
        /// A server keeps at least this many scripts.
        const KEPT: usize = 256;
        let flushes = self.requests.iter().any(|request| request.flushes_scripts());
        let mut queue =
            Queue { commands: Vec::new(), requests: Vec::new(), forms: Vec::new(), flushes_scripts: flushes };
        let evals = self.requests.iter().filter(|request| request.is_eval()).count();
        let can_eval = !self.servers.abilities.cannot_eval.get();
        let mut brought = HashMap::new();
        for (index, request) in self.requests.iter().copied().enumerate() {
            let plain = Attempt::first(self.servers, request).form;
            if let Some(library) = request.library().filter(|_| loads_libraries)
                && brought.insert(library.key.as_str(), index).is_none()
            {
                queue.commands.push(library.load(false));
                queue.requests.push(None);
                queue.forms.push(None);
            }
            let bring = request.bringable_script().is_some_and(|script| {
                let is_first = brought.insert(script.hash(), index).is_none();
                can_eval && (is_first || flushes || brought.len() + evals > KEPT)
            });
            let form = if bring { Some(code_form(request, plain)) } else { plain };
            queue.commands.push(form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
            queue.requests.push(Some(index));
            queue.forms.push(form);
        }
        queue
    }
}
