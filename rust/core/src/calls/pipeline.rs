//! A batch that is no transaction: each node's commands in one write and in their order, the nodes side by side.
//!
//! What a server did not execute is sent again, as for single calls: by the same rules, but together. A script that a
//! connection has not used yet is loaded before its first use, in the same write. So a missing script means that it
//! was flushed in between, and only then does it run after its later neighbours.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};

use crate::calls::attempt::{Attempt, code_form, reply_or_failed_load};
use crate::calls::fanout::{gather_nodes, gather_parts, has_left, nodes_of};
use crate::calls::waiting::{TooLate, connected_lane, in_time};
use crate::connection::lane::{self, Lane};
use crate::connection::step::{StepOptions, StepProgress, Unfinished};
use crate::model::batch::{Entry, Sending};
use crate::model::cause::AtDeadline;
use crate::model::completion::Outcome;
use crate::model::config::Address;
use crate::model::error::Error;
use crate::model::library::is_library;
use crate::model::request::{Form, LaneKind, Request, asking};
use crate::model::route::Route;
use crate::model::script::Script;
use crate::model::status::Unreachable;
use crate::model::verdict::{self, Load, Meaning, Ran};
use crate::model::wait::Wait;
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::node::Lease;
use crate::tasks::guard;
use crate::wire::resp::{Item, Reply};

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
    waiting_for: RefCell<String>,
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
    /// The nodes were not known in time.
    Unknown(Error),
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
            (Self::Unknown(error), _) => Err(Box::new(error)),
            _ => outcomes.next().unwrap_or_else(|| Err(Box::new(Error::closed_in_flight(true)))),
        }
    }
}

impl Context {
    fn request(&self, piece: &Piece) -> &Request {
        self.request_of(piece.entry, piece.part)
    }

