//! The verdicts on errors that servers send, that scripts relay, and that scripts make up.

use std::sync::Arc;

use super::*;
use crate::model::library::Library;
use crate::model::request::Packer;
use crate::model::script::{Options, Script};

/// The slot of the key `k`.
const SLOT: u16 = 7629;
const SHA: &str = "1f8f4cfba6f3375f8c4ec02b9de4361a5dea5c64";

fn slot_route() -> Route {
    Route::Slot(Slot::new(SLOT).expect("a slot"))
}

fn script(code: &str, options: Options) -> Request {
    script_of(code, options, &["k"])
}

fn script_of(code: &str, options: Options, keys: &[&str]) -> Request {
    let mut packer = Packer::script(&Arc::new(Script::new(code.to_owned(), options)), keys.len(), 0);
    keys.iter().for_each(|key| packer.word(key.as_bytes()));
    packer.finish(true)
}

fn plain() -> Request {
    script("return redis.call('SET', KEYS[1], 1)", Options::default())
}

fn flagged() -> Request {
    script("#!lua\nreturn redis.call('SET', KEYS[1], 1)", Options::default())
}

fn read_only() -> Request {
    script("return redis.call('GET', KEYS[1])", Options { read_only: true, ..Options::default() })
}

fn command(words: &[&str]) -> Request {
    let mut packer = Packer::command(words.len());
    words.iter().for_each(|word| packer.word(word.as_bytes()));
    packer.finish(false)
}

fn function() -> Request {
    command(&["FCALL", "f", "1", "k"]).calling(Arc::new(Library::new("#!lua name=l")))
}

