//! A server that sends what it likes: every call ends in its own reply or in an error, and the client works on.

mod support;

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use glide_scripts_core::Kind;
use support::{Caller, read_command, script};

const BATCHES: usize = 400;
const CALLS: usize = 8;
/// Long for a server on the same machine. A reply that comes even later could not be told from the replies to the next
/// calls.
const DEADLINE: Duration = Duration::from_secs(1);
const MOST_SILENCES: usize = 2;
/// Marks the last call of a batch, after which nobody waits for a reply.
const LAST: &str = "last";

/// How often the server was hostile, by what it did.
#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    invalid: AtomicUsize,
    unasked: AtomicUsize,
    cut: AtomicUsize,
    silent: AtomicUsize,
    bad_greetings: AtomicUsize,
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Echoes the argument of each script call, or sends something hostile.
fn start(seed: u64) -> (u16, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let counts = Arc::new(Counts::default());
    let counting = counts.clone();
    thread::spawn(move || {
        let mut random = fastrand::Rng::with_seed(seed);
        for stream in listener.incoming().flatten() {
            count(&counting.connections);
            // The first connection is for the client to be made with.
            let greets = counting.connections.load(Ordering::Relaxed) == 1 || random.u8(..6) > 0;
            serve(&stream, &mut random, &counting, greets);
        }
    });
    (port, counts)
}

fn serve(stream: &TcpStream, random: &mut fastrand::Rng, counts: &Counts, greets: bool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut input = BufReader::new(stream);
    let mut output = stream;
    let mut is_to_end = false;
    loop {
        let words = read_command(&mut input)?;
        let reply = match words[0].as_str() {
            "HELLO" if !greets => {
                count(&counts.bad_greetings);
                is_to_end = true;
                invalid(random)
            }
            "HELLO" => b"%0\r\n".to_vec(),
            "EVALSHA" => {
                let argument = words.last()?;
                let mut reply = format!("${}\r\n{argument}\r\n", argument.len()).into_bytes();
                match random.u8(..64) {
                    0..4 => {
                        count(&counts.invalid);
                        is_to_end = true;
                        reply = invalid(random);
                    }
                    4 => {
                        count(&counts.cut);
                        reply.truncate(random.usize(..reply.len()));
                        output.write_all(&reply).ok()?;
                        return None;
                    }
                    5 if counts.silent.load(Ordering::Relaxed) < MOST_SILENCES => {
                        // For as long as the calls have time. Then the connection ends.
                        count(&counts.silent);
                        thread::sleep(DEADLINE);
                        return None;
                    }
                    6..20 if argument.ends_with(LAST) => {
                        count(&counts.unasked);
                        is_to_end = true;
                        reply.extend(unasked(random));
                    }
                    _ => {}
                }
                reply
            }
            _ => b"+OK\r\n".to_vec(),
        };
        output.write_all(&reply).ok()?;
        if is_to_end {
            // The client ends the connection; its requests in flight get no answer.
            loop {
                read_command(&mut input)?;
            }
        }
    }
}

/// Bytes that are not RESP, whatever follows.
fn invalid(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut wire = match random.u8(..9) {
        0 => b"hello\r\n".to_vec(),
        1 => b"$-7\r\n".to_vec(),
        2 => b"$99999999999999999999\r\n".to_vec(),
        3 => b"*9999999999999\r\n".to_vec(),
        4 => b"*1\r\n".repeat(20_000),
        5 => b"$2\r\nabcdefgh\r\n".to_vec(),
        6 => b":12x\r\n".to_vec(),
        7 => b"*2\r\n>1\r\n+x\r\n".to_vec(),
        _ => b"\r\n".to_vec(),
    };
    wire.extend((0..random.usize(..100)).map(|_| random.u8(..)));
    wire
}

/// Right replies that answer nothing.
fn unasked(random: &mut fastrand::Rng) -> Vec<u8> {
    [&b":99\r\n"[..], b"+OK\r\n", b"*2\r\n:1\r\n:2\r\n", b"$3\r\nabc\r\n", b"-ERR of nobody\r\n"][random.usize(..5)]
        .repeat(random.usize(1..4))
}

#[test]
fn no_call_gets_anothers_reply_whatever_the_server_sends() {
    let (port, counts) = start(6);
    let caller = Caller::connect(port);
    let echo = script("return ARGV[1]");
    let begun = Instant::now();
    let (mut answered, mut failed, mut timeouts) = (0, 0, 0);
    for batch in 0..BATCHES {
        let last = |call| if call + 1 == CALLS { LAST } else { "" };
        let args: Vec<_> = (0..CALLS).map(|call| format!("{batch}-{call}-{}", last(call))).collect();
        let outcomes = caller.invoke_each(&echo, &args, DEADLINE);
        assert!(timeouts <= MOST_SILENCES * CALLS, "{timeouts} calls waited on connections that were to end");
        for (arg, outcome) in args.iter().zip(outcomes) {
            match outcome {
                Ok(reply) => {
                    answered += 1;
                    assert_eq!(reply.as_bytes(), Some(arg.as_bytes()));
                }
                Err(error) => {
                    failed += 1;
                    timeouts += usize::from(error.kind == Kind::Timeout);
                    assert!(matches!(error.kind, Kind::Connection | Kind::Timeout), "{:?}", error.kind);
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "a call hung");
    assert!(answered > failed && failed > CALLS, "{answered} {failed}");
    let met = [&counts.invalid, &counts.unasked, &counts.cut, &counts.silent, &counts.bad_greetings]
        .map(|counter| counter.load(Ordering::Relaxed));
    assert!(met.iter().all(|&count| count > 0), "a fault was not met: {met:?}");
    let connections = counts.connections.load(Ordering::Relaxed);
    assert!(connections >= met.iter().sum(), "{connections} connections: each of {met:?} is to end one");
}
