//! Commands about the connection and the server.

use super::commands::{BEFORE_7, Command};
use super::connection::Connection;
use super::deployment::{Deployment, Layout};
use super::node::Condition;
use super::versions::Version;
use super::wire::{Protocol, Reply, Words, integer, same, text};
use super::words;

impl Deployment {
    /// `None`: a command on data.
    pub(super) fn server_command(&mut self, c: &mut Connection, command: &Command, words: &Words) -> Option<Reply> {
        if let Some(reply) = self.transaction_command(c, command, words) {
            return Some(reply);
        }
        if command.is(BEFORE_7) {
            return Some(Reply::error(self.options.version.unknown_subcommand(words)));
        }
        if same(&words[0], "cluster") {
            return Some(self.cluster_command(c, words));
        }
        if same(&words[0], "script") {
            return Some(self.script_command(c, command, words));
        }
        Some(match command.name {
            "ping" => match words.len() {
                1 => Reply::Simple(b"PONG".to_vec()),
                2 => Reply::bulk(words[1].clone()),
                _ => Reply::error("ERR wrong number of arguments for 'ping' command"),
            },
            "echo" => Reply::bulk(words[1].clone()),
            "publish" => Reply::Int(0),
            "hello" => self.hello(c, words),
            "auth" => self.auth(c, words),
            "select" => self.select(c, &words[1]),
            "client|id" => Reply::Int(i64::try_from(c.id).unwrap_or(i64::MAX)),
            "client|setname" => set_name(c, &words[2]),
            "client|setinfo" => {
                if ["lib-name", "lib-ver"].iter().any(|name| same(&words[2], name)) {
                    Reply::ok()
                } else {
                    Reply::error(format!("ERR Unrecognized option '{}'", text(&words[2])))
                }
            }
            "readonly" | "readwrite" | "asking" if !self.is_cluster() => {
                let version = self.options.version;
                let is_taken = version.is_valkey() && command.name != "asking";
                if is_taken || version == Version::Redis62 && command.name == "readwrite" {
                    Reply::ok()
                } else {
                    Reply::error(words::NO_CLUSTER)
                }
            }
            "readonly" => {
                c.reads_from_replica = true;
                Reply::ok()
            }
            "readwrite" => {
                c.reads_from_replica = false;
                Reply::ok()
            }
            "asking" => {
                c.is_asking = true;
                Reply::ok()
            }
            "reset" => self.reset(c),
            "role" => self.role(c),
            "info" => Reply::Verbatim(self.info(c)),
            "function|kill" => self.kill_script(c.node, true),
            "acl|whoami" => Reply::bulk(c.user.clone().unwrap_or_else(|| "default".to_owned())),
            "acl|setuser" => self.acl_set_user(c, words),
            "config|set" => self.configure(c, words),
            "replicaof" => self.replica_of(c, words),
            _ => return None,
        })
    }

