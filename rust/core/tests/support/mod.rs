//! Servers for the tests: real ones, and one with scripted answers.

#![allow(unreachable_pub, dead_code, reason = "each file of tests has this module in it, and uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use glide_scripts_core::resp::Reply;
use glide_scripts_core::script::{Options, Script};
use glide_scripts_core::{
    Address, Backoff, Batch, BatchOptions, Client, Completion, Config, ConnectionConfig, Deadlines, Error, IoThread,
    Mode, Outcome, Packer, Protocol, ReadFrom, ReplyTo, Request, Route,
};
use tokio::sync::oneshot::Receiver;
use tokio::time::timeout;

pub(crate) use self::server::Server;

mod server;

impl Server {
    /// Starts the server that `VALKEY_SERVER` names, or the one on the path.
    pub fn start() -> Self {
        Self::run(env::var("VALKEY_SERVER").unwrap_or_else(|_| "valkey-server".into()), &[])
    }
}

/// A server that answers each command with what a function makes of its words; `None` ends the connection.
pub struct Fake {
    pub port: u16,
}

impl Fake {
    pub fn start(answer: impl FnMut(&[String]) -> Option<&'static str> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        thread::spawn(move || {
            let mut answer = answer;
            // One connection after another is enough: each client has one.
            for stream in listener.incoming().flatten() {
                stream.set_nodelay(true).expect("a connection");
                serve(&stream, &mut answer);
            }
        });
        Self { port }
    }
}

fn serve(stream: &TcpStream, answer: &mut impl FnMut(&[String]) -> Option<&'static str>) {
    let mut input = BufReader::new(stream);
    while let Some(words) = read_command(&mut input) {
        let name = words[0].to_uppercase();
        let reply = match name.as_str() {
            "HELLO" => Some("%0\r\n"),
            "CLIENT" => Some("+OK\r\n"),
            _ => answer(&words),
        };
        let Some(reply) = reply else { return };
        if (&mut &*stream).write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

pub fn read_command(input: &mut impl BufRead) -> Option<Vec<String>> {
    let count = read_length(input)?;
    (0..count)
        .map(|_| {
            let mut word = vec![0; read_length(input)? + 2];
            input.read_exact(&mut word).ok()?;
            word.truncate(word.len() - 2);
            Some(String::from_utf8_lossy(&word).into_owned())
        })
        .collect()
}

fn read_length(input: &mut impl BufRead) -> Option<usize> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

/// A client for calls from the test's thread.
pub struct Caller {
    client: Client,
    _io: IoThread,
}

impl Caller {
    pub fn connect(port: u16) -> Self {
        Self::connect_with(port, |_| {})
    }

    /// The same with other settings.
    pub fn connect_with(port: u16, set: impl FnOnce(&mut Config)) -> Self {
        let io = IoThread::start().expect("an I/O thread");
        let (opened, outcome) = ReplyTo::task();
        let mut config = config(port);
        set(&mut config);
        let client = Client::open(config, &io, opened);
        end(outcome).into_call().expect("it is no batch").expect("a connection");
        Self { client, _io: io }
    }

    pub fn invoke(&self, script: &Arc<Script>, keys: &[&str], args: &[&str]) -> Result<Reply, Box<Error>> {
        self.invoke_within(script, keys, args, Duration::from_secs(5))
    }

    pub fn invoke_within(
        &self,
        script: &Arc<Script>,
        keys: &[&str],
        args: &[&str],
        timeout: Duration,
    ) -> Result<Reply, Box<Error>> {
        let mut packer = Packer::script(script, keys.len(), args.len());
        keys.iter().chain(args).for_each(|word| packer.word(word.as_bytes()));
        self.call(packer.finish(true), timeout)
    }

    /// Makes all calls at once, one for each argument; their outcomes in the same order.
    pub fn invoke_each(
        &self,
        script: &Arc<Script>,
        args: &[String],
        timeout: Duration,
    ) -> Vec<Result<Reply, Box<Error>>> {
        let outcomes: Vec<_> = args
            .iter()
            .map(|arg| {
                let mut packer = Packer::script(script, 0, 1);
                packer.word(arg.as_bytes());
                let (reply_to, outcome) = ReplyTo::task();
                self.client.call(packer.finish(true), Route::Any, Some(timeout), reply_to);
                outcome
            })
            .collect();
        outcomes.into_iter().map(|outcome| end(outcome).into_call().expect("it is no batch")).collect()
    }

    pub fn command(&self, words: &[&str]) -> Result<Reply, Box<Error>> {
        let mut packer = Packer::command(words.len());
        words.iter().for_each(|word| packer.word(word.as_bytes()));
        self.call(packer.finish(false), Duration::from_secs(5))
    }

    pub fn call(&self, request: Request, timeout: Duration) -> Result<Reply, Box<Error>> {
        let (reply_to, outcome) = ReplyTo::task();
        self.client.call(request, Route::Any, Some(timeout), reply_to);
        end(outcome).into_call().expect("it is no batch")
    }

    /// The outcomes of a batch's commands.
    pub fn exec(&self, batch: Batch, timeout: Duration) -> Result<Vec<Outcome>, Box<Error>> {
        let (reply_to, outcome) = ReplyTo::task();
        self.client.exec(batch, BatchOptions { timeout: Some(timeout), ..BatchOptions::default() }, reply_to);
        match end(outcome) {
            Completion::Batch(outcomes) => Ok(outcomes),
            other => Err(other.into_call().expect("an outcome").expect_err("a batch has several")),
        }
    }
}

/// How a call ends, which each does in time.
fn end(outcome: Receiver<Completion>) -> Completion {
    const BOUND: Duration = Duration::from_secs(60);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let end = runtime.block_on(async { timeout(BOUND, outcome).await });
    end.expect("every call ends").expect("every call has an outcome")
}

pub fn script(code: &'static str) -> Arc<Script> {
    Arc::new(Script::new(code, Options::default()))
}

fn config(port: u16) -> Config {
    Config {
        mode: Mode::Standalone,
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
            timeout: Duration::from_secs(2),
            deadlines: Deadlines::WholeCalls,
            observed: false,
            backoff: Backoff { retries: 3, factor: Duration::from_millis(5), base: 2, jitter_percent: 20 },
            address_map: None,
            unacknowledged: None,
            transport: glide_scripts_core::system(),
        },
        read_from: ReadFrom::Primary,
        request_timeout: Duration::from_secs(5),
        inflight_limit: None,
        lazy: false,
        heartbeat: None,
        pending_bytes_limit: usize::MAX,
    }
}
