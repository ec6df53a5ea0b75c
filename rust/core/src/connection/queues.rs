//! What a lane does for others: calls, steps of several commands, and loads; waiting, and written.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;

use crate::connection::io::{Io, Output};
use crate::connection::step::Step;
use crate::model::call::Call;
use crate::model::completion::CallId;
use crate::model::request::asking;
use crate::model::used::Used;

/// What a lane has to do and has done.
#[derive(Default)]
pub(crate) struct Queues {
    /// Not written.
    pub(crate) waiting: Waiting,
    /// Moved to the connection's output; replies come in this order.
    pub(crate) in_flight: Line<InFlight>,
    /// How many bytes of the connection's output the socket has taken, and how many there are with the others.
    taken: u64,
    queued: u64,
    /// What is in the output that nobody waits for, and of which the socket has taken nothing.
    withdrawn: Option<Withdrawn>,
    /// The code that the server has, as answers over this connection have shown.
    pub(crate) used: Used,
    /// What the next job is numbered.
    next: u64,
    register: Register,
}

/// What must not be written any more.
#[derive(Clone, Copy)]
struct Withdrawn {
    /// Where in the output the first of it begins.
    begins: u64,
    bytes: u64,
}

impl Queues {
    /// Puts a job in line, and says its number.
    #[inline]
    pub(crate) fn put(&mut self, job: Job) -> u64 {
        let number = self.next;
        self.next += STRIDE;
        if let Job::Call(call) = &job {
            self.register.expect(call.deadline);
        }
        self.waiting.push_back(number, job);
        number
    }

    /// Takes a job out that nobody waits for any more, and says how many of its bytes the server gets all the same: of a
    /// command that the socket has begun to take, the rest must follow.
    pub(crate) fn remove(&mut self, number: u64) -> Option<(Job, u64)> {
        let Some(entry) = self.in_flight.find(number) else {
            return self.waiting.remove(number).map(|job| (job, 0));
        };
        let job = entry.job.take()?;
        let (commands, bytes) = job.begun(self.taken.saturating_sub(entry.begins));
        if bytes == 0 && std::mem::take(&mut entry.is_first_use) {
            // It does not show whether the server has its code.
            self.waiting.leave_place(number);
        }
        let begins = entry.begins + bytes;
        if begins < entry.ends {
            let withdrawn = self.withdrawn.get_or_insert(Withdrawn { begins, bytes: 0 });
            withdrawn.begins = withdrawn.begins.min(begins);
            withdrawn.bytes += entry.ends - begins;
            entry.ends = begins;
            if commands > 0 {
                entry.missing -= job.replies() - commands;
                if entry.missing == 0 {
                    // Those before it were answered, too.
                    self.in_flight.pop_front();
                }
            }
        }
        Some((job, bytes))
    }

    /// Puts a job that is in the output now among those in flight. What comes after the first use of some code waits for
    /// its answer: if the server lacks the code, the call is sent again from this place.
    #[inline]
    pub(crate) fn push_in_flight(&mut self, number: u64, mut entry: InFlight) {
        match &entry.job {
            Some(Job::Call(call)) => {
                if call.request.flushes_scripts() {
                    self.used.clear();
                }
                entry.is_first_use = call.request.code().is_some_and(|code| self.used.is_first(code));
            }
            Some(Job::Step(step)) if step.options.flushes_scripts => self.used.clear(),
            _ => {}
        }
        let is_first_use = entry.is_first_use;
        self.in_flight.push_back(number, entry);
        if is_first_use {
            self.waiting.push_front(number, Job::Place(Steps::kept()));
        }
    }

    /// How far the output may be written.
    pub(crate) fn may_be_written(&self) -> u64 {
        self.withdrawn.map_or(u64::MAX, |withdrawn| withdrawn.begins)
    }

