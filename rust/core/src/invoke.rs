//! The ladder: what is done with a call that did not end in a value at once, under its one deadline.
//!
//! | what came back | did it run? | next |
//! |---|---|---|
//! | the server's own `NOSCRIPT` | no | EVAL on the same server, then teach |
//! | `Function not found`, of a known library | no | FUNCTION LOAD on the shard's primary, and the call again |
//! | `MOVED`, `ASK` | no | the same to the node it names |
//! | `TRYAGAIN`, `CLUSTERDOWN`, `LOADING`, `MASTERDOWN`, `READONLY` | no | again, after a pause |
//! | `READONLY` from the midst of a script | up to its first write | again, unless it may have published |
//! | never written | no | again, when there is a connection |
//! | connection lost after writing | unknown | again only where that does no harm |
//! | anything else | it may have | the caller's error |

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout, timeout_at};

use crate::call::Call;
use crate::completion::{Facts, Outcome};
use crate::config::Address;
use crate::error::{Error, Kind};
use crate::guard;
use crate::lane::{Lane, Place, Setback};
use crate::node::Lease;
use crate::overdue;
use crate::queues::{Receipt, Terms};
use crate::request::{Form, Request, asking};
use crate::resp::{Reply, ServerError};
use crate::route::{Role, Route, Slot};
use crate::servers::{Ended, Servers, Supervision};
use crate::wording::{
    is_missing_function, is_missing_script, is_passing_refusal, is_refusal, is_unknown_read_only_form,
    is_write_on_replica,
};

/// Takes a call up the ladder in a task of its own. `lane` is where it was set back, if it was anywhere.
pub(crate) fn recover(servers: &Rc<Servers>, lane: Option<Rc<Lane>>, call: Call, setback: Setback) {
    // Most errors end the call, and need no task.
    if let Setback::Answered(reply) = &setback
        && let Some(error) = reply.error()
        && matches!(Answer::read(error, &call.request, &call.route, servers.is_cluster(), lane.as_ref()), Answer::Final)
    {
        let error = Error::from_server(error, &call.request);
        if let Some(lane) = &lane {
            lane.tell_facts(&call.reply_to);
        }
        servers.stats.finish(call.reply_to, Err(Box::new(error)));
        return;
    }
    let supervision = servers.supervise(&call.reply_to);
    guard::spawn("a call", climb(servers.clone(), supervision, lane, call, setback, false));
}

/// Sends the first call that runs some code over a connection. What is issued later is sent once the server is known to
/// have the code, or is sent it: else it would overtake the call where the server lacks it.
pub(crate) fn use_first(servers: &Rc<Servers>, call: Call) {
    let supervision = servers.supervise(&call.reply_to);
    guard::spawn("a call", climb(servers.clone(), supervision, None, call, Setback::Unsent, true));
}

async fn climb(
    servers: Rc<Servers>,
    supervision: Supervision,
    lane: Option<Rc<Lane>>,
    call: Call,
    setback: Setback,
    is_first_use: bool,
) {
    let progress = Progress::default();
    let steps = timeout_at(call.deadline, attempts(&servers, &call, lane, setback, is_first_use, &progress));
    let ended = supervision.over(steps).await;
    if servers.config.connection.observed {
        call.reply_to.tell(progress.facts());
    }
    match ended {
        Ended::Done(Ok(outcome)) => servers.stats.finish(call.reply_to, outcome),
        Ended::Done(Err(_)) => {
            let error = progress.timed_out(&call);
            if error.may_have_executed && servers.is_cluster() {
                servers.refresh();
            }
            if call.request.is_killed_on_timeout()
                && let Some(lease) = progress.lease.take()
            {
                overdue::kill(lease);
            }
            servers.stats.finish(call.reply_to, Err(Box::new(error)));
        }
        Ended::Cancelled => call.reply_to.forget(),
        Ended::Closed => {
            let error = Error::closed_under_way(progress.may_have_executed());
            servers.stats.finish(call.reply_to, Err(Box::new(error)));
        }
    }
}

/// What is known of a call between its steps.
#[derive(Default)]
struct Progress {
    /// Of the step that is under way.
    receipt: Rc<Receipt>,
    /// Its own connection, where it may have to be killed.
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
    fn may_have_executed(&self) -> bool {
        self.receipt.was_sent() || self.lost.get()
    }

    /// A step is over that ended so.
    fn note(&self, setback: &Setback) {
        if !matches!(setback, Setback::Unsent) {
            self.times_sent.set(self.times_sent.get() + 1);
        }
    }

