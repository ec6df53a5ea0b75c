//! A batch that is no transaction: each node's commands in one write and in their order, the nodes side by side.
//!
//! What a server did not execute is sent again, as for single calls: by the same rules, but together. A script that a
//! connection has not used yet is loaded before its first use, in the same write. So a missing script means that it
//! was flushed in between, and only then does it run after its later neighbours.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};

use crate::batch::{Entry, Sending};
use crate::completion::Outcome;
use crate::config::Address;
use crate::connect::Unreachable;
use crate::error::Error;
use crate::fanout::{gather_nodes, gather_parts, has_left, nodes_of};
use crate::invoke::{Attempt, LOOK_AGAIN, asking, code_form, connected_lane, telling};
use crate::lane::{Lane, Setback};
use crate::queues::{Receipt, Terms};
use crate::request::{Lane as LaneKind, Request};
use crate::resp::{Item, Reply};
use crate::route::Route;
use crate::servers::Servers;

/// What all of a batch's groups know.
struct Context {
    servers: Rc<Servers>,
    sending: Sending,
    /// It writes, so that nothing of it goes to replicas: a read must see the writes before it.
    needs_primaries: bool,
}

/// What is sent to one node at once: a command, or a part of one.
struct Piece {
    /// Its place among the outcomes.
    place: usize,
    /// Which command, and which part of it.
    entry: usize,
    part: usize,
    /// The node, where the command goes to several.
    node: Option<Route>,
    attempt: Attempt,
    /// A connection was lost with it.
    was_lost: bool,
}

/// How the pieces of one command make its outcome.
enum Shape {
    One,
    Nodes(Vec<Address>),
    Parts,
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
    let context = Rc::new(Context { servers: servers.clone(), sending, needs_primaries: !reads });
    let (mut pieces, shapes) = context.cut().await;
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    outcomes.resize_with(pieces.len(), || None);
    let mut rounds = JoinSet::new();
    loop {
        for (lane, group) in context.by_lane(pieces) {
            rounds.spawn_local(context.clone().send(lane, group));
        }
        let Some(round) = rounds.join_next().await else { break };
        let round = round.unwrap_or_default();
        for (place, outcome) in round.done {
            outcomes[place] = Some(outcome);
        }
        pieces = round.again;
    }
    let mut outcomes =
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(Box::new(Error::closed_under_way(true)))));
    let entries = context.sending.entries().iter();
    entries.zip(shapes).map(|(entry, shape)| shape.gather(servers, entry, &mut outcomes)).collect()
}

impl Shape {
    fn gather(self, servers: &Servers, entry: &Entry, outcomes: &mut impl Iterator<Item = Outcome>) -> Outcome {
        match (self, entry) {
            (Self::Nodes(nodes), Entry::Whole { request, .. }) => {
                let answers: Vec<_> = nodes.into_iter().zip(outcomes).collect();
                let answers = answers.into_iter().filter(|(node, outcome)| !has_left(servers, node, outcome));
                gather_nodes(request.gather(), answers.collect())
            }
            (Self::Parts, Entry::Parts { parts, gather }) => {
                let keys = parts.iter().map(|part| part.positions.len()).sum();
                let answers = parts.iter().map(|part| part.positions.clone()).zip(outcomes);
                gather_parts(*gather, answers.collect(), keys)
            }
            _ => outcomes.next().unwrap_or_else(|| Err(Box::new(Error::closed_under_way(true)))),
        }
    }
}

impl Context {
    fn request(&self, piece: &Piece) -> &Request {
        match &self.sending.entries()[piece.entry] {
            Entry::Whole { request, .. } => request,
            Entry::Parts { parts, .. } => &parts[piece.part].request,
        }
    }