    /// Whether the output should be rebuilt without what was withdrawn: before that is written, or when it is most
    /// of it. So it costs little for each job, however many are withdrawn one by one.
    pub(crate) fn should_withdraw(&self) -> bool {
        self.may_be_written() <= self.taken || self.is_mostly_withdrawn()
    }

    pub(crate) fn is_mostly_withdrawn(&self) -> bool {
        self.withdrawn.is_some_and(|withdrawn| withdrawn.bytes * 2 > self.queued - self.taken)
    }

    /// Notes how far the output was written.
    pub(crate) fn note_written(&mut self, io: &Io) {
        (self.taken, self.queued) = (io.written, io.queued());
    }

    /// Whether the socket has taken some of it.
    pub(crate) fn was_begun(&self, entry: &InFlight) -> bool {
        entry.begins < self.taken
    }

    /// How many bytes of the output the socket has taken, and of how many.
    #[cfg(test)]
    pub(crate) fn written(&self) -> (u64, u64) {
        (self.taken, self.queued)
    }

    /// How many jobs in flight the socket has begun to take.
    #[cfg(test)]
    pub(crate) fn begun(&self) -> usize {
        self.in_flight.iter().filter(|entry| self.was_begun(entry)).count()
    }

    /// Takes what was withdrawn out of the output.
    pub(crate) fn withdraw(&mut self, io: &mut Io) {
        let Some(Withdrawn { begins, .. }) = self.withdrawn.take() else { return };
        io.output.truncate(usize::try_from(begins - io.written).unwrap_or(usize::MAX));
        for (number, mut entry) in self.in_flight.split_off(|entry| entry.begins < begins) {
            let Some(job) = &entry.job else { continue };
            entry.begins = io.queued();
            job.write(&mut io.output);
            entry.ends = io.queued();
            self.in_flight.push_back(number, entry);
        }
    }

    /// Takes out what is in flight, since its connection is lost.
    pub(crate) fn lose_in_flight(&mut self) -> VecDeque<(u64, InFlight)> {
        (self.taken, self.queued, self.withdrawn) = (0, 0, None);
        self.used.clear();
        let in_flight = self.in_flight.take();
        // What is sent again is looked at again.
        let first_uses = in_flight.iter().filter(|(_, entry)| entry.is_first_use);
        first_uses.for_each(|(number, _)| self.waiting.leave_place(*number));
        in_flight
    }

    /// No call's deadline is before this.
    pub(crate) fn sweep_at(&self) -> Option<Instant> {
        self.register.sweep_at()
    }

    /// Takes out the calls whose deadline has passed, each with whether the server may get it.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<(Call, bool)> {
        if self.register.has_overdue_strangers(now) {
            self.register();
        }
        let mut expired = Vec::new();
        while let Some(number) = self.register.next_overdue(now) {
            self.remove_call(number, &mut expired);
        }
        expired
    }

    /// Takes out the calls of callers that are gone, whose names it takes out of `gone`.
    pub(crate) fn cancelled(&mut self, gone: &mut BTreeSet<CallId>) -> Vec<(Call, bool)> {
        let mut cancelled = Vec::new();
        if self.waiting.is_empty() && self.in_flight.is_empty() {
            return cancelled;
        }
        self.register();
        gone.retain(|id| match self.register.callers.remove(id) {
            Some(number) => {
                self.remove_call(number, &mut cancelled);
                false
            }
            None => true,
        });
        cancelled
    }

    fn remove_call(&mut self, number: u64, calls: &mut Vec<(Call, bool)>) {
        if let Some((Job::Call(call), bytes)) = self.remove(number) {
            calls.push((call, bytes > 0));
        }
    }

    /// Registers the calls that are not registered. So each call is looked at once, however many there are cancels and
    /// deadlines; most calls end before anybody asks for them.
    fn register(&mut self) {
        const SPARE: usize = 1024;
        if self.register.deadlines.len() > 2 * (self.in_flight.len() + self.waiting.line.len()) + SPARE {
            // Most of them have ended.
            self.register = Register::default();
        }
        let from = self.register.up_to;
        let written = self.in_flight.since(from).filter_map(|(number, entry)| Some((number, entry.job.as_ref()?)));
        let waiting = self.waiting.line.since(from).filter_map(|(number, job)| Some((number, job.as_ref()?)));
        for (number, job) in written.chain(waiting) {
            if let Job::Call(call) = job {
                self.register.deadlines.push(Reverse((call.deadline, number)));
                if let Some(id) = call.reply_to.id() {
                    self.register.callers.insert(id, number);
                }
            }
        }
        self.register.up_to = self.next;
        self.register.earliest_stranger = None;
    }

    /// The room of one great burst is not kept for ever.
    pub(crate) fn give_back_room(&mut self) {
        const KEPT: usize = 4096;
        if self.in_flight.is_empty() && self.waiting.is_empty() {
            self.in_flight.entries.shrink_to(KEPT);
            self.waiting.line.entries.shrink_to(KEPT);
        }
    }
}

