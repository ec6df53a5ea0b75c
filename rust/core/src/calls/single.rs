//! The ladder: what is done with a call that did not end in a value at once, under its one deadline. What an answer
//! means is `verdict`'s to say; here it is done.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::calls::overdue;
use crate::connection::lane::{Lane, Place};
use crate::connection::step::{StepOptions, StepProgress, Unfinished};
use crate::model::call::Call;
use crate::model::cause::AtDeadline;
use crate::model::completion::{CallTrace, Outcome};
use crate::model::config::Address;
use crate::model::error::{Error, Kind};
use crate::model::request::{Form, Request, asking};
use crate::model::route::Route;
use crate::model::verdict::{self, Asked, Next, Ran, Verdict};
use crate::model::wait::Wait;
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::node::{Lease, OWN_CONNECTIONS};
use crate::servers::supervision::Supervision;
use crate::tasks::guard;
use crate::wire::resp::{Reply, ServerError};

/// Sends a call to one node.
pub(crate) fn send(servers: &Rc<Servers>, call: Call) {
    servers.note_flush(&call.request);
    let plain_form = needs_plain_form(servers, &call.request);
    let is_of_use = |lane: &Rc<Lane>| !lane.is_down() || !servers.has_alternatives();
    match servers.lane(&call.request, &call.route) {
        Some(lane) if !plain_form && !call.request.needs_own_connection() && is_of_use(&lane) => {
            lane.submit(call);
        }
        _ => recover(servers, None, call, Unfinished::Unsent, None),
    }
}

/// Whether a read-only script goes by EVALSHA, because a server knows no `EVALSHA_RO`.
fn needs_plain_form(servers: &Servers, request: &Request) -> bool {
    servers.abilities.lacks_read_only_forms.get() && request.has_forms() && request.is_read_only()
}