    /// Where its keys or its command lead it, and by which it may be redirected.
    fn route(&self, piece: &Piece) -> Route {
        match (&piece.node, &self.sending.entries()[piece.entry], &self.sending.options.route) {
            (Some(route), _, _) => route.clone(),
            (None, Entry::Parts { parts, .. }, _) => Route::Slot(parts[piece.part].slot),
            (None, Entry::Whole { route: route @ Route::Slot(_), .. }, _) | (None, _, Some(route)) => route.clone(),
            (None, Entry::Whole { route, .. }, None) => route.clone(),
        }
    }

    /// Where it is sent first.
    fn first_route(&self, piece: &Piece) -> Route {
        self.sending.options.route.clone().unwrap_or_else(|| self.route(piece))
    }

    /// Commands for several nodes or slots become several pieces.
    async fn cut(&self) -> (Vec<Piece>, Vec<Shape>) {
        let entries = self.sending.entries();
        let (mut pieces, mut shapes) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for (entry, command) in entries.iter().enumerate() {
            let mut add = |part, node| {
                let place = pieces.len();
                let mut piece = Piece { place, entry, part, node, attempt: Attempt::default(), was_lost: false };
                piece.attempt = Attempt::first(&self.servers, self.request(&piece));
                pieces.push(piece);
            };
            match command {
                Entry::Whole { request, route, .. }
                    if matches!(route, Route::AllNodes | Route::AllPrimaries)
                        && self.sending.options.route.is_none() =>
                {
                    // Where no node can be found in time, its gathering says so.
                    let _ = timeout_at(self.sending.deadline, self.servers.learn_first()).await;
                    let nodes = nodes_of(&self.servers, route, request.gather()).await;
                    nodes.iter().for_each(|node| add(0, Some(Route::Address(node.clone()))));
                    shapes.push(Shape::Nodes(nodes));
                }
                Entry::Parts { parts, .. } => {
                    (0..parts.len()).for_each(|part| add(part, None));
                    shapes.push(Shape::Parts);
                }
                Entry::Whole { .. } => {
                    add(0, None);
                    shapes.push(Shape::One);
                }
            }
        }
        (pieces, shapes)
    }

    fn needs_primary(&self, piece: &Piece) -> bool {
        self.needs_primaries || piece.attempt.needs_primary()
    }

    /// The pieces of each lane, in their order; those for any node go to one.
    fn by_lane(&self, pieces: Vec<Piece>) -> Vec<(Option<Rc<Lane>>, Vec<Piece>)> {
        let mut groups: Vec<(Option<Rc<Lane>>, Vec<Piece>)> = Vec::new();
        let mut any: Option<Rc<Lane>> = None;
        let total = pieces.len();
        for mut piece in pieces {
            let lane = piece.attempt.lane.take().or_else(|| {
                let (request, route) = (self.request(&piece), self.first_route(&piece));
                let is_any = route == Route::Any && request.lane() == LaneKind::Data;
                if is_any && any.is_some() {
                    return any.clone();
                }
                let lane = self.servers.lane_for(request, &route, self.needs_primary(&piece));
                if is_any {
                    any.clone_from(&lane);
                }
                lane
            });
            let same = |group: &&mut (Option<Rc<Lane>>, Vec<Piece>)| match (&group.0, &lane) {
                (Some(one), Some(other)) => Rc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            };
            match groups.iter_mut().find(same) {
                Some((_, group)) => group.push(piece),
                None => {
                    let mut group = Vec::with_capacity(total);
                    group.push(piece);
                    groups.push((lane, group));
                }
            }
        }
        groups
    }

