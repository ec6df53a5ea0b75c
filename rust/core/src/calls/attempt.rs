//! How a request is sent the next time, after an answer that did not end it. `verdict` decides what an answer means;
//! this module acts on it.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tokio::time::timeout;

use crate::calls::pauses::Pauses;
use crate::calls::role::ask_role;
use crate::connection::lane::Lane;
use crate::model::cause::Obstacle;
use crate::model::completion::Outcome;
use crate::model::error::{Error, Kind};
use crate::model::once::RecordAnswer;
use crate::model::request::{Form, Request, asking};
use crate::model::route::Route;
use crate::model::unreachable::Unreachable;
use crate::model::verdict::{self, Asked, Next, Proof, Questions, Ran, Verdict};
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::wire::resp::{Item, Reply, ServerError};

/// What a reply means for its call.
pub(crate) enum Answered {
    /// The call ends with this reply. `from_record`: the reply is that of an earlier call with the same id.
    Done {
        outcome: Outcome,
        from_record: bool,
    },
    Failed(ServerError, Verdict),
    /// The server refused the record of a call with `once`, and nothing of the call has taken effect.
    Refused(ServerError, Verdict),
}

/// How a request is sent the next time.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Attempt {
    pub(crate) form: Option<Form>,
    pub(crate) asking: bool,
    /// The code is sent along although the server has not reported it missing.
    pub(crate) is_ahead: bool,
    /// The server does not let its user run the command that sends the code.
    pub(crate) cannot_bring: bool,
    /// The library of its function is sent before it.
    pub(crate) brings_library: bool,
    /// SCRIPT LOAD is sent before it, because the server refused EVAL in these words.
    pub(crate) loads_script: Option<ServerError>,
    /// Its code could not be loaded, and is not there.
    pub(crate) is_refused_load: bool,
    /// How often it was sent behind another request that carries its code.
    pub(crate) follows: u32,
    /// It is sent again from the place in the queue that it kept; no other request before it carries its code.
    pub(crate) has_place: bool,
    /// What is known about its server's last refusal.
    pub(crate) proof: Option<Proof>,
    /// Questions to its server, sent before it in the same write: whether the server refuses what it has refused before.
    pub(crate) questions: Option<Questions>,
    /// Where it is sent; `None`: where its route leads when it is sent.
    pub(crate) lane: Option<Rc<Lane>>,
    pub(crate) pauses: Pauses,
    /// How often its connection was lost while it was written.
    pub(super) cut_offs: u32,
}

impl Attempt {
    /// How it is sent first.
    pub(crate) fn first(servers: &Servers, request: &Request) -> Self {
        Self { form: first_form(servers, request), ..Self::default() }
    }

    /// What the reply of the lane's server means.
    pub(crate) fn read(&self, servers: &Rc<Servers>, request: &Request, route: &Route, reply: Reply) -> Answered {
        let outcome = match request.read_record(reply) {
            Err(reply) => match reply.error() {
                None => {
                    self.note_use(request);
                    return Answered::Done { outcome: Ok(reply), from_record: false };
                }
                Some(error) => {
                    let verdict = self.judge(servers, request, route, error);
                    return Answered::Failed(error.clone(), verdict);
                }
            },
            Ok(RecordAnswer::Refused(error)) => {
                let verdict = self.judge_before_run(servers, request, route, &error);
                return Answered::Refused(error, verdict);
            }
            Ok(RecordAnswer::Kept(reply)) => match reply.error() {
                None => Ok(reply),
                Some(error) => Err(Box::new(Error::recorded(error, request))),
            },
            Ok(RecordAnswer::Conflict) => Err(Box::new(Error::once_conflict(request))),
            Ok(RecordAnswer::Unknown) => Err(Box::new(Error::once_unknown(request))),
        };
        self.note_use(request);
        let is_other = |error: &Error| matches!(error.kind, Kind::OnceConflict | Kind::OnceUnknown);
        let from_record = !outcome.as_ref().is_err_and(|error| is_other(error));
        servers.stats.from_records.add(u64::from(from_record));
        Answered::Done { outcome, from_record }
    }

    /// The lane's server has the code.
    fn note_use(&self, request: &Request) {
        if let Some(lane) = &self.lane {
            lane.note_use(request);
        }
    }

    /// What an error of the lane's server means. If the server turns out to be a replica, the next attempt goes to
    /// another one.
    pub(crate) fn judge(
        &self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
    ) -> Verdict {
        self.judge_as(servers, error, &self.asked(servers, request, route))
    }

    /// The same for an error that came before anything ran: when a transaction queued the command, or when the record
    /// was refused.
    pub(crate) fn judge_before_run(
        &self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
    ) -> Verdict {
        self.judge_as(servers, error, &Asked { is_queued: true, ..self.asked(servers, request, route) })
    }

