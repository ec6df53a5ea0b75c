//! An atomic batch: MULTI, its commands and EXEC in one write, so that all run together or none.
//!
//! A script goes out as EVAL where it is used first, and by its hash after that: inside EXEC nothing can flush it in
//! between. Before MULTI, the client makes sure that the server has a function's library, and inside MULTI it sends the
//! library once more, in case it was flushed in between. A server that refuses a command when it is queued executes
//! none of them, so after a temporary refusal the client waits and sends the whole transaction again. If EXEC was
//! written and its reply is lost, nothing is sent again.

mod answer;
mod proving;
mod queue;

use std::cell::RefCell;
use std::rc::Rc;

use crate::calls::attempt::Attempt;
use crate::calls::batch_progress::BatchProgress;
use crate::calls::time_limit::TimeLimit;
use crate::calls::waiting::connected_lane;
use crate::connection::lane::{Lane, Place};
use crate::connection::step::{StepOptions, StepProgress, Unfinished};
use crate::model::batch::{Entry, Sending};
use crate::model::cause::{AtDeadline, Doubt, Obstacle};
use crate::model::completion::Outcome;
use crate::model::error::Error;
use crate::model::library::Library;
use crate::model::request::{Form, Packer, Request};
use crate::model::route::Route;
use crate::model::unreachable::{Refused, Unreachable};
use crate::model::verdict::{self, Asked, Load, Next, lists_function};
use crate::servers::directory::Servers;
use crate::servers::watches::Watched;
use crate::wire::pack;
use crate::wire::resp::{Reply, ServerError};

use self::answer::Answer;
use self::proving::AskedAhead;

/// The outcomes of the commands of a transaction that was executed; `None` where a watched key had changed.
pub(crate) async fn run(
    servers: &Rc<Servers>,
    sending: Sending,
    progress: &BatchProgress,
) -> Result<Option<Vec<Outcome>>, Box<Error>> {
    let watched = sending.options.watch.map(|watch| servers.watches.end(watch));
    if matches!(watched, Some(None)) {
        // A watch that was begun is not in force any more: whatever it watched may have changed.
        return Ok(None);
    }
    let watched = watched.flatten();
    let slot = sending.batch.slot()?;
    let asked = sending.options.route.clone();
    let route = slot.map(Route::Slot).or_else(|| asked.clone()).unwrap_or(Route::Any);
    if let Some(watched) = &watched {
        watched.fits(slot)?;
    }
    let transaction = Transaction {
        servers,
        requests: sending.entries().iter().flat_map(requests).collect(),
        first_route: asked.unwrap_or_else(|| route.clone()),
        route,
        watched,
        limit: TimeLimit::new(servers, sending.timeout, sending.deadline, None),
        progress: progress.step(),
        batch_progress: progress,
        waiting_for: RefCell::default(),
    };
    transaction.attempts().await.map_err(|error| Box::new(error.after_loss(progress.has_begun.get())))
}

fn requests(entry: &Entry) -> Vec<&Request> {
    match entry {
        Entry::Whole { request, .. } => vec![request],
        Entry::Parts { parts, .. } => parts.iter().map(|part| &part.request).collect(),
    }
}

struct Transaction<'a> {
    servers: &'a Rc<Servers>,
    requests: Vec<&'a Request>,
    /// Where it is sent first.
    first_route: Route,
    /// Where its keys are, by which it may be redirected.
    route: Route,
    watched: Option<Watched>,
    limit: TimeLimit,
    progress: Rc<StepProgress>,
    batch_progress: &'a BatchProgress,
    waiting_for: RefCell<Obstacle>,
}