    /// Sends one node's pieces, once it can be reached.
    async fn send(self: Rc<Self>, lane: Option<Rc<Lane>>, mut pieces: Vec<Piece>) -> Round {
        let deadline = self.sending.deadline;
        let waiting_for = RefCell::default();
        let lane = match timeout_at(deadline, self.reach(lane, &mut pieces, &waiting_for)).await {
            Ok(Ok(Some(lane))) => lane,
            // Where to may have changed.
            Ok(Ok(None)) => return Round { again: pieces, ..Round::default() },
            Ok(Err(error)) => {
                let first = pieces.remove(0);
                return Round { done: vec![(first.place, Err(error))], again: pieces };
            }
            Err(_) => {
                let reason = waiting_for.into_inner();
                let state = if reason.is_empty() { "not executed".into() } else { format!("not executed: {reason}") };
                let end = |piece: Piece| (piece.place, Err(Box::new(self.timed_out(&state, piece.was_lost))));
                return Round { done: pieces.into_iter().map(end).collect(), again: Vec::new() };
            }
        };
        let write = self.write(&lane, &mut pieces);
        let receipt = Rc::new(Receipt::default());
        let answer = timeout_at(deadline, lane.request(write.commands, Terms::default(), &receipt)).await;
        let ending = match answer {
            Ok(Ok(())) => Ending::Answered,
            Ok(Err(Setback::Lost(reason))) => Ending::Lost(reason, receipt.written()),
            Ok(Err(_)) => Ending::Unsent,
            Err(_) => {
                if self.servers.is_cluster() {
                    self.servers.refresh();
                }
                Ending::TimedOut(receipt.was_sent())
            }
        };
        let mut replies = receipt.take_replies();
        for (index, name) in write.loads {
            if let Some(reply) = replies.get(index) {
                self.note_load(&lane, &name, reply);
            }
        }
        let mut round = Round { done: Vec::with_capacity(pieces.len()), again: Vec::new() };
        let mut taught = HashSet::new();
        for (piece, (index, end)) in pieces.into_iter().zip(write.places) {
            let Some(reply) = replies.get_mut(index) else {
                self.without_reply(piece, end, &ending, &mut round);
                continue;
            };
            let mut reply = std::mem::replace(reply, Reply::One(Item::Nil));
            if piece.attempt.brings_library {
                let before = index - 1 - usize::from(piece.attempt.asking);
                let loading = std::mem::replace(&mut replies[before], Reply::One(Item::Nil));
                reply = telling(reply, Some(loading));
            }
            if piece.attempt.form.is_some()
                && let Some(script) = self.request(&piece).script()
                && taught.insert(script.hash().to_owned())
            {
                piece.attempt.learn_from(&self.servers, self.request(&piece), &reply, &lane);
            }
            self.with_reply(piece, reply, &lane, &mut round);
        }
        round
    }

    /// A lane with a connection; `None` where the pieces may now have another.
    async fn reach(
        &self,
        lane: Option<Rc<Lane>>,
        pieces: &mut [Piece],
        waiting_for: &RefCell<String>,
    ) -> Result<Option<Rc<Lane>>, Box<Error>> {
        let pause = pieces.iter_mut().map(|piece| piece.attempt.take_pause()).max().unwrap_or_default();
        if !pause.is_zero() {
            sleep(pause).await;
        }
        if let Some(lane) = lane {
            if lane.is_up() {
                return Ok(Some(lane));
            }
            if let Ok(Ok(())) = timeout(LOOK_AGAIN, lane.connected()).await {
                return Ok(Some(lane));
            }
        }
        for piece in &mut *pieces {
            piece.attempt.asking = false;
        }
        let first = &pieces[0];
        let (request, route) = (self.request(first), self.first_route(first));
        connected_lane(&self.servers, request, &route, self.needs_primary(first), waiting_for).await?;
        Ok(None)
    }

