//! What each command would do to a connection that all callers share.
//!
//! A command that would shift the replies, change the connection for the others, or that is never answered, is
//! refused. One that waits for what other clients do gets a connection of its own. All other commands share a
//! connection, even those that block the whole server (`DEBUG SLEEP`, `MIGRATE`, `SAVE`): the server would serve no
//! other connection meanwhile.
//!
//! Servers compare names without regard to case, and as strings of C: up to the first zero byte. So does this.

use std::time::Duration;

use crate::model::request::Request;
use crate::model::wait::Wait;

use Rule::{Blocks, BySubcommand, Except, Refused, Urgent, UrgentAlone, WaitsForOwnWrites};

/// Where a command may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    Shared,
    /// Nowhere, and why.
    Refused(&'static str),
    /// It waits for other clients, for so long.
    OwnConnection(Wait),
    /// It must reach a server that is running a script.
    Admin,
}

impl Placement {
    /// Of a command that is not EVAL of a known script. `in_batch`: whether others go before it on its connection.
    pub fn of(request: &Request, in_batch: bool) -> Self {
        let mut words = request.words();
        let Some(rule) = words.next().and_then(|name| lookup(RULES, name)) else { return Self::Shared };
        let rule = match rule {
            BySubcommand(rules) => words.next().and_then(|name| lookup(rules, name)).unwrap_or(Rule::Shared),
            Except(allowed, _) if words.next().is_some_and(|name| is(name, allowed)) => Rule::Shared,
            rule => rule,
        };
        match rule {
            Rule::Shared | BySubcommand(_) => Self::Shared,
            Refused(why) | Except(_, why) => Self::Refused(why),
            Blocks(time) => time.of(request).map_or(Self::Shared, Self::OwnConnection),
            Urgent => Self::Admin,
            UrgentAlone if in_batch => Self::Shared,
            UrgentAlone => Self::Admin,
            WaitsForOwnWrites(_) if !in_batch => Self::Refused(WAITS_FOR_NOTHING),
            WaitsForOwnWrites(time) => time.of(request).map_or(Self::Shared, Self::OwnConnection),
        }
    }
}

/// Whether a command runs Lua, by its name. Returns the code, if the command contains it.
pub fn runs_lua(request: &Request) -> Option<Option<&[u8]>> {
    let name = significant(request.words().next()?);
    let is_one = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()));
    if is_one(&["EVAL", "EVAL_RO"]) {
        return Some(request.words().nth(1));
    }
    is_one(&["EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"]).then_some(None)
}

/// A command that is not simply shared.
#[derive(Clone, Copy)]
enum Rule {
    Shared,
    Refused(&'static str),
    /// Refused, unless the next word is that one.
    Except(&'static str, &'static str),
    Blocks(Time),
    /// It waits until what its own connection wrote is on other servers, or on disk.
    WaitsForOwnWrites(Time),
    /// It is about the script that is running.
    Urgent,
    /// The same; in a batch, what goes before it counts more.
    UrgentAlone,
    BySubcommand(&'static [(&'static str, Rule)]),
}

/// Where a command says how long it waits; 0 is for ever.
#[derive(Clone, Copy)]
enum Time {
    /// In the word at that index.
    Seconds(usize),
    LastSeconds,
    Milliseconds(usize),
    /// After BLOCK, without which it does not wait.
    BlockOption,
}

impl Time {
    fn of(self, request: &Request) -> Option<Wait> {
        const MILLISECOND: f64 = 1e-3;
        let mut words = request.words();
        let (word, unit) = match self {
            Self::Seconds(index) => (words.nth(index), 1.0),
            Self::LastSeconds => (words.last(), 1.0),
            Self::Milliseconds(index) => (words.nth(index), MILLISECOND),
            Self::BlockOption => (Some(block_option(words.skip(1))?), MILLISECOND),
        };
        Some(word.map_or(Wait::For(Duration::ZERO), |word| wait(word, unit)))
    }
}

