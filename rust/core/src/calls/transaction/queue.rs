//! The commands of a transaction as they go over the wire.

use std::collections::HashMap;

use bytes::Bytes;

use super::Transaction;
use crate::calls::attempt::{Attempt, code_form, first_form};
use crate::model::request::{Form, asking};
use crate::wire::pack;
use crate::wire::resp::{Reply, ServerError};

/// A transaction as it is sent, without MULTI and EXEC.
pub(super) struct Queue {
    pub(super) commands: Vec<Bytes>,
    /// For each command, which request it is; `None`: it loads the library or the script of the next request.
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

    /// The first command that the server refused to queue, by its position. EXEC then executes nothing.
    pub(super) fn refusal<'a>(&self, replies: &'a [Reply], attempt: &Attempt) -> Option<(usize, &'a ServerError)> {
        let mut replies = replies.iter().skip(usize::from(attempt.asking));
        replies.next().filter(|begun| begun.error().is_none())?;
        replies.take(self.commands.len()).enumerate().find_map(|(position, reply)| Some((position, reply.error()?)))
    }

    /// Which request a command is, or loads code for.
    pub(super) fn request_at(&self, position: usize) -> Option<usize> {
        self.requests[position..].iter().flatten().next().copied()
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
    pub(super) fn queue(&self) -> Queue {
        /// A server keeps at least this many scripts.
        const KEPT: usize = 256;
        let flushes = self.requests.iter().any(|request| request.flushes_scripts());
        let mut queue =
            Queue { commands: Vec::new(), requests: Vec::new(), forms: Vec::new(), flushes_scripts: flushes };
        let evals = self.requests.iter().filter(|request| request.is_eval()).count();
        let can_eval = !self.servers.abilities.cannot_eval.get();
        let can_load = !self.servers.abilities.cannot_load.get();
        let loads_libraries = self.servers.abilities.refused_library.borrow().is_none();
        let mut brought = HashMap::new();
        for (index, request) in self.requests.iter().copied().enumerate() {
            let plain = first_form(self.servers, request);
            if let Some(library) = request.library().filter(|_| loads_libraries)
                && brought.insert(library.key.as_str(), index).is_none()
            {
                queue.commands.push(library.load(false));
                queue.requests.push(None);
                queue.forms.push(None);
            }
            let missing = request.bringable_script().filter(|script| {
                let is_first = brought.insert(script.hash(), index).is_none();
                is_first || flushes || brought.len() + evals > KEPT
            });
            if let Some(script) = missing.filter(|_| !can_eval && can_load) {
                queue.commands.push(script.load());
                queue.requests.push(None);
                queue.forms.push(None);
            }
            let form = if missing.is_some() && can_eval { Some(code_form(request, plain)) } else { plain };
            queue.commands.push(form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
            queue.requests.push(Some(index));
            queue.forms.push(form);
        }
        queue
    }
}
