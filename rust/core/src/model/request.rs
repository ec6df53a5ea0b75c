//! One command, packed once into the form in which it goes over the wire.

mod packer;
mod recorded;
mod words;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::model::gather::Gather;
use crate::model::known_code::CodeId;
use crate::model::library::Library;
use crate::model::once::Recorded;
use crate::model::script::Script;
use crate::model::wait::Wait;
use crate::wire::pack::{self, write_header, write_word};

pub use self::packer::Packer;
pub use self::words::CONTAINERS;

/// The least that a server's limits (`proto-max-bulk-len`, `client-query-buffer-limit`) can be set to, in bytes.
pub(crate) const ACCEPTED: usize = 1 << 20;

/// A packed command, and how it may be sent. It owns all its bytes.
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

/// Which of a node's connections a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    Data,
    /// For commands that must reach a server that runs a script: it does not read from the connection that sent the
    /// script.
    Admin,
}

/// What the request runs.
#[derive(Clone)]
enum About {
    Command,
    /// A command that waits for other clients.
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

    /// A copy that does not keep the memory block of other requests alive.
    pub(crate) fn detached(mut self) -> Self {
        self.wire = Bytes::copy_from_slice(&self.wire);
        self
    }

    pub(crate) fn is_killed_on_timeout(&self) -> bool {
        self.is_killed_on_timeout
    }

    /// It waits for other clients for this long, on a connection of its own.
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

    /// How long it waits for other clients, if it does.
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

    /// How the replies of several nodes become one reply.
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

    /// Whether it runs a script, which can be sent in other forms.
    pub(crate) fn has_forms(&self) -> bool {
        matches!(self.about, About::Script { .. })
    }

    /// Whether a run on a replica, which ends at the first write, may have left anything behind: messages are not writes.
    pub(crate) fn may_publish(&self) -> bool {
        self.callers_script().is_none_or(|script| script.may_publish())
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

impl fmt::Debug for Request {
    /// Shows the command's name alone: arguments may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {} words)", self.word(0), self.words)
    }
}

pub(crate) fn asking() -> Bytes {
    pack::command(&[b"ASKING"])
}

/// How a script is sent if the form in which it was packed does not work.
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
