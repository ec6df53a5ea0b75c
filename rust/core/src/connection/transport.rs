//! The streams that connections run over. One trait makes them all: the system's TCP, TLS and Unix sockets, and those of
//! a simulation.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(not(test))]
use tokio::net::lookup_host;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::Error as TlsError;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::model::broken_stream::tls_error;
use crate::model::config::{Address, ConnectionConfig, Opening, Stream, Transport, Unacknowledged};
use crate::model::tls::{Tls, TlsOptions};
use crate::model::unreachable::Unreachable;

#[cfg(test)]
use tests::lookup_host;

impl Stream for TcpStream {
    fn unacknowledged(&self, ask: Option<Unacknowledged>) -> Option<usize> {
        ask?(&SockRef::from(self))
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn unacknowledged(&self, ask: Option<Unacknowledged>) -> Option<usize> {
        ask?(&SockRef::from(self))
    }
}

impl Stream for TlsStream<TcpStream> {
    fn is_plain(&self) -> bool {
        false
    }

    fn unacknowledged(&self, ask: Option<Unacknowledged>) -> Option<usize> {
        ask?(&SockRef::from(self.get_ref().0))
    }
}

/// The system's names, TCP, TLS over it, and Unix sockets.
#[derive(Debug)]
struct System;

/// The system's transport.
pub fn system() -> Arc<dyn Transport> {
    Arc::new(System)
}

impl Transport for System {
    fn open<'a>(&'a self, address: &'a Address, config: &'a ConnectionConfig) -> Opening<'a> {
        Box::pin(async move {
            let (host, port) = match address {
                Address::Tcp { host, port } => (&**host, *port),
                Address::Unix(path) => return reach_file(path).await.map_err(Unreachable::system),
            };
            let tcp = reach(host, port).await.map_err(Unreachable::system)?;
            set_options(&tcp, config).map_err(Unreachable::system)?;
            let stream: Box<dyn Stream> = match &config.tls {
                None => Box::new(tcp),
                Some(tls) => Box::new(secure(tcp, (host, port), tls, config.timeout).await?),
            };
            Ok(stream)
        })
    }

    fn speaks_tls<'a>(&'a self, address: &'a Address) -> Pin<Box<dyn Future<Output = bool> + 'a>> {
        Box::pin(async move {
            let Address::Tcp { host, port } = address else { return false };
            let insecure = TlsOptions { insecure: true, ..TlsOptions::default() };
            let (Ok(tls), Ok(tcp)) = (insecure.build(), reach(host, *port).await) else { return false };
            let Ok(name) = ServerName::try_from(host.to_string()) else { return false };
            // A server that wants a certificate of the client's says so at the end of the handshake.
            let handshake = TlsConnector::from(tls.current_config()).connect(name, tcp).await;
            handshake.map_or_else(|error| is_alert(&error), |_| true)
        })
    }
}

/// Connects to the first of a name's addresses that accepts. Earlier answers of the lookup are not kept. If an address
/// does not answer, the next one is tried beside it, as RFC 8305 describes.
async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    const STAGGER: Duration = Duration::from_millis(250);
    let mut found = lookup_host((host, port)).await?;
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        let next = found.next();
        let is_last = next.is_none();
        if let Some(next) = next {
            attempts.spawn(TcpStream::connect(next));
        }
        let ended = match timeout(STAGGER, attempts.join_next()).await {
            Ok(ended) => ended,
            Err(_) if is_last => attempts.join_next().await,
            Err(_) => continue,
        };
        match ended {
            Some(Ok(Ok(tcp))) => return Ok(tcp),
            Some(Ok(Err(error))) => failure = Some(error),
            Some(Err(error)) => failure = Some(error.into()),
            None if is_last => break,
            None => {}
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}

#[cfg(unix)]
async fn reach_file(path: &str) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "as on Unix, where it connects")]
async fn reach_file(_path: &str) -> io::Result<Box<dyn Stream>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}

/// There is no limit on how long the peer may leave data unread: a server that runs a long script does not read, but is
/// not gone. Heartbeats tell the two apart.
fn set_options(tcp: &TcpStream, config: &ConnectionConfig) -> io::Result<()> {
    const IDLE: Duration = Duration::from_secs(15);
    const PROBE: Duration = Duration::from_secs(5);
    tcp.set_nodelay(config.tcp_nodelay)?;
    let socket = SockRef::from(tcp);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(PROBE))
}

