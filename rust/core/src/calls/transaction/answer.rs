//! What the replies to a transaction mean.

use std::collections::HashMap;
use std::rc::Rc;

use super::proving::Proofs;
use super::queue::Queue;
use super::{Transaction, function_key};
use crate::calls::attempt::{Answered, Attempt};
use crate::connection::lane::Lane;
use crate::model::cause::Cause;
use crate::model::completion::Outcome;
use crate::model::error::{Error, Kind};
use crate::model::request::Form;
use crate::model::verdict::{self, Asked, Load, Meaning, Next, Ran};
use crate::wire::resp::{Item, Reply, ServerError};

/// What a transaction's replies mean.
pub(super) enum Answer {
    Executed(Vec<Outcome>),
    KeyChanged,
    /// Nothing was executed, as this server's answer to that request says.
    Refused(usize, ServerError),
    /// It was executed, but for now the server takes no writes, as it says in these words, perhaps since it is a replica
    /// now. The other commands have changed nothing.
    WithoutEffect {
        error: ServerError,
        is_demoted: bool,
        /// Some of its commands may have run.
        has_begun: bool,
    },
    /// Nothing was executed, because a library may not be loaded.
    CannotLoadLibrary(ServerError),
    /// The same of a script.
    CannotLoadScript,
    Failed(Box<Error>),
}

