//! What a call does after each answer, on a real server if it gives this answer, else on a scripted one.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use glide_scripts_core::Kind;
use glide_scripts_core::script::{Options, Script};
use support::{Caller, Fake, Server, script};

/// What a scripted server was sent, without the first commands of each connection.
type Heard = Arc<Mutex<Vec<String>>>;

fn fake(mut answer: impl FnMut(usize, &[String]) -> Option<&'static str> + Send + 'static) -> (Fake, Heard) {
    let heard = Heard::default();
    let hearing = heard.clone();
    let server = Fake::start(move |words| {
        let mut heard = hearing.lock().expect("the test's own lock");
        heard.push(words[0].clone());
        answer(heard.len(), words)
    });
    (server, heard)
}

fn heard(heard: &Heard) -> Vec<String> {
    heard.lock().expect("the test's own lock").clone()
}

#[test]
fn a_missing_script_runs_once_and_is_there_for_the_next_call() {
    let server = Server::start();
    let caller = Caller::connect(server.port);
    let count = script("return redis.call('INCR', KEYS[1])");
    assert_eq!(caller.invoke(&count, &["n"], &[]).expect("a reply").as_int(), Some(1));
    let exists = caller.command(&["SCRIPT", "EXISTS", count.hash()]).expect("a reply");
    assert_eq!(exists.into_elements().expect("a list")[0].as_int(), Some(1));
    assert_eq!(caller.invoke(&count, &["n"], &[]).expect("a reply").as_int(), Some(2));
}

#[test]
fn a_noscript_of_the_scripts_own_does_not_run_it_again() {
    let server = Server::start();
    let caller = Caller::connect(server.port);
    let liar = script("redis.call('INCR', KEYS[1]) return redis.error_reply('NOSCRIPT No such thing.')");
    let error = caller.invoke(&liar, &["n"], &[]).expect_err("the script's error");
    assert!(error.may_have_executed);
    assert_eq!(caller.command(&["GET", "n"]).expect("a reply").as_bytes(), Some(&b"1"[..]));
}

#[test]
fn code_follows_its_hash_and_is_loaded_behind_it() {
    let (server, heard_) = fake(|_, words| match words[0].as_str() {
        "EVALSHA" => Some("-NOSCRIPT No matching script.\r\n"),
        "EVAL" => Some(":7\r\n"),
        _ => Some("+OK\r\n"),
    });
    let caller = Caller::connect(server.port);
    assert_eq!(caller.invoke(&script("return 7"), &[], &[]).expect("a reply").as_int(), Some(7));
    caller.command(&["PING"]).expect("a reply");
    assert_eq!(heard(&heard_), ["EVALSHA", "EVAL", "SCRIPT", "PING"]);
}

#[test]
fn a_connection_lost_after_sending_is_not_a_reason_to_send_again() {
    let (server, heard_) = fake(|_, _| None);
    let caller = Caller::connect(server.port);
    let error = caller.invoke(&script("return 1"), &[], &[]).expect_err("the connection was lost");
    assert_eq!((error.kind, error.may_have_executed), (Kind::Connection, true));
    assert_eq!(heard(&heard_), ["EVALSHA"]);
}

#[test]
fn what_may_run_twice_is_sent_again_after_a_lost_connection() {
    let (server, heard_) = fake(|count, _| (count > 2).then_some(":1\r\n"));
    let caller = Caller::connect(server.port);
    let idempotent = Options { idempotent: true, ..Options::default() };
    let script = Arc::new(Script::new("return 1", idempotent));
    assert_eq!(caller.invoke(&script, &[], &[]).expect("a reply").as_int(), Some(1));
    assert_eq!(heard(&heard_).len(), 3);
}

