//! What the benchmark's programs share: a client of the core without Python, whose outcomes arrive at a thread.

#![forbid(unsafe_code)]

pub mod measuring;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use glide_scripts_core::script::{Options, Script};
use glide_scripts_core::{
    Address, Backoff, Client, Completion, Completions, Config, ConnectionConfig, Deadlines, IoThread, Mode, Packer,
    Protocol, ReadFrom, ReplyTo, Request, Route,
};

/// Makes a script with default options.
pub fn script(code: &'static str) -> Arc<Script> {
    Arc::new(Script::new(code, Options::default()))
}

/// Packs a call with one key and one argument.
pub fn packed(script: &Arc<Script>, key: &[u8], arg: &[u8]) -> (Request, Route) {
    let mut packer = Packer::script(script, 1, 1);
    packer.key(key).expect("one key is in one slot");
    packer.word(arg);
    let route = packer.route();
    (packer.finish(true), route)
}

/// A client, and the queue through which its thread gets outcomes, as an event loop does.
#[derive(Debug)]
pub struct Caller {
    client: Client,
    completions: Arc<Completions>,
    _io: IoThread,
}

impl Caller {
    /// Connects to a server at 127.0.0.1, or to the cluster that the server is part of.
    pub fn connect(port: u16, mode: Mode) -> Self {
        let io = IoThread::start().expect("an I/O thread");
        let (opened, outcome) = ReplyTo::task();
        let client = Client::open(config(port, mode), &io, opened);
        outcome.blocking_recv().ok().and_then(Completion::into_call).expect("an outcome").expect("a connection");
        let me = thread::current();
        Self { client, completions: Completions::new(move || me.unpark()), _io: io }
    }

    pub fn call(&self, (request, route): (Request, Route), ticket: u64) {
        let reply_to = ReplyTo::event_loop(self.completions.clone(), ticket);
        self.client.call(request, route, None, reply_to);
    }

    /// Waits for outcomes, and returns them with their tickets.
    pub fn wait(&self) -> Vec<(u64, Completion)> {
        while !self.completions.has_arrived() {
            thread::park();
        }
        self.completions.take()
    }
}

fn config(port: u16, mode: Mode) -> Config {
    Config {
        mode,
        addresses: vec![Address::new("127.0.0.1", port)],
        sentinels: None,
        connection: ConnectionConfig {
            tls: None,
            credentials: Arc::default(),
            protocol: Protocol::Resp3,
            database: 0,
            client_name: None,
            sends_client_info: true,
            setting_names: Vec::new(),
            tcp_nodelay: true,
            timeout: Duration::from_secs(5),
            backoff: Backoff { retries: 3, factor: Duration::from_millis(5), base: 2, jitter_percent: 20 },
            address_map: None,
            deadlines: Deadlines::WholeCalls,
            observed: false,
            unacknowledged: None,
            transport: glide_scripts_core::system(),
        },
        read_from: ReadFrom::Primary,
        request_timeout: Duration::from_secs(60),
        inflight_limit: None,
        lazy: false,
        heartbeat: None,
        pending_bytes_limit: usize::MAX,
    }
}
