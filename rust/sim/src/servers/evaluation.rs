//! EVAL, EVALSHA, FCALL and their read-only forms; scripts that take their time.

use std::collections::VecDeque;

use super::commands::{Command, DENY_OOM, STALE, WRITE};
use super::connection::Connection;
use super::deployment::{Deployment, Timer};
use super::dispatch::{FUNCTIONS, Flow};
use super::events::{Ending, Event};
use super::execution::{Execution, What};
use super::ids::NodeId;
use super::lua::Progress;
use super::node::Condition;
use super::node::Running;
use super::scripts::{self, Declared, Program, Unfit, sha1_hex};
use super::trace::Act;
use super::wire::{Reply, Words, integer, same, text};
use super::words;
use super::writes::Origin;

impl Deployment {
    pub(super) fn evaluate(&mut self, c: &mut Connection, command: &Command, words: &Words) -> Flow {
        match self.execution(c, command, words) {
            Ok(mut execution) => {
                if let Some(reply) = self.answer_from_record(c, &mut execution) {
                    return Flow::Answer(reply);
                }
                let (at, run) = (self.now, execution.run);
                let id = execution.id().to_vec();
                let name = execution.program.name.to_owned();
                let (node, connection, exec) = (c.node, c.id, c.exec);
                self.events.push(Event::Ran { at, run, node, connection, id, name, exec });
                self.go_on(c, execution)
            }
            Err(error) => {
                let lacked = if error == words::FUNCTION_MISSING {
                    Some(FUNCTIONS.into())
                } else {
                    (error == self.options.version.missing_script()).then(|| words[1].to_ascii_lowercase())
                };
                if lacked.is_some_and(|code| c.refused_loads.contains(&code)) {
                    self.note_refused(c, words);
                }
                Flow::Answer(Reply::error(error))
            }
        }
    }

    /// A command's flags. Since Redis 7, a function, or a script that declares flags, changes them.
    pub(super) fn flags(&self, node: NodeId, command: &Command, words: &Words) -> u16 {
        let version = self.options.version;
        if !version.has_functions() {
            return command.flags_before_7();
        }
        if !command.runs_lua() {
            return command.flags();
        }
        let node = &self.nodes[node];
        let declared = match command.name {
            "fcall" | "fcall_ro" => {
                node.libraries.function(&text(&words[1])).and_then(|program| program.declared.clone())
            }
            "evalsha" | "evalsha_ro" => {
                node.cache.get(&text(&words[1]).to_ascii_lowercase()).and_then(|program| program.declared.clone())
            }
            _ => match scripts::parse(&words[1], true) {
                Ok(program) => program.declared,
                // Valkey asks later whether it has the engine.
                Err(Unfit::UnknownEngine(_)) if version.is_valkey() => Some(Declared::default()),
                Err(_) => None,
            },
        };
        match declared {
            None => command.flags(),
            Some(declared) => {
                let writes = if declared.no_writes { 0 } else { WRITE };
                let denies = if declared.allow_oom || declared.no_writes { 0 } else { DENY_OOM };
                let stale = if declared.allow_stale { STALE } else { 0 };
                command.flags() & !(WRITE | DENY_OOM | STALE) | writes | denies | stale
            }
        }
    }

