//! Decides what an answer, or the loss of one, means: did the request run, and what is next? No other module decides that
//! by a server's codes or words: `reply_error` and `error` only say them to the caller.
//!
//! A script may return any error under any code, also after it wrote. So a code does not show what a script did. Only a
//! whole line in a server's own wording does, if no script can relay that line from one of its commands
//! (`redis.pcall`), and if the server has a reason to say it: see [`wording`]. A script may also make such a line up.
//! So the refusal of a script counts only when the server gives the same answer to questions that run none of the
//! caller's code: see [`proof`].
//!
//! | what it means | did it run? | next |
//! |---|---|---|
//! | the script is missing | no | EVAL on the same server |
//! | the function is missing, and its library known | no | FUNCTION LOAD, and the call again |
//! | `MOVED`, `ASK` | no | the same to the node it names |
//! | a refusal that passes by itself | no | again, after a pause |
//! | refused because the server is a replica | no | again, on the primary |
//! | stopped at its first write, because the server is a replica | up to there | the same, unless it may have published |
//! | the user may not send the code that was sent ahead of need | no | again, without the code |
//! | the user may not send the missing code by EVAL | no | SCRIPT LOAD, and the call again |
//! | the user may not run scripts by their hashes | no | EVAL on the same server |
//! | the server is older than the read-only forms | no | again, in the plain form |
//! | the record of a call with `once` is refused | no | as of any refusal before it began |
//! | any other refusal before it began | no | the caller's error |
//! | a refusal of a script that the server does not confirm | unknown | again only where that does no harm |
//! | a script's own error | yes | the caller's error |
//! | never written | no | again, when there is a connection |
//! | written, and the connection lost | unknown | again only where that does no harm |

mod proof;
mod wording;

pub(crate) use proof::{Proof, Questions, lists_function};
pub(crate) use wording::{
    Load, denies_login, ends_connection, is_busy, is_discarded, is_no_cluster, is_not_busy, is_not_compiled,
    is_temporary, lacks_command, lacks_function, lacks_script, line_number, load, turns_away, wants_password,
};

use crate::model::address::Address;
use crate::model::cause::{AtDeadline, Doubt};
use crate::model::request::{Form, Request};
use crate::model::route::{Role, Route, Slot};
use crate::wire::resp::ServerError;

/// A request as it was sent: everything that the verdict on its answer depends on.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    /// How it was sent; `None`: as it was packed.
    pub(crate) form: Option<Form>,
    pub(crate) route: &'a Route,
    /// The node that answered, where it is known.
    pub(crate) node: Option<&'a Address>,
    pub(crate) in_cluster: bool,
    /// The server that answered is known to be no node of a cluster.
    pub(crate) is_without_cluster: bool,
    /// What the server's answers to questions about it have shown; `None`: it was not asked.
    pub(crate) proof: Option<Proof>,
    /// The user that the server names in its refusals; `None`: it is not known.
    pub(crate) user: Option<&'a str>,
    /// The code went along although the server had not said that it misses it.
    pub(crate) is_ahead: bool,
    /// The function's library went ahead of it.
    pub(crate) brings_library: bool,
    /// SCRIPT LOAD of its script went ahead of it.
    pub(crate) loads_script: bool,
    /// It is what such a load was refused with, and the code is not there.
    pub(crate) is_refused_load: bool,
    /// It is the answer to queueing it in a transaction, where nothing runs before EXEC, or what a record of a call
    /// with `once` was refused with, ahead of the script.
    pub(crate) is_queued: bool,
}

impl<'a> Asked<'a> {
    /// A request that was sent as it was packed.
    pub(crate) fn plainly(request: &'a Request, route: &'a Route) -> Self {
        Self {
            request,
            form: None,
            route,
            node: None,
            in_cluster: false,
            is_without_cluster: false,
            proof: None,
            user: None,
            is_ahead: false,
            brings_library: false,
            loads_script: false,
            is_refused_load: false,
            is_queued: false,
        }
    }

    /// What it was sent as: the command's name, in capital letters.
    fn command(&self) -> String {
        match self.form.filter(|_| self.request.has_forms()) {
            None => self.request.command_name(),
            Some(Form::Sha) => "EVALSHA".into(),
            Some(Form::Code) => "EVAL".into(),
            Some(Form::CodeReadOnly) => "EVAL_RO".into(),
        }
    }

