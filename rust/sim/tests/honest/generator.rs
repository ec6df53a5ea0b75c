//! Makes commands from a seed, and says them to the model.

use std::fmt::Debug;

use glide_scripts_sim::servers::scripts::{TEMPLATES, function_name, library, sha1_hex, text};
use glide_scripts_sim::servers::{ConnectionId, Deployment, NodeId, Version, pack};

/// Talks over several connections.
pub(crate) struct Speaker<'m> {
    model: &'m mut Deployment,
    chance: &'m mut fastrand::Rng,
    connections: Vec<ConnectionId>,
    is_in_transaction: Vec<bool>,
}

const FUNCTIONS: [&str; 6] = ["count", "lua-read", "count-then-fail", "count-then-say", "any", "lua-read-then-count"];

/// Words that a script may say: its own, a server's, and some between.
const SAID: [&str; 12] = [
    "MINE is not yours",
    "ALONE",
    "-DASHED words",
    "NOPERM not yours",
    "NOSCRIPT No matching script.",
    "CLUSTERDOWN Hash slot not served yet, says my app",
    "MOVED 3 items to the cart",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "lower case words",
    "ERR plain",
    "",
    "READONLY You can't write against a read only replica.",
];

impl<'m> Speaker<'m> {
    /// A connection to each of these nodes.
    pub(crate) fn new(model: &'m mut Deployment, chance: &'m mut fastrand::Rng, nodes: &[NodeId]) -> Self {
        let connections: Vec<_> = nodes.iter().map(|&node| model.connect(node).expect("a node that is up")).collect();
        let is_in_transaction = vec![false; connections.len()];
        Self { model, chance, connections, is_in_transaction }
    }

    pub(crate) fn has_functions(&self) -> bool {
        self.version() >= Version::Redis70
    }

    fn version(&self) -> Version {
        self.model.version()
    }

    pub(crate) fn flips(&mut self) -> bool {
        self.chance.bool()
    }

    /// Sends a command, and lets time pass until it is answered.
    pub(crate) fn say<W: AsRef<[u8]> + Debug>(&mut self, connection: usize, words: &[W]) {
        self.begin(connection, words);
        let id = self.connections[connection];
        while self.model.take_output(id).is_empty() {
            let Some(next) = self.model.next_event() else { panic!("{words:?} is not answered") };
            self.model.advance(next);
        }
        match String::from_utf8_lossy(words[0].as_ref()).to_ascii_uppercase().as_str() {
            "MULTI" => self.is_in_transaction[connection] = true,
            "EXEC" | "DISCARD" | "RESET" => self.is_in_transaction[connection] = false,
            _ => {}
        }
    }

    /// Sends a command that is answered later.
    pub(crate) fn begin<W: AsRef<[u8]>>(&mut self, connection: usize, words: &[W]) {
        self.model.receive(self.connections[connection], &pack(words));
    }

    pub(crate) fn until_busy(&mut self) {
        while !self.model.is_busy(0) {
            let next = self.model.next_event().expect("a script that runs");
            self.model.advance(next);
        }
    }

