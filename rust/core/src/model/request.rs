//! One command, packed once into the form in which it goes over the wire.

mod packer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::model::library::Library;
use crate::model::once::{Answer, Recorded};
use crate::model::route::Slot;
use crate::model::script::Script;
use crate::model::used::CodeId;
use crate::model::wait::Wait;
use crate::wire::pack::{write_header, write_word};
use crate::wire::resp::{Reply, ServerError};

pub use self::packer::Packer;

/// A command as the server will read it, and what may be done with it. It owns all its bytes.
#[derive(Clone)]
pub struct Request {
    wire: Bytes,
    words: usize,
    lane: LaneKind,
    read_only: bool,
    is_killed_on_timeout: bool,
    gather: Gather,
    about: About,
}

/// What the replies of several nodes, or to the parts of a command, make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// A map from each node's `host:port` to its reply.
    ByNode,
    /// The first reply, if all succeeded.
    AllSucceeded,
    /// The first that succeeded, if any did.
    OneSucceeded,
    /// The sum of integers.
    Sum,
    /// For each position of lists of 0 and 1, whether all have 1.
    And,
    /// One list, in the order of the keys.
    InOrder,
    /// One list, of all.
    Joined,
    /// The least of integers.
    Least,
}

/// Which of a node's connections a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    Data,
    /// For what must reach a server that is running a script: it does not read the connection the script came by.
    Admin,
}

/// What the request runs.
#[derive(Clone)]
enum About {
    Command,
    /// A command that waits for what others do.
    Blocking {
        wait: Wait,
    },
    /// EVAL, FCALL and similar commands, given by the caller: errors are a script's, and nothing else is known.
    Code {
        script: Option<Arc<Script>>,
    },
    Script {
        script: Arc<Script>,
        /// Where the number of keys begins in `wire`.
        tail: usize,
        /// Whether the code may be sent to a server that lost it.
        carries_code: bool,
        /// It is called with `once`: then `script` is the one that keeps a record.
        record: Option<Box<Recorded>>,
    },
    /// FCALL of a function of that library.
    Function {
        library: Arc<Library>,
    },
}

impl Request {
    #[must_use]
    pub fn over(mut self, lane: LaneKind) -> Self {
        self.lane = lane;
        self
    }

    /// A replica may answer it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// If its deadline passes while it runs, it is to be killed.
    #[must_use]
    pub fn killed_on_timeout(mut self) -> Self {
        self.is_killed_on_timeout = true;
        self
    }

    /// It keeps none of the memory that others were packed into.
    pub(crate) fn apart(mut self) -> Self {
        self.wire = Bytes::copy_from_slice(&self.wire);
        self
    }

    pub(crate) fn is_killed_on_timeout(&self) -> bool {
        self.is_killed_on_timeout
    }

    /// It waits for so long for what others do, and has a connection of its own meanwhile.
    #[must_use]
    pub fn blocking(mut self, wait: Wait) -> Self {
        self.about = About::Blocking { wait };
        self
    }

    /// Its caller's deadline holds, however long it waits.
    pub(crate) fn hold_to_deadline(&mut self) {
        if let About::Blocking { wait } = &mut self.about {
            *wait = Wait::For(Duration::ZERO);
        }
    }

    /// How long it waits for what others do, if it does.
    pub(crate) fn wait(&self) -> Option<Wait> {
        match self.about {
            About::Blocking { wait } => Some(wait),
            _ => None,
        }
    }

    /// Whether no other call may be on its connection.
    pub(crate) fn needs_own_connection(&self) -> bool {
        self.is_killed_on_timeout || matches!(self.about, About::Blocking { .. })
    }

    /// It runs Lua: `script`, where its code is known.
    #[must_use]
    pub fn running(mut self, script: Option<Arc<Script>>) -> Self {
        self.about = About::Code { script };
        self
    }

    /// It calls a function of that library.
    #[must_use]
    pub fn calling(mut self, library: Arc<Library>) -> Self {
        self.about = About::Function { library };
        self
    }

    /// What several nodes' replies to it make together.
    #[must_use]
    pub fn gathered(mut self, gather: Gather) -> Self {
        self.gather = gather;
        self
    }

    pub fn gather(&self) -> Gather {
        self.gather
    }

