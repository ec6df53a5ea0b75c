//! The ladder: what is done with a call that did not end in a value at once, under its one deadline.
//!
//! | what came back | did it run? | next |
//! |---|---|---|
//! | the server's own `NOSCRIPT` | no | EVAL on the same server, then teach |
//! | `MOVED`, `ASK` | no | the same to the node it names |
//! | `TRYAGAIN`, `CLUSTERDOWN`, `LOADING`, `MASTERDOWN`, `READONLY` | no | again, after a pause |
//! | never written | no | again, when there is a connection |
//! | connection lost after writing | unknown | again only where that does no harm |
//! | anything else | it may have | the caller's error |

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout, timeout_at};

use crate::call::Call;
use crate::completion::Outcome;
use crate::config::Address;
use crate::error::{Error, Kind, is_missing_script};
use crate::lane::{Lane, Setback};
use crate::request::{Form, Request};
use crate::resp::ServerError;
use crate::route::{Route, Slot};
use crate::servers::{Ended, Servers};

/// Takes a call up the ladder in a task of its own. `lane` is where it was set back, if it was anywhere.
pub(crate) fn recover(servers: &Rc<Servers>, lane: Option<Rc<Lane>>, call: Call, setback: Setback) {
    // Most errors end the call, and need no task.
    if let Setback::Answered(reply) = &setback
        && let Some(error) = reply.error()
        && matches!(Answer::read(error, &call.request, &call.route, servers.is_cluster()), Answer::Final)
    {
        let error = Error::from_server(error, &call.request);
        call.reply_to.finish(Err(Box::new(error)));
        return;
    }
    spawn_local(climb(servers.clone(), lane, call, setback));
}

async fn climb(servers: Rc<Servers>, lane: Option<Rc<Lane>>, call: Call, setback: Setback) {
    let progress = Progress::default();
    let steps = timeout_at(call.deadline, attempts(&servers, &call, lane, setback, &progress));
    match servers.supervise(call.reply_to.id(), steps).await {
        Ended::Done(Ok(outcome)) => call.reply_to.finish(outcome),
        Ended::Done(Err(_)) => {
            let error = progress.timed_out(&call);
            call.reply_to.finish(Err(Box::new(error)));
        }
        Ended::Cancelled => call.reply_to.forget(),
        Ended::Closed => {
            let error = Error::closed_under_way(progress.may_have_executed());
            call.reply_to.finish(Err(Box::new(error)));
        }
    }
}

/// What is known of a call between its steps.
#[derive(Default)]
struct Progress {
    /// A step is with a server.
    sent: Rc<Cell<bool>>,
    /// A connection was lost with a step under way.
    lost: Cell<bool>,
    waiting_for: RefCell<String>,
}

impl Progress {
    fn may_have_executed(&self) -> bool {
        self.sent.get() || self.lost.get()
    }

    fn timed_out(&self, call: &Call) -> Error {
        let reason = self.waiting_for.borrow();
        let state = match (self.may_have_executed(), reason.is_empty()) {
            (true, _) => "no reply from the server; it may have been executed".into(),
            (false, true) => "not executed".into(),
            (false, false) => format!("not executed: {reason}"),
        };
        call.timeout_error(&state, self.may_have_executed())
    }
}