#[test]
fn a_server_that_loads_or_has_lost_its_role_is_asked_again() {
    for refusal in [
        "-LOADING Valkey is loading the dataset in memory\r\n",
        "-READONLY Can not run script with write flag on readonly replica\r\n",
        "-READONLY You can't write against a read only replica. script: on @user_script:1.\r\n",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    ] {
        let script = script("return 1");
        let hash = script.hash().to_owned();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let (server, heard_) = fake(move |_, words| {
            counted.fetch_add(usize::from(words[1] == hash), Ordering::Relaxed);
            Some(if counted.load(Ordering::Relaxed) < 4 { refusal } else { ":1\r\n" })
        });
        let caller = Caller::connect(server.port);
        assert_eq!(caller.invoke(&script, &[], &[]).expect("a reply").as_int(), Some(1));
        assert_eq!(calls.load(Ordering::Relaxed), 4, "{refusal}");
        // Three are refused. After the first refusal, the server is asked whether it refuses a script that does nothing,
        // and then ahead of each call.
        assert!((8..=12).contains(&heard(&heard_).len()), "{refusal}: {:?}", heard(&heard_));
    }
}

/// What a script may return that writes and says so.
const MADE_UP: [&str; 6] = [
    "-LOADING Valkey is loading the dataset in memory\r\n",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "-NOREPLICAS Not enough good replicas to write.\r\n",
    "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "-READONLY You can't write against a read only replica.\r\n",
    "-NOPERM this user has no permissions to run the 'evalsha' command or its subcommand\r\n",
];

#[test]
fn a_refusal_that_its_server_does_not_confirm_is_not_followed() {
    for line in MADE_UP {
        let script = script("#!lua\nreturn redis.error_reply(ARGV[1])");
        let hash = script.hash().to_owned();
        let (server, _) = fake(move |_, words| match words[0].as_str() {
            "EVALSHA" if words[1] == hash => Some(line),
            "EVALSHA" => Some("-NOSCRIPT No matching script.\r\n"),
            _ => Some(":1\r\n"),
        });
        let caller = Caller::connect(server.port);
        let error = caller.invoke(&script, &[], &[]).expect_err("the script's error");
        assert!(error.may_have_executed, "{line}");
        assert_eq!(error.code.as_deref(), line[1..].split(' ').next());
    }
}

#[test]
fn a_refusal_that_its_server_neither_confirms_nor_denies_may_be_the_scripts_own() {
    let script = script("#!lua\nreturn redis.error_reply(ARGV[1])");
    for line in MADE_UP {
        // The connection is lost.
        let hash = script.hash().to_owned();
        let (server, _) = fake(move |_, words| (words[1] == hash).then_some(line));
        let caller = Caller::connect(server.port);
        let error = caller.invoke(&script, &[], &[]).expect_err("the script's error");
        assert!(error.may_have_executed, "{line}");
        // There is no answer until the deadline.
        let hash = script.hash().to_owned();
        let (server, _) = fake(move |_, words| Some(if words[1] == hash { line } else { "" }));
        let caller = Caller::connect(server.port);
        let error = caller.invoke_within(&script, &[], &[], Duration::from_millis(200)).expect_err("too late");
        assert_eq!((error.kind, error.may_have_executed), (Kind::Timeout, true), "{line}");
    }
}

#[test]
fn what_is_sent_again_is_not_believed_once_its_server_refuses_nothing_ahead_of_it() {
    let script = script("#!lua\nreturn redis.error_reply(ARGV[1])");
    let hash = script.hash().to_owned();
    let loading = "-LOADING Valkey is loading the dataset in memory\r\n";
    let (server, heard_) =
        fake(move |count, words| Some(if words[1] == hash || count <= 3 { loading } else { ":1\r\n" }));
    let caller = Caller::connect(server.port);
    let error = caller.invoke(&script, &[], &[]).expect_err("the script's error");
    assert_eq!((error.kind, error.may_have_executed), (Kind::Script, true));
    // The call and two questions; the questions again, and the call.
    assert_eq!(heard(&heard_), ["EVALSHA", "EVALSHA", "EVAL", "EVALSHA", "EVAL", "EVALSHA"]);
}

#[test]
fn a_script_that_may_have_published_does_not_run_again_on_a_replica() {
    let (server, heard_) =
        fake(|_, _| Some("-READONLY You can't write against a read only replica. script: on @user_script:1.\r\n"));
    let caller = Caller::connect(server.port);
    let publisher = script("redis.call('publish', 'c', 'm') return redis.call('SET', KEYS[1], 1)");
    let error = caller.invoke(&publisher, &["k"], &[]).expect_err("the server's error");
    assert_eq!((error.kind, error.may_have_executed), (Kind::Script, true));
    assert_eq!(heard(&heard_).iter().filter(|name| *name == "EVALSHA").count(), 1);
}

