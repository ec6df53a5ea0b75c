//! A call for one node: it is sent, and sent again as its answers ask for, within one deadline.

use std::ops::ControlFlow::{self, Break, Continue};
use std::rc::Rc;

use tokio::time::Instant;

use crate::calls::attempt::{Answered, Attempt, first_form};
use crate::calls::overdue;
use crate::calls::progress::Progress;
use crate::calls::time_limit::{TimeLimit, TooLate};
use crate::calls::waiting::connected_lane;
use crate::connection::lane::{Lane, NotReached, Place};
use crate::connection::step::{StepOptions, Unfinished};
use crate::model::call::Call;
use crate::model::cause::Obstacle;
use crate::model::completion::Outcome;
use crate::model::error::Error;
use crate::model::request::ACCEPTED;
use crate::model::verdict::{self, Next, Ran};
use crate::servers::directory::Servers;
use crate::servers::supervision::Supervision;
use crate::tasks::guard;

/// Sends a call to one node.
pub(crate) fn send(servers: &Rc<Servers>, call: Call) {
    servers.note_flush(&call.request);
    let is_as_packed = first_form(servers, &call.request).is_none();
    let asks_ahead = servers.refusals.recent().is_some() && call.request.runs_lua();
    let is_of_use = |lane: &Rc<Lane>| !lane.is_down() || !servers.has_alternatives();
    match servers.lane(&call.request, &call.route) {
        Some(lane) if is_as_packed && !asks_ahead && !call.request.needs_own_connection() && is_of_use(&lane) => {
            lane.submit(call);
        }
        _ => recover(servers, None, call, Unfinished::Unsent, None),
    }
}

/// Retries a call in a task of its own. `lane` is the one that handed it back, if any. It is sent again from `place`,
/// ahead of calls that were issued later.
pub(crate) fn recover(
    servers: &Rc<Servers>,
    lane: Option<Rc<Lane>>,
    call: Call,
    unfinished: Unfinished,
    place: Option<Place>,
) {
    // Most errors end the call, and need no task.
    if let Unfinished::Answered(reply) = &unfinished
        && let Some(lane) = &lane
    {
        let attempt = Attempt { lane: Some(lane.clone()), ..Attempt::default() };
        let end = match attempt.read(servers, &call.request, &call.route, reply.clone()) {
            Answered::Done { outcome, from_record } => {
                servers.stats.script_hits.add(1);
                Some((outcome, from_record))
            }
            Answered::Failed(error, verdict) | Answered::Refused(error, verdict) => (verdict.next == Next::Deliver
                && !verdict.is_unproved)
                .then(|| (Err(Box::new(Error::answered(&error, &verdict, &call.request))), false)),
        };
        if let Some((outcome, from_record)) = end {
            lane.send_trace(&call.reply_to, from_record);
            servers.stats.finish(call.reply_to, outcome);
            return;
        }
    }
    let supervision = servers.supervisor.supervise(&call.reply_to);
    guard::spawn("a call", retry(servers.clone(), supervision, lane, call, unfinished, place));
}

async fn retry(
    servers: Rc<Servers>,
    supervision: Supervision,
    lane: Option<Rc<Lane>>,
    call: Call,
    unfinished: Unfinished,
    place: Option<Place>,
) {
    let progress = Progress::default();
    let attempts = attempts(&servers, &call, lane, unfinished, place, &progress);
    let ended = supervision.over(attempts).await;
    let lease = progress.lease.take();
    if servers.config.connection.observed {
        call.reply_to.send_trace(progress.trace());
    }
    let closed = || Ok(Err(Box::new(Error::closed_in_flight(progress.may_have_executed(&call.request)))));
    let outcome = match ended.or_closed(closed) {
        Some(Ok(outcome)) => Some(outcome),
        Some(Err(TooLate { after })) => {
            let error = Error::timeout(after, progress.at_deadline(&call.request, lease.as_ref()));
            if error.may_have_executed {
                servers.unanswered();
            }
            match lease {
                Some(lease) if call.request.is_killed_on_timeout() => overdue::kill(lease),
                // The caller has given up. The connection is closed before the caller continues, so that the server
                // gives it nothing.
                lease => drop(lease),
            }
            Some(Err(Box::new(error)))
        }
        None => None,
    };
    servers.stats.finish_unless_gone(call.reply_to, outcome);
}

async fn attempts(
    servers: &Rc<Servers>,
    call: &Call,
    lane: Option<Rc<Lane>>,
    mut unfinished: Unfinished,
    mut kept: Option<Place>,
    progress: &Progress,
) -> Result<Outcome, TooLate> {
    let request = &call.request;
    progress.note_node(lane.as_ref());
    let sent = match &unfinished {
        // The same form is used again, even if other calls have learned meanwhile that the server lacks it.
        Unfinished::Answered(_) => Attempt::default(),
        _ => Attempt::first(servers, request),
    };
    let mut attempt = Attempt { lane, ..sent };
    let limit = TimeLimit::new(servers, call.timeout, call.deadline, request.wait());
    loop {
        progress.note_end(&unfinished);
        if unfinished.was_sent() {
            limit.note_sent();
        }
        let next = next_attempt(servers, call, &mut attempt, unfinished, &mut kept, limit.send_by(), progress);
        match limit.over(|| progress.step.was_sent(), next).await? {
            Continue(next) => unfinished = next,
            Break(outcome) => return Ok(outcome),
        }
    }
}