/// What stands after the last BLOCK among the options of a command that reads streams, which come in any order.
fn block_option<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let mut block = None;
    while let Some(word) = words.next().filter(|word| !is(word, "STREAMS")) {
        if is(word, "BLOCK") {
            block = words.next().or(block);
        } else if is(word, "COUNT") || is(word, "CLAIM") {
            words.next();
        } else if is(word, "GROUP") {
            // The group's name and the consumer's.
            words.nth(1);
        }
    }
    block
}

/// A server refuses at once what it does not accept as a time.
fn wait(word: &[u8], unit: f64) -> Wait {
    /// Nobody waits for longer than a year.
    const LONGEST: f64 = 365.0 * 24.0 * 3600.0;
    let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<f64>().ok());
    match number.map(|number| number * unit) {
        Some(0.0) => Wait::Forever,
        Some(seconds) if seconds > LONGEST => Wait::Forever,
        Some(seconds) if seconds > 0.0 => Wait::For(Duration::from_secs_f64(seconds)),
        _ => Wait::For(Duration::ZERO),
    }
}

/// A name as servers compare it.
fn significant(word: &[u8]) -> &[u8] {
    memchr::memchr(0, word).map_or(word, |end| &word[..end])
}

fn is(word: &[u8], name: &str) -> bool {
    significant(word).eq_ignore_ascii_case(name.as_bytes())
}

