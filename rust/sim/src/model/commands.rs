//! What each command does.

use std::time::Duration;

use glide_scripts_core::script::{Options, Script};

use super::connection::Transaction;
use super::running::{BUSY_AFTER, Running};
use super::scripts::{self, Kind};
use super::{ConnectionId, Deployment, Event, NodeId, Refusal, Version, wire};

const READ_ONLY: &str = "READONLY You can't write against a read only replica.";

/// A command that is looked at, before it is executed.
struct Command<'a> {
    name: String,
    words: &'a [Vec<u8>],
}

impl Command<'_> {
    fn word(&self, index: usize) -> String {
        self.words.get(index).map(|word| String::from_utf8_lossy(word).to_uppercase()).unwrap_or_default()
    }

    fn is_eval(&self) -> bool {
        matches!(self.name.as_str(), "EVAL" | "EVAL_RO" | "EVALSHA" | "EVALSHA_RO")
    }

    fn is_fcall(&self) -> bool {
        matches!(self.name.as_str(), "FCALL" | "FCALL_RO")
    }

    fn keys(&self) -> Vec<&[u8]> {
        match self.name.as_str() {
            "GET" | "SET" | "INCR" => self.words[1..2].iter().map(Vec::as_slice).collect(),
            "MGET" | "DEL" | "WATCH" => self.words[1..].iter().map(Vec::as_slice).collect(),
            "MSET" => self.words[1..].iter().step_by(2).map(Vec::as_slice).collect(),
            _ if self.is_eval() || self.is_fcall() => {
                let count = self.word(2).parse().unwrap_or(0).min(self.words.len() - 3);
                let keys: Vec<&[u8]> = self.words[3..3 + count].iter().map(Vec::as_slice).collect();
                keys
            }
            _ => Vec::new(),
        }
    }

    fn args(&self) -> &[Vec<u8>] {
        let count: usize = self.word(2).parse().unwrap_or(0);
        self.words.get(3 + count..).unwrap_or_default()
    }

    /// Whether a server without memory, replicas or the right role refuses it at once.
    fn writes(&self) -> bool {
        matches!(self.name.as_str(), "SET" | "INCR" | "DEL" | "MSET" | "FCALL")
            || (self.name == "FUNCTION" && self.word(1) == "LOAD")
    }

    fn reads(&self) -> bool {
        matches!(self.name.as_str(), "GET" | "MGET" | "EVAL_RO" | "EVALSHA_RO" | "FCALL_RO")
    }

    fn touches_data(&self) -> bool {
        self.writes() || self.reads() || self.is_eval() || self.name == "WATCH"
    }
}

impl Deployment {
    /// The reply; `None`: it comes later.
    pub(super) fn execute(&mut self, node: NodeId, id: ConnectionId, words: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let name = String::from_utf8_lossy(words.first()?).to_uppercase();
        let command = Command { name, words: &words };
        if matches!(command.name.as_str(), "HELLO" | "AUTH") {
            return Some(self.log_in(id, &words));
        }
        let connection = self.connections.get_mut(&id)?;
        if !connection.is_logged_in {
            return Some(wire::error("NOAUTH Authentication required."));
        }
        match command.name.as_str() {
            "EXEC" => return Some(self.exec(node, id)),
            "MULTI" => {
                let asks = std::mem::take(&mut connection.asks);
                connection.transaction = Some(Transaction { asks, ..Transaction::default() });
                return Some(wire::ok());
            }
            _ => {}
        }
        let refusal = self.refusal(node, id, &command);
        let connection = self.connections.get_mut(&id)?;
        if let Some(transaction) = &mut connection.transaction {
            if let Some(refusal) = refusal {
                transaction.is_refused = true;
                return Some(refusal);
            }
            transaction.commands.push(words);
            return Some(b"+QUEUED\r\n".to_vec());
        }
        let reply = match refusal {
            Some(refusal) => Some(refusal),
            None => self.run(node, id, &command, None),
        };
        if command.name != "ASKING"
            && let Some(connection) = self.connections.get_mut(&id)
        {
            connection.asks = false;
        }
        reply
    }