impl Transaction<'_> {
    async fn attempts(&self) -> Result<Option<Vec<Outcome>>, Box<Error>> {
        let begin = Packer::single("MULTI");
        let asking = self.watched.as_ref().is_some_and(Watched::asking);
        let mut attempt = Attempt { asking, ..Attempt::default() };
        let mut ahead = AskedAhead::default();
        loop {
            let Some(place) = self.in_time(|| false, self.reach(&begin, &mut attempt)).await?? else {
                if self.watched.as_ref().is_some_and(|watched| watched.lane().is_closed()) {
                    // Its connection is lost, and with it the watch. The transaction may go over no other connection.
                    return Ok(None);
                }
                continue;
            };
            let lane = place.lane().clone();
            let queue = self.queue();
            let only_on = self.watched.as_ref().map(Watched::connection);
            let flushes_scripts = queue.flushes_scripts;
            let options = StepOptions { atomic: true, only_on, flushes_scripts, ..StepOptions::default() };
            if lane.is_fragile() {
                ahead = AskedAhead::default();
            } else if ahead.is_empty() && !attempt.asking {
                ahead = self.questions_ahead(&queue);
            }
            let commands = ahead.commands().chain(queue.framed(attempt.asking)).collect();
            let sending = place.begin(commands, options, &self.progress);
            drop(place);
            let answer = self.in_time(|| self.progress.was_sent(), sending).await?;
            let mut replies = self.progress.take_replies();
            ahead.note_answers(&mut replies);
            match answer {
                Ok(()) => {}
                // Nothing was executed, whatever was lost after that.
                Err(_) if queue.refusal(&replies, &attempt).is_some() => {}
                Err(Unfinished::Lost(reason)) => return Err(Box::new(Error::lost(reason))),
                Err(Unfinished::CutOff(reason, bytes)) => {
                    if self.watched.is_some() {
                        // The watch is lost with the connection. If the caller began again, that might never end.
                        return Err(Box::new(Error::cut_off(1, bytes, reason)));
                    }
                    match attempt.cut_off(reason, bytes) {
                        Some(error) => return Err(error),
                        None => continue,
                    }
                }
                Err(_) if self.watched.is_some() => return Ok(None),
                Err(_) => {
                    attempt.lane = None;
                    continue;
                }
            }
            self.limit.note_sent();
            // Until that is known, it may have run.
            let proofs = self.in_time(|| false, self.proofs(&queue, &replies, &mut ahead, &attempt)).await?;
            self.progress.clear();
            match self.read(&queue, replies, &attempt, &lane, &proofs) {
                Answer::Executed(outcomes) => return Ok(Some(outcomes)),
                Answer::KeyChanged => return Ok(None),
                Answer::Failed(error) => return Err(error),
                Answer::CannotLoadLibrary(error) => {
                    self.servers.abilities.refused_library.replace(Some(error));
                }
                Answer::CannotLoadScript => self.servers.abilities.cannot_load.set(true),
                Answer::WithoutEffect { error, is_demoted, has_begun } => {
                    self.batch_progress.has_begun.update(|begun| begun || has_begun);
                    if is_demoted {
                        self.servers.demoted(&lane);
                    }
                    attempt.wait(self.servers, &error, &self.waiting_for);
                }
                Answer::Refused(index, error) => {
                    let request = self.requests.get(index).copied().unwrap_or(&begin);
                    let form = queue.form_of(index);
                    let is_ahead = matches!(form, Some(Form::Code | Form::CodeReadOnly));
                    let queued = Attempt { form, is_ahead, ..attempt.clone() };
                    let verdict = queued.judge_before_run(self.servers, request, &self.route, &error);
                    let is_passing = verdict.next == Next::Later && !verdict.is_of_move();
                    if matches!(verdict.next, Next::WithoutCode | Next::LoadScript) {
                        // From now on, SCRIPT LOAD goes ahead. If the user may not send that either, the transaction
                        // works only if the server has its scripts already. The refusal comes from the server itself:
                        // no script runs while commands are queued.
                        self.servers.abilities.cannot_eval();
                    } else if !attempt.follow(self.servers, request, &self.route, &error, &verdict, &self.waiting_for)
                        || self.watched.is_some() && is_passing
                    {
                        return Err(Box::new(self.discarded(index, &error)));
                    }
                }
            }
            if self.watched.is_some() {
                // EXEC has ended the watch, and executed nothing. The caller may begin again at once.
                self.in_time(|| false, attempt.pauses.wait(self.limit.send_by())).await?;
                return Ok(None);
            }
        }
    }

    /// A server that is ready for the transaction, and its place there; `None`: another is to be looked for.
    async fn reach(&self, begin: &Request, attempt: &mut Attempt) -> Result<Option<Place>, Box<Error>> {
        let held = self.servers.stats.hold(self.requests.iter().map(|request| request.wire().len()).sum());
        attempt.pauses.wait(self.limit.send_by()).await;
        attempt.drop_unreachable().await;
        let place = match (&self.watched, attempt.lane.take()) {
            (Some(watched), _) => watched.lane().end_of_line(),
            (None, Some(lane)) => lane.end_of_line(),
            (None, None) => {
                attempt.asking = false;
                connected_lane(self.servers, begin, &self.first_route, true, &self.waiting_for).await?
            }
        };
        drop(held);
        attempt.lane = Some(place.lane().clone());
        // Calls that are issued later wait for the transaction, also while the client asks the server something first.
        let place = if self.is_prepared(place.lane()) { place } else { place.kept() };
        let may_begin = self.watched.is_some() || self.may_begin(&place, begin, attempt).await?;
        Ok((may_begin && self.has_libraries(&place, attempt).await?).then_some(place))
    }

    async fn in_time<T>(&self, was_sent: impl Fn() -> bool, work: impl Future<Output = T>) -> Result<T, Box<Error>> {
        self.limit.over(was_sent, work).await.map_err(|too_late| {
            let sent = self.progress.was_sent();
            let reason = self.waiting_for.take();
            self.servers.unanswered();
            let known = if sent { AtDeadline::NoReply(Doubt::Transaction) } else { AtDeadline::NotExecuted(reason) };
            Box::new(Error::timeout(too_late.after, known))
        })
    }

    /// Whether the server need not be asked anything first.
    fn is_prepared(&self, lane: &Lane) -> bool {
        let has_library = |request: &&Request| {
            request.library().is_none_or(|library| lane.has_loaded(&function_key(library, request)))
        };
        (self.watched.is_some() || lane.transacts()) && self.requests.iter().all(has_library)
    }

    /// Whether the server lets this user begin transactions; false: it is to be asked again. A MULTI that is refused
    /// would let the commands after it run one by one, and an EXEC that is not known would leave all later commands
    /// queued. So a connection's first transaction is an empty one.
    async fn may_begin(&self, place: &Place, begin: &Request, attempt: &mut Attempt) -> Result<bool, Box<Error>> {
        let lane = place.lane();
        if lane.transacts() {
            return Ok(true);
        }
        let connection = lane.connection();
        let commands = vec![begin.wire().clone(), pack::command(&[b"EXEC"])];
        let progress = Rc::default();
        if place.begin(commands, StepOptions::default(), &progress).await.is_err() {
            attempt.lane = None;
            attempt.pauses.lost();
            return Ok(false);
        }
        let replies = progress.take_replies();
        if let Some(error) = left_open(lane, &replies) {
            return Err(Box::new(self.exec_refused(&error)));
        }
        match replies.first().and_then(Reply::error) {
            None => {
                lane.set_transacts(connection);
                Ok(true)
            }
            Some(error) => {
                let verdict = attempt.judge(self.servers, begin, &self.route, error);
                if attempt.follow(self.servers, begin, &self.route, error, &verdict, &self.waiting_for) {
                    return Ok(false);
                }
                Err(Box::new(Error::answered(error, &verdict, begin)))
            }
        }
    }

    /// Whether the server has the functions of known libraries, now if not before; false: it is to be asked again.
    async fn has_libraries(&self, place: &Place, attempt: &mut Attempt) -> Result<bool, Box<Error>> {
        let lane = place.lane();
        for request in &self.requests {
            let Some(library) = request.library() else { continue };
            let function = request.function_name();
            let key = function_key(library, request);
            if lane.has_loaded(&key) {
                continue;
            }
            let mut steps = vec![library.load(true), library.load(false)];
            while let Some(step) = steps.pop() {
                let Ok(reply) = place.ask(step).await else {
                    attempt.lane = None;
                    attempt.pauses.lost();
                    return Ok(false);
                };
                let loaded = verdict::load(reply.error(), "FUNCTION");
                let refused = reply.error().filter(|_| loaded == Load::Forbidden).cloned();
                self.servers.abilities.refused_library.replace(refused);
                match (loaded, reply.error()) {
                    (Load::WasThere, _) => {
                        // It stays, if it has the function.
                        let listed = place.ask(Library::list()).await;
                        let lacks = |listed: Reply| listed.error().is_none() && !lists_function(&listed, &function);
                        if !listed.is_ok_and(lacks) {
                            break;
                        }
                    }
                    (Load::Failed, Some(error)) => {
                        let loading = Attempt { brings_library: true, ..attempt.clone() };
                        let verdict = loading.judge_before_run(self.servers, request, &self.route, error);
                        if attempt.follow(self.servers, request, &self.route, error, &verdict, &self.waiting_for) {
                            return Ok(false);
                        }
                        return Err(Box::new(Error::answered(error, &verdict, request)));
                    }
                    // If the user may not load it, the server may still have it.
                    _ => break,
                }
            }
            lane.set_loaded(&key, true);
        }
        Ok(true)
    }

    /// EXECABORT, and its cause. If EXEC itself was refused, `index` is not that of a request.
    fn discarded(&self, index: usize, error: &ServerError) -> Error {
        if let Some(request) = self.requests.get(index) {
            return Error::discarded(index, request.name(), error.clone());
        }
        self.exec_refused(error)
    }

    fn exec_refused(&self, error: &ServerError) -> Error {
        let exec = Packer::single("EXEC");
        Error::answered(error, &verdict::of_error(error, &Asked::plainly(&exec, &self.route)), &exec)
    }
}

/// How EXEC was refused, if the connection is still inside the transaction: then it is ended. `replies`: to MULTI and EXEC.
pub(super) fn left_open(lane: &Rc<Lane>, replies: &[Reply]) -> Option<ServerError> {
    let [begun, ended, ..] = replies else { return None };
    let error = ended.error().filter(|error| begun.error().is_none() && !verdict::is_discarded(error))?;
    let refused = Refused { command: "EXEC", answer: error.clone(), wants_credentials: false };
    lane.sever(Unreachable::Refused(refused));
    Some(error.clone())
}

/// The name by which a lane remembers that its server has a library's function.
fn function_key(library: &Library, request: &Request) -> String {
    format!("{} {}", library.key, request.function_name())
}
