//! Calls one script for some time, and prints the figures as a line of JSON.
//!
//!     load pipeline|core|core-cluster PORT IN_FLIGHT BYTES SECONDS
//!
//! `pipeline` does what redis-benchmark does with `-c 1 -P IN_FLIGHT`: it writes that many calls, reads their replies,
//! and begins again. It checks only the first reply and counts the bytes of the rest, so that the server is the limit.
//! `core` is this project's client without Python.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glide_scripts_bench::measuring::{Arguments, Load, measure};
use glide_scripts_bench::{Caller, packed, script};
use glide_scripts_core::Mode;
use glide_scripts_core::script::Script;

const CODE: &str = "return ARGV[1]";

fn main() {
    let Arguments { what, port, in_flight, value, seconds } = Arguments::parse("load pipeline|core|core-cluster");
    let mut load: Box<dyn Load> = match what.as_str() {
        "pipeline" => Box::new(Pipeline::connect(port, in_flight, &value)),
        "core" => Box::new(Core::connect(port, Mode::Standalone, in_flight, value)),
        "core-cluster" => {
            let mode = Mode::Cluster { periodic_checks: None, refresh_from_seeds: false };
            Box::new(Core::connect(port, mode, in_flight, value))
        }
        other => panic!("no such load: {other}"),
    };
    measure(&mut *load, seconds);
}

struct Pipeline {
    stream: TcpStream,
    requests: Vec<u8>,
    replies: Vec<u8>,
    calls: usize,
}

impl Pipeline {
    fn connect(port: u16, calls: usize, value: &[u8]) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
        stream.set_nodelay(true).expect("a socket without delay");
        let script = script(CODE);
        let load = [b"SCRIPT", &b"LOAD"[..], CODE.as_bytes()];
        stream.write_all(&wire(&load)).expect("a connection");
        let mut loaded = vec![0; b"$40\r\n".len() + 40 + 2];
        stream.read_exact(&mut loaded).expect("the script's hash");
        let mut requests = Vec::new();
        for number in 0..calls {
            let key = format!("k{number}");
            requests.extend(wire(&[b"EVALSHA", script.hash().as_bytes(), b"1", key.as_bytes(), value]));
        }
        let length = format!("${}\r\n", value.len()).len() + value.len() + 2;
        Self { stream, requests, replies: vec![0; calls * length], calls }
    }
}

impl Load for Pipeline {
    fn run(&mut self, seconds: Duration) -> Vec<Duration> {
        let end = Instant::now() + seconds;
        let mut times = Vec::new();
        loop {
            let started = Instant::now();
            if started > end {
                return times;
            }
            self.stream.write_all(&self.requests).expect("a connection");
            self.stream.read_exact(&mut self.replies).expect("a reply to each call");
            assert_eq!(self.replies[0], b'$', "the server answers with strings");
            times.push(started.elapsed());
        }
    }

    fn calls_a_time(&self) -> usize {
        self.calls
    }
}

fn wire(words: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend(format!("${}\r\n", word.len()).bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

struct Core {
    caller: Caller,
    script: Arc<Script>,
    keys: Vec<String>,
    value: Vec<u8>,
}

impl Core {
    fn connect(port: u16, mode: Mode, in_flight: usize, value: Vec<u8>) -> Self {
        let keys = (0..in_flight).map(|number| format!("k{number}")).collect();
        Self { caller: Caller::connect(port, mode), script: script(CODE), keys, value }
    }

    fn send(&self, number: usize) -> Instant {
        let started = Instant::now();
        self.caller.call(packed(&self.script, self.keys[number].as_bytes(), &self.value), number as u64);
        started
    }
}

impl Load for Core {
    fn run(&mut self, seconds: Duration) -> Vec<Duration> {
        let end = Instant::now() + seconds;
        let mut started: Vec<Instant> = (0..self.keys.len()).map(|number| self.send(number)).collect();
        let mut times = Vec::new();
        let mut in_flight = started.len();
        while in_flight > 0 {
            for (ticket, completion) in self.caller.wait() {
                let reply = completion.into_call().expect("a call's").expect("a reply");
                assert_eq!(reply.as_bytes().map(<[u8]>::len), Some(self.value.len()), "the script gives its argument");
                let number = usize::try_from(ticket).expect("it was a usize");
                times.push(started[number].elapsed());
                if Instant::now() < end {
                    started[number] = self.send(number);
                } else {
                    in_flight -= 1;
                }
            }
        }
        times
    }
}
