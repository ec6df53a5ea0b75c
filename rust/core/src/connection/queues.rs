//! The jobs of a lane, waiting and written, and how they are found by their numbers, deadlines and callers.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};

use tokio::time::Instant;

use crate::connection::io::Io;
use crate::connection::job::{InFlight, Job};
use crate::connection::numbered_queue::NumberedQueue;
use crate::connection::step::Steps;
use crate::connection::waiting::{STRIDE, Waiting};
use crate::model::call::Call;
use crate::model::completion::CallId;
use crate::model::known_code::KnownCode;
use crate::tasks::room::ROOM_KEPT;

/// The jobs of a lane, before and after they are written.
#[derive(Default)]
pub(crate) struct Queues {
    /// Not written.
    pub(crate) waiting: Waiting,
    /// Moved to the connection's output; replies come in this order.
    pub(crate) in_flight: NumberedQueue<InFlight>,
    /// How many bytes of the connection's output the socket has taken, and how many there are with the others.
    taken: u64,
    queued: u64,
    /// The part of the output that no one waits for, and of which the socket has taken nothing.
    withdrawn: Option<Withdrawn>,
    /// The code that the server has, as answers over this connection have shown.
    pub(crate) known_code: KnownCode,
    /// The number of the next job.
    next: u64,
    register: Register,
}

/// The parts of the output that must not be written any more.
#[derive(Clone, Copy)]
struct Withdrawn {
    /// Where in the output the first of it begins.
    begins: u64,
    bytes: u64,
}

impl Queues {
    /// Queues a job and returns its number.
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

