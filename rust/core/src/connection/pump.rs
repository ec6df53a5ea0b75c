//! Writes requests to a lane's connection, reads replies, and pairs each reply with its request.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::connection::connect::Connection;
use crate::connection::idle_check::IdleCheck;
use crate::connection::io::Io;
use crate::connection::job::{InFlight, Job};
use crate::connection::lane::{Lane, Place};
use crate::connection::step::Unfinished;
use crate::model::call::Call;
use crate::model::config::Deadlines;
use crate::model::request::ACCEPTED;
use crate::model::status::Status;
use crate::model::unreachable::Unreachable;
use crate::model::verdict;
use crate::tasks::guard;
use crate::wire::resp::{Frame, Item, Reply};

impl Lane {
    /// Serves calls until the connection is lost. Returns why it was lost, and whether there had been any reply.
    pub(super) async fn serve(self: &Rc<Self>, connection: Connection) -> (Unreachable, bool) {
        self.session.begin(&connection);
        let mut io = Io::new(connection);
        self.liveness.begin();
        self.counters.node.connects.add(1);
        self.status.set(Status::Up);
        let (mut timer, mut stopped, mut idle) = (Timer::default(), None, IdleCheck::new());
        let reason = poll_fn(|cx| {
            // The panic is caught here, where the client knows how much was written.
            let step = guard::caught("a connection", || self.poll_io(&mut io, &mut timer, &mut stopped, &mut idle, cx));
            step.unwrap_or_else(|_| Poll::Ready(Unreachable::Panicked))
        })
        .await;
        self.status.set(Status::Connecting);
        self.counters.node.losses.add(1);
        let read = match reason {
            Unreachable::ClosedByServer | Unreachable::System(_) => io.unread_from.unwrap_or(io.written),
            _ => io.written,
        };
        self.lose_in_flight(read, &reason);
        (reason, io.received > 0)
    }

    /// Ends calls at their deadlines while there is no connection to do it.
    pub(super) async fn while_sweeping<T>(self: &Rc<Self>, work: impl Future<Output = T>) -> T {
        let mut timer = Timer::default();
        let sweeping = poll_fn(|cx| -> Poll<std::convert::Infallible> {
            self.poll_sweep(&mut timer, cx);
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        });
        tokio::select! {
            biased;
            result = work => result,
            never = sweeping => match never {},
        }
    }