#[test]
fn a_refusal_that_lasts_ends_with_the_deadline_and_is_quoted() {
    let (server, heard_) = fake(|_, _| Some("-LOADING Valkey is loading the dataset in memory\r\n"));
    let caller = Caller::connect(server.port);
    let error = caller.invoke_within(&script("return 1"), &[], &[], Duration::from_millis(300)).expect_err("too late");
    assert_eq!((error.kind, error.may_have_executed), (Kind::Timeout, false));
    assert!(error.to_string().contains("LOADING"), "{error}");
    assert!(heard(&heard_).len() < 100, "it does not spin");
}

#[test]
fn a_standalone_server_redirects_nobody() {
    let (server, heard_) = fake(|_, _| Some("-MOVED 1 127.0.0.1:1\r\n"));
    let caller = Caller::connect(server.port);
    let error = caller.invoke(&script("return 1"), &[], &[]).expect_err("the server's error");
    assert_eq!(error.code.as_deref(), Some("MOVED"));
    assert_eq!(heard(&heard_).len(), 1);
}

#[test]
fn an_older_server_gets_the_plain_form_of_a_read_only_script() {
    let (server, heard_) = fake(|_, words| match words[0].as_str() {
        "EVALSHA_RO" => Some(
            "-ERR unknown command `EVALSHA_RO`, with args beginning with: `e0e1f9fabfc9d4800c877a703b823ac0578ff8db`, `0`, \r\n",
        ),
        "EVALSHA" => Some("-NOSCRIPT No matching script. Please use EVAL.\r\n"),
        _ => Some(":1\r\n"),
    });
    let caller = Caller::connect(server.port);
    let script = Arc::new(Script::new("return 1", Options { read_only: true, ..Options::default() }));
    assert_eq!(caller.invoke(&script, &[], &[]).expect("a reply").as_int(), Some(1));
    assert_eq!(heard(&heard_)[..3], ["EVALSHA_RO", "EVALSHA", "EVAL"]);
}

#[test]
fn calls_that_learn_together_of_an_older_server_get_the_plain_form_each() {
    let (server, _) = fake(|_, words| match words[0].as_str() {
        "EVALSHA_RO" => Some(
            "-ERR unknown command `EVALSHA_RO`, with args beginning with: `e0e1f9fabfc9d4800c877a703b823ac0578ff8db`, `0`, `x`, \r\n",
        ),
        _ => Some(":1\r\n"),
    });
    let caller = Caller::connect(server.port);
    let script = Arc::new(Script::new("return 1", Options { read_only: true, ..Options::default() }));
    let args = vec!["x".to_owned(); 10];
    for reply in caller.invoke_each(&script, &args, Duration::from_secs(5)) {
        assert_eq!(reply.expect("a reply").as_int(), Some(1));
    }
}

#[test]
fn a_reply_that_nobody_asked_for_closes_the_connection_and_reaches_nobody() {
    let (server, _) = fake(|count, _| Some(if count == 1 { ":1\r\n:99\r\n" } else { ":2\r\n" }));
    let caller = Caller::connect(server.port);
    let script = script("return 1");
    assert_eq!(caller.invoke(&script, &[], &[]).expect("a reply").as_int(), Some(1));
    // Sent on the old connection, it is lost with it; on the next one it has its own reply.
    for _ in 0..3 {
        match caller.invoke(&script, &[], &[]) {
            Ok(reply) => assert_eq!(reply.as_int(), Some(2)),
            Err(error) => assert_eq!(error.kind, Kind::Connection),
        }
    }
}

#[test]
fn garbage_ends_the_call_in_an_error_that_says_so() {
    for garbage in ["hello\r\n", "$-7\r\n", "*9999999999\r\n"] {
        let (server, _) = fake(move |_, _| Some(garbage));
        let caller = Caller::connect(server.port);
        let error = caller.invoke(&script("return 1"), &[], &[]).expect_err("garbage");
        assert_eq!(error.kind, Kind::Connection);
        assert!(error.to_string().contains("not valid RESP"), "{error}");
    }
}
