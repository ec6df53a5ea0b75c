//! What a server checks before it runs a command, in its order, and which part of the model runs it.

use super::cluster::Placement;
use super::commands::{self, AT_ONCE, Command, DENY_OOM, LOADING, Lookup, NO_AUTH, STALE, WRITE};
use super::connection::Connection;
use super::deployment::Deployment;
use super::events::Event;
use super::node::Condition;
use super::plain;
use super::scripts::sha1_hex;
use super::trace::Act;
use super::wire::{Reply, Words, same};
use super::words;
use super::writes::Origin;

/// Represents the code of all functions.
pub(super) const FUNCTIONS: &str = "functions";

/// The result of a command.
pub(super) enum Flow {
    Answer(Reply),
    /// The answer comes later: a script runs, or the connection waits for something.
    Later,
    /// The connection ends after the answer.
    Close(Reply),
}

impl Deployment {
    /// Checks a command and runs it.
    pub(super) fn process(&mut self, c: &mut Connection, words: &Words) {
        self.record(|| Act::Send { connection: c.id, node: c.node, words: words.clone() });
        c.was_asking = c.is_asking;
        let flow = match self.check(c, words) {
            Ok(command) => self.dispatch(c, command, words),
            Err(error) => self.refuse(c, words, error),
        };
        // ASKING is valid for one command, or for a transaction.
        if c.transaction.is_none() && !same(&words[0], "asking") {
            c.is_asking = false;
        }
        match flow {
            Flow::Answer(reply) => self.answer(c, &reply),
            Flow::Later => {}
            Flow::Close(reply) => {
                self.answer(c, &reply);
                c.is_open = false;
            }
        }
    }

    /// A refused command spoils the transaction that it was meant for.
    fn refuse(&mut self, c: &mut Connection, words: &Words, error: String) -> Flow {
        if let [container, load, .., code] = words.as_slice()
            && same(load, "load")
        {
            c.refused_loads.insert(if same(container, "script") { sha1_hex(code).into() } else { FUNCTIONS.into() });
        }
        self.note_refused(c, words);
        if same(&words[0], "exec") && words.len() == 1 && c.user.is_some() {
            c.transaction = None;
            c.watched.clear();
            let is_redirect =
                ["MOVED", "ASK", "CROSSSLOT", "TRYAGAIN", "CLUSTERDOWN"].iter().any(|code| error.starts_with(code));
            return Flow::Answer(Reply::error(if is_redirect {
                error
            } else {
                format!("EXECABORT Transaction discarded because of: {error}")
            }));
        }
        if let Some(transaction) = &mut c.transaction {
            transaction.is_doomed = true;
            if self.options.version.is_valkey() {
                transaction.queued.clear();
                (transaction.flags, transaction.missing_flags) = (0, 0);
            }
        }
        Flow::Answer(Reply::error(error))
    }

    /// A command, or a whole transaction, does not run for a reason that passes.
    pub(super) fn note_refused(&mut self, c: &Connection, words: &Words) {
        let queued = c.transaction.iter().flat_map(|transaction| transaction.queued.iter().cloned());
        let commands = std::iter::once(words.clone()).chain(queued).collect();
        self.events.push(Event::Refused { at: self.now, node: c.node, connection: c.id, commands });
    }

