//! The commands that the model knows, with what COMMAND INFO says of them.

use super::versions::Version;
use super::wire::{Words, integer, same};

pub(super) const WRITE: u16 = 1;
pub(super) const READ: u16 = 1 << 1;
/// Refused when out of memory.
pub(super) const DENY_OOM: u16 = 1 << 2;
/// Also without a password.
pub(super) const NO_AUTH: u16 = 1 << 3;
/// Also while loading.
pub(super) const LOADING: u16 = 1 << 4;
/// Also on a replica that lost its primary.
pub(super) const STALE: u16 = 1 << 5;
/// Also while a script is busy.
pub(super) const BUSY: u16 = 1 << 6;
/// The same, since Valkey 9.1.
pub(super) const BUSY_SINCE_91: u16 = 1 << 7;
/// Not from scripts.
pub(super) const NO_SCRIPT: u16 = 1 << 8;
/// Not queued by MULTI, but run at once.
pub(super) const AT_ONCE: u16 = 1 << 9;
/// Since Redis 7.
pub(super) const SINCE_7: u16 = 1 << 10;
/// Since Redis 7.2.
pub(super) const SINCE_72: u16 = 1 << 11;

/// The other flags apply before Redis 7 only: later, each subcommand has its own.
pub(super) const BEFORE_7: u16 = 1 << 12;

/// Where the keys stand among the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    None,
    At(usize),
    From(usize),
    /// All but the last word, which is a time-out.
    AllButLast,
    EverySecond,
    /// As many as the third word says.
    Counted,
}

#[derive(Debug)]
pub(super) struct Command {
    /// With its subcommand after a bar.
    pub(super) name: &'static str,
    /// Number of words; negative: at least that many.
    arity: isize,
    flags: u16,
    keys: Keys,
}

const fn command(name: &'static str, arity: isize, keys: Keys, flags: u16) -> Command {
    Command { name, arity, flags, keys }
}

const ADMIN: u16 = NO_SCRIPT | LOADING | STALE;
const SESSION: u16 = NO_SCRIPT | LOADING | STALE | BUSY;

static COMMANDS: &[Command] = &[
    command("acl", -2, Keys::None, ADMIN | BEFORE_7),
    command("acl|setuser", -3, Keys::None, ADMIN),
    command("acl|whoami", 2, Keys::None, ADMIN),
    command("asking", 1, Keys::None, 0),
    command("auth", -2, Keys::None, SESSION | NO_AUTH),
    command("blpop", -3, Keys::AllButLast, WRITE),
    command("client", -2, Keys::None, ADMIN | BEFORE_7),
    command("client|id", 2, Keys::None, ADMIN | BUSY_SINCE_91),
    command("client|setinfo", 4, Keys::None, ADMIN | BUSY_SINCE_91 | SINCE_72),
    command("client|setname", 3, Keys::None, ADMIN | BUSY_SINCE_91),
    command("cluster", -2, Keys::None, STALE | BEFORE_7),
    command("cluster|addslots", -3, Keys::None, STALE),
    command("cluster|keyslot", 3, Keys::None, STALE),
    command("cluster|setslot", -4, Keys::None, STALE),
    command("cluster|slots", 2, Keys::None, LOADING | STALE),
    command("config", -2, Keys::None, ADMIN | BEFORE_7),
    command("config|set", -4, Keys::None, ADMIN),
    command("dbsize", 1, Keys::None, READ),
    command("del", -2, Keys::From(1), WRITE),
    command("discard", 1, Keys::None, SESSION | AT_ONCE),
    command("echo", 2, Keys::None, LOADING | STALE),
    command("eval", -3, Keys::Counted, NO_SCRIPT | STALE),
    command("eval_ro", -3, Keys::Counted, NO_SCRIPT | STALE | READ | SINCE_7),
    command("evalsha", -3, Keys::Counted, NO_SCRIPT | STALE),
    command("evalsha_ro", -3, Keys::Counted, NO_SCRIPT | STALE | READ | SINCE_7),
    command("exec", 1, Keys::None, NO_SCRIPT | LOADING | STALE | AT_ONCE),
    command("exists", -2, Keys::From(1), READ),
    command("fcall", -3, Keys::Counted, NO_SCRIPT | STALE | SINCE_7),
    command("fcall_ro", -3, Keys::Counted, NO_SCRIPT | STALE | READ | SINCE_7),
    command("flushall", -1, Keys::None, WRITE),
    command("function|delete", 3, Keys::None, NO_SCRIPT | WRITE | SINCE_7),
    command("function|flush", -2, Keys::None, NO_SCRIPT | WRITE | SINCE_7),
    command("function|kill", 2, Keys::None, NO_SCRIPT | BUSY | SINCE_7),
    command("function|list", -2, Keys::None, NO_SCRIPT | SINCE_7),
    command("function|load", -3, Keys::None, NO_SCRIPT | WRITE | DENY_OOM | SINCE_7),
    command("get", 2, Keys::At(1), READ),
    command("hello", -1, Keys::None, SESSION | NO_AUTH),
    command("hget", 3, Keys::At(1), READ),
    command("hincrby", 4, Keys::At(1), WRITE | DENY_OOM),
    command("incr", 2, Keys::At(1), WRITE | DENY_OOM),
    command("incrby", 3, Keys::At(1), WRITE | DENY_OOM),
    command("info", -1, Keys::None, LOADING | STALE),
    command("keys", 2, Keys::None, READ),
    command("llen", 2, Keys::At(1), READ),
    command("lpop", -2, Keys::At(1), WRITE),
    command("lrange", 4, Keys::At(1), READ),
    command("mget", -2, Keys::From(1), READ),
    command("mset", -3, Keys::EverySecond, WRITE | DENY_OOM),
    command("multi", 1, Keys::None, SESSION | AT_ONCE),
    command("ping", -1, Keys::None, 0),
    command("publish", 3, Keys::None, LOADING | STALE),
    command("quit", -1, Keys::None, SESSION | NO_AUTH | AT_ONCE),
    command("readonly", 1, Keys::None, LOADING | STALE),
    command("readwrite", 1, Keys::None, LOADING | STALE),
    command("replicaof", 3, Keys::None, NO_SCRIPT | STALE),
    command("reset", 1, Keys::None, SESSION | NO_AUTH | AT_ONCE),
    command("role", 1, Keys::None, ADMIN),
    command("rpush", -3, Keys::At(1), WRITE | DENY_OOM),
    command("script", -2, Keys::None, NO_SCRIPT | BEFORE_7),
    command("script|exists", -3, Keys::None, NO_SCRIPT | STALE),
    command("script|flush", -2, Keys::None, NO_SCRIPT | STALE),
    command("script|kill", 2, Keys::None, NO_SCRIPT | BUSY),
    command("script|load", 3, Keys::None, NO_SCRIPT | STALE),
    command("select", 2, Keys::None, LOADING | STALE | BUSY_SINCE_91),
    command("set", -3, Keys::At(1), WRITE | DENY_OOM),
    command("unwatch", 1, Keys::None, SESSION),
    command("wait", 3, Keys::None, NO_SCRIPT),
    command("watch", -2, Keys::From(1), SESSION | AT_ONCE),
];