    pub(super) fn asked<'a>(&'a self, servers: &'a Servers, request: &'a Request, route: &'a Route) -> Asked<'a> {
        Asked {
            form: self.form,
            node: self.lane.as_ref().map(|lane| lane.address()),
            in_cluster: servers.is_cluster(),
            is_without_cluster: self.lane.as_ref().is_some_and(|lane| lane.is_without_cluster()),
            proof: self.proof,
            user: servers.user(),
            is_ahead: self.is_ahead,
            brings_library: self.brings_library,
            loads_script: self.loads_script.is_some(),
            is_refused_load: self.is_refused_load,
            ..Asked::plainly(request, route)
        }
    }

    pub(super) fn judge_as(&self, servers: &Rc<Servers>, error: &ServerError, asked: &Asked<'_>) -> Verdict {
        let verdict = verdict::of_error(error, asked);
        if let Some(lane) = &self.lane {
            if verdict.is_demoted && !verdict.is_unproved {
                servers.demoted(lane);
            }
            if verdict.is_perhaps_demoted {
                ask_role(servers, lane, error, asked);
            }
            if verdict.ran == Ran::Yes {
                lane.note_use(asked.request);
            }
        }
        if verdict.next == Next::Later && verdict.ran == Ran::No && !verdict.is_unproved {
            servers.refusals.note(&verdict.meaning);
        }
        verdict
    }

    /// Acts on a verdict. Returns false if the caller has to act on it.
    pub(crate) fn follow(
        &mut self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        error: &ServerError,
        verdict: &Verdict,
        waiting_for: &RefCell<Obstacle>,
    ) -> bool {
        self.is_refused_load = false;
        match &verdict.next {
            Next::Deliver => return false,
            // The same server is asked again, with ASKING if the last request had it.
            Next::SendCode => {
                if let Some(lane) = &self.lane {
                    lane.forget_use(request);
                }
                if !self.follow_code(request) {
                    servers.stats.script_misses.add(1);
                    self.form = Some(code_form(request, self.form));
                }
            }
            Next::LoadLibrary => {
                if request.is_read_only() {
                    // A replica takes no library.
                    self.lane = servers.lane_for(request, route, true);
                }
                self.brings_library = !self.follow_code(request);
            }
            // A user without either gets the error of EVALSHA.
            Next::ByCode if servers.abilities.cannot_eval.get() => return false,
            Next::ByCode => {
                servers.abilities.cannot_evalsha.set(true);
                self.form = Some(code_form(request, self.form));
            }
            Next::LoadScript => {
                servers.abilities.cannot_evalsha.set(false);
                self.form = first_form(servers, request);
                self.loads_script.get_or_insert_with(|| error.clone());
            }
            Next::WithoutCode => {
                // This is not remembered for later calls, because a script can answer with the same words.
                *self = Self {
                    lane: self.lane.take(),
                    pauses: self.pauses.clone(),
                    cannot_bring: true,
                    ..Self::first(servers, request)
                };
            }
            Next::PlainForm => {
                servers.abilities.lacks_read_only_forms.set(true);
                self.form = Some(Form::Sha);
                self.lane = servers.lane_for(request, route, true);
            }
            Next::Moved(slot, address) => {
                servers.stats.redirects.add(1);
                waiting_for.replace(Obstacle::Redirected(error.clone()));
                self.pauses.redirected();
                self.asking = false;
                self.lane = Some(servers.redirected(*slot, address.clone()));
            }
            Next::Ask(address) => {
                servers.stats.redirects.add(1);
                waiting_for.replace(Obstacle::Redirected(error.clone()));
                self.pauses.redirected();
                self.asking = true;
                self.lane = Some(servers.node(address.clone()).data.clone());
            }
            Next::Later => self.wait(servers, error, waiting_for),
        }
        true
    }

    /// Sends it behind another request that carries its code to the same server, if there is one. If that request
    /// fails, the next one behind it carries the code. A request that was sent behind others too often carries the code
    /// itself.
    fn follow_code(&mut self, request: &Request) -> bool {
        let is_coming = |lane: &Rc<Lane>| request.code().is_some_and(|code| lane.code_in_flight().has(code));
        let follows = !self.has_place && self.may_follow() && self.lane.as_ref().is_some_and(is_coming);
        self.follows += u32::from(follows);
        follows
    }

    fn may_follow(&self) -> bool {
        const AT_MOST: u32 = 2;
        self.follows < AT_MOST
    }

    /// Sends it without its code, because another request has sent that code since.
    pub(super) fn leave_code(&mut self, servers: &Servers, request: &Request) {
        if self.may_follow() && (self.brings_code() || self.brings_library) {
            self.follows += 1;
            self.form = first_form(servers, request);
            self.brings_library = false;
        }
    }