    /// All that is checked before Lua runs.
    fn execution(&mut self, c: &Connection, command: &Command, words: &Words) -> Result<Execution, String> {
        let version = self.options.version;
        let is_function = command.name.starts_with("fcall");
        let node = &mut self.nodes[c.node];
        let function = if is_function {
            Some(node.libraries.function(&text(&words[1])).cloned().ok_or(words::FUNCTION_MISSING)?)
        } else {
            None
        };
        if command.name.starts_with("evalsha") && words[1].len() != 40 {
            return Err(version.missing_script().to_owned());
        }
        let bad_count = if is_function { "ERR Bad number of keys provided" } else { words::NO_INTEGER };
        let count = integer(&words[2]).ok_or(bad_count)?;
        let rest = &words[3..];
        if count > i64::try_from(rest.len()).expect("few words") {
            return Err(words::KEYS_TOO_MANY.to_owned());
        }
        let count = usize::try_from(count).map_err(|_| words::KEYS_NEGATIVE)?;
        let (program, what) = if let Some(program) = function {
            (program, What::Function(text(&words[1])))
        } else if command.name.starts_with("evalsha") {
            let hash = text(&words[1]).to_ascii_lowercase();
            let program = node.cache.get(&hash).cloned().ok_or(version.missing_script())?;
            node.cache.touch(&hash);
            (program, What::Script(hash))
        } else {
            let hash = sha1_hex(&words[1]);
            let program = match node.cache.get(&hash) {
                Some(program) => program.clone(),
                None => scripts::parse(&words[1], version.has_functions()).map_err(|unfit| version.unfit(&unfit))?,
            };
            node.cache.evaluate(&hash, program.clone(), version.forgets_evaluated_scripts());
            node.cache.touch(&hash);
            (program, What::Script(hash))
        };
        let reads_only = command.name.ends_with("_ro");
        self.may_begin(c.node, &program, reads_only)?;
        self.latest_run += 1;
        let (keys, args) = (rest[..count].to_vec(), rest[count..].to_vec());
        let out_of_memory = self.nodes[c.node].is_out_of_memory();
        let execution = Execution::new(self.latest_run, program, what, (keys, args), reads_only, out_of_memory);
        Ok(execution.unwrapped())
    }

    /// A script that declares its flags is refused before it runs; any other at its first write.
    fn may_begin(&self, node: NodeId, program: &Program, reads_only: bool) -> Result<(), String> {
        let (version, lacks_replicas) = (self.options.version, self.lacks_replicas(node));
        let node = &self.nodes[node];
        let Some(declared) = &program.declared else {
            return if node.is_stale() { Err(version.primary_down()) } else { Ok(()) };
        };
        if declared.no_cluster && self.is_cluster() {
            return Err("ERR Can not run script on cluster, 'no-cluster' flag is set.".to_owned());
        }
        if node.is_stale() && !declared.allow_stale {
            return Err(version.primary_down_flagged());
        }
        if !declared.no_writes {
            if reads_only {
                return Err(words::READ_ONLY_FORM.to_owned());
            }
            if node.is_replica() {
                return Err(words::READONLY_FLAGGED.to_owned());
            }
            if node.is(Condition::CannotPersist) {
                return Err(version.cannot_persist());
            }
            if lacks_replicas {
                return Err(words::NO_REPLICAS.to_owned());
            }
        }
        if node.is_out_of_memory() && !declared.allow_oom && !declared.no_writes {
            return Err(words::OOM_FLAGGED.to_owned());
        }
        Ok(())
    }

    /// Runs a script on to its end, or to where it takes its time.
    fn go_on(&mut self, c: &mut Connection, mut execution: Execution) -> Flow {
        let (reply, is_done) = match self.run_lua(c, &mut execution) {
            Progress::Ended(reply) => (reply, true),
            Progress::Raised(error) => (Reply::Error(execution.failure(self.options.version, &error)), false),
            Progress::Spins(length) => {
                let (until, run) = (self.now + length, execution.run);
                c.waits_for_script = true;
                let (connection, is_busy) = (c.id, false);
                self.nodes[c.node].running = Some(Running { connection, execution, transaction: None, until, is_busy });
                self.at(until, Timer::ScriptEnds(c.node));
                self.at(self.now + self.nodes[c.node].busy_after, Timer::ScriptTurnsBusy(c.node, run));
                return Flow::Later;
            }
        };
        let ending = if reply.is_error() { Ending::Failed } else { Ending::Returned };
        let reply = self.keep_reply(c, &mut execution, reply, is_done);
        self.end(&execution, ending);
        Flow::Answer(reply)
    }

    fn end(&mut self, execution: &Execution, ending: Ending) {
        let (at, run, wrote) = (self.now, execution.run, execution.wrote);
        self.events.push(Event::Ended { at, run, wrote, ending });
    }

    pub(super) fn turn_busy(&mut self, node: NodeId, run: u64) {
        let running = self.nodes[node].running.as_mut().filter(|running| running.execution.run == run);
        if let Some(running) = running.filter(|running| running.until > self.now) {
            running.is_busy = true;
            self.record(|| Act::Busy { node });
            self.unread.insert(node);
        }
    }

