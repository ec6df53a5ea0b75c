//! What is known of a call between its attempts, and the connection that it may have to itself.

use std::cell::{Cell, RefCell};
use std::iter;
use std::rc::Rc;

use crate::calls::attempt::Attempt;
use crate::calls::proving::{ask, proof};
use crate::connection::lane::{Lane, NotReached, Place};
use crate::connection::step::{StepProgress, Unfinished};
use crate::model::call::Call;
use crate::model::cause::{AtDeadline, Obstacle};
use crate::model::completion::CallTrace;
use crate::model::config::Address;
use crate::model::request::Request;
use crate::model::verdict::{self, Proof, Questions, Ran, Verdict};
use crate::servers::directory::Servers;
use crate::servers::node::{Lease, OWN_CONNECTIONS};
use crate::wire::resp::{Reply, ServerError};

#[derive(Default)]
pub(super) struct Progress {
    /// Of the step that is in flight.
    pub(super) step: Rc<StepProgress>,
    /// Its own connection, if it may have to be killed or waits for other clients.
    pub(super) lease: RefCell<Option<Lease>>,
    /// A connection was lost with a step in flight.
    pub(super) lost: Cell<bool>,
    /// How often it was sent in steps that are over.
    times_sent: Cell<u32>,
    sent_code: Cell<bool>,
    /// How often it was sent behind another call that carries its code.
    follows: Cell<u32>,
    /// The server is asked whether it or the script has answered in a server's words.
    is_doubted: Cell<bool>,
    /// The questions that were sent before the request in the same write, and the answers.
    asked: RefCell<Option<(Questions, Vec<Reply>)>>,
    pub(super) from_record: Cell<bool>,
    node: RefCell<Option<Address>>,
    pub(super) waiting_for: RefCell<Obstacle>,
}

impl Progress {
    pub(super) fn may_have_executed(&self, request: &Request) -> bool {
        self.lost.get() || self.is_doubted.get() || verdict::may_have_run(request, self.step.was_sent())
    }

    /// An attempt has ended: it counts if it was sent.
    pub(super) fn note_end(&self, unfinished: &Unfinished) {
        if unfinished.was_sent() {
            self.times_sent.set(self.times_sent.get() + 1);
        }
    }

    /// The server that it was last sent to, if any.
    pub(super) fn note_node(&self, lane: Option<&Rc<Lane>>) {
        self.node.replace(lane.map(|lane| lane.address().clone()));
    }

    /// It is sent to that server now.
    pub(super) fn note_attempt(&self, attempt: &Attempt, target: &Rc<Lane>) {
        self.sent_code.set(attempt.brings_code());
        self.follows.set(attempt.follows);
        self.note_node(Some(target));
    }

    pub(super) fn trace(&self) -> CallTrace {
        let times_sent = self.times_sent.get() + u32::from(self.step.was_sent());
        let planned = 1 + u32::from(self.sent_code.get()) + self.follows.get();
        let node = self.node.borrow().clone();
        let (sent_code, from_record) = (self.sent_code.get(), self.from_record.get());
        CallTrace { node, sent_code, retries: times_sent.saturating_sub(planned), from_record }
    }

    /// Where the request is sent: from that place, or over a connection that no other call uses, once there is one. If it
    /// must be sent over that lane's present connection only, the connection's number comes along.
    pub(super) async fn place_for(
        &self,
        servers: &Servers,
        request: &Request,
        place: Place,
    ) -> Result<(Place, Option<u64>), NotReached> {
        if !request.needs_own_connection() {
            return Ok((place, None));
        }
        let target = &place.lane().clone();
        // Later calls need not wait for a connection that only this call uses.
        drop(place);
        let kept = self.lease.take().filter(|lease| servers.is_alike(lease, target));
        let waits = request.wait().is_some();
        let lease = match kept {
            Some(lease) => lease,
            // These have no limit: the call that ends another call's wait may itself need such a connection.
            None if waits => servers.lend(target),
            None => {
                let (most, address) = (OWN_CONNECTIONS, target.address().clone());
                let reason = self.waiting_for.replace(Obstacle::OwnConnections { most, address });
                let lease = servers.lend_in_turn(target).await;
                self.waiting_for.replace(reason);
                lease
            }
        };
        let (lane, introduction) = (lease.lane().clone(), waits.then(|| lease.introduce()));
        self.lease.borrow_mut().replace(lease);
        let only_on = match introduction {
            Some(introduction) => introduction.await?,
            None => None,
        };
        Ok((lane.end_of_line(), only_on))
    }

    /// Takes the answers to the questions that went before the request.
    pub(super) fn note_answers(&self, questions: Option<Questions>, replies: &mut Vec<Reply>) {
        let asked = questions.map(|questions| {
            let count = questions.commands().len().min(replies.len());
            (questions, replies.drain(..count).collect())
        });
        self.asked.replace(asked);
    }

    /// Asks the server whether it has answered so itself, unless it was asked just before.
    pub(super) async fn prove(
        &self,
        servers: &Rc<Servers>,
        call: &Call,
        attempt: &mut Attempt,
        error: &ServerError,
        verdict: &Verdict,
        kept: Option<&Place>,
    ) -> Verdict {
        let questions = attempt.questions_about(servers, &call.request, &call.route, verdict);
        let asked = self.asked.take().filter(|(asked, _)| *asked == questions);
        let shown = match (asked, &attempt.lane) {
            (Some((_, answers)), Some(lane)) => {
                proof(servers, lane, error, &questions, Some(answers), &mut iter::empty())
            }
            (None, Some(lane)) => {
                let commands = questions.commands().to_vec();
                self.is_doubted.set(true);
                let answers = match kept {
                    Some(place) => ask(place, commands).await,
                    None => ask(&lane.end_of_line(), commands).await,
                };
                self.is_doubted.set(false);
                proof(servers, lane, error, &questions, None, &mut answers.into_iter())
            }
            (_, None) => Proof::NotNow,
        };
        let verdict = attempt.judge_by(servers, &call.request, &call.route, error, (questions, shown));
        self.lost.update(|lost| lost || verdict.ran == Ran::Unknown);
        verdict
    }

    /// `lease`: its own connection.
    pub(super) fn at_deadline(&self, request: &Request, lease: Option<&Lease>) -> AtDeadline {
        let reason = match (self.waiting_for.take(), lease) {
            (Obstacle::None, Some(lease)) => lease.lane().obstacle(),
            (reason, _) => reason,
        };
        if self.may_have_executed(request) {
            verdict::no_reply(request)
        } else if self.times_sent.get() == 0 && !matches!(reason, Obstacle::None) {
            AtDeadline::NotSent(reason)
        } else {
            AtDeadline::NotExecuted(reason)
        }
    }
}
