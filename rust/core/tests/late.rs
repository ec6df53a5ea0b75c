//! Calls that wait for their replies without a time limit, and whose servers answer after the time in which such a call
//! must be sent.

mod support;

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use glide_scripts_core::resp::Reply;
use glide_scripts_core::{Batch, Deadlines, Entry, Error, Kind, Packer, Request, Route};
use support::{Caller, Fake, read_command, script};

/// The time in which a call must be sent.
const TIMEOUT: Duration = Duration::from_millis(200);

const LOADING: &str = "-LOADING Valkey is loading the dataset in memory\r\n";

fn connect(port: u16) -> Caller {
    Caller::connect_with(port, |config| config.connection.deadlines = Deadlines::UntilSent)
}

/// Waits until a call that was sent before is late.
fn be_late() {
    thread::sleep(TIMEOUT + TIMEOUT / 2);
}

fn get() -> Request {
    let mut packer = Packer::command(2);
    [&b"GET"[..], b"key"].iter().for_each(|word| packer.word(word));
    packer.finish(false)
}

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Alone,
    InPipeline,
    InTransaction,
}

const EACH: [Sent; 3] = [Sent::Alone, Sent::InPipeline, Sent::InTransaction];

/// Its outcome.
fn send(caller: &Caller, request: Request, sent: Sent) -> Result<Reply, Box<Error>> {
    if let Sent::Alone = sent {
        return caller.call(request, TIMEOUT);
    }
    let mut batch = Batch::new(matches!(sent, Sent::InTransaction));
    batch.push(Entry::Whole { request, route: Route::Any, key: None });
    caller.exec(batch, TIMEOUT).and_then(|mut outcomes| outcomes.remove(0))
}

#[test]
fn what_was_refused_late_is_sent_again() {
    for sent in EACH {
        let (mut refused, mut in_transaction) = (false, false);
        let server = Fake::start(move |words| match (words[0].as_str(), refused) {
            ("MULTI", _) => Some("+OK\r\n"),
            ("GET", false) => {
                be_late();
                (refused, in_transaction) = (true, matches!(sent, Sent::InTransaction));
                Some(LOADING)
            }
            ("GET", true) if matches!(sent, Sent::InTransaction) => Some("+QUEUED\r\n"),
            ("GET", true) => Some(":7\r\n"),
            ("EXEC", false) => Some("*0\r\n"),
            ("EXEC", true) if std::mem::take(&mut in_transaction) => {
                Some("-EXECABORT Transaction discarded because of previous errors.\r\n")
            }
            _ => Some("*1\r\n:7\r\n"),
        });
        let reply = send(&connect(server.port), get(), sent);
        assert_eq!(reply.expect("a reply").as_int(), Some(7), "{sent:?}");
    }
}

#[test]
fn a_script_that_is_found_missing_late_is_sent_with_its_code() {
    let server = Fake::start(|words| match words[0].as_str() {
        "EVALSHA" => {
            be_late();
            Some("-NOSCRIPT No matching script.\r\n")
        }
        "EVAL" => Some(":7\r\n"),
        _ => Some("+OK\r\n"),
    });
    let reply = connect(server.port).invoke_within(&script("return 7"), &[], &[], TIMEOUT);
    assert_eq!(reply.expect("a reply").as_int(), Some(7));
}

/// A server that refuses one request late, and is gone then. Its port.
fn leaving_server(sent: Sent) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        drop(listener);
        let mut input = BufReader::new(stream.try_clone().expect("the same connection"));
        let mut is_refused = false;
        while let Some(words) = read_command(&mut input) {
            let reply = match words[0].as_str() {
                "HELLO" => "%0\r\n",
                "GET" => {
                    be_late();
                    is_refused = true;
                    LOADING
                }
                "EXEC" if is_refused => "-EXECABORT Transaction discarded because of previous errors.\r\n",
                "EXEC" => "*0\r\n",
                _ => "+OK\r\n",
            };
            let is_last = is_refused && (words[0] == "EXEC" || !matches!(sent, Sent::InTransaction));
            if stream.write_all(reply.as_bytes()).is_err() || is_last {
                return;
            }
        }
    });
    port
}

#[test]
fn what_was_refused_late_waits_for_no_server_without_end() {
    for sent in EACH {
        let error = send(&connect(leaving_server(sent)), get(), sent).expect_err("the server is gone");
        assert_eq!((error.kind, error.may_have_executed), (Kind::Timeout, false), "{sent:?}: {error}");
    }
}

#[test]
fn a_late_refusal_of_a_script_that_its_server_does_not_confirm_is_not_waited_for_without_end() {
    for sent in EACH {
        let script = script("return 7");
        let (hash, (_test, ended)) = (script.hash().to_owned(), mpsc::channel::<()>());
        let mut transactions = 0;
        let server = Fake::start(move |words| match words[0].as_str() {
            "EXEC" => {
                transactions += 1;
                if transactions == 1 {
                    return Some("*0\r\n");
                }
                be_late();
                Some("*1\r\n-LOADING Valkey is loading the dataset in memory\r\n")
            }
            "EVAL" if transactions == 1 => Some("+QUEUED\r\n"),
            "EVALSHA" if words[1] == hash => {
                be_late();
                Some(LOADING)
            }
            "EVALSHA" | "EVAL" => {
                // The client's questions are not answered before the test ends.
                let _ = ended.recv();
                None
            }
            _ => Some("+OK\r\n"),
        });
        let request = Packer::script(&script, 0, 0).finish(true);
        let error = send(&connect(server.port), request, sent).expect_err("it was refused");
        assert!(error.may_have_executed, "{sent:?}: {error}");
    }
}