    pub(super) fn log_in(&mut self, id: ConnectionId, words: &[Vec<u8>]) -> Vec<u8> {
        let given =
            words.iter().position(|word| word.eq_ignore_ascii_case(b"AUTH")).and_then(|at| words[at + 1..].last());
        let given = if words[0].eq_ignore_ascii_case(b"AUTH") { words.last() } else { given };
        let is_right = given.is_none_or(|given| self.password.as_ref().is_none_or(|right| right.as_bytes() == given));
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        if !is_right {
            return wire::error("WRONGPASS invalid username-password pair or user is disabled.");
        }
        connection.is_logged_in |= given.is_some();
        if words[0].eq_ignore_ascii_case(b"AUTH") {
            return wire::ok();
        }
        if !connection.is_logged_in {
            return wire::error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
                 <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
                 the same time",
            );
        }
        connection.resp3 = words.get(1).is_some_and(|version| version == b"3");
        let server = [wire::bulk(b"server"), wire::bulk(b"model")].concat();
        [&b"%1\r\n"[..], &server].concat()
    }

    /// Why a command is not executed, and would not be queued.
    fn refusal(&self, node: NodeId, id: ConnectionId, command: &Command<'_>) -> Option<Vec<u8>> {
        let here = &self.nodes[node];
        if !command.touches_data() {
            return None;
        }
        let declares = self.declares_flags(node, command);
        let unknown = (self.version == Version::Redis6)
            && matches!(command.name.as_str(), "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" | "FUNCTION");
        if unknown {
            let args: Vec<_> =
                command.words[1..].iter().map(|word| format!("`{}`, ", String::from_utf8_lossy(word))).collect();
            let name = String::from_utf8_lossy(&command.words[0]);
            return Some(wire::error(&format!(
                "ERR unknown command `{name}`, with args beginning with: {}",
                args.concat().replace('\n', " ")
            )));
        }
        if let Some(redirect) = self.redirect(node, id, &command.keys(), command.reads()) {
            return Some(redirect);
        }
        if here.refusal == Some(Refusal::ClusterDown) && self.is_cluster() && !command.keys().is_empty() {
            return Some(wire::error("CLUSTERDOWN The cluster is down"));
        }
        let writes = command.writes() || declares;
        if writes && here.refusal == Some(Refusal::OutOfMemory) {
            return Some(wire::error("OOM command not allowed when used memory > 'maxmemory'."));
        }
        if writes && here.refusal == Some(Refusal::TooFewReplicas) {
            return Some(wire::error("NOREPLICAS Not enough good replicas to write."));
        }
        if writes && here.follows.is_some() {
            return Some(wire::error(READ_ONLY));
        }
        let product = if self.version == Version::Valkey9 { "Valkey" } else { "Redis" };
        (here.refusal == Some(Refusal::Loading))
            .then(|| wire::error(&format!("LOADING {product} is loading the dataset in memory")))
    }

    /// Whether it runs a script whose first line tells the server that it writes.
    fn declares_flags(&self, node: NodeId, command: &Command<'_>) -> bool {
        if !command.is_eval() || self.version == Version::Redis6 {
            return false;
        }
        let code = if command.name.starts_with("EVALSHA") {
            let hash = command.word(1).to_lowercase();
            self.codes.get(&hash).filter(|_| self.nodes[node].has_script(&hash))
        } else {
            Some(&command.words[1])
        };
        code.is_some_and(|code| code.starts_with(b"#!"))
    }

    fn run(&mut self, node: NodeId, id: ConnectionId, command: &Command<'_>, exec: Option<u64>) -> Option<Vec<u8>> {
        let words = command.words;
        let resp3 = self.connections.get(&id).is_some_and(|connection| connection.resp3);
        let value = |deployment: &Self, key: &[u8]| match deployment.nodes[node].data.get(key) {
            Some(value) => wire::bulk(value),
            None => wire::nil(resp3),
        };
        Some(match (command.name.as_str(), command.word(1).as_str()) {
            ("PING", _) => b"+PONG\r\n".to_vec(),
            ("CLIENT" | "SELECT", _) => wire::ok(),
            ("READONLY", _) => {
                self.connections.get_mut(&id)?.reads = true;
                wire::ok()
            }
            ("ASKING", _) => {
                self.connections.get_mut(&id)?.asks = true;
                wire::ok()
            }
            ("ROLE", _) if self.nodes[node].follows.is_some() => wire::array(&[wire::bulk(b"slave")]),
            ("ROLE", _) => wire::array(&[wire::bulk(b"master")]),
            ("CLUSTER", "SLOTS") => self.cluster_slots(),
            ("GET", _) => value(self, &words[1]),
            ("MGET", _) => wire::array(&words[1..].iter().map(|key| value(self, key)).collect::<Vec<_>>()),
            ("SET", _) => {
                self.note(node, &words[2], exec);
                self.write(node, &words[1], &words[2]);
                wire::ok()
            }
            ("MSET", _) => {
                for pair in words[1..].chunks(2) {
                    self.note(node, &pair[1], exec);
                    self.write(node, &pair[0], &pair[1]);
                }
                wire::ok()
            }
            ("WATCH", _) => {
                let versions: Vec<_> =
                    words[1..].iter().map(|key| (key.clone(), self.nodes[node].version(key))).collect();
                self.connections.get_mut(&id)?.watched.extend(versions);
                wire::ok()
            }
            ("UNWATCH", _) => {
                self.connections.get_mut(&id)?.watched.clear();
                wire::ok()
            }
            ("SCRIPT", "LOAD") => {
                let hash = self.keep_code(&words[2]);
                self.nodes[node].loaded.insert(hash.clone());
                wire::bulk(hash.as_bytes())
            }
            ("SCRIPT", "FLUSH") => {
                self.nodes[node].flush_scripts();
                wire::ok()
            }
            ("SCRIPT", "KILL") => wire::error("NOTBUSY No scripts in execution right now."),
            ("FUNCTION", "LOAD") => {
                let replaces = command.word(2) == "REPLACE";
                if self.nodes[node].has_library && !replaces {
                    wire::error("ERR Library 'sim' already exists")
                } else {
                    self.nodes[node].has_library = true;
                    for replica in 0..self.nodes.len() {
                        self.nodes[replica].has_library |= self.nodes[replica].follows == Some(node);
                    }
                    wire::bulk(b"sim")
                }
            }
            ("FUNCTION", "LIST") if self.nodes[node].has_library => {
                wire::array(&[wire::array(&[wire::bulk(scripts::FUNCTION.as_bytes())])])
            }
            ("FUNCTION", "LIST") => wire::array(&[]),
            ("FCALL" | "FCALL_RO", _) if !self.nodes[node].has_library => wire::error("ERR Function not found"),
            ("FCALL" | "FCALL_RO", _) => {
                let (keys, args) = (command.keys(), command.args());
                self.note(node, &args[0], exec);
                self.write(node, keys[0], &args[0]);
                wire::bulk(&args[0])
            }
            _ if command.is_eval() => return self.eval(node, id, command, exec),
            _ => wire::error(&format!("ERR unknown command '{}', with args beginning with: ", command.name)),
        })
    }

    /// A call's command took effect.
    fn note(&mut self, node: NodeId, word: &[u8], exec: Option<u64>) {
        if let Some(id) = scripts::id_of(word) {
            self.events.push(Event::Ran { id, node, exec });
        }
    }

    fn keep_code(&mut self, code: &[u8]) -> String {
        let hash = Script::new(code.to_vec(), Options::default()).hash().to_owned();
        self.codes.insert(hash.clone(), code.to_vec());
        hash
    }

    fn eval(&mut self, node: NodeId, id: ConnectionId, command: &Command<'_>, exec: Option<u64>) -> Option<Vec<u8>> {
        let hash = if command.name.starts_with("EVALSHA") {
            let hash = command.word(1).to_lowercase();
            if !self.nodes[node].has_script(&hash) {
                let advice = if self.version == Version::Valkey9 { "" } else { " Please use EVAL." };
                return Some(wire::error(&format!("NOSCRIPT No matching script.{advice}")));
            }
            hash
        } else {
            let code = &command.words[1];
            if code.starts_with(b"#!") && self.version == Version::Redis6 {
                return Some(wire::error(
                    "ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'",
                ));
            }
            let hash = self.keep_code(code);
            self.nodes[node].keep_evaluated(&hash);
            hash
        };
        let code = self.codes.get(&hash)?;
        let Some(kind) = Kind::of_code(code) else {
            return Some(wire::error("ERR the model does not know this script"));
        };
        self.run_script(node, id, kind, &hash, command, exec)
    }

    fn run_script(
        &mut self,
        node: NodeId,
        id: ConnectionId,
        kind: Kind,
        hash: &str,
        command: &Command<'_>,
        exec: Option<u64>,
    ) -> Option<Vec<u8>> {
        let resp3 = self.connections.get(&id).is_some_and(|connection| connection.resp3);
        let keys: Vec<Vec<u8>> = command.keys().into_iter().map(<[u8]>::to_vec).collect();
        let args = command.args().to_vec();
        let publishes = kind == Kind::Relay || (kind == Kind::Publish && args[1].eq_ignore_ascii_case(b"publish"));
        if publishes {
            self.note(node, &args[0], exec);
        }
        let here = &self.nodes[node];
        let refused = match here.refusal {
            _ if !kind.writes() => None,
            Some(Refusal::OutOfMemory) => Some("OOM command not allowed when used memory > 'maxmemory'."),
            Some(Refusal::TooFewReplicas) => Some("NOREPLICAS Not enough good replicas to write."),
            _ if here.follows.is_some() => Some(READ_ONLY),
            _ => None,
        };
        if let Some(words) = refused {
            return Some(match (kind, self.version) {
                (Kind::Relay, Version::Redis6) => wire::error(&format!("@user_script: 2: -{words}")),
                (Kind::Relay, _) => wire::error(words),
                (_, Version::Redis6) => wire::error(&format!(
                    "ERR Error running script (call to f_{hash}): @user_script:2: @user_script: 2: -{words}"
                )),
                (_, Version::Redis7) => wire::error(&format!("{words} script: {hash}, on @user_script:2.")),
                (_, Version::Valkey9) => wire::error(&format!("{words} script: on @user_script:2.")),
            });
        }
        match kind {
            Kind::Read => Some(match self.nodes[node].data.get(&keys[0]) {
                Some(value) => wire::bulk(value),
                None => wire::nil(resp3),
            }),
            Kind::Slow => {
                let asked = String::from_utf8_lossy(&args[1]).parse().unwrap_or(0);
                let milliseconds = if self.is_in_haste { 0 } else { asked };
                let ends = self.now + Duration::from_millis(milliseconds);
                self.note(node, &args[0], exec);
                let running = Running {
                    connection: id,
                    id: scripts::id_of(&args[0]).unwrap_or_default(),
                    ends,
                    busy_from: self.now + BUSY_AFTER,
                    has_written: false,
                    reply: wire::bulk(&args[0]),
                };
                self.nodes[node].running = Some(running);
                None
            }
            _ => {
                if !publishes {
                    self.note(node, &args[0], exec);
                }
                self.write(node, &keys[0], &args[0]);
                Some(match kind {
                    Kind::Words => wire::error(&String::from_utf8_lossy(&args[1])),
                    Kind::Relay => wire::ok(),
                    _ => wire::bulk(&args[0]),
                })
            }
        }
    }

    fn exec(&mut self, node: NodeId, id: ConnectionId) -> Vec<u8> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        let watched = std::mem::take(&mut connection.watched);
        let resp3 = connection.resp3;
        let Some(transaction) = connection.transaction.take() else {
            return wire::error("ERR EXEC without MULTI");
        };
        if transaction.is_refused {
            return wire::error("EXECABORT Transaction discarded because of previous errors.");
        }
        let plain_write = |words: &Vec<Vec<u8>>| {
            let name = String::from_utf8_lossy(&words[0]).to_uppercase();
            let command = Command { name, words };
            command.writes() && !command.is_fcall()
        };
        if self.nodes[node].follows.is_some() && transaction.commands.iter().any(plain_write) {
            return wire::error(&format!("EXECABORT Transaction discarded because of: {READ_ONLY}"));
        }
        if watched.iter().any(|(key, version)| self.nodes[node].version(key) != *version) {
            return if resp3 { wire::nil(true) } else { b"*-1\r\n".to_vec() };
        }
        self.execs += 1;
        let exec = Some(self.execs);
        let replies: Vec<_> = transaction
            .commands
            .iter()
            .map(|words| {
                let name = String::from_utf8_lossy(&words[0]).to_uppercase();
                self.run(node, id, &Command { name, words }, exec).unwrap_or_default()
            })
            .collect();
        wire::array(&replies)
    }
}