/// Speaks TLS over a connection. If the server does not answer, this finds out whether it speaks without TLS.
async fn secure(
    tcp: TcpStream,
    (host, port): (&str, u16),
    tls: &Tls,
    within: Duration,
) -> Result<TlsStream<TcpStream>, Unreachable> {
    // A zone is used to connect, and is not part of the server's name.
    let host_name = host.split_once('%').map_or(host, |(address, _)| address);
    let name = tls.server_name().unwrap_or(host_name);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| Unreachable::ServerName(name.to_owned()))?;
    let setup = tls.clone();
    let read = async { if tls.has_files() { spawn_blocking(move || setup.current_config()).await.ok() } else { None } };
    let config = read.await.unwrap_or_else(|| tls.current_config());
    let handshake = TlsConnector::from(config).connect(name, tcp);
    let in_plain = async {
        sleep(within / 4).await;
        if !speaks_plain(host, port).await {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        result = handshake => result.map_err(|error| Unreachable::Handshake(Arc::new(error))),
        () = in_plain => Err(Unreachable::SpeaksNoTls),
    }
}

/// Whether a server answers to PING without TLS.
async fn speaks_plain(host: &str, port: u16) -> bool {
    let Ok(mut tcp) = reach(host, port).await else { return false };
    let mut answer = [0; 1];
    tcp.write_all(b"PING\r\n").await.is_ok()
        && tcp.read_exact(&mut answer).await.is_ok()
        && matches!(answer, [b'+' | b'-'])
}

/// Whether the peer ended the handshake in the words of TLS.
fn is_alert(error: &io::Error) -> bool {
    tls_error(error).is_some_and(|error| matches!(error, TlsError::AlertReceived(_) | TlsError::PeerIncompatible(_)))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use super::*;
    use crate::model::config::{Backoff, Deadlines, Protocol};

    thread_local! {
        static FOUND: RefCell<Vec<SocketAddr>> = const { RefCell::new(Vec::new()) };
    }

    /// The addresses that every name resolves to from now on, on this thread.
    pub(crate) fn let_names_mean(found: Vec<SocketAddr>) {
        FOUND.set(found);
    }

    /// Stands in for the system's lookup, whose answers a test cannot change.
    #[allow(clippy::unused_async, reason = "as the real one")]
    pub(super) async fn lookup_host(_name: (&str, u16)) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        Ok(FOUND.with_borrow(Clone::clone).into_iter())
    }

    pub(crate) fn config() -> ConnectionConfig {
        ConnectionConfig {
            tls: None,
            credentials: Arc::default(),
            protocol: Protocol::Resp2,
            database: 0,
            client_name: None,
            sends_client_info: true,
            setting_names: Vec::new(),
            tcp_nodelay: true,
            timeout: Duration::from_secs(5),
            backoff: Backoff { retries: 3, factor: Duration::from_millis(1), base: 2, jitter_percent: 20 },
            address_map: None,
            deadlines: Deadlines::WholeCalls,
            observed: false,
            unacknowledged: None,
            transport: system(),
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_alive_and_delays_nothing() {
        for tcp_nodelay in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let_names_mean(vec![listener.local_addr().expect("its address")]);
            let config = ConnectionConfig { tcp_nodelay, ..config() };
            let tcp = reach("server.example", 1).await.expect("a connection");
            set_options(&tcp, &config).expect("options");
            let socket = SockRef::from(&tcp);
            assert_eq!(socket.tcp_nodelay().expect("an option"), tcp_nodelay);
            assert!(socket.keepalive().expect("an option"));
            // Windows does not tell.
            #[cfg(unix)]
            {
                assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(15));
                assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(5));
            }
        }
    }

    /// An address that swallows all: its queue of connections is full.
    fn hole() -> (socket2::Socket, Vec<socket2::Socket>) {
        use socket2::{Domain, Socket, Type};
        let any = SocketAddr::from(([127, 0, 0, 1], 0)).into();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&any).expect("a port");
        listener.listen(0).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let clients = (0..4).map(|_| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            client.set_nonblocking(true).expect("an option");
            let _ = client.connect(&address);
            client
        });
        let clients = clients.collect();
        (listener, clients)
    }

    #[tokio::test]
    async fn an_address_that_swallows_all_keeps_nobody_from_the_next() {
        let (hole, _clients) = hole();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let swallowing = hole.local_addr().ok().and_then(|address| address.as_socket()).expect("its address");
        let_names_mean(vec![swallowing, address]);
        let tcp =
            timeout(Duration::from_secs(5), reach("server.example", 1)).await.expect("in time").expect("a connection");
        assert_eq!(tcp.peer_addr().expect("its address"), address);
    }

    #[tokio::test]
    async fn of_several_addresses_the_last_failure_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let closed = listener.local_addr().expect("its address");
        drop(listener);
        let_names_mean(vec![closed, closed]);
        let error = reach("server.example", 1).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let_names_mean(Vec::new());
        let error = reach("server.example", 1).await.expect_err("no address");
        assert!(error.to_string().contains("no address"), "{error}");
    }
}