fn judge(line: &str, request: &Request, change: impl FnOnce(&mut Asked<'_>)) -> Verdict {
    judge_by(line, request, &slot_route(), change)
}

fn judge_by(line: &str, request: &Request, route: &Route, change: impl FnOnce(&mut Asked<'_>)) -> Verdict {
    let node = Address::new("asked", 1);
    let mut asked = Asked { in_cluster: true, node: Some(&node), ..Asked::plainly(request, route) };
    change(&mut asked);
    of_error(&ServerError::new(line.to_owned().into_bytes()), &asked)
}

fn sent(line: &str, request: &Request) -> Verdict {
    judge(line, request, |_| {})
}

/// Whether it ran, and what is next.
fn outcome(line: &str, request: &Request) -> (Ran, Next) {
    let verdict = sent(line, request);
    (verdict.ran, verdict.next)
}

#[test]
fn what_passes_by_itself_did_not_run_and_is_sent_again() {
    for line in [
        "LOADING Redis is loading the dataset in memory",
        "LOADING Valkey is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN Hash slot not served",
        "CLUSTERDOWN The cluster is down",
        "CLUSTERDOWN The cluster is down and only accepts read commands",
        "TRYAGAIN Multiple keys request during rehashing of slot",
    ] {
        for request in [plain(), flagged(), function(), command(&["SET", "k", "v"])] {
            assert_eq!(outcome(line, &request), (Ran::No, Next::Later), "{line}");
        }
    }
}

#[test]
fn what_only_begins_like_a_server_is_the_scripts_own() {
    for line in [
        "LOADING Redis is loading the dataset in memory, says my app",
        "CLUSTERDOWN Hash slot not served yet, says my app",
        "CLUSTERDOWN",
        "TRYAGAIN Multiple keys request during rehashing of slot 7",
        "MASTERDOWN Link with MASTER is down",
        "MOVED 3 items to the basket",
        "MOVED 7629",
        "MOVED 7630 127.0.0.1:6381",
        "MOVED 7629 127.0.0.1:6381 and more",
        "MOVED 7629 127.0.0.1:x",
        "ASK 5 friends",
        "NOPERM not yours",
        "NOPERM User bob is not allowed to buy",
        "NOPERM User bob has no permissions to run the 'refund' command",
        "NOPERM this user has no permissions to run the 'eval' command",
        "NOSCRIPT No such thing.",
        "READONLY You can't write against a read only file.",
        "READONLY You can't write against a read only replica. script: here, says my app",
        "NOAUTH Authentication required, says my app",
        "BUSY Redis is busy running a script",
        "CROSSSLOT Keys in request don't hash to the same slots",
        "ERR Number of keys can't be 7",
        "ERR unknown command 'EVAL', with args beginning with: ",
        "ERR unknown command 'EVALSHA', with args beginning with: 'another'",
        "ERR wrong number of arguments for 'eval' command",
        "ERR wrong number of arguments for 'evalsha' command, says my app",
        "ERR Error compiling script (new function): user_script:1: no",
        "ERR Unexpected flag in script shebang: nope",
        "ERR Function not found",
        "OUT_OF_STOCK sku 7",
        "",
    ] {
        assert_eq!(outcome(line, &plain()), (Ran::Yes, Next::Deliver), "{line}");
    }
}

#[test]
fn what_a_command_within_a_script_is_refused_with_may_come_from_the_script() {
    for line in [
        "READONLY You can't write against a read only replica.",
        "NOREPLICAS Not enough good replicas to write.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR value is not an integer or out of range",
        "ERR ACL failure in script: User bob has no permissions to run the 'set' command",
        "ERR The user executing the script can't run this command or subcommand",
        "ERR Unknown command called from script",
        "@user_script: 1: -READONLY You can't write against a read only replica.",
    ] {
        assert_eq!(outcome(line, &plain()), (Ran::Yes, Next::Deliver), "{line}");
    }
    let allows_oom = script("#!lua flags=allow-oom\nreturn 1", Options::default());
    let out_of_memory = "OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(outcome(out_of_memory, &allows_oom).0, Ran::Yes, "a server does not say this of it");
}

#[test]
fn what_declares_its_flags_is_refused_before_it_starts() {
    for request in [flagged(), function()] {
        let read_only = sent("READONLY You can't write against a read only replica.", &request);
        assert_eq!((read_only.ran, read_only.next, read_only.is_demoted), (Ran::No, Next::Later, true));
        let too_few = "NOREPLICAS Not enough good replicas to write.";
        assert_eq!(outcome(too_few, &request), (Ran::No, Next::Later));
        for line in [
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
            "MISCONF Errors writing to the AOF file: No space left on device",
        ] {
            assert_eq!(outcome(line, &request), (Ran::No, Next::Deliver), "{line}");
        }
    }
    let out_of_memory = "OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(outcome(out_of_memory, &flagged()).0, Ran::No);
    assert!(sent(out_of_memory, &function()).is_unproved, "one that declares not to write may relay it");
}

#[test]
fn a_servers_line_is_the_scripts_own_where_the_server_has_no_reason_for_it() {
    let keys = |keys| script_of("return 1", Options::default(), keys);
    let code = |code| script(code, Options::default());
    let (none, one, two, same) = (keys(&[]), keys(&["k"]), keys(&["k", "l"]), keys(&["k", "{k}"]));
    let only_reads = script("#!lua\nreturn 1", Options { read_only: true, ..Options::default() });
    let packed_by_caller = command(&["EVAL", "return 1", "7", "k"]).running(None);
    for (line, reason, no_reason) in [
        ("CLUSTERDOWN Hash slot not served", one.clone(), none.clone()),
        ("CLUSTERDOWN The cluster is down", one.clone(), none.clone()),
        ("CLUSTERDOWN The cluster is down and only accepts read commands", one.clone(), none.clone()),
        ("TRYAGAIN Multiple keys request during rehashing of slot", two.clone(), none.clone()),
        ("CROSSSLOT Keys in request don't hash to the same slot", two.clone(), none),
        ("CROSSSLOT Keys in request don't hash to the same slot", two.clone(), one.clone()),
        ("CROSSSLOT Keys in request don't hash to the same slot", two, same),
        ("ERR Can not run script on cluster, 'no-cluster' flag is set.", code("#!lua flags=no-cluster"), flagged()),
        ("ERR Can not execute a script with write flag using *_ro command.", only_reads, flagged()),
        ("ERR Number of keys can't be greater than number of args", packed_by_caller, function()),
        ("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", flagged(), one),
    ] {
        assert_eq!(sent(line, &reason).ran, Ran::No, "{line}");
        assert_eq!(outcome(line, &no_reason), (Ran::Yes, Next::Deliver), "{line}");
        if line.starts_with('C') || line.starts_with('T') || line.contains("on cluster") {
            let verdict = judge(line, &reason, |asked| asked.is_without_cluster = true);
            assert_eq!((verdict.ran, verdict.next), (Ran::Yes, Next::Deliver), "{line}");
        }
    }
    let moved = format!("MOVED {SLOT} 127.0.0.1:6381");
    let verdict = judge(&moved, &plain(), |asked| asked.is_without_cluster = true);
    assert_eq!((verdict.ran, verdict.next), (Ran::Yes, Next::Deliver));
    let verdict = judge(&moved, &command(&["GET", "k"]), |asked| asked.is_without_cluster = true);
    assert_eq!(verdict.ran, Ran::No, "no command is executed and redirected");
}

#[test]
fn a_script_that_is_missing_is_brought_once() {
    for line in ["NOSCRIPT No matching script.", "NOSCRIPT No matching script. Please use EVAL."] {
        assert_eq!(outcome(line, &plain()), (Ran::No, Next::SendCode));
        let brought = judge(line, &plain(), |asked| asked.form = Some(Form::Code));
        assert_eq!((brought.ran, brought.next), (Ran::Yes, Next::Deliver), "EVAL is never answered so");
        assert_eq!(outcome(line, &command(&["EVALSHA", SHA, "0"]).running(None)), (Ran::No, Next::Deliver));
    }
}

#[test]
fn a_function_that_is_missing_is_brought_once() {
    assert_eq!(outcome("ERR Function not found", &function()), (Ran::No, Next::LoadLibrary));
    let brought = judge("ERR Function not found", &function(), |asked| asked.brings_library = true);
    assert_eq!((brought.ran, brought.next), (Ran::No, Next::Deliver));
}

#[test]
fn code_that_cannot_run_is_told_from_a_scripts_own_words() {
    for (line, first_line) in [
        ("ERR Error compiling script (new function): user_script:1: '=' expected near 'x'", "x x"),
        ("ERR Unexpected engine in script shebang: #!nope", "#!nope"),
        ("ERR Could not find scripting engine 'nope'", "#!nope"),
        ("ERR Unexpected flag in script shebang: nope", "#!lua flags=no-writes,nope"),
        ("ERR Unknown lua shebang option: foo=bar", "#!lua foo=bar"),
        ("ERR Invalid script shebang", "#!lua"),
    ] {
        let sent = |line: &str, request: &Request| judge(line, request, |asked| asked.form = Some(Form::Code));
        let request = script(&format!("{first_line}\nreturn 1"), Options::default());
        let verdict = sent(line, &request);
        assert_eq!(
            (verdict.meaning, verdict.ran, verdict.next),
            (Meaning::NotCompiled, Ran::No, Next::Deliver),
            "{line}"
        );
        let of_load = judge(line, &command(&["SCRIPT", "LOAD", "x"]), |_| {});
        assert_eq!(of_load.meaning, Meaning::NotCompiled, "{line}");
        let raised = format!("{line} script: {SHA}, on @user_script:1.");
        assert_eq!(sent(&raised, &request).ran, Ran::Yes, "{raised}");
        if first_line.starts_with("#!") {
            assert_eq!(sent(line, &plain()).ran, Ran::Yes, "its first line declares nothing");
            assert_eq!(sent(&line[..line.len() - 1], &request).ran, Ran::Yes, "its first line declares another thing");
        }
    }
}

#[test]
fn a_script_that_was_stopped_on_a_replica_runs_again_only_where_it_left_nothing_behind() {
    let publisher = script("redis.call('PUBLISH', 'c', 'm') return redis.call('SET', KEYS[1], 1)", Options::default());
    let named_by_its_caller =
        script("redis.call(ARGV[1], 'c', 'm') return redis.call('SET', 'k', 1)", Options::default());
    let idempotent = Options { idempotent: true, ..Options::default() };
    let idempotent = script("redis.call(ARGV[1], 'c', 'm') return redis.call('SET', 'k', 1)", idempotent);
    for line in [
        format!("READONLY You can't write against a read only replica. script: {SHA}, on @user_script:1."),
        "READONLY You can't write against a read only replica. script: on @user_script:12.".to_owned(),
        format!(
            "ERR Error running script (call to f_{SHA}): @user_script:1: @user_script: 1: -READONLY You can't write \
             against a read only replica."
        ),
    ] {
        for (request, next) in [
            (plain(), Next::Later),
            (idempotent.clone(), Next::Later),
            (publisher.clone(), Next::Deliver),
            (named_by_its_caller.clone(), Next::Deliver),
        ] {
            let verdict = sent(&line, &request);
            assert_eq!((verdict.ran, verdict.next, verdict.is_demoted), (Ran::Yes, next, true), "{line}");
        }
        let replica = Route::Shard(Slot::new(SLOT).expect("a slot"), Role::Replica);
        let verdict = judge_by(&line, &plain(), &replica, |_| {});
        assert_eq!((verdict.next, verdict.is_demoted), (Next::Deliver, false), "it was asked as a replica");
    }
}

#[test]
fn redirects_are_followed_in_all_forms() {
    let slot = Slot::new(SLOT).expect("a slot");
    for (host, expected) in
        [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("a.example", "a.example"), ("", "asked")]
    {
        let to = Address::new(expected, 6381);
        let moved = format!("MOVED {SLOT} {host}:6381");
        assert_eq!(outcome(&moved, &plain()), (Ran::No, Next::Moved(slot, to.clone())));
        let ask = format!("ASK {SLOT} {host}:6381");
        assert_eq!(outcome(&ask, &plain()), (Ran::No, Next::Ask(to)));
    }
    assert_eq!(outcome(&format!("MOVED {SLOT} ?:6381"), &plain()), (Ran::No, Next::Later));
}

#[test]
fn a_redirect_is_followed_only_where_it_makes_sense() {
    let line = format!("MOVED {SLOT} 127.0.0.1:6381");
    let keyless = Packer::script(&Arc::new(Script::new("return 1", Options::default())), 0, 0).finish(true);
    assert_eq!(outcome(&line, &keyless), (Ran::Yes, Next::Deliver), "no server redirects a script without keys");
    let address = Route::Address(Address::new("asked", 1));
    let verdict = judge_by(&line, &plain(), &address, |_| {});
    assert_eq!((verdict.ran, verdict.next), (Ran::No, Next::Deliver), "its node was asked for");
    let verdict = judge(&line, &plain(), |asked| asked.in_cluster = false);
    assert_eq!((verdict.ran, verdict.next), (Ran::No, Next::Deliver));
    let address = Route::Address(Address::new("asked", 1));
    let verdict = judge_by(&line, &command(&["GET", "k"]), &address, |_| {});
    assert_eq!((verdict.ran, verdict.next), (Ran::No, Next::Deliver));
    // The slot of a plain command whose keys are not known was a guess.
    let verdict = judge("MOVED 7 h:1", &command(&["GET", "k"]), |_| {});
    assert!(matches!(verdict.next, Next::Moved(..)));
}

#[test]
fn a_user_without_a_right_is_told_so_in_the_servers_words_for_what_was_sent() {
    let args: Vec<_> = plain().words().skip(1).map(String::from_utf8_lossy).map(|arg| format!("`{arg}`, ")).collect();
    for line in [
        "NOPERM User bob has no permissions to run the 'evalsha' command".to_owned(),
        "NOPERM this user has no permissions to run the 'evalsha' command".to_owned(),
        "NOPERM this user has no permissions to run the 'evalsha' command or its subcommand".to_owned(),
        format!("ERR unknown command `EVALSHA`, with args beginning with: {}", args.concat()),
    ] {
        assert_eq!(outcome(&line, &plain()), (Ran::No, Next::ByCode), "{line}");
        let after_load = judge(&line, &plain(), |asked| asked.loads_script = true);
        assert_eq!((after_load.ran, after_load.next), (Ran::No, Next::Deliver), "EVAL was refused before: {line}");
    }
    for line in [
        "NOPERM No permissions to access a key",
        "NOPERM this user has no permissions to access one of the keys used as arguments",
    ] {
        assert_eq!(outcome(line, &plain()), (Ran::No, Next::Deliver), "{line}");
    }
    let of_bob = "NOPERM User bob has no permissions to run the 'evalsha' command";
    for (user, ran) in [("bob", Ran::No), ("default", Ran::Yes)] {
        assert_eq!(judge(of_bob, &plain(), |asked| asked.user = Some(user)).ran, ran, "{user}");
    }
    let ahead = |line| {
        judge(line, &plain(), |asked| {
            asked.form = Some(Form::Code);
            asked.is_ahead = true;
        })
    };
    let verdict = ahead("NOPERM User bob has no permissions to run the 'eval' command");
    assert_eq!((verdict.ran, verdict.next), (Ran::No, Next::WithoutCode));
    let verdict = ahead("NOPERM No permissions to access a key");
    assert_eq!((verdict.ran, verdict.next), (Ran::No, Next::Deliver), "no other form would do");
    let verdict = ahead("NOPERM not yours");
    assert_eq!((verdict.ran, verdict.next), (Ran::Yes, Next::Deliver));
}

#[test]
fn servers_without_read_only_forms_get_the_plain_one() {
    let request = read_only();
    let sha = request.script().expect("a script").hash().to_owned();
    for line in [
        format!("ERR unknown command `EVALSHA_RO`, with args beginning with: `{sha}`, `1`, `k`, "),
        format!("ERR unknown command 'EVALSHA_RO', with args beginning with: '{sha}' '1' 'k' "),
    ] {
        assert_eq!(outcome(&line, &request), (Ran::No, Next::PlainForm), "{line}");
    }
}

#[test]
fn what_is_queued_has_not_run_whatever_is_said() {
    for line in ["OOM command not allowed when used memory > 'maxmemory'.", "WHATEVER", "NOPERM not yours"] {
        let verdict = judge(line, &plain(), |asked| asked.is_queued = true);
        assert_eq!((verdict.ran, verdict.next), (Ran::No, Next::Deliver), "{line}");
    }
    // The same where EXEC is refused, because the server has become a replica since.
    for line in [
        "READONLY You can't write against a read only replica.",
        "EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.",
    ] {
        let verdict = judge(line, &plain(), |asked| asked.is_queued = true);
        assert_eq!((verdict.ran, verdict.next, verdict.is_demoted), (Ran::No, Next::Later, true));
    }
}

#[test]
fn what_was_written_and_lost_may_have_run_unless_it_runs_nothing() {
    let lost = |request: &Request, retries| of_loss(request, true, retries);
    let may = |ran, may_be_sent_again| Unanswered { ran, may_be_sent_again };
    assert_eq!(lost(&plain(), false), may(Ran::Unknown, false));
    assert_eq!(lost(&plain(), true), may(Ran::Unknown, true));
    assert_eq!(lost(&read_only(), false), may(Ran::Unknown, true));
    assert_eq!(lost(&command(&["SCRIPT", "LOAD", "return 1"]), false), may(Ran::No, true));
    assert_eq!(lost(&command(&["FUNCTION", "LOAD", "x"]), false), may(Ran::Unknown, false));
    assert_eq!(of_loss(&plain(), false, false), may(Ran::No, true));
}

/// What a server says because of a state that passes.
const STATES: [&str; 8] = [
    "CLUSTERDOWN Hash slot not served",
    "LOADING Valkey is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOREPLICAS Not enough good replicas to write.",
    "READONLY You can't write against a read only replica.",
    "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Errors writing to the AOF file: No space left on device",
];

#[test]
fn a_refusal_that_a_script_may_have_made_up_is_to_be_proved() {
    for line in STATES {
        let verdict = sent(line, &flagged());
        assert!(verdict.is_unproved, "{line}");
        let given = judge(line, &flagged(), |asked| asked.proof = Some(Proof::Given));
        assert_eq!(given, Verdict { is_unproved: false, ..verdict }, "{line}");
        assert!(!judge(line, &flagged(), |asked| asked.is_queued = true).is_unproved, "nothing runs yet");
        assert!(!sent(line, &command(&["SET", "k", "v"])).is_unproved, "no command answers like a script");
    }
    assert!(!sent("NOREPLICAS of mine", &flagged()).is_unproved, "it is the script's own");
}

#[test]
fn a_refusal_that_is_not_confirmed_may_have_passed_or_is_the_scripts_own() {
    let repeatable = script("#!lua\nreturn 1", Options { idempotent: true, ..Options::default() });
    for line in STATES {
        let judge = |request: &Request, proof| {
            let verdict = judge(line, request, |asked| asked.proof = Some(proof));
            assert!(!verdict.is_demoted && !verdict.is_unproved, "{line}");
            (verdict.ran, verdict.next)
        };
        assert_eq!(judge(&flagged(), Proof::NotNow), (Ran::Unknown, Next::Deliver), "{line}");
        let is_waited_for = !["BUSY", "OOM", "MISCONF"].iter().any(|code| line.starts_with(code));
        let next = if is_waited_for { Next::Later } else { Next::Deliver };
        assert_eq!(judge(&repeatable, Proof::NotNow), (Ran::Unknown, next), "{line}");
        assert_eq!(judge(&repeatable, Proof::NotThen), (Ran::Yes, Next::Deliver), "{line}");
    }
    // A missing right does not come back by itself.
    let forbidden = "NOPERM this user has no permissions to run the 'evalsha' command";
    let verdict = judge(forbidden, &plain(), |asked| asked.proof = Some(Proof::NotNow));
    assert_eq!((verdict.ran, verdict.next), (Ran::Yes, Next::Deliver));
}

#[test]
fn what_is_followed_at_once_is_asked_about_only_if_the_script_has_the_words() {
    let moved = format!("MOVED {SLOT} 127.0.0.1:6381");
    for line in [&moved, "NOSCRIPT No matching script."] {
        assert!(!sent(line, &plain()).is_unproved, "{line}");
        let has_them = format!("return {{err='{line}'}}");
        assert!(sent(line, &script(&has_them, Options::default())).is_unproved, "{line}");
        assert!(sent(line, &script_of("return 1", Options::default(), &["k", line])).is_unproved, "{line}");
    }
    let missing = "ERR Function not found";
    assert!(!sent(missing, &function()).is_unproved);
    let code = "#!lua name=l\nreturn redis.error_reply('Function not found')";
    let function = command(&["FCALL", "f", "1", "k"]).calling(Arc::new(Library::new(code)));
    assert!(sent(missing, &function).is_unproved);
}

#[test]
fn a_refusal_whose_words_the_script_has_may_be_made_up_whatever_the_server_says_later() {
    for line in STATES {
        let code = format!("#!lua\nreturn redis.error_reply(\"{line}\")");
        for options in [Options::default(), Options { idempotent: true, ..Options::default() }] {
            let is_repeatable = options.idempotent;
            let verdict = sent(line, &script(&code, options));
            let is_asked = is_repeatable && verdict.next == Next::Later;
            assert_eq!(verdict.is_unproved, is_asked, "{line}");
            if !is_asked {
                assert_eq!((verdict.ran, verdict.next), (Ran::Unknown, Next::Deliver), "{line}");
            }
        }
    }
}

fn questions(line: &str, request: &Request) -> Questions {
    let route = slot_route();
    let asked = Asked { in_cluster: true, ..Asked::plainly(request, &route) };
    Questions::new(&of_error(&ServerError::new(line.to_owned()), &asked).meaning, &asked, false, false)
}

#[test]
fn a_server_is_asked_what_runs_nothing_of_the_callers() {
    let words = |line: &str, request: &Request| {
        let of = |wire: &bytes::Bytes| {
            String::from_utf8_lossy(wire).lines().skip(2).step_by(2).collect::<Vec<_>>().join(" ")
        };
        questions(line, request).commands().iter().map(of).collect::<Vec<_>>()
    };
    let loading = "LOADING Valkey is loading the dataset in memory";
    let no_hash = "0".repeat(40);
    assert_eq!(words(loading, &plain()), [format!("EVALSHA {no_hash} 1 k"), "EVAL return 1 1 k".to_owned()]);
    let of_flagged = questions(loading, &flagged());
    assert!(of_flagged.commands()[1].ends_with(b"\r\n#!lua\nreturn 1\r\n$1\r\n1\r\n$1\r\nk\r\n"), "{of_flagged:?}");
    assert_eq!(words(loading, &function())[0], "FCALL ? 1 k");
    let with_args = command(&["EVAL", "return 7", "1", "k", "a", "b"]).running(None);
    assert_eq!(words(loading, &with_args), ["EVAL return 1 1 k"]);
    assert_eq!(words("NOSCRIPT No matching script.", &plain())[0][..13], *"SCRIPT EXISTS");
    assert_eq!(words("READONLY You can't write against a read only replica.", &flagged())[0], "HELLO");
}

#[test]
fn answers_prove_a_refusal_if_they_are_one_for_the_same_reason() {
    use crate::wire::resp::{Item, Reply};
    let error = |line: &str| Reply::One(Item::Error(ServerError::new(line.to_owned())));
    let bulk = |text: &'static str| Item::Bulk(bytes::Bytes::from_static(text.as_bytes()).into());
    let one = || Reply::One(Item::Int(1));
    let hello = |role| Reply::Nested(vec![Item::Map(1), bulk("role"), bulk(role)]);
    let read_only = "READONLY You can't write against a read only replica.";
    let loading = "LOADING Valkey is loading the dataset in memory";
    let forbidden = "NOPERM User bob has no permissions to run the 'evalsha' command";
    let missing = "NOSCRIPT No matching script.";
    let exists = |is_there| Reply::Nested(vec![Item::Array(1), Item::Int(is_there)]);
    let out_of_memory = "OOM command not allowed when used memory > 'maxmemory'.";
    let listed = |flags: &[&'static str]| {
        let function = [bulk("name"), bulk("f"), bulk("description"), Item::Nil, bulk("flags"), Item::Set(flags.len())];
        Reply::Nested(function.into_iter().chain(flags.iter().map(|flag| bulk(flag))).collect())
    };
    let compiles = "ERR Error compiling script (new function): user_script:1: '=' expected near 'x'";
    let code = command(&["EVAL", "x x", "0"]).running(Some(Arc::new(Script::new("x x", Options::default()))));
    for (line, request, answers, is_given) in [
        (loading, plain(), vec![error(loading), error(loading)], true),
        (loading, plain(), vec![error(missing), error(loading)], true),
        (loading, plain(), vec![error("MOVED 7629 127.0.0.1:1")], true),
        (loading, plain(), vec![error(missing), one()], false),
        (loading, plain(), vec![error("OOM command not allowed when used memory > 'maxmemory'.")], false),
        (loading, plain(), vec![], false),
        (read_only, flagged(), vec![hello("replica"), one()], true),
        (read_only, flagged(), vec![hello("slave"), one()], true),
        (read_only, flagged(), vec![hello("master"), one()], false),
        (read_only, flagged(), vec![error("ERR unknown command 'HELLO'"), error(read_only)], true),
        (forbidden, plain(), vec![error(forbidden), one()], true),
        (forbidden, plain(), vec![error("NOPERM User bob has no permissions to run the 'eval' command")], false),
        (missing, plain(), vec![exists(0)], true),
        (missing, plain(), vec![exists(1)], false),
        (missing, plain(), vec![error("NOPERM User bob has no permissions to run the 'script|exists' command")], true),
        (missing, plain(), vec![error(STATES[5])], false),
        ("ERR Function not found", function(), vec![error(STATES[5])], false),
        ("ERR Function not found", function(), vec![Reply::One(Item::Array(0))], true),
        (out_of_memory, function(), vec![error(out_of_memory), listed(&[])], true),
        (out_of_memory, function(), vec![error(out_of_memory), listed(&["allow-stale"])], true),
        (out_of_memory, function(), vec![one(), listed(&[])], false),
        (out_of_memory, function(), vec![error(out_of_memory), error(forbidden)], false),
        (out_of_memory, flagged(), vec![error(out_of_memory)], true),
        (compiles, code.clone(), vec![one(), Reply::One(Item::Int(0))], true),
        (compiles, code, vec![one(), one()], false),
    ] {
        let shown = format!("{line}: {answers:?}");
        let proof = questions(line, &request).prove(&ServerError::new(line.to_owned()), answers, Proof::NotNow);
        assert_eq!(proof, if is_given { Proof::Given } else { Proof::NotNow }, "{shown}");
    }
    for flag in ["no-writes", "allow-oom"] {
        let answers = vec![error(out_of_memory), listed(&["allow-stale", flag])];
        let asked = questions(out_of_memory, &function());
        let proof = asked.prove(&ServerError::new(out_of_memory.to_owned()), answers, Proof::NotNow);
        assert_eq!(proof, Proof::NotThen, "a server does not refuse one that declares {flag}");
    }
}

#[test]
fn a_request_that_is_too_large_has_not_run_if_it_may_be() {
    const TOO_LONG: &str = "ERR Protocol error: invalid bulk length";
    const TOO_MANY: &str = "ERR Protocol error: invalid multibulk length";
    let with = |arg: &[u8], count: usize| {
        let script = Arc::new(Script::new("return 1", Options::default()));
        let mut packer = Packer::script(&script, 0, count);
        (0..count).for_each(|_| packer.word(arg));
        packer.finish(true)
    };
    let long = vec![b'x'; (1 << 20) + 1];
    for (line, large, small) in
        [(TOO_LONG, with(&long, 1), with(&long[1..], 1)), (TOO_MANY, with(b"", 1 << 20), with(b"", 3))]
    {
        let refused = sent(line, &large);
        assert_eq!((refused.ran, refused.next, refused.is_unproved), (Ran::No, Next::Deliver, false), "{line}");
        assert_eq!(outcome(line, &small).0, Ran::Yes, "its script says so: {line}");
    }
    let own_words = with(TOO_LONG.repeat(1 << 15).as_bytes(), 1);
    assert!(sent(TOO_LONG, &own_words).is_unproved);
}

#[test]
fn a_waiting_command_whose_server_becomes_a_replica_is_sent_again_unless_it_waits_for_its_own_writes() {
    const LINE: &str = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
    let popping = sent(LINE, &command(&["BLPOP", "k", "0"]));
    assert_eq!((popping.ran, popping.next, popping.is_demoted), (Ran::No, Next::Later, true));
    assert_eq!(sent(LINE, &command(&["WAIT", "1", "0"])).next, Next::Deliver);
    assert_eq!(
        sent("UNBLOCKED client unblocked via CLIENT UNBLOCK", &command(&["BLPOP", "k", "0"])).next,
        Next::Deliver
    );
}

#[test]
fn a_library_that_is_not_stored_has_not_run_whatever_the_reason() {
    let load = || command(&["FUNCTION", "LOAD", "#!lua name=l"]).running(None);
    for (line, next) in [
        ("BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Next::Deliver),
        ("OOM command not allowed when used memory > 'maxmemory'.", Next::Deliver),
        ("ERR Library 'l' already exists", Next::Deliver),
        ("ERR Error registering functions: @user_function: 3: mine", Next::Deliver),
        ("NOREPLICAS Not enough good replicas to write.", Next::Later),
        ("LOADING Valkey is loading the dataset in memory", Next::Later),
        ("READONLY You can't write against a read only replica.", Next::Later),
    ] {
        let verdict = sent(line, &load());
        assert_eq!((verdict.ran, verdict.next, verdict.is_unproved), (Ran::No, next, false), "{line}");
    }
}

#[test]
fn a_replica_s_refusal_that_a_script_passes_on_says_something_of_its_server() {
    const REFUSAL: &str = "READONLY You can't write against a read only replica.";
    for line in [REFUSAL, "MINE READONLY You can't write against a read only replica."] {
        let verdict = sent(line, &plain());
        assert_eq!((verdict.ran, verdict.next, verdict.is_perhaps_demoted), (Ran::Yes, Next::Deliver, true), "{line}");
    }
    assert!(!sent("READONLY mine", &plain()).is_perhaps_demoted);
    assert!(!judge_by(REFUSAL, &plain(), &Route::Shard(Slot::of_key(b"k"), Role::Replica), |_| {}).is_perhaps_demoted);
}