async fn attempts(
    servers: &Rc<Servers>,
    call: &Call,
    mut lane: Option<Rc<Lane>>,
    mut setback: Setback,
    progress: &Progress,
) -> Outcome {
    let request = &call.request;
    let mut form = None;
    let mut patience = Patience::default();
    if request.is_read_only() && servers.lacks_read_only_forms.get() {
        form = Some(Form::Sha);
    }
    loop {
        let mut asking = false;
        match setback {
            Setback::Answered(reply) => {
                let Some(error) = reply.error() else { return Ok(reply) };
                match Answer::read(error, request, &call.route, servers.is_cluster()) {
                    Answer::MissingScript if !matches!(form, Some(Form::Code | Form::CodeReadOnly)) => {
                        form = Some(code_form(request, form));
                    }
                    Answer::Moved(slot, address) => {
                        progress.waiting_for.replace(error.text());
                        patience.redirected().await;
                        lane = Some(servers.redirected(slot, address));
                    }
                    Answer::Ask(address) => {
                        progress.waiting_for.replace(error.text());
                        patience.redirected().await;
                        asking = true;
                        lane = Some(servers.node(address).data.clone());
                    }
                    Answer::Later => {
                        progress.waiting_for.replace(format!("the server answered {}", error.text()));
                        servers.refresh();
                        patience.wait().await;
                        lane = None;
                    }
                    Answer::UnknownForm => {
                        servers.lacks_read_only_forms.set(true);
                        form = Some(Form::Sha);
                        lane = servers.topology().lane(&call.route, false, &servers.config.read_from);
                    }
                    Answer::MissingScript | Answer::Final => {
                        return Err(Box::new(Error::from_server(error, request)));
                    }
                }
            }
            Setback::Unsent => lane = None,
            Setback::Lost(reason) => {
                if !request.is_repeatable() {
                    let message = format!(
                        "the connection was lost after the request was sent ({reason}); it may have been executed"
                    );
                    return Err(Box::new(Error::new(Kind::Connection, message).may_have_executed(true)));
                }
                progress.lost.set(true);
                progress.waiting_for.replace(reason.to_string());
                lane = None;
            }
        }
        let target = match lane.take() {
            Some(lane) => lane,
            None => connected_lane(servers, call, form, progress).await?,
        };
        let wire = form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form));
        setback = match target.request(after_asking(wire, asking), 1 + usize::from(asking), progress.sent.clone()).await
        {
            Ok(mut replies) => {
                progress.sent.set(false);
                let reply = replies.pop().expect("a lane gives as many replies as it was asked for");
                if matches!(form, Some(Form::Code | Form::CodeReadOnly)) {
                    teach_what_compiled(servers, request, reply.error(), &target);
                }
                Setback::Answered(reply)
            }
            Err(setback) => {
                progress.sent.set(false);
                setback
            }
        };
        lane = Some(target);
    }
}

/// The form that brings the code along.
fn code_form(request: &Request, form: Option<Form>) -> Form {
    if request.is_read_only() && form != Some(Form::Sha) { Form::CodeReadOnly } else { Form::Code }
}

fn after_asking(wire: Bytes, asking: bool) -> Bytes {
    if !asking {
        return wire;
    }
    let mut both = redis::cmd("ASKING").get_packed_command();
    both.extend_from_slice(&wire);
    both.into()
}

/// A script that the server has now compiled is worth keeping there.
fn teach_what_compiled(servers: &Servers, request: &Request, error: Option<&ServerError>, lane: &Rc<Lane>) {
    let compiled = error.is_none_or(|error| Error::from_server(error, request).may_have_executed);
    if let Some(script) = request.bringable_script().filter(|_| compiled) {
        servers.teach(script, lane);
    }
}

/// Waits for a lane that the request may take and that has a connection.
async fn connected_lane(
    servers: &Rc<Servers>,
    call: &Call,
    form: Option<Form>,
    progress: &Progress,
) -> Result<Rc<Lane>, Box<Error>> {
    /// How long a server may take to come back before it is asked who has taken its place.
    const LOOK_AGAIN: Duration = Duration::from_millis(100);
    let (mut seen, mut looked) = (servers.times_learned(), false);
    loop {
        let lane = match form {
            Some(Form::Sha) => servers.topology().lane(&call.route, false, &servers.config.read_from),
            _ => servers.lane(&call.request, &call.route),
        };
        if let Some(lane) = &lane {
            let reason = match timeout(LOOK_AGAIN, lane.connected()).await {
                Ok(Ok(())) => return Ok(lane.clone()),
                Ok(Err(reason)) => format!("no connection to {}: {reason}", lane.address()),
                Err(_) => format!("no connection to {} yet", lane.address()),
            };
            progress.waiting_for.replace(reason);
        } else if let Route::Address(address) = &call.route
            && looked
        {
            let message = format!("not sent, because no node of the cluster is at {address}");
            return Err(Box::new(Error::new(Kind::Request, message)));
        } else {
            progress.waiting_for.replace("no node is known that could serve it".into());
        }
        servers.refresh();
        if let Ok(count) = timeout(LOOK_AGAIN, servers.learned_since(seen)).await {
            (seen, looked) = (count, true);
        }
    }
}

/// What an error reply asks for.
enum Answer {
    MissingScript,
    Moved(Slot, Address),
    Ask(Address),
    Later,
    /// The server is older than the read-only forms.
    UnknownForm,
    Final,
}