    fn request_of(&self, entry: usize, part: usize) -> &Request {
        match &self.sending.entries()[entry] {
            Entry::Whole { request, .. } => request,
            Entry::Parts { parts, .. } => &parts[part].request,
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
                    let knowing = async {
                        self.servers.learn_first().await;
                        nodes_of(&self.servers, route, request.gather()).await
                    };
                    match timeout_at(self.sending.deadline, knowing).await {
                        Ok(nodes) => {
                            nodes.iter().for_each(|node| add(0, Some(Route::Address(node.clone()))));
                            shapes.push(Shape::Nodes(nodes));
                        }
                        Err(_) => {
                            let known = AtDeadline::NotSent("its nodes could not be reached".into());
                            shapes.push(Shape::Unknown(Error::timeout(self.sending.timeout, known)));
                        }
                    }
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
                // A replica would answer reads there, that the writes before them are not on yet.
                let lane = lane.map(|lane| if self.needs_primaries { self.servers.data_lane(&lane) } else { lane });
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
        let mut round = Round { done: Vec::with_capacity(pieces.len()), again: Vec::new() };
        let mut reading = Reading { write, lane, pieces: pieces.into_iter().peekable(), taught: HashSet::new() };
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
        let Reading { write, lane, pieces, taught } = reading;
        let first = write.read;
        write.read += count;
        while let Some((_, name)) = write.loads.front().filter(|(index, _)| *index < write.read) {
            let (index, name) = (write.loads[0].0 - first, name.clone());
            write.loads.pop_front();
            if let Some(reply) = replies.get(index) {
                self.note_load(lane, &name, reply);
                if reply.error().is_some() {
                    write.failed_loads.insert(name, reply.clone());
                }
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

    /// A place on a lane with a connection; `None` where the pieces may now have another.
    async fn reach(&self, lane: Option<Rc<Lane>>, pieces: &mut [Piece]) -> Result<Option<lane::Place>, Box<Error>> {
        let pause = pieces.iter_mut().map(|piece| piece.attempt.take_pause()).max().unwrap_or_default();
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let mut place = None;
        if let Some(lane) = lane {
            if self.own_time.is_some() {
                if matches!(timeout(LOOK_AGAIN, lane.connected()).await, Ok(Ok(()))) {
                    let own = self.own_lane(&lane);
                    let Err(reason) = own.connected().await else { return Ok(Some(own.end_of_line())) };
                    self.waiting_for.replace(format!("no connection to {}: {reason}", own.address()));
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
        in_time(self.sending.deadline, self.own_time, || self.was_sent.get() || was_sent(), work).await
    }

    /// What goes over the wire, and where in it the pieces are.
    fn write(&self, lane: &Rc<Lane>, pieces: &mut [Piece]) -> (Write, Vec<Bytes>) {
        let mut write = Write::default();
        let mut commands = Commands(Vec::with_capacity(pieces.len() + 4), 0);
        write.places.reserve(pieces.len());
        // What the server will have when it reads the next command, besides what it was known to have.
        let mut brought: HashSet<&str> = HashSet::new();
        // The script of the command before, which the server will have: many batches run one script.
        let mut last: Option<&Script> = None;
        for piece in pieces {
            let request = self.request(piece);
            if request.flushes_scripts() {
                lane.forget_loaded();
                write.flushes_scripts = true;
                brought.clear();
                last = None;
                write.loads.clear();
            }
            if let Some(script) = request.bringable_script()
                && (piece.attempt.form.is_some() || last.is_none_or(|last| !std::ptr::eq(last, Arc::as_ptr(script))))
            {
                self.bring(script, piece, lane, &mut brought, &mut write, &mut commands);
                last = Some(script);
            }
            if let Some(library) = request.library()
                && (piece.attempt.brings_library || !lane.has_loaded(&library.key))
                && (self.needs_primary(piece) || !request.is_read_only())
                && brought.insert(&library.key)
            {
                // Unless the server lacks the function, a library of that name that it has stays.
                write.loads.push_back((commands.0.len(), library.key.clone()));
                commands.push(library.load(piece.attempt.brings_library));
            }
            if piece.attempt.asking {
                commands.push(asking());
            }
            let form = piece.attempt.form;
            commands.push(form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
            write.places.push_back(Place { index: commands.0.len() - 1, end: commands.1 });
        }
        write.ends = commands.ends();
        (write, commands.0)
    }

    /// Sees to it that the server has a script when it reads the command that runs it.
    fn bring<'a>(
        &self,
        script: &'a Script,
        piece: &mut Piece,
        lane: &Lane,
        brought: &mut HashSet<&'a str>,
        write: &mut Write,
        commands: &mut Commands,
    ) {
        let (attempt, request) = (&mut piece.attempt, self.request_of(piece.entry, piece.part));
        if matches!(attempt.form, Some(Form::Code | Form::CodeReadOnly)) {
            if !brought.insert(script.hash()) {
                // The one before it has brought the code.
                attempt.form = Attempt::first(&self.servers, request).form;
            }
            return;
        }
        if lane.has_loaded(script.hash()) || brought.contains(script.hash()) {
            return;
        }
        if !self.servers.abilities.cannot_load.get() && self.servers.teaching.may_teach(script, &self.servers.stats) {
            write.loads.push_back((commands.0.len(), script.hash().to_owned()));
            commands.push(script.load());
        } else if self.servers.abilities.cannot_eval.get() {
            return;
        } else {
            attempt.is_ahead = true;
            attempt.form = Some(code_form(request, attempt.form));
        }
        brought.insert(script.hash());
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
        let Some(error) = reply.error() else {
            self.note_hit(&piece, lane);
            return round.done.push((piece.place, Ok(reply)));
        };
        let (request, route) = (self.request(&piece), self.route(&piece));
        piece.attempt.lane = Some(lane.clone());
        let verdict = piece.attempt.judge(&self.servers, request, &route, error);
        if verdict.meaning != Meaning::MissingScript {
            self.note_hit(&piece, lane);
        } else if let Some(script) = request.script() {
            lane.set_loaded(script.hash(), false);
        }
        if piece.attempt.follow(&self.servers, request, &route, error, &verdict, &self.waiting_for) {
            return round.again.push(piece);
        }
        let error = Error::answered(error, &verdict, request).after_loss(piece.was_lost);
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
}

/// Where in what goes over the wire the pieces are.
#[derive(Default)]
struct Write {
    places: VecDeque<Place>,
    /// Which commands load what.
    loads: VecDeque<(usize, String)>,
    failed_loads: HashMap<String, Reply>,
    flushes_scripts: bool,
    /// Where the bytes of each command end.
    ends: Vec<u64>,
    /// How many commands have been dealt with.
    read: usize,
}

impl Write {
    /// How many bytes come before a command.
    fn bytes_before(&self, command: usize) -> u64 {
        command.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// A piece's command, and where its bytes end.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    end: u64,
}

/// Commands, and how many bytes they are.
struct Commands(Vec<Bytes>, u64);

impl Commands {
    fn push(&mut self, command: Bytes) {
        self.1 += command.len() as u64;
        self.0.push(command);
    }

    fn ends(&self) -> Vec<u64> {
        let ends = self.0.iter().scan(0, |end, command| {
            *end += command.len() as u64;
            Some(*end)
        });
        ends.collect()
    }
}

/// The same commands in writes of a bounded length each, of at least one command.
fn chunks(commands: Vec<Bytes>) -> impl Iterator<Item = Vec<Bytes>> {
    const LONGEST: usize = 256 << 10;
    let mut commands = commands.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = commands.next()?;
        let mut length = first.len();
        let mut chunk = vec![first];
        while let Some(next) = commands.next_if(|next| length + next.len() <= LONGEST) {
            length += next.len();
            chunk.push(next);
        }
        Some(chunk)
    })
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