    fn facts(&self) -> Facts {
        let times_sent = self.times_sent.get() + u32::from(self.receipt.was_sent());
        let planned = 1 + u32::from(self.sent_code.get());
        let node = self.node.borrow().clone();
        Facts { node, sent_code: self.sent_code.get(), retries: times_sent.saturating_sub(planned) }
    }

    /// A connection to the server of `target` that no other call uses.
    fn own_lane(&self, servers: &Servers, target: &Rc<Lane>) -> Rc<Lane> {
        let mut lease = self.lease.borrow_mut();
        let fits = |lease: &Lease| {
            lease.lane().address() == target.address() && lease.lane().serves_reads() == target.serves_reads()
        };
        let kept = lease.take().filter(fits).unwrap_or_else(|| servers.lend(target));
        lease.insert(kept).lane().clone()
    }

    fn timed_out(&self, call: &Call) -> Error {
        let reason = self.waiting_for.borrow();
        let state = match (self.may_have_executed(), reason.is_empty()) {
            (true, _) => call.without_reply().into(),
            (false, true) => "not executed".into(),
            (false, false) if self.times_sent.get() == 0 => format!("not sent: {reason}"),
            (false, false) => format!("not executed: {reason}"),
        };
        call.timeout_error(&state, self.may_have_executed())
    }
}

/// How long a server may take to come back before it is asked who has taken its place.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

async fn attempts(
    servers: &Rc<Servers>,
    call: &Call,
    lane: Option<Rc<Lane>>,
    mut setback: Setback,
    is_first_use: bool,
    progress: &Progress,
) -> Outcome {
    let request = &call.request;
    progress.node.replace(lane.as_ref().map(|lane| lane.address().clone()));
    let mut attempt = Attempt { lane, ..Attempt::first(servers, request) };
    let mut kept: Option<Place> = None;
    loop {
        progress.note(&setback);
        let held = servers.stats.hold(request.wire().len());
        match setback {
            Setback::Answered(reply) => {
                let Some(error) = reply.error() else {
                    if attempt.form.is_none() && request.has_forms() {
                        servers.stats.script_hits.add(1);
                    }
                    return Ok(reply);
                };
                if !attempt.heed(servers, request, &call.route, error, &progress.waiting_for) {
                    return Err(Box::new(Error::from_server(error, request)));
                }
            }
            Setback::Unsent => attempt.lane = None,
            Setback::Lost(reason) => {
                if !request.is_repeatable() {
                    return Err(Box::new(Error::lost(&reason)));
                }
                progress.lost.set(true);
                progress.waiting_for.replace(reason.to_string());
                attempt.lane = None;
            }
        }
        // Nobody else waits for what waits itself, or goes elsewhere.
        let before = kept.take().filter(|place| attempt.is_at_once(place.lane()));
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
        drop(held);
        if call.reply_to.is_abandoned() {
            return Err(Box::new(Error::closed_under_way(progress.may_have_executed())));
        }
        let commands = attempt.commands(request);
        let target = place.lane().clone();
        let place =
            if request.is_killed_on_timeout() { progress.own_lane(servers, &target).end_of_line() } else { place };
        let asks_for_code = is_first_use && !attempt.brings_code() && !attempt.brings_library;
        let place = if asks_for_code { place.kept() } else { place };
        progress.sent_code.set(attempt.brings_code());
        progress.node.replace(Some(target.address().clone()));
        let sending = place.begin(commands, Terms::default(), &progress.receipt);
        kept = asks_for_code.then_some(place);
        let answer = sending.await;
        let mut replies = progress.receipt.take_replies();
        progress.receipt.clear();
        setback = match answer {
            Ok(()) => {
                let reply = replies.pop().expect("a lane gives a reply to each command");
                attempt.learn_from(servers, request, &reply, &target);
                let loading = attempt.brings_library.then(|| replies.pop()).flatten();
                Setback::Answered(telling(reply, loading))
            }
            Err(setback) => setback,
        };
        attempt.lane = Some(target);
    }
}

