//! Repeats one step of a call, so that callgrind can count its instructions.
//!
//!     instructions pack|decode|call TIMES
//!
//! Two runs with different TIMES differ only by the instructions of the repetitions.

#![forbid(unsafe_code)]

use std::env;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use bytes::BytesMut;
use glide_scripts_bench::{Caller, packed, script};
use glide_scripts_core::Mode;
use glide_scripts_core::resp::{Decoder, Frame};

const KEY: &[u8] = b"user:1000";
const VALUE: &[u8] = b"0123456789abcdef";
/// Calls are written, answered and delivered in bursts, so that threads wait for each other as rarely as possible.
const BURST: usize = 500;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let [what, times] = &words[..] else { panic!("usage: instructions pack|decode|call TIMES") };
    let times = times.parse().expect("TIMES");
    match what.as_str() {
        "pack" => pack(times),
        "decode" => decode(times),
        "call" => call(times),
        other => panic!("no such step: {other}"),
    }
}

/// Packs EVALSHA of a script with a key and an argument, and computes the slot.
fn pack(times: usize) {
    let script = script("return ARGV[1]");
    for _ in 0..times {
        black_box(packed(&script, black_box(KEY), black_box(VALUE)));
    }
}

/// Decodes the replies that the benchmark has: an integer, a string, a list of ten strings.
fn decode(times: usize) {
    let mut wire = b":16\r\n$16\r\n0123456789abcdef\r\n*10\r\n".to_vec();
    (0..10).for_each(|_| wire.extend_from_slice(b"$16\r\n0123456789abcdef\r\n"));
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::with_capacity(64 << 10);
    for _ in 0..times {
        buffer.extend_from_slice(&wire);
        for _ in 0..3 {
            let frame = decoder.decode(&mut buffer).expect("valid replies");
            assert!(matches!(black_box(frame), Some(Frame::Reply(_))), "a whole reply");
        }
    }
}

/// A call from its parts to its outcome, over a socket: packed, handed to the I/O thread, routed, written; its reply
/// read, decoded, paired, and delivered to the thread that called.
fn call(times: usize) {
    let script = script("return ARGV[1]");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let length = packed_length();
    thread::spawn(move || answer(listener.accept().expect("a client").0, length));
    let caller = Caller::connect(port, Mode::Standalone);
    let burst = |size: usize| {
        (0..size as u64).for_each(|ticket| caller.call(packed(&script, black_box(KEY), black_box(VALUE)), ticket));
        let mut missing = size;
        while missing > 0 {
            for (_, completion) in caller.wait() {
                let reply = completion.into_call().expect("a call's").expect("a reply");
                assert_eq!(reply.as_bytes(), Some(VALUE));
                missing -= 1;
            }
        }
    };
    // The client sends a script's other calls only after the reply to its first call on a connection.
    burst(1);
    (0..times.div_ceil(BURST)).for_each(|_| burst(BURST));
}

/// The length of the packed call. The server counts bytes, and does not parse them.
fn packed_length() -> usize {
    let words: [&[u8]; 5] = [b"EVALSHA", &[b'0'; 40], b"1", KEY, VALUE];
    words.iter().fold(b"*5\r\n".len(), |sum, word| sum + format!("${}\r\n", word.len()).len() + word.len() + 2)
}

/// Plays a server: answers the first call, and then each burst once it has arrived in full.
fn answer(mut stream: TcpStream, length: usize) {
    greet(&mut stream);
    let mut requests = vec![0; BURST * length];
    let reply = [format!("${}\r\n", VALUE.len()).as_bytes(), VALUE, b"\r\n"].concat();
    stream.read_exact(&mut requests[..length]).expect("the first call");
    stream.write_all(&reply).expect("a client that listens");
    let replies = reply.repeat(BURST);
    while stream.read_exact(&mut requests).is_ok() && stream.write_all(&replies).is_ok() {}
}

/// Answers the first commands of a connection, which come in one write.
fn greet(stream: &mut TcpStream) {
    let mut greeting = vec![0; 4096];
    let count = stream.read(&mut greeting).expect("a greeting");
    let commands = greeting[..count].split(|byte| *byte == b'*').count() - 1;
    stream.write_all("+OK\r\n".repeat(commands).as_bytes()).expect("a connection");
}