impl Transaction<'_> {
    pub(super) fn read(
        &self,
        queue: &Queue,
        replies: Vec<Reply>,
        attempt: &Attempt,
        lane: &Rc<Lane>,
        proofs: &Proofs,
    ) -> Answer {
        if let Some((position, error)) = queue.refusal(&replies, attempt) {
            let is_load = queue.requests[position].is_none();
            let is_forbidden = |command| is_load && verdict::load(Some(error), command) == Load::Forbidden;
            return match () {
                () if is_forbidden("FUNCTION") => Answer::CannotLoadLibrary(error.clone()),
                () if is_forbidden("SCRIPT") => Answer::CannotLoadScript,
                () => Answer::Refused(queue.request_at(position).unwrap_or(usize::MAX), error.clone()),
            };
        }
        let mut replies = replies.into_iter().skip(usize::from(attempt.asking));
        let begun = replies.next();
        let queued: Vec<_> = replies.by_ref().take(queue.commands.len()).collect();
        let Some(executed) = replies.next() else {
            return Answer::Failed(Box::new(
                Error::because(Kind::Connection, Cause::NoReplyToExec).may_have_executed(true),
            ));
        };
        if let Some(error) = begun.as_ref().and_then(Reply::error) {
            let ran = queued.iter().any(|reply| reply.error().is_none());
            let cause = Cause::MultiRefused(error.clone());
            return Answer::Failed(Box::new(Error::because(Kind::Request, cause).may_have_executed(ran)));
        }
        match executed.error() {
            Some(error) => Answer::Refused(usize::MAX, error.clone()),
            None if executed == Reply::One(Item::Nil) => Answer::KeyChanged,
            None => match executed.into_elements().filter(|elements| elements.len() == queue.commands.len()) {
                Some(elements) => self
                    .refused_for_now(queue, &elements, proofs)
                    .unwrap_or_else(|| Answer::Executed(self.outcomes(queue, elements, lane, proofs))),
                None => Answer::Failed(Box::new(Error::unexpected("one reply a command of the transaction"))),
            },
        }
    }

    /// The refusal of a server that executed the transaction and takes no writes for now, if the other commands did
    /// nothing that a second run would double. Such a server accepts a transaction without plain writes.
    fn refused_for_now(&self, queue: &Queue, elements: &[Reply], proofs: &Proofs) -> Option<Answer> {
        if self.watched.is_some() {
            return None;
        }
        let (mut refused, mut has_begun) = (None, false);
        for (position, reply) in elements.iter().enumerate() {
            let Some(index) = queue.requests[position] else { continue };
            let request = self.requests[index];
            let refusal = request.refusal_of_record(reply);
            let (form, is_queued) = (queue.forms[position], refusal.is_some());
            let asked = Asked {
                form,
                is_queued,
                proof: proofs.get(&position).copied(),
                user: self.servers.user(),
                ..Asked::plainly(request, &self.route)
            };
            let error = refusal.or_else(|| reply.error());
            let verdict = error.map(|error| verdict::of_error(error, &asked));
            let may_be_repeated = request.is_repeatable() || request.is_read_only() || !request.may_publish();
            let has_run = verdict.as_ref().is_none_or(|verdict| verdict.ran != Ran::No);
            if has_run && !may_be_repeated {
                return None;
            }
            has_begun |= has_run;
            if let (Some(error), Some(verdict)) = (error, verdict)
                && (verdict.is_demoted || verdict.next == Next::Later && verdict.ran == Ran::No)
            {
                refused.get_or_insert_with(|| (error.clone(), verdict.is_demoted));
            }
        }
        refused.map(|(error, is_demoted)| Answer::WithoutEffect { error, is_demoted, has_begun })
    }

    /// If a script's code did not compile, later uses of it find it missing; the same holds for the functions of a
    /// library that could not be loaded. Such a use gets the error of the compilation or of the load.
    fn outcomes(&self, queue: &Queue, elements: Vec<Reply>, lane: &Rc<Lane>, proofs: &Proofs) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(self.requests.len());
        let mut failed: HashMap<&str, ServerError> = HashMap::new();
        let mut loading = None;
        for (position, (reply, index)) in elements.into_iter().zip(&queue.requests).enumerate() {
            let Some(index) = *index else {
                let has_failed = !matches!(verdict::load(reply.error(), "FUNCTION"), Load::Done | Load::WasThere);
                loading = reply.error().filter(|_| has_failed).cloned();
                continue;
            };
            let loading = loading.take();
            let request = self.requests[index];
            if reply.error().is_none() && !request.is_answered_from_record(&reply) {
                outcomes.push(Ok(reply));
                continue;
            }
            let proof = proofs.get(&position).copied();
            let form = queue.forms[position];
            let mut attempt = Attempt { lane: Some(lane.clone()), form, proof, ..Attempt::default() };
            let (mut error, mut verdict) = match attempt.read(self.servers, request, &self.route, reply) {
                Answered::Failed(error, verdict) => (error, verdict),
                Answered::Done { outcome, .. } => {
                    outcomes.push(outcome);
                    continue;
                }
                Answered::Refused(error, verdict) => {
                    outcomes.push(Err(Box::new(Error::answered(&error, &verdict, request))));
                    continue;
                }
            };
            if let Some(script) = request.bringable_script() {
                if let Some(loading) = loading.clone() {
                    failed.insert(script.hash(), loading);
                }
                if verdict.meaning == Meaning::MissingScript {
                    self.servers.abilities.lacked_script();
                    attempt.form = failed.contains_key(script.hash()).then_some(Form::Code);
                    error = failed.get(script.hash()).cloned().unwrap_or(error);
                } else {
                    failed.entry(script.hash()).or_insert_with(|| error.clone());
                }
            }
            if let Some(library) = request.library() {
                if let Some(loading) = loading {
                    failed.insert(&library.key, loading);
                }
                if verdict.meaning == Meaning::MissingFunction {
                    lane.set_loaded(&function_key(library, request), false);
                    attempt.brings_library = true;
                    let refused = self.servers.abilities.refused_library.borrow().clone();
                    attempt.is_refused_load = refused.is_some();
                    error = failed.get(library.key.as_str()).cloned().or(refused).unwrap_or(error);
                }
            }
            verdict = attempt.judge(self.servers, request, &self.route, &error);
            outcomes.push(Err(Box::new(Error::answered(&error, &verdict, request))));
        }
        outcomes
    }
}
