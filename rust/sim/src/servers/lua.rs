//! Runs a script: its steps, one after another, with their results and errors.

use std::time::Duration;

use super::cluster::Placement;
use super::commands::{self, Command, DENY_OOM, Lookup, NO_SCRIPT, WRITE};
use super::connection::Connection;
use super::deployment::Deployment;
use super::execution::Execution;
use super::node::Condition;
use super::scripts::{self, Step, Unfit, Word, spin};
use super::versions::Version;
use super::wire::{Reply, Words, text};
use super::words;

pub(super) enum Progress {
    Ended(Reply),
    /// With an error, where it stands.
    Raised(Vec<u8>),
    Spins(Duration),
}

impl Deployment {
    pub(super) fn run_lua(&mut self, c: &mut Connection, execution: &mut Execution) -> Progress {
        let version = self.options.version;
        while let Some((line, step)) = execution.program.steps.get(execution.at).cloned() {
            let second = execution.args.get(1);
            let chunk = execution.chunk();
            match step {
                Step::Spin if !execution.spins => {
                    let length = if self.is_in_haste { Duration::ZERO } else { spin(second) };
                    execution.spins = true;
                    return Progress::Spins(length);
                }
                Step::Spin => execution.spins = false,
                Step::Call(template) => {
                    let word = |word: &Word| match word {
                        Word::Is(word) => Some(word.as_bytes().to_vec()),
                        Word::Key => execution.keys.first().cloned(),
                        Word::Id => execution.args.first().cloned(),
                    };
                    let words: Option<Words> = template.iter().map(word).collect();
                    let reply = match words {
                        Some(words) => self.call(c, execution, &words),
                        None => Reply::error(version.no_word_in_script(chunk, line)),
                    };
                    match reply {
                        Reply::Error(error) => return Progress::Raised(error),
                        reply => execution.result = as_lua(reply),
                    }
                }
                Step::CallArguments => {
                    let words = execution.args[1..].to_vec();
                    match self.call(c, execution, &words) {
                        Reply::Error(error) => return Progress::Raised(error),
                        reply => execution.result = as_lua(reply),
                    }
                }
                Step::TryArguments => {
                    let words = execution.args[1..].to_vec();
                    execution.result = as_lua(self.call(c, execution, &words));
                }
                Step::ReturnId => {
                    return Progress::Ended(execution.args.first().cloned().map_or(Reply::Nil, Reply::Bulk));
                }
                Step::ReturnResult => return Progress::Ended(execution.result.clone()),
                Step::ReturnError => {
                    let Some(words) = second else { return ended(version.no_words(chunk, line).into()) };
                    return ended(version.error_reply(words));
                }
                Step::ReturnCodedError => {
                    let words = second.map_or(&b"now"[..], Vec::as_slice);
                    return ended(version.error_reply(&[b"READONLY ", words].concat()));
                }
                Step::ReturnErrorTable => {
                    let Some(words) = second else { return Progress::Ended(Reply::Array(Vec::new())) };
                    return ended([&words[..], execution.args.get(2).map_or(&b""[..], Vec::as_slice)].concat());
                }
                Step::ReturnStatus => {
                    let Some(words) = second else { return ended(version.no_words(chunk, line).into()) };
                    return Progress::Ended(Reply::Simple(words.clone()));
                }
                Step::Raise => {
                    let words = second.map_or(&b"nil"[..], Vec::as_slice);
                    return Progress::Raised(version.raised_text(chunk, line, words));
                }
                Step::RaiseTable => {
                    let words = second.map_or(&b"unknown error"[..], Vec::as_slice);
                    return Progress::Raised(words.to_vec());
                }
                Step::ReturnOne => return Progress::Ended(Reply::Int(1)),
                Step::ReturnCompiles => {
                    let compiles = execution.args.first().is_some_and(|code| scripts::parse(code, false).is_ok());
                    return Progress::Ended(Reply::Int(compiles.into()));
                }
                Step::Nonsense => break,
            }
            execution.at += 1;
        }
        Progress::Ended(Reply::Nil)
    }

    /// `redis.call`.
    pub(super) fn call(&mut self, c: &mut Connection, execution: &mut Execution, words: &Words) -> Reply {
        let command = match self.check_call(c, execution, words) {
            Ok(command) => command,
            Err(error) => return Reply::error(error),
        };
        if let Some(reply) = self.server_command(c, command, words) {
            return reply;
        }
        let known = self.nodes[c.node].uncommitted.len();
        let reply = self.run_plain(c, words, Some(execution.run));
        execution.wrote |= self.nodes[c.node].uncommitted.len() > known;
        reply
    }

    fn check_call(&self, c: &Connection, execution: &Execution, words: &Words) -> Result<&'static Command, String> {
        let version = self.options.version;
        let node = &self.nodes[c.node];
        let own = |error: &str| version.of_lua(error, execution.chunk(), execution.line());
        // Before Redis 7 these come as they would go to a client, with their minus.
        let refused = |error: &str| if version.has_functions() { error.to_owned() } else { own(&format!("-{error}")) };
        let command = match commands::look_up(version, words) {
            Lookup::Known(command) => command,
            Lookup::WrongArity(_) => return Err(own(version.arity_in_script())),
            Lookup::Unknown | Lookup::UnknownSubcommand => return Err(own(version.unknown_in_script())),
        };
        if command.is(NO_SCRIPT) {
            return Err(own(version.not_from_script()));
        }
        let writes = command.is(WRITE);
        let allows = execution.program.declared.as_ref().is_some_and(|declared| declared.allow_oom);
        let lacks_memory = command.is(DENY_OOM) && execution.out_of_memory && !allows && !execution.wrote;
        if lacks_memory && version == Version::Valkey91 {
            return Err(words::OOM.to_owned());
        }
        let user = c.user.as_deref().unwrap_or("default");
        if !node.users.may_run(user, command) {
            return Err(own(&version.may_not_run_in_script(user, command.name)));
        }
        if !command.keys(words).iter().all(|key| node.users.may_touch(user, key)) {
            return Err(own(version.may_not_touch_in_script()));
        }
        if !execution.may_write() && (writes || command.name == "publish") {
            return Err(own(words::WRITE_IN_READ_ONLY));
        }
        if writes && !execution.wrote {
            if node.is_replica() {
                return Err(refused(words::READONLY));
            }
            if node.is(Condition::CannotPersist) {
                return Err(refused(&version.cannot_persist()));
            }
            if self.lacks_replicas(c.node) {
                return Err(refused(words::NO_REPLICAS));
            }
        }
        if lacks_memory {
            return Err(refused(words::OOM));
        }
        if self.is_cluster() {
            self.check_slot(c, execution, (command, words)).map_err(own)?;
        }
        Ok(command)
    }
}