/// Where calls are, by what is asked for: their deadlines, and their callers. Some of them have ended since.
#[derive(Default)]
struct Register {
    /// Calls with lower numbers are in it.
    up_to: u64,
    /// The earliest deadline of those that are not.
    earliest_stranger: Option<Instant>,
    deadlines: BinaryHeap<Reverse<(Instant, u64)>>,
    callers: HashMap<CallId, u64>,
}

impl Register {
    fn expect(&mut self, deadline: Instant) {
        if self.earliest_stranger.is_none_or(|earliest| deadline < earliest) {
            self.earliest_stranger = Some(deadline);
        }
    }

    fn sweep_at(&self) -> Option<Instant> {
        let known = self.deadlines.peek().map(|Reverse((deadline, _))| *deadline);
        known.into_iter().chain(self.earliest_stranger).min()
    }

    fn has_overdue_strangers(&self, now: Instant) -> bool {
        self.earliest_stranger.is_some_and(|deadline| deadline <= now)
    }

    fn next_overdue(&mut self, now: Instant) -> Option<u64> {
        let Reverse((_, number)) = *self.deadlines.peek().filter(|Reverse((deadline, _))| *deadline <= now)?;
        self.deadlines.pop();
        Some(number)
    }
}

/// Between the numbers of two jobs there is room for the steps of a place.
const STRIDE: u64 = 1 << 16;

/// What stands in line, by its numbers, which grow. It is found by its number, without looking through the line.
pub(crate) struct Line<T> {
    entries: VecDeque<(u64, T)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<T> Line<T> {
    #[inline]
    pub(crate) fn push_back(&mut self, number: u64, entry: T) {
        self.entries.push_back((number, entry));
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<(u64, T)> {
        self.entries.pop_front()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.entries.front().map(|(_, entry)| entry)
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.entries.front_mut().map(|(_, entry)| entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&mut self, number: u64) -> Option<&mut T> {
        visit(1);
        let index = self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&mut self.entries[index].1)
    }

    /// All from that number on.
    fn since(&self, number: u64) -> impl Iterator<Item = (u64, &T)> {
        let first = self.entries.partition_point(|(other, _)| *other < number);
        self.entries.range(first..).inspect(|_| visit(1)).map(|(number, entry)| (*number, entry))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().inspect(|_| visit(1)).map(|(_, entry)| entry)
    }

    fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        visit(self.len());
        self.entries.retain(|(_, entry)| stays(entry));
    }

    /// Takes out all but the first ones, which stay.
    fn split_off(&mut self, stays: impl Fn(&T) -> bool) -> VecDeque<(u64, T)> {
        let first = self.entries.partition_point(|(_, entry)| stays(entry));
        let rest = self.entries.split_off(first);
        visit(rest.len());
        rest
    }

    pub(crate) fn take(&mut self) -> VecDeque<(u64, T)> {
        visit(self.len());
        std::mem::take(&mut self.entries)
    }
}

/// Counts the entries of lines that were looked at, for tests of how much is done for a call.
#[cfg(not(test))]
fn visit(_entries: usize) {}

#[cfg(test)]
pub(crate) use visits::{take_visits, visit};

#[cfg(test)]
mod visits {
    use std::cell::Cell;