    /// Removes a job that nobody waits for any more, and returns how many of its bytes the server still gets: if the
    /// socket has begun to take a command, the rest must follow.
    pub(crate) fn remove(&mut self, number: u64) -> Option<(Job, u64)> {
        let Some(entry) = self.in_flight.find(number) else {
            return self.waiting.remove(number).map(|job| (job, 0));
        };
        let job = entry.job.take()?;
        let (commands, bytes) = job.begun(self.taken.saturating_sub(entry.begins));
        if bytes == 0 && std::mem::take(&mut entry.is_first_use) {
            // Its reply would not show whether the server has its code.
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
                    // It is the first in flight: the jobs before it were answered, too.
                    self.in_flight.pop_front();
                }
            }
        }
        Some((job, bytes))
    }

    /// Puts a job that is in the output now among those in flight. Jobs behind the first use of some code wait for its
    /// answer: if the server lacks the code, the call is sent again from this place.
    #[inline]
    pub(crate) fn push_in_flight(&mut self, number: u64, mut entry: InFlight) {
        match &entry.job {
            Some(Job::Call(call)) => {
                if call.request.flushes_scripts() {
                    self.known_code.clear();
                }
                entry.is_first_use = call.request.code().is_some_and(|code| self.known_code.is_first(code));
            }
            Some(Job::Step(step)) if step.options.flushes_scripts => self.known_code.clear(),
            _ => {}
        }
        let is_first_use = entry.is_first_use;
        self.in_flight.push_back(number, entry);
        if is_first_use {
            self.waiting.push_front(number, Job::Place(Steps::kept()));
        }
    }

    /// Whether the next job is the first one after all before it were answered.
    pub(crate) fn begins_to_write(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.has_next()
    }

    /// How far the output may be written.
    pub(crate) fn may_be_written(&self) -> u64 {
        self.withdrawn.map_or(u64::MAX, |withdrawn| withdrawn.begins)
    }

    /// Whether the output should be rebuilt without what was withdrawn: before the withdrawn part would be written, or
    /// when it is most of the output. So each withdrawal costs little, however many there are.
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
        self.known_code.clear();
        let in_flight = self.in_flight.take();
        // Requests that are sent again are registered again.
        let first_uses = in_flight.iter().filter(|(_, entry)| entry.is_first_use);
        first_uses.for_each(|(number, _)| self.waiting.leave_place(*number));
        in_flight
    }

    /// No call's deadline is before this.
    pub(crate) fn sweep_at(&self) -> Option<Instant> {
        self.register.sweep_at()
    }

    /// Takes out the calls whose deadline has passed, each with whether the server may get it. With `spares_begun`,
    /// calls that the server may get stay.
    pub(crate) fn expired(&mut self, now: Instant, spares_begun: bool) -> Vec<(Call, bool)> {
        if self.register.has_overdue_unregistered(now) {
            self.register();
        }
        let mut expired = Vec::new();
        while let Some(number) = self.register.next_overdue(now) {
            if spares_begun && self.in_flight.find(number).is_some_and(|entry| entry.begins < self.taken) {
                continue;
            }
            self.remove_call(number, &mut expired);
        }
        expired
    }

    /// Takes out the calls of the callers in `gone`, and removes these callers from `gone`.
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

    /// Registers the calls that are not registered yet. So each call is looked at once, however many cancellations and
    /// deadlines there are; most calls end before they are looked for.
    fn register(&mut self) {
        const SPARE: usize = 1024;
        if self.register.len() > 2 * (self.in_flight.len() + self.waiting.queue.len()) + SPARE {
            // Most of them have ended.
            self.register = Register::default();
        }
        let from = self.register.up_to;
        let written = self.in_flight.since(from).filter_map(|(number, entry)| Some((number, entry.job.as_ref()?)));
        let waiting = self.waiting.queue.since(from).filter_map(|(number, job)| Some((number, job.as_ref()?)));
        for (number, job) in written.chain(waiting) {
            if let Job::Call(call) = job {
                self.register.deadlines.push(Reverse((call.deadline, number)));
                if let Some(id) = call.reply_to.id() {
                    self.register.callers.insert(id, number);
                }
            }
        }
        self.register.up_to = self.next;
        self.register.earliest_unregistered = None;
    }

    /// How many entries of calls are kept, by deadline and by caller.
    #[cfg(test)]
    pub(crate) fn registered(&self) -> usize {
        self.register.deadlines.len() + self.register.callers.len()
    }

    pub(crate) fn give_back_room(&mut self) {
        if self.in_flight.is_empty() && self.waiting.is_empty() {
            self.in_flight.entries.shrink_to(ROOM_KEPT);
            self.waiting.queue.entries.shrink_to(ROOM_KEPT);
        }
    }
}

/// Where calls are, by deadline and by caller. Some of them may have ended since.
#[derive(Default)]
struct Register {
    /// Calls with lower numbers are in it.
    up_to: u64,
    /// The earliest deadline of those that are not.
    earliest_unregistered: Option<Instant>,
    deadlines: BinaryHeap<Reverse<(Instant, u64)>>,
    callers: HashMap<CallId, u64>,
}

impl Register {
    /// How many calls are in it, by deadline or by caller: a passed deadline is taken out alone, and so is a caller.
    fn len(&self) -> usize {
        self.deadlines.len().max(self.callers.len())
    }

    fn expect(&mut self, deadline: Instant) {
        if self.earliest_unregistered.is_none_or(|earliest| deadline < earliest) {
            self.earliest_unregistered = Some(deadline);
        }
    }

    fn sweep_at(&self) -> Option<Instant> {
        let known = self.deadlines.peek().map(|Reverse((deadline, _))| *deadline);
        known.into_iter().chain(self.earliest_unregistered).min()
    }

    fn has_overdue_unregistered(&self, now: Instant) -> bool {
        self.earliest_unregistered.is_some_and(|deadline| deadline <= now)
    }

    fn next_overdue(&mut self, now: Instant) -> Option<u64> {
        let Reverse((_, number)) = *self.deadlines.peek().filter(|Reverse((deadline, _))| *deadline <= now)?;
        self.deadlines.pop();
        Some(number)
    }
}
