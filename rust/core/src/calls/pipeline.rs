//! A batch that is not a transaction: each node's commands go out in one write, in order, to all nodes at once.
//!
//! What a server did not execute is sent again, as for single calls: by the same rules, but together. A script that a
//! connection has not used yet is loaded before its first use, in the same write. So a script is missing only if it was
//! flushed in between. Only then does it run after commands that follow it.

mod pieces;
mod reach;
mod replies;
mod write;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::calls::batch_progress::BatchProgress;
use crate::calls::time_limit::{TimeLimit, TooLate};
use crate::connection::lane::Lane;
use crate::connection::step::{StepOptions, Unfinished};
use crate::model::batch::{Entry, Sending};
use crate::model::cause::{AtDeadline, Obstacle};
use crate::model::completion::Outcome;
use crate::model::error::Error;
use crate::model::gather::may_have_executed;
use crate::model::wait::Wait;
use crate::servers::directory::Servers;
use crate::servers::node::Lease;
use crate::tasks::guard;
use pieces::Piece;
use replies::{Doubted, Reading, WriteEnd};
use write::chunks;

/// What all groups of a batch share.
struct Context {
    servers: Rc<Servers>,
    sending: Sending,
    progress: Rc<BatchProgress>,
    /// The batch writes, so none of it goes to replicas: a read must see the writes before it.
    needs_primaries: bool,
    /// Some of its commands wait for other clients. So the batch has connections of its own, one per server: its order
    /// holds, and no other call waits behind it.
    waits: bool,
    leases: RefCell<Vec<Lease>>,
    limit: TimeLimit,
    /// For errors of deadlines.
    waiting_for: RefCell<Obstacle>,
}

/// The end of one write.
#[derive(Default)]
struct Round {
    done: Vec<(usize, Outcome)>,
    again: Vec<Piece>,
    /// Pieces that wait for the server's answers to questions about them.
    doubted: Vec<Doubted>,
}

impl Round {
    fn may_have_executed(&self) -> bool {
        self.done.iter().any(|(_, outcome)| may_have_executed(outcome)) || self.again.iter().any(|piece| piece.was_lost)
    }
}

/// The outcomes of all commands, in their order.
pub(crate) async fn run(servers: &Rc<Servers>, sending: Sending, progress: &Rc<BatchProgress>) -> Vec<Outcome> {
    let reads = sending.entries().iter().all(|entry| match entry {
        Entry::Whole { request, .. } => request.is_read_only(),
        Entry::Parts { parts, .. } => parts.iter().all(|part| part.request.is_read_only()),
    });
    let waits = sending.entries().iter().filter_map(|entry| match entry {
        Entry::Whole { request, .. } => request.wait(),
        Entry::Parts { .. } => None,
    });
    let own_time = match sending.options.timeout {
        // The caller's deadline holds.
        Some(_) => waits.map(|_| Wait::For(Duration::ZERO)).next(),
        None => waits.reduce(Wait::then),
    };
    let context = Rc::new(Context {
        servers: servers.clone(),
        needs_primaries: !reads,
        waits: own_time.is_some(),
        leases: RefCell::default(),
        limit: TimeLimit::new(servers, sending.timeout, sending.deadline, own_time),
        sending,
        progress: progress.clone(),
        waiting_for: RefCell::default(),
    });
    let _closing = Closing(context.clone());
    let (mut pieces, shapes) = context.cut().await;
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    outcomes.resize_with(pieces.len(), || None);
    let mut rounds = JoinSet::new();
    loop {
        for (lane, group) in context.by_lane(pieces) {
            let sending = context.clone().send(lane, group);
            let sending = async move { guard::run("a batch", sending).await.unwrap_or_default() };
            rounds.spawn_local(guard::begun(sending));
        }
        let Some(round) = rounds.join_next().await else { break };
        let round = round.unwrap_or_default();
        for (place, outcome) in round.done {
            outcomes[place] = Some(outcome);
        }
        pieces = round.again;
    }
    // If a command still waits there, its connection is closed before the caller continues.
    context.leases.take();
    let mut outcomes = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(Box::new(Error::panicked()))));
    let entries = context.sending.entries().iter();
    entries.zip(shapes).map(|(entry, shape)| shape.gather(servers, entry, &mut outcomes)).collect()
}