impl Deployment {
    fn check_slot(
        &self,
        c: &Connection,
        execution: &Execution,
        command: (&'static Command, &Words),
    ) -> Result<(), &'static str> {
        let version = self.options.version;
        // Valkey 9.0 takes a script in a transaction for one that is queued.
        let later = c.exec.is_some() && version == Version::Valkey90;
        match self.place(c, &[command], command.0.is(WRITE), c.was_asking || c.is_asking, later) {
            Placement::Elsewhere(error) => Err(match error.split(' ').next() {
                Some("CROSSSLOT") => version.cross_slot_in_script(),
                Some("CLUSTERDOWN") if error != words::SLOT_NOT_SERVED => version.cluster_down_in_script(),
                _ => version.elsewhere_in_script(),
            }),
            Placement::Here(slot) => {
                let strict = execution.program.declared.as_ref().is_some_and(|declared| !declared.allow_cross_slot);
                if strict && execution.slot.is_some() && slot.is_some() && slot != execution.slot {
                    Err(version.cross_slot_in_script())
                } else {
                    Ok(())
                }
            }
        }
    }
}

fn ended(error: Vec<u8>) -> Progress {
    Progress::Ended(Reply::Error(error))
}

/// A reply after it was converted to Lua and back: nil becomes `false`, and `false` becomes nil.
fn as_lua(reply: Reply) -> Reply {
    match reply {
        Reply::NilArray => Reply::Nil,
        Reply::Verbatim(text) => Reply::Bulk(text.into_bytes()),
        Reply::Array(elements) | Reply::Set(elements) => Reply::Array(elements.into_iter().map(as_lua).collect()),
        other => other,
    }
}

/// The servers' wordings of errors in Lua.
impl Version {
    pub(super) fn unfit(self, unfit: &Unfit) -> String {
        match unfit {
            Unfit::UnknownEngine(engine) if self.is_valkey() => {
                format!("ERR Could not find scripting engine '{engine}'")
            }
            Unfit::UnknownEngine(engine) => format!("ERR Unexpected engine in script shebang: #!{engine}"),
            Unfit::UnknownOption(option) if self.is_valkey() => format!("ERR Unknown lua shebang option: {option}"),
            Unfit::UnknownOption(option) => format!("ERR Unknown lua shebang option: {option}"),
            Unfit::UnknownFlag(flag) => format!("ERR Unexpected flag in script shebang: {flag}"),
            Unfit::Syntax { line } => {
                format!("ERR Error compiling script (new function): user_script:{line}: '=' expected near 'is'")
            }
            Unfit::Shebang => {
                "ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'".to_owned()
            }
        }
    }

    pub(super) fn killed(self, is_function: bool) -> String {
        match (self.is_valkey(), is_function) {
            (true, true) => "ERR Script killed by user with FUNCTION KILL.".to_owned(),
            (true, false) => "ERR Script killed by user with SCRIPT KILL.".to_owned(),
            (false, _) if self.has_functions() => "ERR Script killed by user with SCRIPT KILL...".to_owned(),
            (false, _) => "Script killed by user with SCRIPT KILL...".to_owned(),
        }
    }

    /// Before Redis 7 the place comes before what the library itself complains of.
    fn of_lua(self, error: &str, chunk: &str, line: usize) -> String {
        if self.has_functions() { error.to_owned() } else { format!("@{chunk}: {line}: {error}") }
    }

    fn no_word_in_script(self, chunk: &str, line: usize) -> String {
        let error = "Lua redis lib command arguments must be strings or integers";
        match self {
            Self::Redis62 => self.of_lua("Lua redis() command arguments must be strings or integers", chunk, line),
            Self::Valkey90 | Self::Valkey91 => "ERR Command arguments must be strings or integers".to_owned(),
            _ => format!("ERR {error}"),
        }
    }

    fn no_words(self, chunk: &str, line: usize) -> String {
        let error = "wrong number or type of arguments";
        if self.has_functions() { format!("ERR {error}") } else { self.of_lua(error, chunk, line) }
    }

    /// `redis.error_reply` of these words.
    fn error_reply(self, words: &[u8]) -> Vec<u8> {
        if !self.has_functions() {
            return words.to_vec();
        }
        let words = words.strip_prefix(b"-").unwrap_or(words);
        if words.contains(&b' ') { words.to_vec() } else { [b"ERR ", words].concat() }
    }

    /// `error` of a text.
    fn raised_text(self, chunk: &str, line: usize, words: &[u8]) -> Vec<u8> {
        let place = format!("{chunk}:{line}: {}", text(words)).into_bytes();
        if self.has_functions() { [b"ERR ", &place[..]].concat() } else { place }
    }
}
