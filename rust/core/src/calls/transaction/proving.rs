//! Which errors of an executed transaction came from the server itself, and not from a script in a server's words.

use std::collections::HashMap;

use bytes::Bytes;

use super::Transaction;
use super::queue::Queue;
use crate::calls::attempt::Attempt;
use crate::calls::proving::{ask, proof};
use crate::model::verdict::{self, Proof, Questions};
use crate::wire::resp::{Item, Reply};

/// By the position of a command in the transaction.
pub(super) type Proofs = HashMap<usize, Proof>;

/// Questions about refusals, which go before MULTI in the same write: a refusal may end between two round trips.
#[derive(Default)]
pub(super) struct AskedAhead(Vec<Asked>);

struct Asked {
    /// What it is about. They are in this order.
    request: usize,
    questions: Questions,
    answers: Vec<Reply>,
}

impl AskedAhead {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = Bytes> {
        self.0.iter().flat_map(|asked| asked.questions.commands()).cloned()
    }

    /// Takes the answers from what the server has replied to the whole write.
    pub(super) fn note_answers(&mut self, replies: &mut Vec<Reply>) {
        let count = self.commands().count().min(replies.len());
        let mut replies = replies.drain(..count);
        for asked in &mut self.0 {
            asked.answers = replies.by_ref().take(asked.questions.commands().len()).collect();
        }
    }

    /// The answers to the same questions about that request; `None`: they were not asked.
    fn answers_to(&mut self, request: usize, questions: &Questions) -> Option<Vec<Reply>> {
        let index = self.0.binary_search_by_key(&request, |asked| asked.request).ok()?;
        let asked = &mut self.0[index];
        (asked.questions == *questions).then(|| std::mem::take(&mut asked.answers))
    }
}

fn has_error(reply: &Reply) -> bool {
    reply.items().iter().any(|item| matches!(item, Item::Error(_)))
}

impl Transaction<'_> {
    /// The questions about what servers have refused to other requests a short time ago.
    pub(super) fn questions_ahead(&self, queue: &Queue) -> AskedAhead {
        let Some(meaning) = self.servers.refusals.recent() else { return AskedAhead::default() };
        let asked = queue.requests.iter().zip(&queue.forms).filter_map(|(request, form)| {
            let request = (*request)?;
            let questions = Questions::ahead(&meaning, self.requests[request], *form)?;
            Some(Asked { request, questions, answers: Vec::new() })
        });
        AskedAhead(asked.collect())
    }

    /// What the questions show that were asked ahead, and those that are asked now. The next attempt asks them ahead.
    pub(super) async fn proofs(
        &self,
        queue: &Queue,
        replies: &[Reply],
        ahead: &mut AskedAhead,
        attempt: &Attempt,
    ) -> Proofs {
        let mut asked = std::mem::take(ahead);
        let Some(elements) =
            replies.last().filter(|reply| has_error(reply)).and_then(|reply| reply.clone().into_elements())
        else {
            return Proofs::new();
        };
        let mut doubted = Vec::new();
        for (position, reply) in elements.iter().enumerate() {
            let Some(index) = queue.requests.get(position).copied().flatten() else { continue };
            let Some(error) = reply.error() else { continue };
            let request = self.requests[index];
            let attempt = Attempt { form: queue.forms[position], ..attempt.clone() };
            let verdict = verdict::of_error(error, &attempt.asked(self.servers, request, &self.route));
            if !verdict.is_unproved {
                continue;
            }
            let questions = attempt.questions_about(self.servers, request, &self.route, &verdict);
            let answers = asked.answers_to(index, &questions);
            if !attempt.asking {
                ahead.0.push(Asked { request: index, questions: questions.clone(), answers: Vec::new() });
            }
            doubted.push((position, error, questions, answers));
        }
        let Some(lane) = &attempt.lane else { return Proofs::new() };
        let unasked = doubted.iter().filter(|(.., answers)| answers.is_none());
        let commands: Vec<_> = unasked.flat_map(|(_, _, questions, _)| questions.commands()).cloned().collect();
        let now = if commands.is_empty() { Vec::new() } else { ask(&lane.end_of_line(), commands).await };
        let mut now = now.into_iter();
        let shown = |(position, error, questions, answers)| {
            (position, proof(self.servers, lane, error, &questions, answers, &mut now))
        };
        doubted.into_iter().map(shown).collect()
    }
}