    thread_local! {
        static VISITS: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn visit(entries: usize) {
        VISITS.set(VISITS.get() + entries);
    }

    pub(crate) fn take_visits() -> usize {
        VISITS.take()
    }
}

/// Jobs that are not written, and how long they are all together.
#[derive(Default)]
pub(crate) struct Waiting {
    /// `None`: nobody waits for it any more. The first is always a job.
    line: Line<Option<Job>>,
    gone: usize,
    pub(crate) bytes: usize,
}

impl Waiting {
    #[inline]
    fn push_back(&mut self, number: u64, job: Job) {
        self.bytes += job.bytes();
        self.line.push_back(number, Some(job));
    }

    /// Puts a job back that was the last to be taken out.
    pub(crate) fn push_front(&mut self, number: u64, job: Job) {
        self.bytes += job.bytes();
        match (job, self.line.entries.front_mut()) {
            // Its place is kept still. The line is in the order of its numbers, or nothing is found in it.
            (Job::Step(step), Some((first, Some(Job::Place(place))))) if number > *first => {
                place.queue.push_front((number, step));
            }
            (job, _) => self.line.entries.push_front((number, Some(job))),
        }
    }

    /// The next job that may be written.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<(u64, Job)> {
        if let Some(Some(Job::Place(_))) = self.line.front() {
            return self.pop_from_place();
        }
        let (number, Some(job)) = self.line.pop_front()? else { return None };
        self.bytes -= job.bytes();
        if self.gone > 0 {
            self.drop_gone();
        }
        Some((number, job))
    }

    #[cold]
    fn pop_from_place(&mut self) -> Option<(u64, Job)> {
        let Some(Some(Job::Place(place))) = self.line.front_mut() else { return None };
        let (number, step) = place.queue.pop_front()?;
        let is_over = place.is_over();
        let job = Job::Step(step);
        self.bytes -= job.bytes();
        if is_over {
            self.line.pop_front();
            self.drop_gone();
        }
        Some((number, job))
    }

    /// Whether there is a job that may be written.
    pub(crate) fn has_next(&self) -> bool {
        match self.line.front() {
            Some(Some(Job::Place(place))) => !place.queue.is_empty(),
            first => first.is_some(),
        }
    }

    fn drop_gone(&mut self) {
        while let Some(None) = self.line.front() {
            self.line.pop_front();
            self.gone -= 1;
        }
    }

    fn remove(&mut self, number: u64) -> Option<Job> {
        let job = match self.line.find(number) {
            Some(entry) => entry.take()?,
            None => return self.remove_from_place(number),
        };
        self.bytes -= job.bytes();
        self.gone += 1;
        self.drop_gone();
        if self.gone > self.line.len() / 2 {
            self.line.retain(Option::is_some);
            self.gone = 0;
        }
        Some(job)
    }

    fn place(&mut self, number: u64) -> Option<&mut Steps> {
        match self.line.find(number) {
            Some(Some(Job::Place(place))) => Some(place),
            _ => None,
        }
    }

    /// Puts a step where a place was kept for it, and says its number; it comes back where there is no place any more.
    pub(crate) fn put_at_place(&mut self, number: u64, step: Step) -> Result<u64, Step> {
        let Some(place) = self.place(number).filter(|place| place.given + 1 < STRIDE) else { return Err(step) };
        place.given += 1;
        let number = number + place.given;
        let job = Job::Step(step);
        let bytes = job.bytes();
        if let Job::Step(step) = job {
            place.queue.push_back((number, step));
        }
        self.bytes += bytes;
        Ok(number)
    }

