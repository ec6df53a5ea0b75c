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

/// Questions about the last refusals, which go before MULTI in the same write: a refusal may end between two round
/// trips.
#[derive(Default)]
pub(super) struct AskedAhead {
    /// With the request that each is about, in order.
    questions: Vec<(usize, Questions)>,
    /// By request.
    answers: HashMap<usize, Vec<Reply>>,
}

impl AskedAhead {
    pub(super) fn commands(&self) -> impl Iterator<Item = Bytes> {
        self.questions.iter().flat_map(|(_, questions)| questions.commands()).cloned()
    }

    /// Takes the answers from what the server has replied to the whole write.
    pub(super) fn note_answers(&mut self, replies: &mut Vec<Reply>) {
        let count = self.commands().count().min(replies.len());
        let mut replies = replies.drain(..count);
        let mut answers = |questions: &Questions| replies.by_ref().take(questions.commands().len()).collect();
        self.answers = self.questions.iter().map(|(request, questions)| (*request, answers(questions))).collect();
    }

    /// The answers to the same questions about that request; `None`: they were not asked.
    fn answers_to(&mut self, request: usize, questions: &Questions) -> Option<Vec<Reply>> {
        let index = self.questions.binary_search_by_key(&request, |(request, _)| *request).ok()?;
        self.answers.remove(&request).filter(|_| self.questions[index].1 == *questions)
    }
}

fn has_error(reply: &Reply) -> bool {
    reply.items().iter().any(|item| matches!(item, Item::Error(_)))
}

impl Transaction<'_> {
    /// What the questions show that were asked ahead, and those that are asked now. The next attempt asks them ahead.
    pub(super) async fn proofs(
        &self,
        queue: &Queue,
        replies: &[Reply],
        ahead: &mut AskedAhead,
        attempt: &Attempt,
    ) -> Proofs {
        let mut asked = std::mem::take(ahead);
        let mut proofs = Proofs::new();
        let Some(elements) =
            replies.last().filter(|reply| has_error(reply)).and_then(|reply| reply.clone().into_elements())
        else {
            return proofs;
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
            if let Some(answers) = asked.answers_to(index, &questions) {
                proofs.insert(position, questions.prove(error, answers, Proof::NotThen));
            } else {
                doubted.push((position, error, questions.clone()));
            }
            if !attempt.asking {
                ahead.questions.push((index, questions));
            }
        }
        let commands: Vec<_> = doubted.iter().flat_map(|(_, _, questions)| questions.commands()).cloned().collect();
        if let Some(lane) = attempt.lane.as_ref().filter(|_| !commands.is_empty()) {
            let mut answers = ask(&lane.end_of_line(), commands).await.into_iter();
            for (position, error, questions) in doubted {
                let answers = answers.by_ref().take(questions.commands().len()).collect();
                proofs.insert(position, proof(self.servers, lane, error, &questions, answers));
            }
        }
        proofs
    }
}