/// Acts on how the last attempt ended, and makes the next one if there is to be one.
async fn next_attempt(
    servers: &Rc<Servers>,
    call: &Call,
    attempt: &mut Attempt,
    unfinished: Unfinished,
    kept: &mut Option<Place>,
    send_by: Instant,
    progress: &Progress,
) -> ControlFlow<Outcome, Unfinished> {
    let request = &call.request;
    attempt.has_place = kept.is_some();
    let held = servers.stats.hold(request.wire().len());
    match unfinished {
        Unfinished::Answered(reply) => match attempt.read(servers, request, &call.route, reply) {
            Answered::Done { outcome, from_record } => {
                if attempt.form.is_none() && request.has_forms() {
                    servers.stats.script_hits.add(1);
                }
                progress.from_record.set(from_record);
                return Break(outcome);
            }
            Answered::Failed(error, mut verdict) | Answered::Refused(error, mut verdict) => {
                if verdict.is_unproved {
                    verdict = progress.prove(servers, call, attempt, &error, &verdict, kept.as_ref()).await;
                }
                if !attempt.follow(servers, request, &call.route, &error, &verdict, &progress.waiting_for) {
                    let error = Error::answered(&error, &verdict, request);
                    return Break(Err(Box::new(error.after_loss(progress.lost.get()))));
                }
            }
        },
        Unfinished::Unsent => attempt.lane = None,
        Unfinished::CutOff(reason, bytes) => {
            progress.waiting_for.replace(Obstacle::Lost(reason.clone()));
            if let Some(error) = attempt.cut_off(reason, bytes) {
                return Break(Err(Box::new(error.after_loss(progress.lost.get()))));
            }
        }
        Unfinished::Lost(reason) => {
            let unanswered = verdict::of_loss(request, true, false);
            if !unanswered.may_be_sent_again {
                return Break(Err(Box::new(Error::lost(reason))));
            }
            progress.lost.update(|lost| lost || unanswered.ran == Ran::Unknown);
            progress.waiting_for.replace(Obstacle::Lost(reason));
            attempt.lane = None;
            attempt.pauses.lost();
        }
    }
    // A call that pauses first, or goes to another server, gives up its place: later calls do not wait for it.
    let before = kept.take().filter(|place| attempt.is_at_once(place.lane()));
    let had_place = before.is_some();
    let (target, (place, only_on)) = match reach(servers, call, attempt, before, send_by, progress).await {
        Ok((target, Ok(reached))) => (target, reached),
        Ok((_, Err(NotReached))) => return Continue(Unfinished::Unsent),
        Err(error) => return Break(Err(error)),
    };
    drop(held);
    if call.reply_to.is_abandoned() {
        return Break(Err(Box::new(Error::closed_in_flight(progress.may_have_executed(request)))));
    }
    let commands = attempt.commands(servers, request, &target);
    let brings_code = attempt.brings_code() || attempt.loads_code();
    let may_lack_code = !brings_code && attempt.follows == 0 && (had_place || target.is_first_use(request));
    let place = if may_lack_code { place.kept() } else { place };
    progress.note_attempt(attempt, &target);
    let bytes = commands.iter().map(|wire| wire.len() as u64).sum();
    // The commands before the request are useful even without it.
    let options = StepOptions { separable: true, waits: request.wait().is_some(), only_on, ..StepOptions::default() };
    let sending = place.begin(commands, options, &progress.step);
    let brings = request.code().filter(|_| brings_code).and_then(|code| sending.brings(code));
    *kept = may_lack_code.then_some(place);
    let answer = sending.await;
    drop(brings);
    let mut replies = progress.step.take_replies();
    let was_written = progress.step.written() >= bytes;
    progress.step.clear();
    let unfinished = match answer {
        Ok(()) => {
            progress.note_answers(attempt.questions.take(), &mut replies);
            let reply = replies.pop().expect("a lane gives a reply to each command");
            attempt.learn_from(servers, request, &call.route, &reply, &target);
            // The load came first, before ASKING.
            let loading = replies.into_iter().next().filter(|_| attempt.loads_code());
            Unfinished::Answered(attempt.after_load(request, reply, loading.as_ref()))
        }
        // The server got only what goes before the request.
        Err(Unfinished::Lost(reason)) if !was_written && bytes > ACCEPTED as u64 => Unfinished::CutOff(reason, bytes),
        Err(Unfinished::Lost(_)) if !was_written => Unfinished::Unsent,
        Err(unfinished) => unfinished,
    };
    attempt.lane = Some(target);
    Continue(unfinished)
}

/// A server that the attempt may go to, and its place there: at `before`, if the attempt goes to the same server.
async fn reach(
    servers: &Rc<Servers>,
    call: &Call,
    attempt: &mut Attempt,
    before: Option<Place>,
    send_by: Instant,
    progress: &Progress,
) -> Result<(Rc<Lane>, Result<(Place, Option<u64>), NotReached>), Box<Error>> {
    attempt.pauses.wait(send_by).await;
    attempt.drop_unreachable().await;
    let place = match attempt.lane.take() {
        Some(lane) => before.unwrap_or_else(|| lane.end_of_line()),
        None => {
            drop(before);
            attempt.asking = false;
            let needs_primary = attempt.needs_primary();
            connected_lane(servers, &call.request, &call.route, needs_primary, &progress.waiting_for)
                .await
                .map_err(|error| Box::new(error.after_loss(progress.lost.get())))?
        }
    };
    let target = place.lane().clone();
    Ok((target, progress.place_for(servers, &call.request, place).await))
}
