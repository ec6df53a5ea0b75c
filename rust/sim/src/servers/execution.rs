//! A script that runs, and how far it is.

use super::scripts::{Program, Wrapped};
use super::topology::slot;
use super::versions::Version;
use super::wire::{Reply, Words, text};

/// A script that runs.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each says another thing of a run")]
pub(super) struct Execution {
    /// The number of this run.
    pub(super) run: u64,
    pub(super) program: Program,
    pub(super) what: What,
    pub(super) keys: Words,
    pub(super) args: Words,
    /// Called in a form that writes nothing.
    pub(super) reads_only: bool,
    pub(super) out_of_memory: bool,
    /// That of its keys, in a cluster.
    pub(super) slot: Option<u16>,
    /// The next step.
    pub(super) at: usize,
    /// It is inside the loop of that step.
    pub(super) spins: bool,
    pub(super) result: Reply,
    pub(super) wrote: bool,
    /// Its record, if it is called with `once`.
    pub(super) record: Option<Record>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// By the hash that errors name it by.
    Script(String),
    Function(String),
}

/// What a wrapped script is called with, beside its own keys and arguments.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) digest: Vec<u8>,
    pub(super) ttl: Vec<u8>,
    pub(super) is_noted_first: bool,
}

impl Execution {
    pub(super) fn new(
        run: u64,
        program: Program,
        what: What,
        (keys, args): (Words, Words),
        reads_only: bool,
        out_of_memory: bool,
    ) -> Self {
        let (at, spins, result, wrote, record) = (0, false, Reply::Nil, false, None);
        let slot = keys.first().map(|key| slot(key));
        Self { run, program, what, keys, args, reads_only, out_of_memory, slot, at, spins, result, wrote, record }
    }

    /// The script sees nothing of its record.
    pub(super) fn unwrapped(mut self) -> Self {
        if let Some(Wrapped { is_noted_first }) = self.program.wrapped {
            let mut last = || self.args.pop().unwrap_or_default();
            let (ttl, hash, digest) = (last(), last(), last());
            let key = self.keys.pop().unwrap_or_default();
            self.what = What::Script(text(&hash));
            self.record = Some(Record { key, digest, ttl, is_noted_first });
        }
        self
    }

    /// The id of the call that it runs for.
    pub(super) fn id(&self) -> &[u8] {
        self.args.first().map_or(&[][..], Vec::as_slice)
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self.what, What::Function(_))
    }

    pub(super) fn may_write(&self) -> bool {
        !self.reads_only && self.program.declared.as_ref().is_none_or(|declared| !declared.no_writes)
    }

    pub(super) fn line(&self) -> usize {
        self.program.steps.get(self.at).map_or(0, |(line, _)| *line)
    }

    pub(super) fn chunk(&self) -> &'static str {
        if self.is_function() { "user_function" } else { "user_script" }
    }

    /// How the server words an error that ended the script where it stands.
    pub(super) fn failure(&self, version: Version, error: &[u8]) -> Vec<u8> {
        let (chunk, line) = (self.chunk(), self.line());
        let name = match &self.what {
            What::Script(hash) => hash,
            What::Function(name) => name,
        };
        match version {
            Version::Redis62 => {
                [format!("ERR Error running script (call to f_{name}): @{chunk}:{line}: ").as_bytes(), error].concat()
            }
            Version::Valkey91 => [error, format!(" script: on @{chunk}:{line}.").as_bytes()].concat(),
            _ => [error, format!(" script: {name}, on @{chunk}:{line}.").as_bytes()].concat(),
        }
    }
}