    /// Whether its next attempt goes to that lane, without a pause.
    pub(super) fn is_at_once(&self, lane: &Rc<Lane>) -> bool {
        !self.pauses.is_due() && self.lane.as_ref().is_some_and(|next| Rc::ptr_eq(next, lane))
    }

    /// Has the request wait, and then routes it again.
    pub(crate) fn wait(&mut self, servers: &Rc<Servers>, error: &ServerError, waiting_for: &RefCell<Obstacle>) {
        waiting_for.replace(Obstacle::Refused(error.clone()));
        servers.refresh();
        self.pauses.back_off();
        self.lane = None;
    }

    /// Its connection was lost while it was written. Returns the caller's error if that has happened too often.
    pub(crate) fn cut_off(&mut self, reason: Unreachable, bytes: u64) -> Option<Box<Error>> {
        const TRIES: u32 = 3;
        self.lane = None;
        self.asking = false;
        self.pauses.lost();
        self.cut_offs += 1;
        (self.cut_offs == TRIES).then(|| Box::new(Error::cut_off(TRIES, bytes, reason)))
    }

    /// A load of its code is sent before it.
    pub(super) fn loads_code(&self) -> bool {
        self.brings_library || self.loads_script.is_some()
    }

    pub(super) fn brings_code(&self) -> bool {
        matches!(self.form, Some(Form::Code | Form::CodeReadOnly))
    }

    /// It must go to a primary.
    pub(crate) fn needs_primary(&self) -> bool {
        self.form == Some(Form::Sha) || self.brings_library
    }

    /// Gives the named lane a moment to connect, and drops it if it does not.
    pub(crate) async fn drop_unreachable(&mut self) {
        if let Some(named) = self.lane.take_if(|named| !named.is_up())
            && let Ok(Ok(())) = timeout(LOOK_AGAIN, named.connected()).await
        {
            self.lane = Some(named);
        }
    }

    /// The commands that are sent, the request last.
    pub(crate) fn commands(&mut self, servers: &Servers, request: &Request, lane: &Lane) -> Vec<Bytes> {
        let mut commands = Vec::with_capacity(1);
        commands.extend_from_slice(self.questions_ahead(servers, request, lane));
        if self.brings_library
            && let Some(library) = request.library()
        {
            commands.push(library.load(true));
        }
        if self.loads_script.is_some()
            && let Some(script) = request.bringable_script()
        {
            commands.push(script.load());
        }
        if self.asking {
            commands.push(asking());
        }
        commands.push(self.form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
        commands
    }

    /// The reply to the request, after that to the load before it. If the script or function is still missing, the reply
    /// to the load says why. If the user may not load a script either, the refusal of EVAL says what is lacking.
    pub(crate) fn after_load(&mut self, request: &Request, reply: Reply, loading: Option<&Reply>) -> Reply {
        let Some(refused) = loading.and_then(Reply::error) else { return reply };
        match &self.loads_script {
            Some(refused_eval) if reply.error().is_some_and(verdict::lacks_script) => {
                self.form = Some(code_form(request, self.form));
                self.is_refused_load = true;
                let error = if verdict::is_not_compiled(refused) { refused } else { refused_eval };
                Reply::One(Item::Error(error.clone()))
            }
            None if reply.error().is_some_and(verdict::lacks_function) => {
                self.is_refused_load = true;
                Reply::One(Item::Error(refused.clone()))
            }
            _ => reply,
        }
    }

    /// The server has compiled the script now, so the client remembers that it has it.
    pub(crate) fn learn_from(
        &self,
        servers: &Rc<Servers>,
        request: &Request,
        route: &Route,
        reply: &Reply,
        lane: &Rc<Lane>,
    ) {
        if !self.brings_code() && self.loads_script.is_none() {
            return;
        }
        let compiled = reply.error().is_none_or(|error| self.judge(servers, request, route, error).ran != Ran::No);
        if let Some(script) = request.bringable_script().filter(|_| compiled) {
            servers.teach(script, lane);
        }
    }
}

/// The form that contains the code.
pub(crate) fn code_form(request: &Request, form: Option<Form>) -> Form {
    if request.is_read_only() && form != Some(Form::Sha) { Form::CodeReadOnly } else { Form::Code }
}

/// The form in which a request is sent first, because of what a server or the user cannot do; `None`: as it was packed.
pub(super) fn first_form(servers: &Servers, request: &Request) -> Option<Form> {
    let abilities = &servers.abilities;
    let is_plain = abilities.lacks_read_only_forms.get() && request.has_forms() && request.is_read_only();
    let plain = is_plain.then_some(Form::Sha);
    let brings_code = abilities.cannot_evalsha.get() && request.bringable_script().is_some();
    if brings_code { Some(code_form(request, plain)) } else { plain }
}