    fn check(&self, c: &Connection, words: &Words) -> Result<&'static Command, String> {
        let version = self.options.version;
        let node = &self.nodes[c.node];
        let command = match commands::look_up(version, words) {
            Lookup::Known(command) => command,
            Lookup::Unknown => return Err(version.unknown_command(words)),
            Lookup::UnknownSubcommand => return Err(version.unknown_subcommand(words)),
            Lookup::WrongArity(name) => return Err(version.wrong_arity(name, words)),
        };
        let Some(user) = &c.user else {
            return if command.is(NO_AUTH) { Ok(command) } else { Err(words::NO_AUTH.into()) };
        };
        if !command.is(NO_AUTH) {
            self.check_rights(c, user, command, words)?;
        }
        let flags = self.flags(c.node, command, words);
        let transaction = c.transaction.as_ref().filter(|_| command.name == "exec");
        let is_any = |flag| (flags | transaction.map_or(0, |transaction| transaction.flags)) & flag != 0;
        let are_all = |flag| flags & !transaction.map_or(0, |transaction| transaction.missing_flags) & flag != 0;
        if self.is_cluster() {
            let queued = self.queued(c, command);
            let commands = if queued.is_empty() { vec![(command, words)] } else { queued };
            let is_queued = c.transaction.is_some() && command.name != "exec";
            if let Placement::Elsewhere(error) = self.place(c, &commands, is_any(WRITE), c.is_asking, is_queued) {
                return Err(error);
            }
        }
        let leaves = ["exec", "discard", "quit", "reset"].contains(&command.name);
        let is_queued = c.transaction.is_some() && !leaves && version.queues_nothing_without_memory();
        if node.is_out_of_memory() && (is_any(DENY_OOM) || is_queued) {
            return Err(words::OOM.into());
        }
        if node.is(Condition::CannotPersist) && (is_any(WRITE) || command.name == "ping") && !node.is_replica() {
            return Err(version.cannot_persist());
        }
        if is_any(WRITE) && self.lacks_replicas(c.node) {
            return Err(words::NO_REPLICAS.into());
        }
        if is_any(WRITE) && node.is_replica() {
            return Err(words::READONLY.into());
        }
        if node.is_stale() && !are_all(STALE) {
            return Err(version.primary_down());
        }
        if node.is(Condition::Loading) && !are_all(LOADING) {
            return Err(version.loading());
        }
        if let Some(running) = &node.running
            && !command.is_allowed_while_busy(version)
        {
            return Err(version.busy(running.execution.is_function()));
        }
        Ok(command)
    }

    fn check_rights(&self, c: &Connection, user: &str, command: &Command, words: &Words) -> Result<(), String> {
        let (version, users) = (self.options.version, &self.nodes[c.node].users);
        if !users.may_run(user, command) {
            return Err(version.may_not_run(user, command.name));
        }
        if command.keys(words).iter().all(|key| users.may_touch(user, key)) {
            Ok(())
        } else {
            Err(version.may_not_touch().to_owned())
        }
    }

    /// What EXEC would run.
    fn queued<'c>(&self, c: &'c Connection, command: &Command) -> Vec<(&'static Command, &'c Words)> {
        if command.name != "exec" {
            return Vec::new();
        }
        let queued = c.transaction.iter().flat_map(|transaction| &transaction.queued);
        let known = |words| match commands::look_up(self.options.version, words) {
            Lookup::Known(command) => Some((command, words)),
            _ => None,
        };
        queued.filter_map(known).collect()
    }

    pub(super) fn lacks_replicas(&self, node: usize) -> bool {
        let least = self.nodes[node].min_replicas;
        least > 0 && !self.nodes[node].is_replica() && self.replicas_of(node).len() < least
    }

    fn dispatch(&mut self, c: &mut Connection, command: &'static Command, words: &Words) -> Flow {
        let flags = self.flags(c.node, command, words);
        let is_overtaken = self.is_overtaken(c);
        if let Some(transaction) = &mut c.transaction
            && !command.is(AT_ONCE)
        {
            // Commands that will not run are not queued.
            if !transaction.is_doomed && !is_overtaken {
                transaction.flags |= flags;
                transaction.missing_flags |= !flags;
                transaction.queued.push(words.clone());
            }
            return Flow::Answer(Reply::Simple(b"QUEUED".to_vec()));
        }
        self.execute(c, command, words)
    }

    /// Runs a command that passed all checks: a single one, or one of a transaction.
    pub(super) fn execute(&mut self, c: &mut Connection, command: &'static Command, words: &Words) -> Flow {
        if command.runs_lua() {
            return self.evaluate(c, command, words);
        }
        if same(&words[0], "function") && command.name != "function|kill" {
            return Flow::Answer(self.function_command(c, command, words));
        }
        match command.name {
            "exec" => return self.exec(c),
            "blpop" => return self.pop_or_wait(c, words),
            "wait" => return self.wait_for_replicas(c, words),
            "quit" => return Flow::Close(Reply::ok()),
            _ => {}
        }
        if let Some(reply) = self.server_command(c, command, words) {
            return Flow::Answer(reply);
        }
        Flow::Answer(self.run_plain(c, words, None))
    }

    /// Runs a command on data, on behalf of a script or not, and remembers what it wrote.
    pub(super) fn run_plain(&mut self, c: &mut Connection, words: &Words, run: Option<u64>) -> Reply {
        let node = &mut self.nodes[c.node];
        let Some(done) = plain::run(&mut node.data, c.database, words) else {
            return Reply::error(format!("ERR the model does not know {}", String::from_utf8_lossy(&words[0])));
        };
        let origin = run.map_or_else(|| Origin::Command(words.clone()), Origin::Run);
        if done.wrote {
            node.uncommitted.push((c.database, words.clone(), origin));
            c.last_write = (node.history.len() + node.uncommitted.len()) as u64;
        }
        if run.is_none() && !done.reply.is_error() {
            let (at, node, connection, exec) = (self.now, c.node, c.id, c.exec);
            let (words, wrote) = (words.clone(), done.wrote);
            self.events.push(Event::Command { at, node, connection, words, wrote, exec });
        }
        match done.reply {
            Reply::Error(error) if error == words::MSET_HALF.as_bytes() => {
                Reply::error(self.options.version.half_a_pair())
            }
            reply => reply,
        }
    }
}