    /// What goes over the wire.
    fn write(&self, lane: &Rc<Lane>, pieces: &mut [Piece]) -> Write {
        let mut write = Write { commands: Vec::with_capacity(pieces.len() + 4), ..Write::default() };
        write.places.reserve(pieces.len());
        let mut loaded = HashSet::new();
        for piece in pieces {
            let request = self.request(piece);
            if let Some(script) = request.bringable_script()
                && piece.attempt.form.is_none()
                && !lane.has_loaded(script.hash())
                && !loaded.contains(script.hash())
            {
                if !self.servers.cannot_load.get() && self.servers.may_teach(script) {
                    write.load(script.hash(), script.load());
                    loaded.insert(script.hash());
                } else {
                    piece.attempt.form = Some(code_form(request, None));
                }
            }
            if let Some(library) = request.library()
                && !lane.has_loaded(&library.key)
                && loaded.insert(&library.key)
                && (self.needs_primaries || !request.is_read_only())
            {
                // One of its name that is there already stays.
                write.load(&library.key, library.load(false));
            }
            if piece.attempt.brings_library
                && let Some(library) = request.library()
            {
                write.push(library.load(true));
            }
            if piece.attempt.asking {
                write.push(asking());
            }
            let form = piece.attempt.form;
            write.push(form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
            write.places.push((write.commands.len() - 1, write.length));
        }
        write
    }

    /// A load that was refused is no reason not to try the script: it may be there.
    fn note_load(&self, lane: &Lane, name: &str, reply: &Reply) {
        match reply.error() {
            None => lane.set_loaded(name, true),
            Some(error) if error.text().contains("already exists") => lane.set_loaded(name, true),
            Some(error) if error.code() == "NOPERM" || error.text().starts_with("ERR unknown") => {
                self.servers.cannot_load.set(true);
            }
            Some(_) => {}
        }
    }

    fn with_reply(&self, mut piece: Piece, reply: Reply, lane: &Rc<Lane>, round: &mut Round) {
        let (request, route) = (self.request(&piece), self.route(&piece));
        if request.has_forms() && piece.attempt.form.is_none() && reply.error().is_none_or(|e| e.code() != "NOSCRIPT") {
            self.servers.stats.script_hits.add(1);
        }
        let Some(error) = reply.error() else { return round.done.push((piece.place, Ok(reply))) };
        if error.code() == "NOSCRIPT"
            && let Some(script) = request.script()
        {
            lane.set_loaded(script.hash(), false);
        }
        piece.attempt.lane = Some(lane.clone());
        if piece.attempt.heed(&self.servers, request, &route, error, &RefCell::default()) {
            return round.again.push(piece);
        }
        let mut error = Error::from_server(error, request);
        error.may_have_executed |= piece.was_lost;
        round.done.push((piece.place, Err(Box::new(error))));
    }

    fn without_reply(&self, mut piece: Piece, end: u64, ending: &Ending, round: &mut Round) {
        piece.attempt.lane = None;
        piece.attempt.asking = false;
        match ending {
            Ending::Lost(reason, written) if end <= *written => {
                if self.request(&piece).is_repeatable() || self.sending.options.retries_lost {
                    piece.was_lost = true;
                    round.again.push(piece);
                } else {
                    round.done.push((piece.place, Err(Box::new(Error::lost(reason)))));
                }
            }
            Ending::TimedOut(true) => {
                let error = self.timed_out("no reply from the server; it may have been executed", true);
                round.done.push((piece.place, Err(Box::new(error))));
            }
            Ending::TimedOut(false) => {
                let error = self.timed_out("not sent, because the server takes no more requests", piece.was_lost);
                round.done.push((piece.place, Err(Box::new(error))));
            }
            _ => round.again.push(piece),
        }
    }

    fn timed_out(&self, state: &str, may_have_executed: bool) -> Error {
        Error::timeout(self.sending.timeout, state, may_have_executed)
    }
}

/// One write, and where in it the pieces are.
#[derive(Default)]
struct Write {
    commands: Vec<Bytes>,
    length: u64,
    /// For each piece, which command it is, and where its bytes end.
    places: Vec<(usize, u64)>,
    /// Which commands load what.
    loads: Vec<(usize, String)>,
}

impl Write {
    fn push(&mut self, command: Bytes) {
        self.length += command.len() as u64;
        self.commands.push(command);
    }

    fn load(&mut self, name: &str, command: Bytes) {
        self.loads.push((self.commands.len(), name.to_owned()));
        self.push(command);
    }
}

/// Why there are no more replies.
enum Ending {
    Answered,
    Unsent,
    /// With that many bytes written.
    Lost(Unreachable, u64),
    /// After it was sent, or before.
    TimedOut(bool),
}