    /// Its arguments, as they were sent.
    fn args(&self) -> Vec<&'a [u8]> {
        let mut args: Vec<_> = self.request.words().skip(1).collect();
        if let (Some(form), Some(script), Some(first)) = (self.form, self.request.script(), args.first_mut()) {
            *first = if form == Form::Sha { script.hash().as_bytes() } else { script.code() };
        }
        args
    }

    /// Whether what answers may be a script in words of its own.
    fn may_be_scripts(&self) -> bool {
        self.request.runs_lua() && !self.request.stores_code() && !self.is_queued && !self.is_refused_load
    }

    /// Whether code went along that the server had to compile.
    fn brings_code(&self) -> bool {
        let by_name = ["EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"];
        self.brings_library || !by_name.contains(&self.command().as_str())
    }

    /// Whether the server checks before it starts that it may write: the code declares its flags, as functions' does.
    fn is_checked_before(&self) -> bool {
        self.request.calls_function() || self.request.script().is_some_and(|script| script.declares_writes())
    }
}

/// Whether a request was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    No,
    Yes,
    Unknown,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The caller gets it.
    Deliver,
    /// The code goes to the same server.
    SendCode,
    /// The function's library goes ahead of it.
    LoadLibrary,
    /// SCRIPT LOAD goes ahead of it.
    LoadScript,
    /// The code was sent although the server had not asked for it, and this user may not send code.
    WithoutCode,
    /// EVALSHA in place of `EVALSHA_RO`.
    PlainForm,
    /// EVAL in place of EVALSHA, which the server refuses.
    ByCode,
    Moved(Slot, Address),
    Ask(Address),
    /// After a pause; it is then routed again.
    Later,
}

/// What an error reply means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    MissingScript,
    MissingFunction,
    Moved(Slot, Address),
    Ask(Address),
    /// The server does not know yet where the slot has moved.
    Nowhere,
    /// It passes by itself.
    Passing,
    /// Some of its keys have moved with their slot, and others have not yet.
    Rehashing,
    /// Only a primary accepts it.
    NotPrimary,
    /// A script that had started was stopped at its first write, because its server is a replica.
    StoppedOnReplica,
    /// The user has not the right to the command.
    Forbidden,
    UnknownCommand,
    /// A script is running.
    Busy,
    /// Refused before it began, for another reason.
    Refused,
    /// The server cannot read it: it has too many words, or too long ones.
    TooLarge,
    /// The code cannot be compiled, or what its first line declares cannot be had.
    NotCompiled,
    /// SCRIPT KILL or FUNCTION KILL has stopped it.
    Killed,
    /// The script itself answered so.
    OfScript,
    /// A command's own error, executed or refused: it did not do what it was asked to do.
    OfCommand,
}

impl Meaning {
    /// Whether it is about a state that the server may leave at any moment.
    fn is_of_state(&self) -> bool {
        matches!(
            self,
            Self::Busy | Self::NotPrimary | Self::Passing | Self::Refused | Self::Rehashing | Self::StoppedOnReplica
        )
    }

    /// Whether a server that refused something so may take it a moment later.
    fn passes_by_itself(&self) -> bool {
        self.is_of_state() || matches!(self, Self::Ask(_) | Self::Moved(..) | Self::Nowhere)
    }
}

/// What an error reply means for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) meaning: Meaning,
    pub(crate) ran: Ran,
    pub(crate) next: Next,
    /// The server that answered is a replica, and should have been a primary.
    pub(crate) is_demoted: bool,
    /// The script may have made the words up: the server is to be asked before anything follows from them.
    pub(crate) is_unproved: bool,
    /// The script may have passed on what a replica said to one of its commands. The call has ended, but later calls
    /// need a primary.
    pub(crate) is_perhaps_demoted: bool,
}

impl Verdict {
    /// The server named another one.
    pub(crate) fn is_redirect(&self) -> bool {
        matches!(self.meaning, Meaning::Moved(..) | Meaning::Ask(_) | Meaning::Nowhere)
    }

    /// The slot of its keys has moved, or is moving.
    pub(crate) fn is_of_move(&self) -> bool {
        self.is_redirect() || self.meaning == Meaning::Rehashing
    }
}

/// Judges an error reply.
pub(crate) fn of_error(error: &ServerError, asked: &Asked<'_>) -> Verdict {
    let meaning = wording::meaning(error, asked);
    let is_unproved = asked.proof.is_none() && proof::is_wanted(&meaning, error, asked);
    let is_to_wait = asked.request.is_repeatable() && !matches!(meaning, Meaning::Busy | Meaning::Refused);
    // The server may come to refuse so before it is asked.
    let is_open = is_unproved && meaning.is_of_state() && proof::has_words(asked.request, error);
    if is_open && !is_to_wait {
        return of_error(error, &Asked { proof: Some(Proof::NotNow), ..*asked });
    }
    if asked.proof == Some(Proof::NotNow) && meaning.passes_by_itself() {
        // The refusal has passed, or the script made it up.
        let next = if is_to_wait { Next::Later } else { Next::Deliver };
        return Verdict { ran: Ran::Unknown, meaning, next, is_demoted: false, is_unproved, is_perhaps_demoted: false };
    }
    let is_demoted =
        matches!(meaning, Meaning::NotPrimary | Meaning::StoppedOnReplica) && !asks_for_replica(asked.route);
    let next = next(&meaning, asked, is_demoted);
    // An answer that the script may have given itself is never quite certain.
    let is_sure = asked.proof.is_none() || !meaning.is_of_state() || !proof::has_words(asked.request, error);
    let ran = match () {
        () if asked.is_refused_load => Ran::No,
        () if is_sure => ran(&meaning, error, asked.request),
        () => Ran::Unknown,
    };
    let is_perhaps_demoted =
        meaning == Meaning::OfScript && wording::passes_on_refusal(error) && !asks_for_replica(asked.route);
    Verdict { meaning, ran, next, is_demoted, is_unproved, is_perhaps_demoted }
}