    fn hello(&mut self, c: &mut Connection, words: &Words) -> Reply {
        let protocol = match words.get(1).map(|word| integer(word)) {
            None => c.protocol,
            Some(Some(2)) => Protocol::Resp2,
            Some(Some(3)) => Protocol::Resp3,
            Some(Some(_)) => return Reply::error("NOPROTO unsupported protocol version"),
            Some(None) => return Reply::error("ERR Protocol version is not an integer or out of range"),
        };
        let (mut at, mut name) = (2, None);
        let mut credentials = None;
        while let Some(option) = words.get(at) {
            if same(option, "auth") && at + 2 < words.len() {
                credentials = Some((&words[at + 1], &words[at + 2]));
                at += 3;
            } else if same(option, "setname") && at + 1 < words.len() {
                name = Some(&words[at + 1]);
                at += 2;
            } else {
                return Reply::error(format!("ERR Syntax error in HELLO option '{}'", text(option)));
            }
        }
        if let Some((user, password)) = credentials {
            match self.nodes[c.node].users.log_in(user, password) {
                Some(user) => c.user = Some(user),
                None => return Reply::error(words::WRONG_PASSWORD),
            }
        }
        if c.user.is_none() {
            return Reply::error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
                 <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
                 the same time",
            );
        }
        if let Some(name) = name {
            let reply = set_name(c, name);
            if reply.is_error() {
                return reply;
            }
        }
        c.protocol = protocol;
        self.greeting(c)
    }

    fn greeting(&self, c: &Connection) -> Reply {
        let version = self.options.version;
        let node = &self.nodes[c.node];
        let mode = if self.is_cluster() { "cluster" } else { "standalone" };
        let role = if node.is_replica() { "replica" } else { "master" };
        let mut pairs = vec![
            (Reply::bulk("server"), Reply::bulk(version.product())),
            (Reply::bulk("version"), Reply::bulk(version.number())),
            (Reply::bulk("proto"), Reply::Int(if c.protocol == Protocol::Resp3 { 3 } else { 2 })),
            (Reply::bulk("id"), Reply::Int(i64::try_from(c.id).unwrap_or(i64::MAX))),
            (Reply::bulk("mode"), Reply::bulk(mode)),
            (Reply::bulk("role"), Reply::bulk(role)),
            (Reply::bulk("modules"), Reply::Array(Vec::new())),
        ];
        if version.is_valkey()
            && let Some(zone) = &node.zone
        {
            pairs.push((Reply::bulk("availability_zone"), Reply::bulk(zone.clone())));
        }
        Reply::Map(pairs)
    }

    fn auth(&mut self, c: &mut Connection, words: &Words) -> Reply {
        let users = &self.nodes[c.node].users;
        let (user, password) = match words.len() {
            2 if users.without_password().is_some() => {
                return Reply::error(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                     your configuration is correct?",
                );
            }
            2 => (&b"default"[..], &words[1]),
            3 => (&words[1][..], &words[2]),
            _ => return Reply::error(words::SYNTAX),
        };
        match users.log_in(user, password) {
            Some(user) => {
                c.user = Some(user);
                Reply::ok()
            }
            None => Reply::error(words::WRONG_PASSWORD),
        }
    }

    fn select(&self, c: &mut Connection, word: &[u8]) -> Reply {
        let Some(database) = integer(word) else { return Reply::error(words::NO_INTEGER) };
        // Valkey has databases in a cluster too, if its configuration says how many.
        if self.is_cluster() && database != 0 {
            return Reply::error(if self.options.version.is_valkey() {
                "ERR DB index is out of range"
            } else {
                "ERR SELECT is not allowed in cluster mode"
            });
        }
        match usize::try_from(database).ok().filter(|&database| database < self.options.databases) {
            Some(database) => {
                c.database = database;
                Reply::ok()
            }
            None => Reply::error("ERR DB index is out of range"),
        }
    }

    fn reset(&self, c: &mut Connection) -> Reply {
        let mut fresh = Connection::new(c.id, c.node, self.nodes[c.node].users.without_password());
        std::mem::swap(&mut fresh.input, &mut c.input);
        std::mem::swap(&mut fresh.output, &mut c.output);
        fresh.is_wanted = c.is_wanted;
        *c = fresh;
        Reply::Simple(b"RESET".to_vec())
    }

    fn role(&self, c: &Connection) -> Reply {
        let node = &self.nodes[c.node];
        let offset = Reply::count(node.history.len());
        match node.follows {
            None => {
                let replica = |replica| {
                    let (host, port) = self.address(replica);
                    let offset = self.nodes[replica].history.len();
                    Reply::Array(vec![
                        Reply::bulk(host),
                        Reply::bulk(port.to_string()),
                        Reply::bulk(offset.to_string()),
                    ])
                };
                let replicas = self.replicas_of(c.node).into_iter().map(replica).collect();
                Reply::Array(vec![Reply::bulk("master"), offset, Reply::Array(replicas)])
            }
            Some(primary) => {
                let (host, port) = self.address(primary);
                let is_linked = !node.is(Condition::PrimaryDown) && self.nodes[primary].is_up;
                let state = if is_linked { "connected" } else { "connect" };
                let offset = if is_linked { offset } else { Reply::Int(-1) };
                Reply::Array(vec![
                    Reply::bulk("slave"),
                    Reply::bulk(host),
                    Reply::Int(port.into()),
                    Reply::bulk(state),
                    offset,
                ])
            }
        }
    }

    fn info(&self, c: &Connection) -> String {
        let version = self.options.version;
        let node = &self.nodes[c.node];
        let mut lines = vec!["# Server".to_owned()];
        if version.is_valkey() {
            lines.extend([
                "redis_version:7.2.4".to_owned(),
                "server_name:valkey".to_owned(),
                format!("valkey_version:{}", version.number()),
            ]);
        } else {
            lines.push(format!("redis_version:{}", version.number()));
        }
        let mode = if matches!(self.layout, Layout::Cluster { .. }) { "cluster" } else { "standalone" };
        lines.push(format!("{}_mode:{mode}", if version.is_valkey() { "server" } else { "redis" }));
        lines.push(format!("tcp_port:{}", node.address.1));
        if version.is_valkey() {
            lines.push(format!("availability_zone:{}", node.zone.as_deref().unwrap_or_default()));
        }
        lines.into_iter().map(|line| line + "\r\n").collect()
    }

    fn acl_set_user(&mut self, c: &Connection, words: &Words) -> Reply {
        let name = text(&words[2]);
        let users = &mut self.nodes[c.node].users;
        // All rules or none.
        let mut changed = users.clone();
        for rule in &words[3..] {
            if !changed.set(&name, rule) {
                return Reply::error(format!("ERR Error in ACL SETUSER modifier '{}': Syntax error", text(rule)));
            }
        }
        *users = changed;
        Reply::ok()
    }

    /// Of all settings those that bring a server into one of its conditions.
    fn configure(&mut self, c: &Connection, words: &Words) -> Reply {
        let node = c.node;
        for pair in words[2..].chunks_exact(2) {
            let (name, value) = (text(&pair[0]).to_ascii_lowercase(), &pair[1]);
            let number = integer(value).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
            match name.as_str() {
                "maxmemory" => self.set_condition(node, Condition::OutOfMemory, number > 0 && number < 1024),
                "min-replicas-to-write" | "min-slaves-to-write" => self.nodes[node].min_replicas = number,
                "busy-reply-threshold" | "lua-time-limit" => {
                    self.nodes[node].busy_after = std::time::Duration::from_millis(number as u64);
                }
                "replica-serve-stale-data" => self.nodes[node].serves_stale_data = same(value, "yes"),
                _ => {
                    return Reply::error(format!(
                        "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                    ));
                }
            }
        }
        Reply::ok()
    }

    /// A replica of a server outside of the deployment has lost its primary from the start.
    fn replica_of(&mut self, c: &Connection, words: &Words) -> Reply {
        if self.is_cluster() {
            return Reply::error("ERR REPLICAOF not allowed in cluster mode.");
        }
        if same(&words[1], "no") && same(&words[2], "one") {
            self.nodes[c.node].follows = None;
            self.set_condition(c.node, Condition::PrimaryDown, false);
            return Reply::ok();
        }
        let port = integer(&words[2]).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        let primary = self.node_at(&text(&words[1]), port).filter(|&node| node != c.node);
        // Of an address where nobody is, the node follows itself; only one such is ever named.
        if self.nodes[c.node].follows == Some(primary.unwrap_or(c.node)) {
            return Reply::Simple(b"OK Already connected to specified master".to_vec());
        }
        match primary {
            Some(primary) => self.follow(c.node, primary),
            None => {
                self.nodes[c.node].follows = Some(c.node);
                self.set_condition(c.node, Condition::PrimaryDown, true);
            }
        }
        Reply::ok()
    }
}

fn set_name(c: &mut Connection, name: &[u8]) -> Reply {
    if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Reply::error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    c.name = name.to_vec();
    Reply::ok()
}