    /// The time that a script takes is over.
    pub(super) fn resume_script(&mut self, node: NodeId) {
        if self.nodes[node].is_paused {
            return;
        }
        let is_due = |running: &mut Running| running.until <= self.now;
        let Some(running) = self.nodes[node].running.take_if(is_due) else { return };
        let Running { connection, execution, transaction, .. } = running;
        let Some(mut c) = self.connections.remove(&connection) else { return };
        c.waits_for_script = false;
        let flow = self.go_on(&mut c, execution);
        self.finish_script(c, flow, transaction);
    }

    /// The transaction of a script goes on, and its server reads again.
    fn finish_script(&mut self, mut c: Connection, flow: Flow, transaction: Option<(Vec<Reply>, VecDeque<Words>)>) {
        let node = c.node;
        let flow = match (flow, transaction) {
            (Flow::Answer(reply), Some((mut replies, rest))) => {
                replies.push(reply);
                self.run_queued(&mut c, replies, rest)
            }
            (Flow::Later, Some(transaction)) => {
                if let Some(running) = &mut self.nodes[node].running {
                    running.transaction = Some(transaction);
                }
                Flow::Later
            }
            (flow, _) => flow,
        };
        if let Flow::Answer(reply) = flow {
            self.answer(&mut c, &reply);
            self.commit(node);
        }
        self.connections.insert(c.id, c);
        self.unread.insert(node);
    }

    /// SCRIPT KILL and FUNCTION KILL.
    pub(super) fn kill_script(&mut self, node: NodeId, of_function: bool) -> Reply {
        let version = self.options.version;
        let Some(running) = &self.nodes[node].running else { return Reply::error(words::NOT_BUSY) };
        if running.execution.wrote {
            return Reply::error(words::UNKILLABLE);
        }
        let is_function = running.execution.is_function();
        if is_function != of_function && version.has_functions() {
            return Reply::error(version.busy(is_function));
        }
        let Some(Running { connection, execution, transaction, .. }) = self.nodes[node].running.take() else {
            return Reply::error(words::NOT_BUSY);
        };
        self.end(&execution, Ending::Killed);
        let words = version.killed(is_function);
        let error = execution.failure(version, words.as_bytes());
        if let Some(mut c) = self.connections.remove(&connection) {
            c.waits_for_script = false;
            self.finish_script(c, Flow::Answer(Reply::Error(error)), transaction);
        }
        Reply::ok()
    }

    /// SCRIPT and its subcommands.
    pub(super) fn script_command(&mut self, c: &mut Connection, command: &Command, words: &Words) -> Reply {
        let version = self.options.version;
        let node = &mut self.nodes[c.node];
        match command.name {
            "script|kill" => self.kill_script(c.node, false),
            "script|load" => {
                let hash = sha1_hex(&words[2]);
                match scripts::parse(&words[2], version.has_functions()) {
                    Ok(program) => {
                        node.cache.load(hash.clone(), program, version.is_valkey());
                        Reply::bulk(hash)
                    }
                    Err(unfit) => Reply::error(version.unfit(&unfit)),
                }
            }
            "script|exists" => {
                Reply::Array(words[2..].iter().map(|hash| Reply::Int(node.cache.has(hash).into())).collect())
            }
            _ => {
                let is_known = |mode: &Vec<u8>| same(mode, "sync") || same(mode, "async");
                if words.len() > 3 || words.get(2).is_some_and(|mode| !is_known(mode)) {
                    return Reply::error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
                }
                node.cache.flush();
                self.report_flushed(c.node, "scripts");
                Reply::ok()
            }
        }
    }

    /// FUNCTION and its subcommands but KILL.
    pub(super) fn function_command(&mut self, c: &mut Connection, command: &Command, words: &Words) -> Reply {
        let node = &mut self.nodes[c.node];
        let (reply, wrote) = node.libraries.run(words);
        if wrote {
            node.uncommitted.push((0, words.clone(), Origin::Command(words.clone())));
        }
        if command.name == "function|flush" {
            self.report_flushed(c.node, "functions");
        }
        reply
    }

    pub(super) fn report_flushed(&mut self, node: NodeId, what: &'static str) {
        self.events.push(Event::Flushed { at: self.now, node, what });
    }

    /// The node died: its script with it, and all that the script had written.
    pub(super) fn crash_script(&mut self, node: NodeId) {
        self.lose_uncommitted(node);
        if let Some(Running { execution, .. }) = self.nodes[node].running.take() {
            self.end(&execution, Ending::Crashed);
            self.nodes[node].data.undo();
        }
    }
}