/// Commands that need a subcommand.
const CONTAINERS: [&str; 6] = ["acl", "client", "cluster", "config", "function", "script"];

pub(super) enum Lookup {
    Known(&'static Command),
    Unknown,
    UnknownSubcommand,
    /// The name of the command if it has a wrong number of words.
    WrongArity(&'static str),
}

pub(super) fn look_up(version: Version, words: &Words) -> Lookup {
    let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
    if let Some(container) = CONTAINERS.into_iter().find(|container| *container == name) {
        if container == "function" && !version.has_functions() {
            return Lookup::Unknown;
        }
        let Some(subcommand) = words.get(1) else { return Lookup::WrongArity(container) };
        let full = format!("{name}|{}", String::from_utf8_lossy(subcommand).to_ascii_lowercase());
        if !version.has_functions() {
            let known = named(version, &full).filter(|command| command.takes(words.len()));
            return known.or_else(|| named(version, &name)).map_or(Lookup::Unknown, Lookup::Known);
        }
        return match named(version, &full) {
            Some(command) if !command.takes(words.len()) => Lookup::WrongArity(command.name),
            Some(command) => Lookup::Known(command),
            None => Lookup::UnknownSubcommand,
        };
    }
    match named(version, &name) {
        Some(command) if !command.takes(words.len()) => Lookup::WrongArity(command.name),
        Some(command) => Lookup::Known(command),
        None => Lookup::Unknown,
    }
}

/// The table is in alphabetical order.
fn named(version: Version, name: &str) -> Option<&'static Command> {
    let command = &COMMANDS[COMMANDS.binary_search_by(|command| command.name.cmp(name)).ok()?];
    let is_then = !(version.has_functions() && command.is(BEFORE_7));
    let is_there = is_then
        && (version.has_functions() || !command.is(SINCE_7))
        && (version.has_setinfo() || !command.is(SINCE_72));
    is_there.then_some(command)
}

impl Command {
    pub(super) fn flags(&self) -> u16 {
        self.flags
    }

    /// Other commands were for old data then.
    pub(super) fn flags_before_7(&self) -> u16 {
        match self.name {
            "ping" => self.flags | STALE,
            "echo" | "eval" | "evalsha" | "readonly" | "readwrite" => self.flags & !STALE,
            name if name.starts_with("script") => self.flags & !STALE,
            _ => self.flags,
        }
    }

    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_allowed_while_busy(&self, version: Version) -> bool {
        self.is(BUSY) || version == Version::Valkey91 && self.is(BUSY_SINCE_91)
    }

    pub(super) fn runs_lua(&self) -> bool {
        self.keys == Keys::Counted
    }

    fn takes(&self, words: usize) -> bool {
        if self.arity < 0 { words >= self.arity.unsigned_abs() } else { words == self.arity.unsigned_abs() }
    }

    pub(super) fn keys<'w>(&self, words: &'w Words) -> Vec<&'w [u8]> {
        let all = |words: &'w [Vec<u8>]| words.iter().map(Vec::as_slice).collect::<Vec<_>>();
        match self.keys {
            Keys::None => Vec::new(),
            Keys::At(at) => vec![&words[at]],
            Keys::From(from) => all(&words[from..]),
            Keys::AllButLast => all(&words[1..words.len() - 1]),
            Keys::EverySecond => words[1..].iter().step_by(2).map(Vec::as_slice).collect(),
            Keys::Counted => {
                let count = integer(&words[2]).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
                words.get(3..3 + count).map(all).unwrap_or_default()
            }
        }
    }

    /// Whether a name after + or - in a rule of a user names this: a command, one with a subcommand, or all.
    pub(super) fn is_named(&self, name: &[u8]) -> bool {
        let container = self.name.split('|').next().unwrap_or(self.name);
        same(name, self.name) || same(name, container) || same(name, "@all")
    }
}

#[cfg(test)]
mod tests {
    use super::COMMANDS;

    #[test]
    fn the_table_is_in_order() {
        assert!(COMMANDS.is_sorted_by(|one, next| one.name < next.name));
    }
}