/// Closes a batch's own connections when the batch is given up. They close at once; the work on them ends with its
/// tasks.
struct Closing(Rc<Context>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.leases.take().into_iter().for_each(Lease::end);
    }
}

impl Context {
    /// Sends one node's pieces, once it can be reached.
    async fn send(self: Rc<Self>, lane: Option<Rc<Lane>>, mut pieces: Vec<Piece>) -> Round {
        let held = self.servers.stats.hold(pieces.iter().map(|piece| self.request(piece).wire().len()).sum());
        let reached = self.limit.over(|| false, self.reach(lane, &mut pieces)).await;
        drop(held);
        let place = match reached {
            Ok(Ok(Some(place))) => place,
            // Its route may have changed.
            Ok(Ok(None)) => return Round { again: pieces, ..Round::default() },
            Ok(Err(error)) => {
                // The answer applies to all of them, because they share the first one's route.
                let route = self.first_route(&pieces[0]);
                let (there, again) = pieces.into_iter().partition(|piece| self.first_route(piece) == route);
                let end = |piece: Piece| (piece.place, Err(Box::new((*error).clone().after_loss(piece.was_lost))));
                let there: Vec<Piece> = there;
                return Round { done: there.into_iter().map(end).collect(), again, ..Round::default() };
            }
            Err(too_late) => {
                let end = |piece: Piece| (piece.place, Err(Box::new(self.not_sent_in_time(too_late, piece.was_lost))));
                return Round { done: pieces.into_iter().map(end).collect(), ..Round::default() };
            }
        };
        let lane = place.lane().clone();
        // The batch is sent in short writes, so that little is written after its caller has given up. All are queued at
        // once.
        let (write, commands) = self.write(&lane, &mut pieces);
        let only_on = Some(lane.connection());
        let options = StepOptions {
            only_on,
            separable: true,
            waits: self.waits,
            flushes_scripts: write.flushes_scripts,
            ..StepOptions::default()
        };
        let chunks: Vec<_> = chunks(commands)
            .map(|commands| {
                let (count, progress) = (commands.len(), self.progress.step());
                let answer = place.begin(commands, options, &progress);
                (count, progress, answer)
            })
            .collect();
        drop(place);
        let first = chunks.first().map(|(_, _, answer)| answer);
        let bringers = first.into_iter().flat_map(|first| write.bringers(first)).collect();
        let mut round = Round { done: Vec::with_capacity(pieces.len()), ..Round::default() };
        let mut reading = Reading { write, lane, pieces: pieces.into_iter(), taught: HashSet::new(), bringers };
        let mut was_sent = false;
        let mut over = Vec::with_capacity(chunks.len());
        for (count, progress, answer) in chunks {
            let answered = self.limit.over(|| was_sent || progress.was_sent(), answer).await;
            was_sent |= progress.was_sent();
            if answered.is_ok() && was_sent {
                self.limit.note_sent();
            }
            let ending = match answered {
                Ok(Ok(())) => WriteEnd::Answered,
                Ok(Err(Unfinished::Lost(reason))) => WriteEnd::Lost(reason, progress.written()),
                Ok(Err(Unfinished::CutOff(reason, bytes))) => WriteEnd::CutOff(reason, bytes),
                Ok(_) => WriteEnd::Unsent,
                Err(too_late) => {
                    self.servers.unanswered();
                    WriteEnd::TimedOut(too_late, progress.written())
                }
            };
            self.read(&mut reading, count, progress.take_replies(), &ending, &mut round);
            over.push(progress);
        }
        self.prove(&reading.lane, &mut round).await;
        // What is sent again has not run.
        self.progress.has_begun.update(|begun| begun || round.may_have_executed());
        over.iter().for_each(|step| step.clear());
        round
    }

    fn not_sent_in_time(&self, too_late: TooLate, was_lost: bool) -> Error {
        let reason = self.waiting_for.borrow().clone();
        let known = if was_lost { AtDeadline::LostBefore } else { AtDeadline::NotExecuted(reason) };
        Error::timeout(too_late.after, known)
    }
}