/// Why a function is still missing after its library was sent says the reply to that.
pub(crate) fn telling(reply: Reply, loading: Option<Reply>) -> Reply {
    match loading {
        Some(loading) if loading.error().is_some() && reply.error().is_some_and(is_missing_function) => loading,
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
    patience: Patience,
}

impl Attempt {
    /// How it is sent first.
    pub(crate) fn first(servers: &Servers, request: &Request) -> Self {
        let plain = servers.lacks_read_only_forms.get() && request.has_forms() && request.is_read_only();
        Self { form: plain.then_some(Form::Sha), ..Self::default() }
    }

    /// Does what an error of the lane's server asks for; false: it is for the caller to know.
    pub(crate) fn heed(
        &mut self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
        waiting_for: &RefCell<String>,
    ) -> bool {
        if self.is_ahead && error.code() == "NOPERM" {
            // Of a user without the right to EVAL, the scripts are there already, or they have none.
            servers.cannot_eval.set(true);
            *self = Self { lane: self.lane.take(), patience: self.patience.clone(), ..Self::first(servers, request) };
            return true;
        }
        match Answer::read(error, request, route, servers.is_cluster(), self.lane.as_ref()) {
            // The same server is asked again, and with ASKING where it was asked so.
            Answer::MissingScript if !matches!(self.form, Some(Form::Code | Form::CodeReadOnly)) => {
                servers.stats.script_misses.add(1);
                self.form = Some(code_form(request, self.form));
            }
            Answer::MissingFunction if !self.brings_library => {
                self.brings_library = true;
                if request.is_read_only() {
                    // A replica takes no library.
                    self.lane = servers.lane_for(request, route, true);
                }
            }
            Answer::Moved(slot, address) => {
                servers.stats.redirects.add(1);
                waiting_for.replace(error.text());
                self.patience.redirected();
                self.asking = false;
                self.lane = Some(servers.redirected(slot, address));
            }
            Answer::Ask(address) => {
                servers.stats.redirects.add(1);
                waiting_for.replace(error.text());
                self.patience.redirected();
                self.asking = true;
                self.lane = Some(servers.node(address).data.clone());
            }
            Answer::Later => {
                waiting_for.replace(format!("the server answered {}", error.text()));
                servers.refresh();
                self.patience.wait();
                self.lane = None;
            }
            Answer::UnknownForm if self.form.is_none() => {
                servers.lacks_read_only_forms.set(true);
                self.form = Some(Form::Sha);
                self.lane = servers.lane_for(request, route, true);
            }
            Answer::MissingScript | Answer::MissingFunction | Answer::UnknownForm | Answer::Final => return false,
        }
        true
    }

    /// Whether it goes to that lane next, without a pause.
    fn is_at_once(&self, lane: &Rc<Lane>) -> bool {
        self.patience.pause.is_zero() && self.lane.as_ref().is_some_and(|next| Rc::ptr_eq(next, lane))
    }

    fn brings_code(&self) -> bool {
        matches!(self.form, Some(Form::Code | Form::CodeReadOnly))
    }

    /// A replica will not do.
    pub(crate) fn needs_primary(&self) -> bool {
        self.form == Some(Form::Sha) || self.brings_library
    }

    /// How long to wait first, as what was heeded asks for.
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
    pub(crate) fn learn_from(&self, servers: &Servers, request: &Request, reply: &Reply, lane: &Rc<Lane>) {
        if !self.brings_code() {
            return;
        }
        let compiled = reply.error().is_none_or(|error| Error::from_server(error, request).may_have_executed);
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
            let reason = match timeout(LOOK_AGAIN, lane.connected()).await {
                Ok(Ok(())) => return Ok(kept),
                Ok(Err(reason)) => format!("no connection to {}: {reason}", lane.address()),
                Err(_) => format!("no connection to {} yet", lane.address()),
            };
            waiting_for.replace(reason);
            place = Some(kept);
        } else if let Route::Address(address) = route
            && looked
        {
            let message = format!("not sent, because no node of the cluster is at {address}");
            return Err(Box::new(Error::new(Kind::Request, message)));
        } else {
            waiting_for.replace(servers.why_unknown(route));
        }
        servers.refresh();
        let up = async { if let Some(lane) = &lane { lane.up().await } else { pending().await } };
        tokio::select! {
            count = servers.learned_since(seen) => (seen, looked) = (count, true),
            // What came later waits for it.
            () = up => {}
            () = sleep(LOOK_AGAIN) => {}
        }
    }
}

/// What an error reply asks for.
enum Answer {
    MissingScript,
    MissingFunction,
    Moved(Slot, Address),
    Ask(Address),
    Later,
    /// The server is older than the read-only forms.
    UnknownForm,
    Final,
}