    /// Nothing more will be put there.
    pub(crate) fn leave_place(&mut self, number: u64) {
        if let Some(place) = self.place(number) {
            place.is_kept = false;
            if place.is_over() {
                self.remove(number);
            }
        }
    }

    fn remove_from_place(&mut self, number: u64) -> Option<Job> {
        let place_number = number - number % STRIDE;
        let place = self.place(place_number)?;
        let index = place.queue.iter().position(|(other, _)| *other == number)?;
        let (_, step) = place.queue.remove(index)?;
        let is_over = place.is_over();
        let job = Job::Step(step);
        self.bytes -= job.bytes();
        if is_over {
            self.remove(place_number);
        }
        Some(job)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// All of them; none is left.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Job> + use<> {
        std::mem::take(self).line.take().into_iter().filter_map(|(_, job)| job).flat_map(|job| match job {
            Job::Place(place) => place.queue.into_iter().map(|(_, step)| Job::Step(step)).collect(),
            job => vec![job],
        })
    }
}

/// A place in line for steps that are still to be made.
#[derive(Default)]
pub(crate) struct Steps {
    queue: VecDeque<(u64, Step)>,
    /// How many it has had.
    given: u64,
    is_kept: bool,
}

impl Steps {
    pub(crate) fn kept() -> Self {
        Self { is_kept: true, ..Self::default() }
    }

    fn is_over(&self) -> bool {
        !self.is_kept && self.queue.is_empty()
    }
}

/// Whether a command concerns the next one alone.
fn is_asking(wire: &[u8]) -> bool {
    wire == asking()
}

pub(crate) enum Job {
    Call(Call),
    Step(Step),
    /// SCRIPT LOAD of the script of that hash; nobody waits for the reply.
    Load(Bytes, String),
    /// What comes later waits until it is known what is to be sent here.
    Place(Steps),
}

impl Job {
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Call(call) => call.request.wire().len(),
            Self::Step(step) => step.commands.iter().map(Bytes::len).sum(),
            Self::Load(wire, _) => wire.len(),
            // Its steps are counted one by one.
            Self::Place(_) => 0,
        }
    }

    /// Puts its commands into the output.
    #[inline]
    pub(crate) fn write(&self, output: &mut Output) {
        match self {
            Self::Call(call) => output.push(call.request.wire()),
            Self::Step(step) => step.commands.iter().for_each(|wire| output.push(wire)),
            Self::Load(wire, _) => output.push(wire),
            Self::Place(_) => {}
        }
    }

    /// What of it must be written once the socket has taken so many bytes: commands, and bytes.
    fn begun(&self, taken: u64) -> (usize, u64) {
        match self {
            _ if taken == 0 => (0, 0),
            Self::Step(step) if step.options.separable => {
                let (mut commands, mut bytes) = (0, 0);
                for wire in &step.commands {
                    if bytes >= taken && !is_asking(&step.commands[commands - 1]) {
                        break;
                    }
                    (commands, bytes) = (commands + 1, bytes + wire.len() as u64);
                }
                (commands, bytes)
            }
            _ => (self.replies(), self.bytes() as u64),
        }
    }

    /// How many replies there will be.
    pub(crate) fn replies(&self) -> usize {
        match self {
            Self::Step(step) => step.commands.len(),
            Self::Call(_) | Self::Load(..) => 1,
            Self::Place(_) => 0,
        }
    }

    /// Whether its reply may take as long as it likes.
    pub(crate) fn may_block(&self) -> bool {
        match self {
            Self::Step(step) => step.options.waits,
            // They share their connection.
            Self::Call(_) | Self::Load(..) | Self::Place(_) => false,
        }
    }
}

pub(crate) struct InFlight {
    /// `None`: nobody waits for it any more.
    pub(crate) job: Option<Job>,
    pub(crate) missing: usize,
    /// Where in the connection's output the job begins and ends.
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    pub(crate) sent_at: Instant,
    /// The server may lack its code: what comes later waits for its answer, in a place of the same number.
    pub(crate) is_first_use: bool,
}