    pub fn lane(&self) -> LaneKind {
        self.lane
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether errors come from Lua.
    pub fn runs_lua(&self) -> bool {
        !matches!(self.about, About::Command | About::Blocking { .. }) && !self.runs_nothing()
    }

    /// The script, where its code is known.
    pub fn script(&self) -> Option<&Arc<Script>> {
        match &self.about {
            About::Command | About::Blocking { .. } | About::Function { .. } => None,
            About::Code { script } => script.as_ref(),
            About::Script { script, .. } => Some(script),
        }
    }

    /// The script, as its caller knows it.
    pub(crate) fn callers_script(&self) -> Option<&Arc<Script>> {
        self.record().map(|record| &record.script).or_else(|| self.script()).map(Script::without_probes)
    }

    /// The record of a call with `once`.
    pub(crate) fn record(&self) -> Option<&Recorded> {
        match &self.about {
            About::Script { record, .. } => record.as_deref(),
            _ => None,
        }
    }

    fn record_mut(&mut self) -> Option<&mut Recorded> {
        match &mut self.about {
            About::Script { record, .. } => record.as_deref_mut(),
            _ => None,
        }
    }

    /// Whether a reply to it is not the script's own, but comes from the record of an earlier call.
    pub(crate) fn is_answered_from_record(&self, reply: &Reply) -> bool {
        self.record().is_some_and(|record| record.is_answered_by(reply))
    }

    /// The server's words, where it refused the record of a call with `once`: nothing of it has taken effect.
    pub(crate) fn refusal_of_record<'a>(&self, reply: &'a Reply) -> Option<&'a ServerError> {
        self.record().and_then(|record| record.refusal(reply))
    }

    /// What the record's wrapper answered; the reply itself where it is the script's own, or another request's.
    pub(crate) fn read_record(&self, reply: Reply) -> Result<Answer, Reply> {
        match self.record() {
            Some(record) => record.read(reply),
            None => Err(reply),
        }
    }

    /// Learns how long its call may take.
    pub(crate) fn bound(&mut self, timeout: Duration) {
        if let Some(record) = self.record_mut() {
            record.bound(timeout);
        }
    }

    /// Gives it a new id, if its client has made the one that it has.
    pub(crate) fn renew_id(&mut self, next: impl FnOnce() -> Vec<u8>) {
        if let Some(id) = self.record().filter(|record| record.is_own).map(|record| record.id.clone()) {
            let mut wire = BytesMut::from(&self.wire[..]);
            wire[id].copy_from_slice(&next());
            self.wire = wire.freeze();
        }
    }

    /// The id of a call with `once`, for people to read.
    pub(crate) fn shown_id(&self) -> String {
        const LONGEST: usize = 64;
        let id = self.record().map_or(&[][..], |record| &self.wire[record.id.clone()]);
        let shown = String::from_utf8_lossy(&id[..id.len().min(LONGEST)]).into_owned();
        format!("{shown:?}{}", if id.len() > LONGEST { "…" } else { "" })
    }

    /// Whether it is a script's, which has other forms.
    pub(crate) fn has_forms(&self) -> bool {
        matches!(self.about, About::Script { .. })
    }

    /// Whether a run on a replica, which ends at the first write, may have left anything behind: messages are not writes.
    pub(crate) fn may_publish(&self) -> bool {
        self.callers_script().is_none_or(|script| script.may_publish())
    }

    /// Whether a server does nothing for it that anybody could notice: it keeps code, or looks for it.
    pub(crate) fn runs_nothing(&self) -> bool {
        // It may name the script, for errors.
        matches!(self.about, About::Command | About::Code { .. })
            && self.words > 1
            && self.word(0).eq_ignore_ascii_case("SCRIPT")
            && ["LOAD", "EXISTS"].iter().any(|name| self.word(1).eq_ignore_ascii_case(name))
    }

    /// The command's name, in capital letters.
    pub(crate) fn command_name(&self) -> String {
        self.word(0).to_ascii_uppercase()
    }

    /// The slot of the keys of what runs Lua: its third word counts them.
    pub(crate) fn slot_of_script(&self) -> Option<Slot> {
        let mut words = self.words().skip(2);
        let has_keys = words.next()? != b"0";
        words.next().filter(|_| has_keys).map(Slot::of_key)
    }

    /// The second word, where it names a subcommand.
    pub(crate) fn subcommand(&self) -> Option<String> {
        let has_one = self.words > 1 && CONTAINERS.contains(&self.command_name().as_str());
        has_one.then(|| self.word(1).to_ascii_uppercase())
    }

    /// The script to bring to a server that does not have it.
    pub(crate) fn bringable_script(&self) -> Option<&Arc<Script>> {
        match &self.about {
            About::Script { script, carries_code: true, .. } => Some(script),
            _ => None,
        }
    }

    /// The library to bring to a server that does not have the function.
    pub(crate) fn library(&self) -> Option<&Arc<Library>> {
        match &self.about {
            About::Function { library } => Some(library),
            _ => None,
        }
    }

    /// The code that it runs, where that can be sent to a server that lacks it.
    pub(crate) fn code(&self) -> Option<CodeId> {
        match &self.about {
            About::Script { script, carries_code: true, .. } => Some(script.id),
            About::Function { library } => Some(library.id),
            _ => None,
        }
    }

    /// Whether servers forget their scripts by it.
    pub(crate) fn flushes_scripts(&self) -> bool {
        matches!(self.about, About::Command)
            && (2..=3).contains(&self.words)
            && self.word(0).eq_ignore_ascii_case("SCRIPT")
            && self.word(1).eq_ignore_ascii_case("FLUSH")
    }

    /// Whether it brings code that the server keeps for a while.
    pub(crate) fn is_eval(&self) -> bool {
        !self.has_forms() && matches!(self.word(0).to_ascii_uppercase().as_str(), "EVAL" | "EVAL_RO")
    }

    /// The name of the function that it calls.
    pub(crate) fn function_name(&self) -> String {
        self.word(1)
    }

    /// Whether it is FCALL or its read-only form.
    pub(crate) fn calls_function(&self) -> bool {
        self.library().is_some() || self.word(0).to_ascii_uppercase().starts_with("FCALL")
    }

    /// The command's name, with its subcommand or the script's name where it has one, for people to read.
    pub fn name(&self) -> String {
        let mut name = self.command_name();
        if let Some(subcommand) = self.subcommand() {
            name = format!("{name} {subcommand}");
        } else if let Some(script) = self.script().and_then(|script| script.options().name.as_ref()) {
            name = format!("{name} {script}");
        }
        name
    }

    /// One of the first words, which hold no secret where they are names.
    fn word(&self, index: usize) -> String {
        String::from_utf8_lossy(self.words().nth(index).unwrap_or_default()).into_owned()
    }

    /// The command's name and its arguments.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let words = line(&self.wire).map_or(&self.wire[..0], |(_, words)| words);
        words_of(words)
    }

    /// Whether it may be sent again when it may have run already.
    pub fn is_repeatable(&self) -> bool {
        match &self.about {
            About::Script { script, record, .. } => {
                script.is_repeatable() || record.as_ref().is_some_and(|record| record.outlives_call)
            }
            About::Function { .. } => self.read_only,
            About::Command | About::Code { .. } => self.runs_nothing(),
            About::Blocking { .. } => false,
        }
    }

    /// The request as it goes out first.
    pub(crate) fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The request with another command before its keys and arguments; itself, where it is no script's.
    pub(crate) fn wire_as(&self, form: Form) -> Bytes {
        let About::Script { script, tail, .. } = &self.about else {
            return self.wire.clone();
        };
        let mut wire = BytesMut::with_capacity(self.wire.len() + script.code().len() + 32);
        write_header(&mut wire, b'*', self.words);
        match form {
            Form::Sha => {
                write_word(&mut wire, b"EVALSHA");
                write_word(&mut wire, script.hash().as_bytes());
            }
            Form::Code | Form::CodeReadOnly => {
                write_word(&mut wire, if form == Form::Code { b"EVAL" } else { b"EVAL_RO" });
                write_word(&mut wire, script.code());
            }
        }
        wire.extend_from_slice(&self.wire[*tail..]);
        wire.freeze()
    }
}

/// The words of a packed command, less the line that counts them.
fn words_of(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = line(rest)?;
        let length = length.iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        let word = &after[..length];
        rest = &after[length + 2..];
        Some(word)
    })
}

/// What a packed command's line says, and what follows it.
fn line(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', wire)?;
    Some((&wire[1..end - 1], &wire[end + 1..]))
}

/// Commands whose second word names what they do.
const CONTAINERS: [&str; 11] =
    ["ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MODULE", "PUBSUB", "SCRIPT", "SLOWLOG"];

impl fmt::Debug for Request {
    /// Shows the command's name alone: arguments may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {} words)", self.word(0), self.words)
    }
}

pub(crate) fn asking() -> Bytes {
    Bytes::from_static(b"*1\r\n$6\r\nASKING\r\n")
}

/// How a script is named to the server, once the form it was packed in will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// EVALSHA, also of a read-only script: for servers that do not know `EVALSHA_RO`.
    Sha,
    Code,
    CodeReadOnly,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_argument() {
        let mut packer = Packer::command(2);
        packer.word(b"AUTH");
        packer.word(b"secret");
        let shown = format!("{:?}", packer.finish(false));
        assert_eq!(shown, "Request(AUTH, 2 words)");
    }
}