impl Answer {
    /// Only what a server itself says is followed: a script may answer with any code, after it wrote.
    fn read(error: &ServerError, request: &Request, route: &Route, in_cluster: bool, lane: Option<&Rc<Lane>>) -> Self {
        match error.code() {
            "NOSCRIPT" if is_missing_script(error) && request.bringable_script().is_some() => Self::MissingScript,
            "MOVED" | "ASK" if in_cluster && may_be_redirected(request, route) => {
                // The slot of a command whose keys are not known was a guess; only a script can make one up.
                let expected = slot_of(route).filter(|_| request.runs_lua());
                match redirect(error.as_bytes(), expected, lane.map(|lane| lane.address())) {
                    Redirect::To(slot, address) if error.code() == "MOVED" => Self::Moved(slot, address),
                    Redirect::To(_, address) => Self::Ask(address),
                    Redirect::Nowhere => Self::Later,
                    Redirect::None => Self::Final,
                }
            }
            "READONLY" if asks_for_replica(route) => Self::Final,
            // It stopped at its first write, and left nothing behind that a second run would double.
            "READONLY" if is_write_on_replica(error) && (request.is_repeatable() || !request.may_publish()) => {
                Self::Later
            }
            "READONLY" if is_write_on_replica(error) => Self::Final,
            "READONLY" if request.runs_lua() && !is_refusal(error) => Self::Final,
            _ if is_passing_refusal(error) => Self::Later,
            "ERR" if request.library().is_some() && is_missing_function(error) => Self::MissingFunction,
            "ERR" if request.has_forms() && request.is_read_only() && is_unknown_read_only_form(error) => {
                Self::UnknownForm
            }
            _ => Self::Final,
        }
    }
}

/// Whether a node was asked for that may be a replica, and that stays one.
fn asks_for_replica(route: &Route) -> bool {
    matches!(route, Route::Shard(_, Role::Replica) | Route::RandomNode | Route::Address(_) | Route::AllNodes)
}

/// Whether a redirect may be followed: not away from a node that was asked for by its address, and a script's only
/// where its slot is known, so that a script cannot make one up.
fn may_be_redirected(request: &Request, route: &Route) -> bool {
    match route {
        Route::Slot(_) | Route::Shard(..) => true,
        Route::Any | Route::RandomNode => !request.runs_lua(),
        Route::Address(_) | Route::AllPrimaries | Route::AllNodes => false,
    }
}

/// Where a redirect points to.
#[derive(Debug, PartialEq, Eq)]
enum Redirect {
    To(Slot, Address),
    /// The server does not know the address itself yet.
    Nowhere,
    /// It is none.
    None,
}

fn slot_of(route: &Route) -> Option<Slot> {
    match route {
        Route::Slot(slot) | Route::Shard(slot, _) => Some(*slot),
        _ => None,
    }
}

/// `MOVED 3999 127.0.0.1:6381`: the slot, which must be the expected one, and the node; without a host it is at the one
/// that was asked.
fn redirect(text: &[u8], expected: Option<Slot>, asked: Option<&Address>) -> Redirect {
    let parsed = || {
        let mut words = std::str::from_utf8(text).ok()?.split(' ').skip(1);
        let slot = Slot::new(words.next()?.parse().ok()?)?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        Some((slot, host, port.parse().ok()?))
    };
    let Some((slot, host, port)) = parsed() else { return Redirect::None };
    if expected.is_some_and(|expected| expected != slot) {
        return Redirect::None;
    }
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match (host, asked) {
        ("?", _) | ("", None) => Redirect::Nowhere,
        ("", Some(asked)) => Redirect::To(slot, Address::new(asked.host.clone(), port)),
        (host, _) => Redirect::To(slot, Address::new(host, port)),
    }
}

/// Pauses between attempts: longer and longer, and never two alike.
#[derive(Clone, Default)]
struct Patience {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read_in_all_forms() {
        let slot = Slot::of_key(b"k");
        let (expected_slot, asked) = (Some(slot), Address::new("asked", 1));
        for (host, expected) in
            [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("a.example", "a.example"), ("", "asked")]
        {
            let text = format!("MOVED {slot} {host}:6381");
            let expected = Redirect::To(slot, Address::new(expected, 6381));
            assert_eq!(redirect(text.as_bytes(), expected_slot, Some(&asked)), expected);
        }
        let text = format!("ASK {slot} ?:6381");
        assert_eq!(redirect(text.as_bytes(), expected_slot, Some(&asked)), Redirect::Nowhere);
    }

    #[test]
    fn a_redirect_of_another_slot_or_that_makes_no_sense_is_not_followed() {
        let slot = Slot::of_key(b"k");
        for text in ["MOVED 1 h:1".into(), format!("MOVED {slot} h:x"), "MOVED".into(), "MOVED on".into()] {
            assert_eq!(redirect(text.as_bytes(), Some(slot), None), Redirect::None, "{text}");
        }
    }

    #[test]
    fn only_the_servers_own_words_mean_try_again() {
        let is_passing = |text: &'static str| is_passing_refusal(&ServerError::new(text.as_bytes()));
        assert!(is_passing("LOADING Valkey is loading the dataset in memory"));
        assert!(!is_passing("LOADING my things"));
        assert!(!is_passing("READONLY You can't write against a read only replica. script: on @user_script:1."));
    }
}