fn lookup(rules: &[(&'static str, Rule)], word: &[u8]) -> Option<Rule> {
    const LONGEST: usize = 32;
    let word = significant(word);
    let mut upper = [0; LONGEST];
    let upper = upper.get_mut(..word.len())?;
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    let index = rules.binary_search_by(|(name, _)| name.as_bytes().cmp(upper)).ok()?;
    Some(rules[index].1)
}

const NO_REPLY_EACH: &str = "it does not get one reply, so that replies would reach wrong callers";
const CHANGES_ALL: &str = "it would change the connection for all callers";
const BETWEEN_SERVERS: &str = "it is for connections between servers, and would make the shared one such a connection";
const IN_TRANSACTION: &str = "it is not allowed on a connection that others use, and a transaction needs one of its own: \
                              Batch(is_atomic=True), watch() and unwatch()";
const ENDS_SERVER: &str = "it ends the server, which then does not answer";
const ENDS_CONNECTION: &str =
    "the server takes it for an attack by a web page, and closes the connection of all callers";
const WAITS_FOR_NOTHING: &str = "it waits for the writes of its own connection, and alone it has one that wrote \
                                 nothing; add it to a Batch(is_atomic=False), after the writes";

/// In the order of their names. That each command of the servers has been looked at is tested: `tests/commands.rs`.
static RULES: &[(&str, Rule)] = &[
    ("ASKING", Refused(CHANGES_ALL)),
    ("AUTH", Refused("it would change the connection for all callers; call update_connection_password()")),
    ("BLMOVE", Blocks(Time::Seconds(5))),
    ("BLMPOP", Blocks(Time::Seconds(1))),
    ("BLPOP", Blocks(Time::LastSeconds)),
    ("BRPOP", Blocks(Time::LastSeconds)),
    ("BRPOPLPUSH", Blocks(Time::Seconds(3))),
    ("BZMPOP", Blocks(Time::Seconds(1))),
    ("BZPOPMAX", Blocks(Time::LastSeconds)),
    ("BZPOPMIN", Blocks(Time::LastSeconds)),
    ("CLIENT", BySubcommand(CLIENT)),
    ("CLUSTER", BySubcommand(&[("SYNCSLOTS", Refused(BETWEEN_SERVERS))])),
    ("DEBUG", BySubcommand(DEBUG)),
    ("DISCARD", Refused(IN_TRANSACTION)),
    ("EXEC", Refused(IN_TRANSACTION)),
    ("FUNCTION", BySubcommand(&[("KILL", Urgent), ("STATS", UrgentAlone)])),
    ("HELLO", Refused("it would change the connection for all callers; set protocol")),
    ("HOST:", Refused(ENDS_CONNECTION)),
    ("MONITOR", Refused(NO_REPLY_EACH)),
    ("MULTI", Refused(IN_TRANSACTION)),
    ("POST", Refused(ENDS_CONNECTION)),
    ("PSUBSCRIBE", Refused(NO_REPLY_EACH)),
    ("PSYNC", Refused(BETWEEN_SERVERS)),
    ("PUNSUBSCRIBE", Refused(NO_REPLY_EACH)),
    ("QUIT", Refused("it would end the connection of all callers; call close()")),
    ("READONLY", Refused("it would change the connection for all callers; set read_from")),
    ("READWRITE", Refused("it would change the connection for all callers; set read_from")),
    ("REPLCONF", Refused(BETWEEN_SERVERS)),
    ("RESET", Refused(CHANGES_ALL)),
    ("SCRIPT", BySubcommand(&[("DEBUG", Refused(CHANGES_ALL)), ("KILL", Urgent)])),
    ("SELECT", Refused("it would change the connection for all callers; set database_id")),
    ("SHUTDOWN", Except("ABORT", ENDS_SERVER)),
    ("SSUBSCRIBE", Refused(NO_REPLY_EACH)),
    ("SUBSCRIBE", Refused(NO_REPLY_EACH)),
    ("SUNSUBSCRIBE", Refused(NO_REPLY_EACH)),
    ("SYNC", Refused(BETWEEN_SERVERS)),
    ("UNSUBSCRIBE", Refused(NO_REPLY_EACH)),
    ("UNWATCH", Refused(IN_TRANSACTION)),
    ("WAIT", WaitsForOwnWrites(Time::Milliseconds(2))),
    ("WAITAOF", WaitsForOwnWrites(Time::Milliseconds(3))),
    ("WATCH", Refused(IN_TRANSACTION)),
    ("XREAD", Blocks(Time::BlockOption)),
    ("XREADGROUP", Blocks(Time::BlockOption)),
];

/// Subcommands that only report on the connection (ID, INFO, …) report on the shared one.
static CLIENT: &[(&str, Rule)] = &[
    ("CACHING", Refused(CHANGES_ALL)),
    ("CAPA", Refused(CHANGES_ALL)),
    ("IMPORT-SOURCE", Refused(CHANGES_ALL)),
    ("NO-EVICT", Refused(CHANGES_ALL)),
    ("NO-TOUCH", Refused(CHANGES_ALL)),
    ("REPLY", Refused(NO_REPLY_EACH)),
    ("SETINFO", Refused(CHANGES_ALL)),
    ("SETNAME", Refused("it would change the connection for all callers; set client_name")),
    ("TRACKING", Refused(CHANGES_ALL)),
];

static DEBUG: &[(&str, Rule)] = &[
    ("ASSERT", Refused(ENDS_SERVER)),
    ("CRASH-AND-RECOVER", Refused(ENDS_SERVER)),
    ("OOM", Refused(ENDS_SERVER)),
    ("PANIC", Refused(ENDS_SERVER)),
    ("RESTART", Refused(ENDS_SERVER)),
    ("SEGFAULT", Refused(ENDS_SERVER)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::Packer;

    fn placed(words: &[&[u8]], in_batch: bool) -> Placement {
        let mut packer = Packer::command(words.len());
        words.iter().for_each(|word| packer.word(word));
        Placement::of(&packer.finish(false), in_batch)
    }

    fn of(command: &str) -> Placement {
        placed(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>(), true)
    }

    fn seconds(seconds: f64) -> Placement {
        Placement::OwnConnection(Wait::For(Duration::from_secs_f64(seconds)))
    }

    const FOREVER: Placement = Placement::OwnConnection(Wait::Forever);

    #[test]
    fn the_rules_are_in_the_order_by_which_they_are_found() {
        for rules in [RULES, CLIENT, DEBUG] {
            assert!(rules.is_sorted_by(|(one, _), (next, _)| one < next));
            assert!(rules.iter().all(|(name, _)| lookup(rules, name.as_bytes()).is_some()));
        }
    }

    #[test]
    fn names_are_read_as_servers_read_them() {
        for command in ["monitor", "Monitor", "client reply on", "CLIENT reply", "Script Debug yes", "post /"] {
            assert!(matches!(of(command), Placement::Refused(_)), "{command}");
        }
        for words in [&[&b"MONITOR\0x"[..]][..], &[b"client", b"reply\0", b"off"], &[b"shutdown", b"nosave"]] {
            assert!(matches!(placed(words, true), Placement::Refused(_)), "{words:?}");
        }
        for command in
            ["GET MONITOR", "client id", "CLIENT", "script", "shutdown abort", "MONITOR2", "", "debug sleep 1"]
        {
            assert_eq!(of(command), Placement::Shared, "{command}");
        }
        assert_eq!(placed(&[&[b'x'; 100]], true), Placement::Shared);
    }

    #[test]
    fn a_command_that_waits_says_for_how_long() {
        assert_eq!(of("BLPOP a b 1.5"), seconds(1.5));
        assert_eq!(of("brpop a 0"), FOREVER);
        assert_eq!(of("BLMOVE a b LEFT LEFT 2"), seconds(2.0));
        assert_eq!(of("BLMPOP 3 1 a LEFT"), seconds(3.0));
        assert_eq!(of("BRPOPLPUSH a b 0.0"), FOREVER);
        assert_eq!(of("BZPOPMIN a 1e99"), FOREVER);
        assert_eq!(of("WAIT 1 250"), seconds(0.25));
        assert_eq!(of("WAITAOF 0 1 250"), seconds(0.25));
        for refused_by_the_server in ["BLPOP a x", "BLPOP a -1", "BLPOP a nan", "BLPOP", "BLMOVE a b"] {
            assert_eq!(of(refused_by_the_server), seconds(0.0), "{refused_by_the_server}");
        }
    }

    #[test]
    fn a_command_that_reads_streams_waits_only_where_it_says_so() {
        assert_eq!(of("XREAD COUNT 2 STREAMS s 0"), Placement::Shared);
        assert_eq!(of("xread count 2 block 500 streams s 0"), seconds(0.5));
        assert_eq!(of("XREAD BLOCK 0 STREAMS s $"), FOREVER);
        assert_eq!(of("XREAD STREAMS BLOCK 0"), Placement::Shared);
        assert_eq!(of("XREADGROUP GROUP BLOCK 5 STREAMS s >"), Placement::Shared);
        assert_eq!(of("XREADGROUP GROUP g STREAMS NOACK BLOCK 5 STREAMS s >"), seconds(0.005));
        assert_eq!(of("XREADGROUP COUNT 1 BLOCK 5 GROUP g c STREAMS s >"), seconds(0.005));
        assert_eq!(of("XREADGROUP NOACK GROUP BLOCK BLOCK STREAMS s >"), Placement::Shared);
    }

    #[test]
    fn what_runs_lua_is_known_by_its_name() {
        let lua = |words: &str| {
            let mut packer = Packer::command(words.split(' ').count());
            words.split(' ').for_each(|word| packer.word(word.as_bytes()));
            let request = packer.finish(false);
            runs_lua(&request).map(|code| code.map(<[u8]>::to_vec))
        };
        assert_eq!(lua("eval code 0"), Some(Some(b"code".to_vec())));
        assert_eq!(lua("EVAL_RO\0x code 0"), Some(Some(b"code".to_vec())));
        assert_eq!(lua("eval"), Some(None));
        for by_name in ["EvalSha x 0", "evalsha_ro x 0", "FCALL f 0", "fcall_ro f 0"] {
            assert_eq!(lua(by_name), Some(None), "{by_name}");
        }
        for other in ["GET eval", "SCRIPT LOAD x", "", "EVALX code"] {
            assert_eq!(lua(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_about_the_running_script_does_not_wait_behind_it() {
        assert_eq!(of("script kill"), Placement::Admin);
        assert_eq!(of("FUNCTION KILL"), Placement::Admin);
        assert_eq!(placed(&[b"FUNCTION", b"STATS"], false), Placement::Admin);
        assert_eq!(placed(&[b"FUNCTION", b"STATS"], true), Placement::Shared);
    }

    #[test]
    fn what_waits_for_the_writes_of_its_connection_is_refused_alone() {
        assert!(matches!(placed(&[b"WAIT", b"1", b"0"], false), Placement::Refused(_)));
        assert_eq!(placed(&[b"WAIT", b"1", b"0"], true), FOREVER);
    }
}
