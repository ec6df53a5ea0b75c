//! A batch that is no transaction: each node's commands in one write and in their order, the nodes side by side.
//!
//! What a server did not execute is sent again, as for single calls: by the same rules, but together. A script that a
//! connection has not used yet is loaded before its first use, in the same write. So a missing script means that it
//! was flushed in between, and only then does it run after its later neighbours.

mod pieces;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::calls::attempt::{Answered, reply_or_failed_load};
use crate::calls::waiting::{TooLate, connected_lane, in_time, time_for_reply};
use crate::connection::bringing::Lead;
use crate::connection::lane::{self, Lane};
use crate::connection::step::{StepOptions, StepProgress, Unfinished};
use crate::model::batch::{Entry, Sending};
use crate::model::cause::{AtDeadline, Obstacle};
use crate::model::completion::Outcome;
use crate::model::error::Error;
use crate::model::library::is_library;
use crate::model::unreachable::Unreachable;
use crate::model::verdict::{self, Load, Meaning, Ran};
use crate::model::wait::Wait;
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::node::Lease;
use crate::tasks::guard;
use crate::wire::resp::{Item, Reply};
use pieces::Piece;
use write::{Write, chunks};

/// What all of a batch's groups know.
struct Context {
    servers: Rc<Servers>,
    sending: Sending,
    /// It writes, so that nothing of it goes to replicas: a read must see the writes before it.
    needs_primaries: bool,
    /// How long its commands wait for what others do, all together; `None`: none does.
    own_time: Option<Wait>,
    /// Then the whole has connections of its own, one to a server, so that its order holds and nobody waits behind it.
    leases: RefCell<Vec<Lease>>,
    /// The servers may have read some of it.
    was_sent: Cell<bool>,
    /// For errors of deadlines.
    waiting_for: RefCell<Obstacle>,
}

/// The end of one write.
#[derive(Default)]
struct Round {
    done: Vec<(usize, Outcome)>,
    again: Vec<Piece>,
}

/// The outcomes of all commands, in their order.
pub(crate) async fn run(servers: &Rc<Servers>, sending: Sending) -> Vec<Outcome> {
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
        sending,
        needs_primaries: !reads,
        own_time,
        leases: RefCell::default(),
        was_sent: Cell::default(),
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
    // Of those that are still waited on, the server hears before the caller goes on.
    context.leases.take();
    let mut outcomes = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(Box::new(Error::panicked()))));
    let entries = context.sending.entries().iter();
    entries.zip(shapes).map(|(entry, shape)| shape.gather(servers, entry, &mut outcomes)).collect()
}