/// Takes a call up the ladder in a task of its own. `lane` is where it was set back, if it was anywhere, and `place` where
/// it is sent again before what was issued later.
pub(crate) fn recover(
    servers: &Rc<Servers>,
    lane: Option<Rc<Lane>>,
    call: Call,
    unfinished: Unfinished,
    place: Option<Place>,
) {
    // Most errors end the call, and need no task.
    if let Unfinished::Answered(reply) = &unfinished
        && let Some(error) = reply.error()
        && let Some(lane) = &lane
    {
        let attempt = Attempt { lane: Some(lane.clone()), ..Attempt::default() };
        let verdict = attempt.judge(servers, &call.request, &call.route, error);
        if verdict.next == Next::Deliver {
            lane.send_trace(&call.reply_to);
            let error = Error::answered(error, &verdict, &call.request);
            servers.stats.finish(call.reply_to, Err(Box::new(error)));
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
    let own_time = call.request.wait();
    let steps = attempts(&servers, &call, lane, unfinished, place, &progress);
    let steps = in_time(call.deadline, own_time, || progress.step.was_sent(), steps);
    let ended = supervision.over(steps).await;
    let lease = progress.lease.take();
    if servers.config.connection.observed {
        call.reply_to.send_trace(progress.trace());
    }
    let closed = || Ok(Err(Box::new(Error::closed_in_flight(progress.may_have_executed(&call.request)))));
    let outcome = match ended.or_closed(closed) {
        Some(Ok(outcome)) => Some(outcome),
        Some(Err(TooLate { waited })) => {
            let error = Error::timeout(call.timeout + waited, progress.at_deadline(&call.request));
            if error.may_have_executed {
                servers.unanswered();
            }
            match lease {
                Some(lease) if call.request.is_killed_on_timeout() => overdue::kill(lease),
                // Nothing is given to who does not wait any more: what it still waits on ends before the caller goes on.
                lease => drop(lease),
            }
            Some(Err(Box::new(error)))
        }
        None => None,
    };
    servers.stats.finish_unless_gone(call.reply_to, outcome);
}

/// A deadline has passed, which was put off by so much.
#[derive(Clone, Copy)]
pub(crate) struct TooLate {
    pub(crate) waited: Duration,
}

/// Bounds work by its deadline. What waits for others has its own time for that on top, once it was sent.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    own_time: Option<Wait>,
    was_sent: impl Fn() -> bool,
    work: impl Future<Output = T>,
) -> Result<T, TooLate> {
    let mut work = pin!(work);
    if let Ok(done) = timeout_at(deadline, &mut work).await {
        return Ok(done);
    }
    match own_time.filter(|_| was_sent()) {
        None => Err(TooLate { waited: Duration::ZERO }),
        Some(Wait::For(waited)) => timeout_at(deadline + waited, work).await.map_err(|_| TooLate { waited }),
        Some(Wait::Forever) => Ok(work.await),
    }
}

/// What is known of a call between its steps.
#[derive(Default)]
struct Progress {
    /// Of the step that is under way.
    step: Rc<StepProgress>,
    /// Its own connection, where it may have to be killed or waits for others.
    lease: RefCell<Option<Lease>>,
    /// A connection was lost with a step under way.
    lost: Cell<bool>,
    /// How often it was sent in steps that are over.
    times_sent: Cell<u32>,
    sent_code: Cell<bool>,
    node: RefCell<Option<Address>>,
    waiting_for: RefCell<String>,
}

impl Progress {
    fn may_have_executed(&self, request: &Request) -> bool {
        self.lost.get() || verdict::may_have_run(request, self.step.was_sent())
    }

    /// A step is over that ended so.
    fn note(&self, unfinished: &Unfinished) {
        if !matches!(unfinished, Unfinished::Unsent) {
            self.times_sent.set(self.times_sent.get() + 1);
        }
    }

    fn trace(&self) -> CallTrace {
        let times_sent = self.times_sent.get() + u32::from(self.step.was_sent());
        let planned = 1 + u32::from(self.sent_code.get());
        let node = self.node.borrow().clone();
        CallTrace { node, sent_code: self.sent_code.get(), retries: times_sent.saturating_sub(planned) }
    }

    /// A connection to the server of `target` that no other call uses, once there is one.
    async fn own_lane(&self, servers: &Servers, target: &Rc<Lane>, request: &Request) -> Rc<Lane> {
        let kept = self.lease.take().filter(|lease| servers.is_alike(lease, target));
        let waits = request.wait().is_some();
        let lease = match kept {
            Some(lease) => lease,
            // These are not bounded: one that waits may be what ends another's wait.
            None if waits => servers.lend(target),
            None => {
                let reason = self.waiting_for.replace(format!(
                    "calls with on_timeout=\"kill\" have at most {OWN_CONNECTIONS} connections to {}, and others use them",
                    target.address()
                ));
                let lease = servers.lend_in_turn(target).await;
                self.waiting_for.replace(reason);
                lease
            }
        };
        if waits {
            lease.introduce();
        }
        self.lease.borrow_mut().insert(lease).lane().clone()
    }

    fn at_deadline(&self, request: &Request) -> AtDeadline {
        let reason = self.waiting_for.take();
        if self.may_have_executed(request) {
            verdict::no_reply(request)
        } else if self.times_sent.get() == 0 && !reason.is_empty() {
            AtDeadline::NotSent(reason.into())
        } else {
            AtDeadline::NotExecuted(reason)
        }
    }
}

async fn attempts(
    servers: &Rc<Servers>,
    call: &Call,
    lane: Option<Rc<Lane>>,
    mut unfinished: Unfinished,
    mut kept: Option<Place>,
    progress: &Progress,
) -> Outcome {
    let request = &call.request;
    progress.node.replace(lane.as_ref().map(|lane| lane.address().clone()));
    let sent = match &unfinished {
        // As it is, though others may have learned since that the server lacks its form.
        Unfinished::Answered(_) => Attempt::default(),
        _ => Attempt::first(servers, request),
    };
    let mut attempt = Attempt { lane, ..sent };
    loop {
        progress.note(&unfinished);
        let held = servers.stats.hold(request.wire().len());
        match unfinished {
            Unfinished::Answered(reply) => {
                let Some(error) = reply.error() else {
                    if attempt.form.is_none() && request.has_forms() {
                        servers.stats.script_hits.add(1);
                    }
                    if let Some(lane) = &attempt.lane {
                        lane.note_use(request);
                    }
                    return Ok(reply);
                };
                let verdict = attempt.judge(servers, request, &call.route, error);
                if !attempt.follow(servers, request, &call.route, error, &verdict, &progress.waiting_for) {
                    let error = Error::answered(error, &verdict, request);
                    return Err(Box::new(error.after_loss(progress.lost.get())));
                }
            }
            Unfinished::Unsent => attempt.lane = None,
            Unfinished::Lost(reason) => {
                let unanswered = verdict::of_loss(request, true, false);
                if !unanswered.may_be_sent_again {
                    return Err(Box::new(Error::lost(reason)));
                }
                progress.lost.update(|lost| lost || unanswered.ran == Ran::Unknown);
                progress.waiting_for.replace(reason.to_string());
                attempt.lane = None;
            }
        }
        // Nobody else waits for what waits itself, or goes elsewhere.
        let before = kept.take().filter(|place| attempt.is_at_once(place.lane()));
        let had_place = before.is_some();
        attempt.pause().await;
        attempt.drop_unreachable().await;
        let place = match attempt.lane.take() {
            Some(lane) => before.unwrap_or_else(|| lane.end_of_line()),
            None => {
                drop(before);
                attempt.asking = false;
                let needs_primary = attempt.needs_primary();
                connected_lane(servers, request, &call.route, needs_primary, &progress.waiting_for)
                    .await
                    .map_err(|error| Box::new(error.after_loss(progress.lost.get())))?
            }
        };
        let target = place.lane().clone();
        let place = if request.needs_own_connection() {
            // Others need not wait for a connection that this one gets.
            drop(place);
            progress.own_lane(servers, &target, request).await.end_of_line()
        } else {
            place
        };
        drop(held);
        if call.reply_to.is_abandoned() {
            return Err(Box::new(Error::closed_in_flight(progress.may_have_executed(&call.request))));
        }
        let commands = attempt.commands(request);
        let may_lack_code =
            !attempt.brings_code() && !attempt.brings_library && (had_place || target.is_first_use(request));
        let place = if may_lack_code { place.kept() } else { place };
        progress.sent_code.set(attempt.brings_code());
        progress.node.replace(Some(target.address().clone()));
        // What comes before the request is of use without it.
        let options = StepOptions { separable: true, waits: request.wait().is_some(), ..StepOptions::default() };
        let sending = place.begin(commands, options, &progress.step);
        kept = may_lack_code.then_some(place);
        let answer = sending.await;
        let mut replies = progress.step.take_replies();
        progress.step.clear();
        unfinished = match answer {
            Ok(()) => {
                let reply = replies.pop().expect("a lane gives a reply to each command");
                attempt.learn_from(servers, request, &call.route, &reply, &target);
                let loading = attempt.brings_library.then(|| replies.pop()).flatten();
                Unfinished::Answered(reply_or_failed_load(reply, loading))
            }
            Err(unfinished) => unfinished,
        };
        attempt.lane = Some(target);
    }
}

/// Where a function is still missing after its library was sent, the reply to the library says why.
pub(crate) fn reply_or_failed_load(reply: Reply, loading: Option<Reply>) -> Reply {
    match loading {
        Some(loading) if loading.error().is_some() && reply.error().is_some_and(verdict::lacks_function) => loading,
        _ => reply,
    }
}

/// How a request is sent the next time.
#[derive(Clone, Default)]
pub(crate) struct Attempt {
    pub(crate) form: Option<Form>,
    pub(crate) asking: bool,
    /// The code goes along although the server has not said that it misses it.
    pub(crate) is_ahead: bool,
    /// Its function's library goes before it.
    pub(crate) brings_library: bool,
    /// Where to; `None`: where its route leads by then.
    pub(crate) lane: Option<Rc<Lane>>,
    pub(crate) patience: Patience,
}

impl Attempt {
    /// How it is sent first.
    pub(crate) fn first(servers: &Servers, request: &Request) -> Self {
        Self { form: needs_plain_form(servers, request).then_some(Form::Sha), ..Self::default() }
    }

    /// What an error of the lane's server means. A server that turns out to be a replica is left.
    pub(crate) fn judge(
        &self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
    ) -> Verdict {
        self.judged(servers, error, &self.asked(servers, request, route))
    }

    /// The same of the answer to what was queued in a transaction, and has not run.
    pub(crate) fn judge_queued(
        &self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
    ) -> Verdict {
        self.judged(servers, error, &Asked { is_queued: true, ..self.asked(servers, request, route) })
    }

    fn asked<'a>(&'a self, servers: &Servers, request: &'a Request, route: &'a Route) -> Asked<'a> {
        Asked {
            form: self.form,
            node: self.lane.as_ref().map(|lane| lane.address()),
            in_cluster: servers.is_cluster(),
            is_ahead: self.is_ahead,
            brings_library: self.brings_library,
            ..Asked::plainly(request, route)
        }
    }

    fn judged(&self, servers: &Servers, error: &ServerError, asked: &Asked<'_>) -> Verdict {
        let verdict = verdict::of_error(error, asked);
        if let Some(lane) = &self.lane {
            if verdict.is_demoted {
                servers.demoted(lane);
            }
            if verdict.ran == Ran::Yes {
                lane.note_use(asked.request);
            }
        }
        verdict
    }

    /// Does what a verdict asks for; false: it is for the caller to know.
    pub(crate) fn follow(
        &mut self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
        verdict: &Verdict,
        waiting_for: &RefCell<String>,
    ) -> bool {
        match &verdict.next {
            Next::Deliver => return false,
            // The same server is asked again, and with ASKING where it was asked so.
            Next::SendCode => {
                servers.stats.script_misses.add(1);
                if let Some(lane) = &self.lane {
                    lane.forget_use(request);
                }
                self.form = Some(code_form(request, self.form));
            }
            Next::LoadLibrary => {
                self.brings_library = true;
                if request.is_read_only() {
                    // A replica takes no library.
                    self.lane = servers.lane_for(request, route, true);
                }
            }
            Next::WithoutCode => {
                // Of a user without the right to EVAL, the scripts are there already, or they have none.
                servers.abilities.cannot_eval.set(true);
                *self =
                    Self { lane: self.lane.take(), patience: self.patience.clone(), ..Self::first(servers, request) };
            }
            Next::PlainForm => {
                servers.abilities.lacks_read_only_forms.set(true);
                self.form = Some(Form::Sha);
                self.lane = servers.lane_for(request, route, true);
            }
            Next::Moved(slot, address) => {
                servers.stats.redirects.add(1);
                waiting_for.replace(error.text());
                self.patience.redirected();
                self.asking = false;
                self.lane = Some(servers.redirected(*slot, address.clone()));
            }
            Next::Ask(address) => {
                servers.stats.redirects.add(1);
                waiting_for.replace(error.text());
                self.patience.redirected();
                self.asking = true;
                self.lane = Some(servers.node(address.clone()).data.clone());
            }
            Next::Later => self.wait(servers, error, waiting_for),
        }
        true
    }

    /// Whether it goes to that lane next, without a pause.
    fn is_at_once(&self, lane: &Rc<Lane>) -> bool {
        self.patience.pause.is_zero() && self.lane.as_ref().is_some_and(|next| Rc::ptr_eq(next, lane))
    }

    /// Has the request wait, and then go where it belongs by then.
    pub(crate) fn wait(&mut self, servers: &Rc<Servers>, error: &ServerError, waiting_for: &RefCell<String>) {
        waiting_for.replace(format!("the server answered {}", error.text()));
        servers.refresh();
        self.patience.wait();
        self.lane = None;
    }

    fn brings_code(&self) -> bool {
        matches!(self.form, Some(Form::Code | Form::CodeReadOnly))
    }

    /// A replica will not do.
    pub(crate) fn needs_primary(&self) -> bool {
        self.form == Some(Form::Sha) || self.brings_library
    }

    /// How long to wait first, as the last verdict asks for.
    pub(crate) fn take_pause(&mut self) -> Duration {
        std::mem::take(&mut self.patience.pause)
    }

    /// Has the next attempt wait.
    pub(crate) fn back_off(&mut self) {
        self.patience.wait();
    }

    pub(crate) async fn pause(&mut self) {
        let pause = self.take_pause();
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    /// Gives the named lane a moment to connect, and else lets it go.
    pub(crate) async fn drop_unreachable(&mut self) {
        if let Some(named) = self.lane.take_if(|named| !named.is_up())
            && let Ok(Ok(())) = timeout(LOOK_AGAIN, named.connected()).await
        {
            self.lane = Some(named);
        }
    }

    /// What goes over the wire, the request last.
    pub(crate) fn commands(&self, request: &Request) -> Vec<Bytes> {
        let mut commands = Vec::with_capacity(1);
        if self.brings_library
            && let Some(library) = request.library()
        {
            commands.push(library.load(true));
        }
        if self.asking {
            commands.push(asking());
        }
        commands.push(self.form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
        commands
    }

    /// A script that the server has now compiled is worth keeping there.
    pub(crate) fn learn_from(
        &self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        reply: &Reply,
        lane: &Rc<Lane>,
    ) {
        if !self.brings_code() {
            return;
        }
        let compiled = reply.error().is_none_or(|error| self.judge(servers, request, route, error).ran != Ran::No);
        if let Some(script) = request.bringable_script().filter(|_| compiled) {
            servers.teach(script, lane);
        }
    }
}

/// The form that brings the code along.
pub(crate) fn code_form(request: &Request, form: Option<Form>) -> Form {
    if request.is_read_only() && form != Some(Form::Sha) { Form::CodeReadOnly } else { Form::Code }
}

/// Waits for a lane that the request may take and that has a connection. What is issued later waits behind it there.
pub(crate) async fn connected_lane(
    servers: &Rc<Servers>,
    request: &Request,
    route: &Route,
    needs_primary: bool,
    waiting_for: &RefCell<String>,
) -> Result<Place, Box<Error>> {
    let (mut seen, mut looked) = (servers.times_learned(), false);
    let mut place: Option<Place> = None;
    loop {
        let lane = servers.lane_for(request, route, needs_primary);
        place = place.filter(|place| lane.as_ref().is_some_and(|lane| Rc::ptr_eq(place.lane(), lane)));
        if let Some(lane) = &lane {
            if lane.is_up() {
                return Ok(place.unwrap_or_else(|| lane.end_of_line()));
            }
            let kept = place.take().unwrap_or_else(|| lane.keep_place());
            waiting_for.replace(format!("no connection to {} yet", lane.address()));
            match timeout(LOOK_AGAIN, lane.connected()).await {
                Ok(Ok(())) => return Ok(kept),
                Ok(Err(reason)) => *waiting_for.borrow_mut() = format!("no connection to {}: {reason}", lane.address()),
                Err(_) => {}
            }
            place = Some(kept);
        } else if let Route::Address(address) = route
            && looked
        {
            let message = format!("not sent: no node of the cluster is at {address}");
            return Err(Box::new(Error::new(Kind::Request, message)));
        } else {
            waiting_for.replace(servers.why_unknown(route));
        }
        servers.refresh();
        let up = async { if let Some(lane) = &lane { lane.up().await } else { pending().await } };
        tokio::select! {
            biased;
            count = servers.learned_since(seen) => (seen, looked) = (count, true),
            // What came later waits for it.
            () = up => {}
            () = sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Pauses between attempts: longer and longer, and never two alike.
#[derive(Clone, Default)]
pub(crate) struct Patience {
    waits: u32,
    redirects: u32,
    /// The one that is due.
    pause: Duration,
}

impl Patience {
    fn wait(&mut self) {
        const LONGEST: Duration = Duration::from_millis(100);
        let pause = Duration::from_millis(1 << self.waits.min(10)).min(LONGEST);
        self.waits += 1;
        self.pause = pause.mul_f64(0.5 + 0.5 * fastrand::f64());
    }

    /// A few redirects are followed at once; more mean that the nodes do not agree yet.
    fn redirected(&mut self) {
        const AT_ONCE: u32 = 4;
        self.redirects += 1;
        if self.redirects > AT_ONCE {
            self.wait();
        }
    }
}