fn ran(meaning: &Meaning, error: &ServerError, request: &Request) -> Ran {
    match meaning {
        _ if request.stores_code() => Ran::No,
        Meaning::OfScript | Meaning::Killed | Meaning::StoppedOnReplica => Ran::Yes,
        // MIGRATE lost the other server, which may have got the keys.
        Meaning::OfCommand if error.code() == "IOERR" => Ran::Unknown,
        _ => Ran::No,
    }
}

fn next(meaning: &Meaning, asked: &Asked<'_>, is_demoted: bool) -> Next {
    let request = asked.request;
    match meaning {
        // It was flushed after it was loaded.
        Meaning::MissingScript if asked.loads_script => Next::LoadScript,
        Meaning::MissingScript if request.bringable_script().is_some() => Next::SendCode,
        Meaning::MissingFunction if request.library().is_some() && !asked.brings_library => Next::LoadLibrary,
        Meaning::Forbidden if asked.is_ahead => Next::WithoutCode,
        Meaning::UnknownCommand
            if matches!(asked.form, None | Some(Form::CodeReadOnly))
                && request.has_forms()
                && request.is_read_only() =>
        {
            Next::PlainForm
        }
        Meaning::Forbidden | Meaning::UnknownCommand
            if matches!(asked.form, Some(Form::Code | Form::CodeReadOnly)) && !asked.loads_script =>
        {
            Next::LoadScript
        }
        Meaning::Forbidden | Meaning::UnknownCommand
            if asked.command().starts_with("EVALSHA")
                && request.bringable_script().is_some()
                && !asked.loads_script =>
        {
            Next::ByCode
        }
        Meaning::Moved(..) | Meaning::Ask(_) | Meaning::Nowhere if !may_be_redirected(asked) => Next::Deliver,
        Meaning::Moved(slot, address) => Next::Moved(*slot, address.clone()),
        Meaning::Ask(address) => Next::Ask(address.clone()),
        Meaning::Nowhere | Meaning::Passing | Meaning::Rehashing => Next::Later,
        Meaning::NotPrimary if is_demoted => Next::Later,
        // It left no effect that a second run would double.
        Meaning::StoppedOnReplica if is_demoted && (request.is_repeatable() || !request.may_publish()) => Next::Later,
        _ => Next::Deliver,
    }
}

/// Whether the route asks for a node that may be a replica and is used as one.
fn asks_for_replica(route: &Route) -> bool {
    matches!(route, Route::Shard(_, Role::Replica) | Route::RandomNode | Route::Address(_) | Route::AllNodes)
}

/// Whether a redirect may be followed. A call to a node that was named by its address stays there.
fn may_be_redirected(asked: &Asked<'_>) -> bool {
    asked.in_cluster
        && !matches!(asked.route, Route::Address(_) | Route::PrimaryOf(..) | Route::AllPrimaries | Route::AllNodes)
}

/// What is known of a request that has no reply, and whether it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    pub(crate) ran: Ran,
    pub(crate) may_be_sent_again: bool,
}

/// Whether a request without a reply may have been executed; `written`: whether the socket took the whole of it.
pub(crate) fn may_have_run(request: &Request, written: bool) -> bool {
    of_loss(request, written, false).ran == Ran::Unknown
}

/// What is known at its deadline of a request that was sent.
pub(crate) fn no_reply(request: &Request) -> AtDeadline {
    AtDeadline::NoReply(if request.is_killed_on_timeout() {
        Doubt::ScriptToKill
    } else if request.runs_lua() {
        Doubt::Script
    } else if may_have_run(request, true) {
        Doubt::Command
    } else {
        Doubt::None
    })
}

/// Judges the loss of a reply: `written`: whether the socket took the whole request; `retries_lost`: whether its
/// caller wants it sent again in any case.
pub(crate) fn of_loss(request: &Request, written: bool, retries_lost: bool) -> Unanswered {
    let ran = if written && !request.runs_nothing() { Ran::Unknown } else { Ran::No };
    Unanswered { ran, may_be_sent_again: ran == Ran::No || request.is_repeatable() || retries_lost }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "verdict_recorded_tests.rs"]
mod recorded_tests;