/// Closes a batch's own connections when it is given up: at once, while what waits on them ends with its tasks.
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
        let reached = self.in_time(|| false, self.reach(lane, &mut pieces)).await;
        drop(held);
        let place = match reached {
            Ok(Ok(Some(place))) => place,
            // Where to may have changed.
            Ok(Ok(None)) => return Round { again: pieces, ..Round::default() },
            Ok(Err(error)) => {
                // It is about the route that they share with the first.
                let route = self.first_route(&pieces[0]);
                let (there, again) = pieces.into_iter().partition(|piece| self.first_route(piece) == route);
                let end = |piece: Piece| (piece.place, Err(Box::new((*error).clone().after_loss(piece.was_lost))));
                let there: Vec<Piece> = there;
                return Round { done: there.into_iter().map(end).collect(), again };
            }
            Err(too_late) => {
                let end = |piece: Piece| (piece.place, Err(Box::new(self.not_sent_in_time(too_late, piece.was_lost))));
                return Round { done: pieces.into_iter().map(end).collect(), again: Vec::new() };
            }
        };
        let lane = place.lane().clone();
        // Each write is short enough that what nobody waits for any more need not be written; all are in line at once.
        let waits = self.own_time.is_some();
        let (write, commands) = self.write(&lane, &mut pieces);
        let only_on = Some(lane.connection());
        let options = StepOptions {
            only_on,
            separable: true,
            waits,
            flushes_scripts: write.flushes_scripts,
            ..StepOptions::default()
        };
        let chunks: Vec<_> = chunks(commands)
            .map(|commands| {
                let (count, progress) = (commands.len(), Rc::new(StepProgress::default()));
                let answer = place.begin(commands, options, &progress);
                (count, progress, answer)
            })
            .collect();
        drop(place);
        let first = chunks.first().map(|(_, _, answer)| answer);
        let leads = first.into_iter().flat_map(|first| write.lead(first)).collect();
        let mut round = Round { done: Vec::with_capacity(pieces.len()), again: Vec::new() };
        let mut reading = Reading { write, lane, pieces: pieces.into_iter().peekable(), taught: HashSet::new(), leads };
        for (count, progress, answer) in chunks {
            let answered = self.in_time(|| progress.was_sent(), answer).await;
            self.was_sent.set(self.was_sent.get() || progress.was_sent());
            let ending = match answered {
                Ok(Ok(())) => WriteEnd::Answered,
                Ok(Err(Unfinished::Lost(reason))) => WriteEnd::Lost(reason, progress.written()),
                Ok(_) => WriteEnd::Unsent,
                Err(too_late) => {
                    self.servers.unanswered();
                    WriteEnd::TimedOut(too_late, progress.written())
                }
            };
            self.read(&mut reading, count, progress.take_replies(), &ending, &mut round);
        }
        round
    }

    /// Takes the replies to one write's commands.
    fn read(&self, reading: &mut Reading, count: usize, mut replies: Vec<Reply>, ending: &WriteEnd, round: &mut Round) {
        let Reading { write, lane, pieces, taught, leads } = reading;
        let first = write.read;
        write.read += count;
        leads.retain(|(index, _)| *index >= write.read);
        while let Some((_, name)) = write.loads.front().filter(|(index, _)| *index < write.read) {
            let (index, name) = (write.loads[0].0 - first, name.clone());
            write.loads.pop_front();
            if let Some(reply) = replies.get(index) {
                self.note_load(lane, &name, reply);
                if reply.error().is_some() {
                    write.failed_loads.insert(name, reply.clone());
                }
            } else if index == replies.len() && matches!(ending, WriteEnd::Lost(..)) {
                lane.distrust();
            }
        }
        while let Some(place) = write.places.front().copied().filter(|place| place.index < write.read)
            && let Some(piece) = pieces.next()
        {
            write.places.pop_front();
            let request = self.request(&piece);
            let Some(reply) = replies.get_mut(place.index - first) else {
                self.without_reply(piece, place.end - write.bytes_before(first), ending, round);
                continue;
            };
            let mut reply = std::mem::replace(reply, Reply::One(Item::Nil));
            if piece.attempt.brings_library
                && let Some(library) = request.library()
            {
                reply = reply_or_failed_load(reply, write.failed_loads.get(&library.key).cloned());
            }
            if piece.attempt.form.is_some()
                && let Some(script) = request.script()
                && taught.insert(script.hash().to_owned())
            {
                piece.attempt.learn_from(&self.servers, request, &self.route(&piece), &reply, lane);
            }
            self.with_reply(piece, reply, lane, round);
        }
    }

    /// A place on a lane with a connection, behind what brings code that the pieces run, so that it is sent once; `None`
    /// where the pieces may now have another.
    async fn reach(&self, lane: Option<Rc<Lane>>, pieces: &mut [Piece]) -> Result<Option<lane::Place>, Box<Error>> {
        let Some(mut place) = self.find_place(lane, pieces).await? else { return Ok(None) };
        if place.lane().bringing().is_empty() {
            return Ok(Some(place));
        }
        let mut waited = HashSet::new();
        for piece in pieces {
            let request = self.request_of(piece.entry, piece.part);
            let Some(code) = request.code() else { continue };
            if !waited.contains(&code) && place.lane().bringing().has(code) {
                waited.insert(code);
                place = place.after_code(code).await;
            }
            if waited.contains(&code) {
                piece.attempt.leave_code(&self.servers, request);
            }
        }
        Ok(Some(place))
    }

    /// A place on a lane with a connection; `None` where the pieces may now have another.
    async fn find_place(
        &self,
        lane: Option<Rc<Lane>>,
        pieces: &mut [Piece],
    ) -> Result<Option<lane::Place>, Box<Error>> {
        let deadline = self.sending.deadline;
        let pause = pieces.iter_mut().map(|piece| piece.attempt.take_pause(deadline)).max().unwrap_or_default();
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let mut place = None;
        if let Some(lane) = lane {
            if self.own_time.is_some() {
                if matches!(timeout(LOOK_AGAIN, lane.connected()).await, Ok(Ok(()))) {
                    let own = self.own_lane(&lane);
                    let Err(reason) = own.connected().await else { return Ok(Some(own.end_of_line())) };
                    self.waiting_for.replace(Obstacle::UnreachableAt(own.address().clone(), reason));
                    pieces.iter_mut().for_each(|piece| piece.attempt.back_off());
                }
            } else if lane.is_up() {
                return Ok(Some(lane.end_of_line()));
            } else {
                let kept = lane.keep_place();
                if let Ok(Ok(())) = timeout(LOOK_AGAIN, lane.connected()).await {
                    return Ok(Some(kept));
                }
                place = Some(kept);
            }
        }
        for piece in &mut *pieces {
            piece.attempt.asking = false;
        }
        let first = &pieces[0];
        let (request, route) = (self.request(first), self.first_route(first));
        let needs_primary = self.needs_primary(first);
        let found = connected_lane(&self.servers, request, &route, needs_primary, &self.waiting_for).await?;
        Ok(place.filter(|place| Rc::ptr_eq(place.lane(), found.lane())))
    }

    /// The batch's own connection to the server of `target`.
    fn own_lane(&self, target: &Rc<Lane>) -> Rc<Lane> {
        let mut leases = self.leases.borrow_mut();
        let fits = |lease: &&Lease| {
            let lane = lease.lane();
            lane.address() == target.address() && lane.serves_reads() == target.serves_reads() && !lane.is_closed()
        };
        if let Some(lease) = leases.iter().find(fits) {
            return lease.lane().clone();
        }
        let lease = self.servers.lend(target);
        lease.introduce();
        let lane = lease.lane().clone();
        leases.push(lease);
        lane
    }

    async fn in_time<T>(&self, was_sent: impl Fn() -> bool, work: impl Future<Output = T>) -> Result<T, TooLate> {
        let own_time = time_for_reply(&self.servers, self.own_time);
        in_time(self.sending.deadline, own_time, || self.was_sent.get() || was_sent(), work).await
    }

    /// A load that was refused is no reason not to try the script: it may be there.
    fn note_load(&self, lane: &Lane, name: &str, reply: &Reply) {
        match verdict::load(reply.error(), if is_library(name) { "FUNCTION" } else { "SCRIPT" }) {
            Load::Done | Load::WasThere => {
                lane.set_loaded(name, true);
                if !is_library(name) {
                    // Calls that come later need not find out whether it is there.
                    lane.note_code(name);
                }
            }
            Load::Forbidden if !is_library(name) => self.servers.abilities.cannot_load.set(true),
            Load::Forbidden | Load::Failed => {}
        }
    }

    fn with_reply(&self, mut piece: Piece, reply: Reply, lane: &Rc<Lane>, round: &mut Round) {
        let request = self.request(&piece);
        if reply.error().is_none() && !request.is_answered_from_record(&reply) {
            self.note_hit(&piece, lane);
            return round.done.push((piece.place, Ok(reply)));
        }
        let route = self.route(&piece);
        piece.attempt.lane = Some(lane.clone());
        let (error, verdict) = match piece.attempt.read(&self.servers, request, &route, reply) {
            Answered::Done { outcome, .. } => {
                self.note_hit(&piece, lane);
                return round.done.push((piece.place, outcome));
            }
            Answered::Failed(error, verdict) | Answered::Refused(error, verdict) => (error, verdict),
        };
        if verdict.meaning != Meaning::MissingScript {
            self.note_hit(&piece, lane);
        } else if let Some(script) = request.script() {
            lane.set_loaded(script.hash(), false);
        }
        if piece.attempt.follow(&self.servers, request, &route, &error, &verdict, &self.waiting_for) {
            return round.again.push(piece);
        }
        let error = Error::answered(&error, &verdict, request).after_loss(piece.was_lost);
        round.done.push((piece.place, Err(Box::new(error))));
    }

    /// The server had the script, if it was one that went by its hash.
    fn note_hit(&self, piece: &Piece, lane: &Lane) {
        let request = self.request(piece);
        if !request.has_forms() || piece.attempt.form.is_some() {
            return;
        }
        self.servers.stats.script_hits.add(1);
        if let Some(script) = request.script().filter(|_| self.servers.abilities.cannot_load.get()) {
            // It could not be loaded, and is there all the same.
            lane.set_loaded(script.hash(), true);
        }
    }

    fn without_reply(&self, mut piece: Piece, end: u64, ending: &WriteEnd, round: &mut Round) {
        piece.attempt.lane = None;
        piece.attempt.asking = false;
        match ending {
            WriteEnd::Lost(reason, written) if end <= *written => {
                let unanswered = verdict::of_loss(self.request(&piece), true, self.sending.options.retries_lost);
                if unanswered.may_be_sent_again {
                    piece.was_lost |= unanswered.ran == Ran::Unknown;
                    round.again.push(piece);
                } else {
                    round.done.push((piece.place, Err(Box::new(Error::lost(reason.clone())))));
                }
            }
            WriteEnd::TimedOut(too_late, sent) if end <= *sent => {
                let known = verdict::no_reply(self.request(&piece));
                round.done.push((piece.place, Err(Box::new(self.timed_out(*too_late, known)))));
            }
            WriteEnd::TimedOut(too_late, _) => {
                let error = self.not_sent_in_time(*too_late, piece.was_lost);
                round.done.push((piece.place, Err(Box::new(error))));
            }
            _ => round.again.push(piece),
        }
    }

    fn not_sent_in_time(&self, too_late: TooLate, was_lost: bool) -> Error {
        let reason = self.waiting_for.borrow().clone();
        let known = if was_lost { AtDeadline::LostBefore } else { AtDeadline::NotExecuted(reason) };
        self.timed_out(too_late, known)
    }

    fn timed_out(&self, too_late: TooLate, known: AtDeadline) -> Error {
        Error::timeout(self.sending.timeout + too_late.waited, known)
    }
}

/// What of a write is still to be read.
struct Reading {
    write: Write,
    lane: Rc<Lane>,
    pieces: std::iter::Peekable<std::vec::IntoIter<Piece>>,
    /// Scripts whose fate with EVAL is known.
    taught: HashSet<String>,
    /// For the code that the write brings, with the commands that bring it.
    leads: Vec<(usize, Lead)>,
}

/// Why there are no more replies.
enum WriteEnd {
    Answered,
    Unsent,
    /// With that many bytes written.
    Lost(Unreachable, u64),
    /// With that many bytes that the server gets all the same.
    TimedOut(TooLate, u64),
}