impl Answer {
    /// Only what a server itself says is followed: a script may answer with any code, after it wrote.
    fn read(error: &ServerError, request: &Request, route: &Route, in_cluster: bool) -> Self {
        let text = error.as_bytes();
        match error.code() {
            "NOSCRIPT" if is_missing_script(error) && request.bringable_script().is_some() => Self::MissingScript,
            "MOVED" if in_cluster && may_be_redirected(request, route) => {
                redirect(text, route).map_or(Self::Final, |(slot, to)| Self::Moved(slot, to))
            }
            "ASK" if in_cluster && may_be_redirected(request, route) => {
                redirect(text, route).map_or(Self::Final, |(_, to)| Self::Ask(to))
            }
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY" if is_own_wording(text) => Self::Later,
            "ERR" if request.is_read_only() && request.script().is_some() && names_unknown_form(text) => {
                Self::UnknownForm
            }
            _ => Self::Final,
        }
    }
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

/// How servers word the refusals that pass by themselves.
fn is_own_wording(text: &[u8]) -> bool {
    const WORDINGS: [&[u8]; 11] = [
        b"TRYAGAIN Multiple keys request during rehashing of slot",
        b"CLUSTERDOWN The cluster is down",
        b"CLUSTERDOWN Hash slot not served",
        b"CLUSTERDOWN Cannot",
        b"LOADING Valkey is loading",
        b"LOADING Redis is loading",
        b"LOADING server is loading",
        b"MASTERDOWN Link with MASTER is down",
        b"MASTERDOWN Link with PRIMARY is down",
        b"READONLY You can't write against a read only",
        b"READONLY Can not run script with write flag on readonly replica",
    ];
    WORDINGS.iter().any(|wording| text.starts_with(wording))
}

fn names_unknown_form(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.starts_with("ERR unknown command") && (text.contains("EVALSHA_RO") || text.contains("EVAL_RO"))
}

/// `MOVED 3999 127.0.0.1:6381`: the slot, which must be the request's, and the node.
fn redirect(text: &[u8], route: &Route) -> Option<(Slot, Address)> {
    let mut words = std::str::from_utf8(text).ok()?.split(' ').skip(1);
    let slot = Slot::new(words.next()?.parse().ok()?)?;
    let (host, port) = words.next()?.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let expected = match route {
        Route::Slot(slot) | Route::Shard(slot, _) => Some(*slot),
        _ => None,
    };
    if host.is_empty() || expected.is_some_and(|expected| expected != slot) {
        return None;
    }
    Some((slot, Address::new(host, port.parse().ok()?)))
}

/// Pauses between attempts: longer and longer, and never two alike.
#[derive(Default)]
struct Patience {
    waits: u32,
    redirects: u32,
}

impl Patience {
    async fn wait(&mut self) {
        const LONGEST: Duration = Duration::from_millis(100);
        let pause = Duration::from_millis(1 << self.waits.min(10)).min(LONGEST);
        self.waits += 1;
        sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
    }

    /// A few redirects are followed at once; more mean that the nodes do not agree yet.
    async fn redirected(&mut self) {
        const AT_ONCE: u32 = 4;
        self.redirects += 1;
        if self.redirects > AT_ONCE {
            self.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read_in_all_forms() {
        let slot = Slot::of_key(b"k");
        let route = Route::Slot(slot);
        for (host, expected) in
            [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("a.example", "a.example")]
        {
            let text = format!("MOVED {slot} {host}:6381");
            assert_eq!(redirect(text.as_bytes(), &route), Some((slot, Address::new(expected, 6381))));
        }
    }

    #[test]
    fn a_redirect_of_another_slot_or_to_nowhere_is_not_followed() {
        let slot = Slot::of_key(b"k");
        for text in ["MOVED 1 h:1".into(), format!("MOVED {slot} :6381"), format!("MOVED {slot} h:x"), "MOVED".into()] {
            assert_eq!(redirect(text.as_bytes(), &Route::Slot(slot)), None, "{text}");
        }
    }

    #[test]
    fn only_the_servers_own_words_mean_try_again() {
        assert!(is_own_wording(b"READONLY You can't write against a read only replica. script: on @user_script:1."));
        assert!(!is_own_wording(b"READONLY because I say so"));
        assert!(!is_own_wording(b"LOADING my things"));
    }
}