    /// Writes, reads and pairs until the connection is lost, and says why it was.
    fn poll_io(
        self: &Rc<Self>,
        io: &mut Io,
        timer: &mut Timer,
        stopped: &mut Option<Stopped>,
        idle: &mut IdleCheck,
        cx: &mut Context<'_>,
    ) -> Poll<Unreachable> {
        if let Some(reason) = self.liveness.severed.take() {
            return Poll::Ready(reason);
        }
        if self.liveness.is_checked.take() {
            self.measure_progress(io);
        }
        let written = io.written;
        loop {
            if stopped.is_none()
                && let Poll::Ready(checked) = self.poll_idle(io, idle, cx)
            {
                if let Err(reason) = checked {
                    return Poll::Ready(reason);
                }
                self.fill(io);
                match self.poll_write(io, cx) {
                    Poll::Ready(Err(error)) => *stopped = Some(Stopped::new(Some(Unreachable::system(error)))),
                    Poll::Ready(Ok(())) if self.queues.borrow().waiting.has_next() => continue,
                    _ => {}
                }
            }
            match self.poll_replies(io, cx) {
                Poll::Ready(Ok(())) if io.unread_from.is_none() => {
                    stopped.take_if(|stopped| stopped.broken.is_none());
                }
                Poll::Ready(Ok(())) => {
                    stopped.get_or_insert_with(|| Stopped::new(None));
                }
                Poll::Ready(Err(reason)) => {
                    return Poll::Ready(stopped.take().and_then(|stopped| stopped.broken).unwrap_or(reason));
                }
                Poll::Pending => break,
            }
        }
        if let Some(over) = stopped.take_if(|stopped| stopped.is_over(cx)) {
            if let Some(reason) = over.broken {
                return Poll::Ready(reason);
            }
            // A script has said so.
            io.unread_from = None;
            cx.waker().wake_by_ref();
        }
        if io.written > written {
            self.counters.node.bytes_sent.add(io.written - written);
        }
        self.poll_sweep(timer, cx);
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Before the first request after a pause, reads whether the connection has ended meanwhile.
    fn poll_idle(
        self: &Rc<Self>,
        io: &mut Io,
        idle: &mut IdleCheck,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unreachable>> {
        if self.queues.borrow().begins_to_write() && ready!(idle.poll(self.liveness.heard_at.get(), cx)) {
            while let Poll::Ready(read) = self.poll_replies(io, cx) {
                read?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, and delivers the replies that are complete.
    fn poll_replies(self: &Rc<Self>, io: &mut Io, cx: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        match ready!(io.poll_read(cx)) {
            Ok(0) => Poll::Ready(Err(Unreachable::ClosedByServer)),
            Ok(count) => {
                self.counters.node.bytes_received.add(count as u64);
                self.liveness.heard_at.set(Instant::now());
                Poll::Ready(self.deliver(io))
            }
            Err(error) => Poll::Ready(Err(Unreachable::system(error))),
        }
    }

    /// Writes the output, less what was withdrawn.
    fn poll_write(&self, io: &mut Io, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            if self.queues.borrow().should_withdraw() {
                self.queues.borrow_mut().withdraw(io);
                self.publish_in_flight();
            }
            let up_to = self.queues.borrow().may_be_written();
            let result = io.poll_write(cx, up_to);
            self.queues.borrow_mut().note_written(io);
            if up_to == u64::MAX || !matches!(result, Poll::Ready(Ok(()))) {
                return result;
            }
        }
    }

    /// Moves waiting jobs to the output, as long as that is short: jobs in the output share a buffer, so taking one
    /// back costs more.
    fn fill(self: &Rc<Self>, io: &mut Io) {
        const ENOUGH: usize = 256 << 10;
        if !self.queues.borrow().waiting.has_next() {
            return;
        }
        let sent_at = Instant::now();
        let (mut too_late, mut expired) = (Vec::new(), Vec::new());
        let mut requests = 0;
        let mut queues = self.queues.borrow_mut();
        while io.output.len() < ENOUGH {
            let Some((number, job)) = queues.waiting.pop_front() else { break };
            match &job {
                Job::Call(call) if call.reply_to.is_abandoned() => continue,
                // Nobody waits for its effect.
                Job::Call(call) if call.deadline <= sent_at => {
                    expired.push(job);
                    continue;
                }
                Job::Step(step) if step.options.only_on.is_some_and(|only| only != self.session.number()) => {
                    too_late.push(job);
                    continue;
                }
                Job::Step(step) => step.progress.sent.set(true),
                _ => {}
            }
            let (begins, missing) = (io.queued(), job.replies());
            job.write(&mut io.output);
            let ends = io.queued();
            requests += missing as u64;
            let entry = InFlight { job: Some(job), missing, begins, ends, sent_at, is_first_use: false };
            queues.push_in_flight(number, entry);
        }
        drop(queues);
        self.counters.node.requests.add(requests);
        self.publish_in_flight();
        self.publish_bytes();
        too_late.into_iter().for_each(|job| self.return_job(job, Unfinished::Unsent));
        for job in expired {
            if let Job::Call(call) = job {
                self.time_out(call, false);
            }
        }
    }

    fn deliver(self: &Rc<Self>, io: &mut Io) -> Result<(), Unreachable> {
        let now = self.liveness.heard_at.get();
        let (mut times, mut commands) = (Vec::new(), 0);
        let result = loop {
            match io.decoder.decode(&mut io.input) {
                Ok(Some(Frame::Reply(reply))) => match self.pair(io, reply) {
                    Ok((sent_at, sent_together)) => {
                        times.push(now.saturating_duration_since(sent_at));
                        commands = sent_together;
                    }
                    Err(reason) => break Err(reason),
                },
                // Such a push stands in place of a reply, and the client asks for none.
                Ok(Some(Frame::Push(items))) if confirms_subscription(&items) => {
                    break Err(Unreachable::UnaskedSubscription);
                }
                Ok(Some(Frame::Push(_))) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            }
        };
        if !times.is_empty() {
            self.counters.node.record(times.into_iter());
            self.publish_in_flight();
            self.queues.borrow_mut().give_back_room();
            if self.counters.client.is_at_rest()
                && let Some(events) = self.events.upgrade()
            {
                events.at_rest(commands);
            }
        }
        result
    }

    /// Gives a reply to the request that it answers: when that was sent, and with how many commands.
    fn pair(self: &Rc<Self>, io: &mut Io, reply: Reply) -> Result<(Instant, usize), Unreachable> {
        io.received += 1;
        let mut queues = self.queues.borrow_mut();
        // A server may refuse a command of which it has read only the beginning, but it cannot execute it.
        let may_be_answered = |entry: &&mut InFlight| {
            if reply.error().is_some() || entry.missing > 1 {
                entry.begins < io.written
            } else {
                entry.ends <= io.written
            }
        };
        let Some(entry) = queues.in_flight.front_mut().filter(may_be_answered) else {
            let error = reply.error().cloned();
            return Err(error.map_or(Unreachable::UnaskedReply, Unreachable::UnaskedError));
        };
        let sent_at = entry.sent_at;
        io.unread_from = None;
        if let Some(error) = reply.error() {
            self.counters.node.errors.add(1);
            if verdict::ends_connection(error) {
                let (begins, ends) = entry.next_command();
                io.unread_from = (ends - begins > ACCEPTED as u64).then_some(ends);
            }
        }
        entry.missing -= 1;
        let is_last = entry.missing == 0;
        if let Some(Job::Step(step)) = &entry.job {
            let commands = step.commands.len();
            step.progress.replies.borrow_mut().push(reply);
            if is_last && let Some((_, InFlight { job: Some(Job::Step(step)), .. })) = queues.in_flight.pop_front() {
                // The receiver is gone if the step's task has ended. Then no one waits for the answer.
                let _ = step.answer.send(Ok(()));
            }
            return Ok((sent_at, commands));
        }
        if !is_last {
            return Ok((sent_at, 1));
        }
        let Some((number, entry)) = queues.in_flight.pop_front() else { return Ok((sent_at, 1)) };
        drop(queues);
        let place = entry.is_first_use.then(|| Place { lane: self.clone(), number: Some(number) });
        match entry.job {
            Some(Job::Call(call)) if reply.error().is_none() && !call.request.is_answered_from_record(&reply) => {
                if place.is_some() {
                    self.note_use(&call.request);
                }
                if call.request.has_forms() {
                    self.counters.client.script_hits.add(1);
                }
                self.send_trace(&call.reply_to, false);
                self.counters.client.finish(call.reply_to, Ok(reply));
            }
            Some(job) => self.return_from(place, job, Unfinished::Answered(reply)),
            None => {}
        }
        Ok((sent_at, 1))
    }

    /// The requests in flight when the connection was lost. A request is unsent if the server cannot have read all of
    /// it.
    pub(super) fn lose_in_flight(self: &Rc<Self>, written: u64, reason: &Unreachable) {
        let in_flight = self.queues.borrow_mut().lose_in_flight();
        self.publish_in_flight();
        if matches!(in_flight.front(), Some((_, entry)) if matches!(entry.job, Some(Job::Load(..)))) {
            self.distrust();
        }
        let (now, mut unsent) = (Instant::now(), Vec::new());
        for (number, entry) in in_flight {
            let Some(job) = entry.job else { continue };
            let was_sent = match &job {
                Job::Step(step) if step.commands.len() > 1 && !step.options.atomic => entry.begins < written,
                _ => entry.ends <= written,
            };
            let bytes = entry.ends - entry.begins;
            let is_cut_off = !was_sent && entry.begins < written && bytes > ACCEPTED as u64;
            if let Job::Step(step) = &job {
                if was_sent {
                    step.progress.written.set(written - entry.begins);
                } else if is_cut_off {
                    step.progress.sent.set(false);
                } else {
                    step.progress.clear();
                }
            }
            match job {
                job if was_sent => self.return_job(job, Unfinished::Lost(reason.clone())),
                // Since the socket had taken some of it, its deadline may have passed unnoticed.
                Job::Call(call) if call.deadline <= now => self.time_out(call, false),
                job if is_cut_off => self.return_job(job, Unfinished::CutOff(reason.clone(), bytes)),
                job => unsent.push((number, job)),
            }
        }
        let mut queues = self.queues.borrow_mut();
        unsent.into_iter().rev().for_each(|(number, job)| queues.waiting.push_front(number, job));
    }

    fn poll_sweep(self: &Rc<Self>, timer: &mut Timer, cx: &mut Context<'_>) {
        loop {
            let sweep_at = self.queues.borrow().sweep_at();
            if timer.poll(sweep_at, cx).is_pending() {
                return;
            }
            self.sweep(Instant::now());
        }
    }

    /// Ends the calls whose deadline has passed. Those that the socket has not begun to take never will be sent.
    pub(super) fn sweep(self: &Rc<Self>, now: Instant) {
        let expired = self.queues.borrow_mut().expired(now, self.config.deadlines == Deadlines::UntilSent);
        if expired.is_empty() {
            return;
        }
        self.queue_has_shrunk();
        if expired.iter().any(|(_, was_begun)| *was_begun)
            && let Some(events) = self.events.upgrade()
        {
            events.stalled(self);
        }
        expired.into_iter().for_each(|(call, was_begun)| self.time_out(call, was_begun));
    }

    fn time_out(&self, call: Call, was_begun: bool) {
        let error = call.timed_out(was_begun, &self.status());
        if was_begun {
            self.send_trace(&call.reply_to, false);
        }
        self.counters.client.finish(call.reply_to, Err(Box::new(error)));
    }
}

/// Nothing more is written. Replies are still read: the last one may say why the server has ended the connection.
struct Stopped {
    /// Why a write failed; `None`: the server has said that it reads no further, and is about to end the connection.
    broken: Option<Unreachable>,
    until: Instant,
    timer: Timer,
}

impl Stopped {
    fn new(broken: Option<Unreachable>) -> Self {
        /// Both ends of a connection learn at once that it is broken.
        const LONGEST: Duration = Duration::from_millis(100);
        Self { broken, until: Instant::now() + LONGEST, timer: Timer::default() }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.poll(Some(self.until), cx).is_ready()
    }
}

fn confirms_subscription(push: &[Item]) -> bool {
    match push.first() {
        Some(Item::Bulk(kind) | Item::Simple(kind)) => kind.ends_with(b"subscribe"),
        _ => false,
    }
}

/// A timer that is reset only when its time changes.
#[derive(Default)]
struct Timer(Option<(Instant, Pin<Box<Sleep>>)>);

impl Timer {
    fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            self.0 = None;
            return Poll::Pending;
        };
        let (set_for, sleep) = self.0.get_or_insert_with(|| (at, Box::pin(sleep_until(at))));
        if *set_for != at {
            sleep.as_mut().reset(at);
            *set_for = at;
        }
        sleep.as_mut().poll(cx)
    }
}
