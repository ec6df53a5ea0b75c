//! Calls one script through another client in Rust, and prints the figures that `load` prints for the core.
//!
//!     anchors redis-rs|redis-rs-cluster|fred|fred-cluster PORT IN_FLIGHT BYTES SECONDS
//!
//! As many tasks as calls in flight share one connection, on one thread: with more, both take more CPU per call.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use fred::clients::Client as Fred;
use fred::prelude::{Builder, ClientLike, Config};
use fred::types::scripts::Script as FredScript;
use futures_util::future::join_all;
use glide_scripts_bench::measuring::{Arguments, Load, measure};
use redis::Script as RedisScript;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use tokio::runtime::Runtime;

const CODE: &str = "return ARGV[1]";
const TIMEOUT: Duration = Duration::from_secs(30);

fn main() {
    let arguments = Arguments::parse("anchors redis-rs|redis-rs-cluster|fred|fred-cluster");
    let Arguments { what, port, in_flight, value, seconds } = arguments;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = runtime.block_on(connect(&what, port));
    let keys = (0..in_flight).map(|number| format!("k{number}")).collect();
    measure(&mut Tasks { runtime, client, keys, value }, seconds);
}

async fn connect(what: &str, port: u16) -> Client {
    let url = format!("redis://127.0.0.1:{port}");
    let script = RedisScript::new(CODE);
    match what {
        "redis-rs" => {
            let client = redis::Client::open(url).expect("an address");
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
            let connection = client.get_multiplexed_async_connection_with_config(&config).await;
            Client::RedisRs(connection.expect("a server"), script)
        }
        "redis-rs-cluster" => {
            let client = ClusterClient::builder([url]).response_timeout(TIMEOUT).build().expect("an address");
            Client::RedisRsCluster(client.get_async_connection().await.expect("a cluster"), script)
        }
        "fred" => fred(&url).await,
        "fred-cluster" => fred(&format!("redis-cluster://127.0.0.1:{port}")).await,
        other => panic!("no such client: {other}"),
    }
}

async fn fred(url: &str) -> Client {
    let config = Config::from_url(url).expect("an address");
    let client = Builder::from_config(config).build().expect("a client");
    client.init().await.expect("a server");
    let script = FredScript::from_lua(CODE);
    script.load(&client).await.expect("the script's hash");
    Client::Fred(client, script)
}

#[derive(Clone)]
enum Client {
    RedisRs(MultiplexedConnection, RedisScript),
    RedisRsCluster(ClusterConnection, RedisScript),
    Fred(Fred, FredScript),
}

impl Client {
    async fn call(&mut self, key: &str, value: &[u8]) -> Vec<u8> {
        match self {
            Self::RedisRs(connection, script) => invoke(script, connection, key, value).await,
            Self::RedisRsCluster(connection, script) => invoke(script, connection, key, value).await,
            Self::Fred(client, script) => script.evalsha(client, vec![key], vec![value]).await.expect("a reply"),
        }
    }
}

async fn invoke(script: &RedisScript, connection: &mut impl ConnectionLike, key: &str, value: &[u8]) -> Vec<u8> {
    script.key(key).arg(value).invoke_async(connection).await.expect("a reply")
}

struct Tasks {
    runtime: Runtime,
    client: Client,
    keys: Vec<String>,
    value: Vec<u8>,
}

impl Load for Tasks {
    fn run(&mut self, seconds: Duration) -> Vec<Duration> {
        let end = Instant::now() + seconds;
        let tasks = self.keys.iter().map(|key| {
            let (mut client, key, value) = (self.client.clone(), key.clone(), self.value.clone());
            self.runtime.spawn(async move {
                let mut times = Vec::new();
                loop {
                    let started = Instant::now();
                    if started > end {
                        return times;
                    }
                    assert_eq!(client.call(&key, &value).await.len(), value.len(), "the script gives its argument");
                    times.push(started.elapsed());
                }
            })
        });
        let ended = self.runtime.block_on(join_all(tasks));
        ended.into_iter().flat_map(|times| times.expect("no task panics")).collect()
    }
}
