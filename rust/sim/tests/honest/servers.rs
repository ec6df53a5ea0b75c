//! Real servers, which replay traces.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, thread};

use glide_scripts_sim::servers::trace::{Peer, first_reply};
use glide_scripts_sim::servers::{ConnectionId, NodeId, Version, Words, pack};

use crate::server::Server;

/// A server's program, of a version that is modelled.
pub(crate) struct Program {
    pub(crate) name: String,
    path: String,
    pub(crate) version: Version,
}

/// What `VALKEY_SERVER` and `SERVERS` name.
pub(crate) fn programs() -> Vec<Program> {
    let mut named = vec![("VALKEY_SERVER".to_owned(), env::var("VALKEY_SERVER").unwrap_or("valkey-server".into()))];
    if let Ok(servers) = env::var("SERVERS") {
        let pair = |server: &str| {
            let (name, path) = server.split_once('=').expect("SERVERS=name=path,name=path");
            (name.to_owned(), path.to_owned())
        };
        named.extend(servers.split(',').filter(|server| !server.is_empty()).map(pair));
    }
    named.into_iter().filter_map(|(name, path)| Program::new(name, path)).collect()
}

impl Program {
    fn new(name: String, path: String) -> Option<Self> {
        let output = Command::new(&path)
            .arg("--version")
            .output()
            .unwrap_or_else(|error| panic!("{path} does not start ({error}); set {name} to a server's program"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let product = if text.starts_with("Valkey") { "valkey" } else { "redis" };
        let number = text.split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or_default();
        let version = Version::of(product, number);
        if version.is_none() {
            eprintln!("{name} is {product} {number}, of which there is no model; left out");
        }
        Some(Self { name, path, version: version? })
    }

    pub(crate) fn standalone(&self) -> Real {
        Real::new(vec![Server::run(&self.path, &[])])
    }

    /// Nodes that share the slots evenly.
    pub(crate) fn cluster(&self, nodes: usize) -> Real {
        let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "60000"];
        let mut real = Real::new((0..nodes).map(|_| Server::run(&self.path, &settings)).collect());
        let ports: Vec<u16> = real.processes.iter().map(|process| process.port).collect();
        for (at, &port) in ports.iter().enumerate() {
            let slots = (0..16384).filter(|slot| slot * nodes / 16384 == at).map(|slot: usize| slot.to_string());
            let words: Words =
                ["CLUSTER", "ADDSLOTS"].map(String::from).into_iter().chain(slots).map(Into::into).collect();
            assert_eq!(ask(port, &words), b"+OK\r\n");
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &ports[0].to_string()].map(|word| word.as_bytes().to_vec());
            assert_eq!(ask(port, &meet), b"+OK\r\n");
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        for &port in &ports {
            let info = [b"CLUSTER".to_vec(), b"INFO".to_vec()];
            let knows = |text: String| {
                text.contains("cluster_state:ok")
                    && text.contains(&format!("cluster_known_nodes:{nodes}"))
                    && text.contains("cluster_slots_ok:16384")
            };
            while !knows(String::from_utf8_lossy(&ask(port, &info)).into_owned()) {
                assert!(Instant::now() < deadline, "the cluster is not whole");
                thread::sleep(Duration::from_millis(20));
            }
        }
        real.has_ids = true;
        real
    }
}

/// Real servers under the numbers of the model's nodes.
pub(crate) struct Real {
    processes: Vec<Server>,
    connections: BTreeMap<ConnectionId, (TcpStream, Vec<u8>)>,
    has_ids: bool,
    /// What the model calls its nodes, and what these call themselves.
    pub(crate) ids: Vec<(String, String)>,
}

impl Real {
    fn new(processes: Vec<Server>) -> Self {
        Self { processes, connections: BTreeMap::new(), has_ids: false, ids: Vec::new() }
    }

    pub(crate) fn addresses(&self) -> Vec<(String, u16)> {
        self.processes.iter().map(|process| ("127.0.0.1".to_owned(), process.port)).collect()
    }

    pub(crate) fn real_ids(&self) -> Vec<String> {
        if !self.has_ids {
            return Vec::new();
        }
        let id = |process: &Server| {
            let reply = ask(process.port, &[b"CLUSTER".to_vec(), b"MYID".to_vec()]);
            String::from_utf8_lossy(&reply[5..45]).into_owned()
        };
        self.processes.iter().map(id).collect()
    }
}

/// How long a server may take, also on a machine that does other work.
const BOUND: Duration = Duration::from_secs(60);

impl Peer for Real {
    fn send(&mut self, connection: ConnectionId, node: NodeId, bytes: &[u8]) {
        let port = self.processes[node].port;
        let (stream, _) = self.connections.entry(connection).or_insert_with(|| (connect(port), Vec::new()));
        stream.write_all(bytes).expect("a server that listens");
    }

    fn hear(&mut self, connection: ConnectionId) -> Vec<u8> {
        let (stream, buffer) = self.connections.get_mut(&connection).expect("a connection that was used");
        hear(stream, buffer)
    }

    fn until_busy(&mut self, node: NodeId) -> bool {
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            if ask(self.processes[node].port, &[b"PING".to_vec()]).starts_with(b"-BUSY") {
                return true;
            }
        }
        false
    }

    fn translate(&self, words: &Words) -> Words {
        let real = |word: &Vec<u8>| self.ids.iter().find(|(model, _)| model.as_bytes() == word).map(|(_, real)| real);
        words.iter().map(|word| real(word).map_or_else(|| word.clone(), |id| id.clone().into_bytes())).collect()
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a server that listens");
    stream.set_read_timeout(Some(BOUND)).expect("an option");
    stream.set_nodelay(true).expect("an option");
    stream
}

fn ask(port: u16, words: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = connect(port);
    stream.write_all(&pack(words)).expect("a server that listens");
    hear(&mut stream, &mut Vec::new())
}

fn hear(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Vec<u8> {
    let mut piece = [0; 4096];
    loop {
        if let Some(reply) = first_reply(buffer) {
            let length = reply.len();
            return buffer.drain(..length).collect();
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return Vec::new(),
            Ok(length) => buffer.extend(&piece[..length]),
        }
    }
}