    pub(crate) fn until_free(&mut self) {
        while let Some(next) = self.model.next_event() {
            self.model.advance(next);
        }
        self.connections.iter().for_each(|&id| drop(self.model.take_output(id)));
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.chance.usize(..of.len())]
    }

    fn key(&mut self) -> &'static str {
        self.one(&["a", "b", "list", "hash", "number"])
    }

    pub(crate) fn say_anything(&mut self) {
        let connection = self.chance.usize(..self.connections.len());
        let kind = self.chance.u32(..100);
        let words: Vec<String> = match kind {
            0..25 => self.data(),
            25..55 => self.script(),
            55..65 if self.has_functions() => self.function(),
            65..75 => self.transaction(),
            75..80 => self.mistake(),
            80..88 if !self.is_in_transaction[connection] => self.session(),
            88..95 => self.condition(),
            95..100 if !self.is_in_transaction[connection] => self.access(),
            _ => self.data(),
        };
        self.say(connection, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(crate) fn say_while_busy(&mut self) {
        let connection = self.chance.usize(1..self.connections.len());
        let words: Vec<String> = match self.chance.u32(..6) {
            0 => self.data(),
            1 => self.transaction(),
            2 => self.mistake(),
            3 => self.script(),
            _ if self.is_in_transaction[connection] => self.data(),
            _ => self.session(),
        };
        if words[0] == "RESET" {
            return;
        }
        self.say(connection, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(crate) fn say_in_cluster(&mut self) {
        let connection = self.chance.usize(..2);
        let words: Vec<String> = match self.chance.u32(..10) {
            0..4 => self.data(),
            4..7 => self.script(),
            7..9 => self.transaction(),
            _ => own(&["ASKING"]),
        };
        if matches!(words[0].as_str(), "KEYS" | "DBSIZE" | "BLPOP") {
            return;
        }
        self.say(connection, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn data(&mut self) -> Vec<String> {
        let (key, other) = (self.key(), self.key());
        let words: &[&str] = match self.chance.u32(..24) {
            0 | 1 => &["GET", key],
            2 | 3 => &["SET", key, "value"],
            4 => &["SET", key, "7", "NX"],
            5 => &["INCR", key],
            6 => &["INCRBY", key, "41"],
            7 => &["INCRBY", key, "much"],
            8 => &["DEL", key, other],
            9 => &["MGET", key, other, "nothing"],
            10 => &["MSET", key, "1", other, "2"],
            11 => &["MSET", key, "1", other],
            12 => &["RPUSH", key, "x", "y"],
            13 => &["LRANGE", key, "0", "-1"],
            14 => &["LRANGE", key, "-2", "5"],
            15 => &["LLEN", key],
            16 => &["LPOP", key],
            17 => &["HGET", key, "id"],
            18 => &["HINCRBY", key, "id", "2"],
            19 => &["EXISTS", key, key, other],
            20 => &["ECHO", "words\r\nin lines"],
            21 => &["PING"],
            22 => &["BLPOP", key, "list", "0.01"],
            _ => &["DBSIZE"],
        };
        own(words)
    }

    fn script(&mut self) -> Vec<String> {
        let template = TEMPLATES[self.chance.usize(..TEMPLATES.len())].name;
        if template.contains("spin") || (self.version() == Version::Redis62 && template == "count-then-raise-table") {
            return own(&["SCRIPT", "EXISTS", &"0".repeat(40), "short"]);
        }
        let code = text(template, if self.chance.bool() { "" } else { "other" });
        let hash = sha1_hex(code.as_bytes());
        let said = self.one(&SAID);
        let key = self.key();
        let count = self.one(&["1", "1", "1", "1", "1", "1", "0", "9", "-1", "x"]);
        let call: &[&str] = self.one(&[
            &["SET", "a", "1"][..],
            &["GET", "a"],
            &["MGET", "a", "b", "list"],
            &["PUBLISH", "channel", "message"],
            &["RPUSH", "list", "z"],
            &["LRANGE", "list", "0", "-1"],
            &["NOSUCH"],
            &["GET"],
            &["MULTI"],
            &["SCRIPT", "FLUSH"],
            &["INCR", "list"],
            &["PING"],
            &["ECHO", "echo"],
            &["DEL", "a"],
        ]);
        let mut words = match self.chance.u32(..20) {
            0 => return own(&["SCRIPT", "LOAD", &code]),
            1 => return own(&["SCRIPT", "EXISTS", &hash, &sha1_hex(b"")]),
            2 if self.chance.bool() => return own(&["SCRIPT", "FLUSH"]),
            2 => return own(&["SCRIPT", "FLUSH", "ASYNC"]),
            3 => return own(&["SCRIPT", "KILL"]),
            4 => own(&["EVALSHA", "short", count, key]),
            5..10 => own(&["EVALSHA", &hash, count, key]),
            10 => own(&["EVALSHA_RO", &hash, count, key]),
            11 => own(&["EVAL_RO", &code, count, key]),
            _ => own(&["EVAL", &code, count, key]),
        };
        words.push("id".into());
        match template {
            "any" | "try" | "count-then-any" | "lua-any" | "lua-cross-slot" => words.extend(own(call)),
            _ if self.chance.u32(..20) == 0 && !words.iter().any(|word| word == "0") => {}
            _ => words.push(said.into()),
        }
        words
    }

    fn function(&mut self) -> Vec<String> {
        let function = function_name(self.one(&FUNCTIONS));
        let key = self.key();
        let said = self.one(&SAID);
        let words: &[&str] = match self.chance.u32(..14) {
            0 => return own(&["FUNCTION", "LOAD", &library("sim", &FUNCTIONS, "")]),
            1 | 2 => return own(&["FUNCTION", "LOAD", "REPLACE", &library("sim", &FUNCTIONS, "again")]),
            3 => return own(&["FUNCTION", "LOAD", &library("other", &FUNCTIONS[..1], "")]),
            4 => &["FUNCTION", "LIST"],
            5 => &["FUNCTION", "DELETE", "other"],
            6 => &["FUNCTION", "FLUSH"],
            7 => &["FUNCTION", "KILL"],
            8 => &["FCALL_RO", &function, "1", key, "id"],
            9 => &["FCALL", &function, "x", key, "id"],
            10 => &["FCALL", &function, "5", key, "id"],
            _ if function == "any" => &["FCALL", &function, "1", key, "id", "GET", key],
            _ => return own(&["FCALL", &function, "1", key, "id", said]),
        };
        own(words)
    }

    fn transaction(&mut self) -> Vec<String> {
        let key = self.key();
        let words: &[&str] = match self.chance.u32(..8) {
            0..2 => &["MULTI"],
            2..5 => &["EXEC"],
            5 => &["DISCARD"],
            6 => &["WATCH", key],
            _ => &["UNWATCH"],
        };
        own(words)
    }

    fn mistake(&mut self) -> Vec<String> {
        own(self.one(&[
            &["GET"][..],
            &["NOSUCH", "some", "words"],
            &["NOSUCH"],
            &["CLIENT"],
            &["CLIENT", "NOSUCH"],
            &["SCRIPT", "NOSUCH", "word"],
            &["SCRIPT", "LOAD"],
            &["CLIENT", "SETNAME"],
            &["EVAL", "code"],
            &["EVALSHA"],
            &["FCALL", "name"],
            &["FUNCTION", "NOSUCH"],
            &["SET", "a", "b", "NOSUCH"],
            &["SCRIPT", "FLUSH", "NOSUCH"],
            &["HELLO", "x"],
            &["SELECT", "x"],
            &["SELECT", "99"],
            &["LRANGE", "list", "x", "1"],
            &["BLPOP", "list", "-1"],
            &["BLPOP", "list", "x"],
            &["WAIT", "0", "-1"],
        ]))
    }

    fn session(&mut self) -> Vec<String> {
        own(self.one(&[
            &["HELLO"][..],
            &["HELLO", "2"],
            &["HELLO", "3"],
            &["HELLO", "3"],
            &["HELLO", "4"],
            &["HELLO", "3", "SETNAME", "name"],
            &["HELLO", "3", "SETNAME", "no name"],
            &["HELLO", "3", "NOSUCH"],
            &["CLIENT", "SETNAME", "name"],
            &["CLIENT", "SETNAME", "no name"],
            &["CLIENT", "SETINFO", "LIB-NAME", "lib"],
            &["CLIENT", "SETINFO", "NOSUCH", "lib"],
            &["CLIENT", "ID"],
            &["SELECT", "0"],
            &["SELECT", "1"],
            &["RESET"],
            &["READONLY"],
            &["READWRITE"],
            &["ASKING"],
            &["CLUSTER", "SLOTS"],
            &["INFO", "server"],
            &["ROLE"],
            &["ACL", "WHOAMI"],
            &["WAIT", "0", "10"],
            &["WAIT", "1", "10"],
        ]))
    }

    /// Twice as often out of a condition as into it.
    fn condition(&mut self) -> Vec<String> {
        let words: &[&str] = match self.chance.u32(..16) {
            0 => &["CONFIG", "SET", "maxmemory", "1"],
            1..4 => &["CONFIG", "SET", "maxmemory", "0"],
            4 => &["CONFIG", "SET", "min-replicas-to-write", "1"],
            5..8 => &["CONFIG", "SET", "min-replicas-to-write", "0"],
            8 => &["REPLICAOF", "127.0.0.1", "1"],
            9..12 => &["REPLICAOF", "NO", "ONE"],
            12 => &["CONFIG", "SET", "replica-serve-stale-data", "no"],
            _ => &["CONFIG", "SET", "replica-serve-stale-data", "yes"],
        };
        own(words)
    }

    fn access(&mut self) -> Vec<String> {
        own(self.one(&[
            &["ACL", "SETUSER", "bob", "on", ">secret", "+@all", "~*", "&*"][..],
            &["ACL", "SETUSER", "bob", "-eval"],
            &["ACL", "SETUSER", "bob", "-evalsha", "-multi"],
            &["ACL", "SETUSER", "bob", "-script"],
            &["ACL", "SETUSER", "bob", "+script"],
            &["ACL", "SETUSER", "bob", "-hincrby", "-publish"],
            &["ACL", "SETUSER", "bob", "resetkeys", "~a", "~h*"],
            &["ACL", "SETUSER", "bob", "+@all", "allkeys"],
            &["ACL", "SETUSER", "bob", "NOSUCH"],
            &["ACL", "SETUSER", "default", ">word"],
            &["ACL", "SETUSER", "default", "nopass"],
            &["AUTH", "bob", "secret"],
            &["AUTH", "bob", "secret"],
            &["AUTH", "bob", "wrong"],
            &["AUTH", "default", "word"],
            &["AUTH", "word"],
            &["AUTH", "wrong"],
            &["AUTH", "a", "b", "c"],
            &["HELLO", "3", "AUTH", "bob", "secret"],
            &["HELLO", "2", "AUTH", "default", "word"],
            &["HELLO", "3", "AUTH", "bob", "wrong"],
        ]))
    }
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
