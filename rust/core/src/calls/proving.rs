//! Asks a server whether it refused a request itself, or the script returned an error in the same words.
//! `verdict::proof` says what to ask, and what the answers show.

use std::rc::Rc;

use bytes::Bytes;

use crate::calls::attempt::Attempt;
use crate::connection::lane::{Lane, Place};
use crate::connection::step::{StepOptions, StepProgress, Unfinished};
use crate::model::request::Request;
use crate::model::route::Route;
use crate::model::verdict::{Next, Proof, Questions, Verdict};
use crate::servers::directory::Servers;
use crate::wire::resp::{Reply, ServerError};

impl Attempt {
    /// The questions that show whether this answer came from the lane's server, or from the script.
    pub(super) fn questions_about(
        &self,
        servers: &Servers,
        request: &Request,
        route: &Route,
        verdict: &Verdict,
    ) -> Questions {
        let knows_little = self.lane.as_ref().is_some_and(|lane| lane.is_fragile());
        Questions::new(&verdict.meaning, &self.asked(servers, request, route), self.asking, knows_little)
    }

    /// Judges an error by what the answers to questions about it have shown.
    pub(super) fn judge_by(
        &mut self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
        (questions, proof): (Questions, Proof),
    ) -> Verdict {
        self.proof = Some(proof);
        let verdict = self.judge(servers, request, route, error);
        self.proof = None;
        // A refusal may end between two round trips. What is sent again asks in the same write.
        self.questions = (verdict.next == Next::Later && !self.asking).then_some(questions);
        verdict
    }

    /// The questions that go before the request to that lane's server: about its own last refusal, or about one of
    /// another request a short time ago.
    pub(super) fn questions_ahead(&mut self, servers: &Servers, request: &Request, lane: &Lane) -> &[Bytes] {
        if lane.is_fragile() {
            self.questions = None;
        } else if self.questions.is_none()
            && !self.asking
            && let Some(refused) = servers.refusals.recent()
        {
            self.questions = Questions::ahead(&refused, request, self.form);
        }
        self.questions.as_ref().map_or(&[], Questions::commands)
    }
}

/// What a server answers to questions; nothing if it cannot be asked any more.
pub(super) async fn ask(place: &Place, commands: Vec<Bytes>) -> Vec<Reply> {
    /// Where another server takes a node's place, what waits there is handed back, although it has a connection.
    const TRIES: usize = 3;
    for _ in 0..TRIES {
        let progress: Rc<StepProgress> = Rc::default();
        match place.begin(commands.clone(), StepOptions::default(), &progress).await {
            Ok(()) => return progress.take_replies(),
            Err(Unfinished::Unsent) if place.lane().is_up() => {}
            Err(_) => break,
        }
    }
    Vec::new()
}

/// What the answers to questions about an error show, or what other calls have learned of the server since. `ahead`: the
/// answers, if the questions went ahead of the request in the same write; otherwise they come next from `now`.
pub(super) fn proof(
    servers: &Servers,
    lane: &Rc<Lane>,
    error: &ServerError,
    questions: &Questions,
    ahead: Option<Vec<Reply>>,
    now: &mut impl Iterator<Item = Reply>,
) -> Proof {
    if let Some(answers) = ahead {
        return questions.prove(error, answers, Proof::NotThen);
    }
    let answers: Vec<_> = now.take(questions.commands().len()).collect();
    if answers.is_empty() && questions.are_about_role() && servers.has_left(lane) {
        return Proof::Given;
    }
    questions.prove(error, answers, Proof::NotNow)
}
