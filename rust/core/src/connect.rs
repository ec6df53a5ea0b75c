//! From an address to a connection that is ready for commands: TCP, TLS, and the first commands.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(not(test))]
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{Address, ConnectionConfig, Protocol, Tls};
use crate::resp::{Decoder, Frame, Reply};
use crate::verdict;

#[cfg(test)]
use tests::lookup_host;

/// A connection after its first commands.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    /// What was read and not yet decoded.
    pub(crate) buffer: BytesMut,
    pub(crate) decoder: Decoder,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;

    /// Whether a write that fails has written nothing.
    fn is_plain(&self) -> bool;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn is_plain(&self) -> bool {
        true
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn is_plain(&self) -> bool {
        false
    }
}

/// Why there is no connection, worded for the user; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable(pub(crate) String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Connects within the configured time.
pub(crate) async fn connect(
    address: &Address,
    config: &ConnectionConfig,
    serves_reads: bool,
) -> Result<Connection, Unreachable> {
    let asks_password = Cell::new(false);
    match timeout(config.timeout, open(address, config, serves_reads, &asks_password)).await {
        Ok(result) => result,
        Err(_) if asks_password.get() => {
            let limit = config.timeout.as_millis();
            Err(Unreachable(format!(
                "password_callback has not answered within the {limit} ms that connecting may take"
            )))
        }
        Err(_) => {
            let doubt = if config.tls.is_some() { " (does the server speak TLS on this port?)" } else { "" };
            Err(Unreachable(format!("no connection within {} ms{doubt}", config.timeout.as_millis())))
        }
    }
}

async fn open(
    address: &Address,
    config: &ConnectionConfig,
    serves_reads: bool,
    asks_password: &Cell<bool>,
) -> Result<Connection, Unreachable> {
    let tcp = reach(address).await.map_err(|error| Unreachable(error.to_string()))?;
    set_options(&tcp, config).map_err(|error| Unreachable(error.to_string()))?;
    let stream: Box<dyn Stream> = match &config.tls {
        None => Box::new(tcp),
        Some(tls) => Box::new(secure(tcp, address, tls).await?),
    };
    let mut connection = Connection { stream, buffer: BytesMut::new(), decoder: Decoder::default() };
    asks_password.set(true);
    let password = config.credentials.password().await.map_err(Unreachable)?;
    asks_password.set(false);
    connection.greet(config, password.as_deref(), serves_reads).await?;
    Ok(connection)
}

/// Connects to the first of a name's addresses that will. Nothing is kept of what a name meant before. An address that
/// swallows all is not waited for: the next one is tried beside it, as RFC 8305 has it.
async fn reach(address: &Address) -> io::Result<TcpStream> {
    const STAGGER: Duration = Duration::from_millis(250);
    let mut found = lookup_host((&*address.host, address.port)).await?;
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

/// There is no bound on how long the peer may leave what was sent unread: a server that runs a long script does not
/// read, and is not gone. Heartbeats tell the two apart.
fn set_options(tcp: &TcpStream, config: &ConnectionConfig) -> io::Result<()> {
    const IDLE: Duration = Duration::from_secs(15);
    const PROBE: Duration = Duration::from_secs(5);
    tcp.set_nodelay(config.tcp_nodelay)?;
    let socket = SockRef::from(tcp);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(PROBE))
}

async fn secure(tcp: TcpStream, address: &Address, tls: &Tls) -> Result<TlsStream<TcpStream>, Unreachable> {
    let name = tls.server_name.as_deref().unwrap_or(&address.host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| Unreachable(format!("{name:?} cannot be a server name in TLS; set server_name")))?;
    TlsConnector::from(tls.config.clone()).connect(name, tcp).await.map_err(|error| why_not_secure(&error))
}

fn why_not_secure(error: &io::Error) -> Unreachable {
    use tokio_rustls::rustls::{CertificateError as Certificate, Error as TlsError};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    let advice = match tls {
        Some(TlsError::InvalidCertificate(Certificate::UnknownIssuer)) => {
            ": the server's certificate is self-signed or of an unknown authority; pass its CA as root_pem_cacerts"
        }
        Some(TlsError::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        )) => ": the server's certificate is for another name; set server_name in the TLS configuration",
        Some(TlsError::InvalidMessage(_)) => ": the server does not seem to speak TLS on this port",
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Unreachable("TLS: the server closed the connection in the handshake".into());
        }
        _ => "",
    };
    Unreachable(format!("TLS: {error}{advice}"))
}

impl Connection {
    /// Logs in and sets the connection up, all in one write.
    async fn greet(
        &mut self,
        config: &ConnectionConfig,
        password: Option<&str>,
        serves_reads: bool,
    ) -> Result<(), Unreachable> {
        let greetings = greetings(config, password, serves_reads);
        let wire: Vec<u8> = greetings.iter().flat_map(|greeting| greeting.command.get_packed_command()).collect();
        let lost = |error: io::Error| Unreachable(format!("the connection was lost in its first commands: {error}"));
        self.stream.write_all(&wire).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)?;
        for greeting in &greetings {
            let reply = self.reply().await?;
            if let Some(error) = reply.error()
                && (greeting.required || verdict::wants_password(error))
            {
                let text = error.text();
                let advice = match error.code() {
                    "NOAUTH" => ": the server wants credentials",
                    "NOPROTO" => ": the server does not speak RESP3; set protocol to ProtocolVersion.RESP2",
                    "ERR" if text.contains("unknown command") && text.contains("HELLO") => {
                        ": the server does not speak RESP3; set protocol to ProtocolVersion.RESP2"
                    }
                    _ => "",
                };
                return Err(Unreachable(format!(
                    "{} was refused: {}{advice}",
                    greeting.name,
                    without_arguments(&text)
                )));
            }
        }
        Ok(())
    }

    async fn reply(&mut self) -> Result<Reply, Unreachable> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Frame::Reply(reply))) => return Ok(reply),
                Ok(Some(Frame::Push(_))) => {}
                Err(error) => return Err(Unreachable(error.to_string())),
                Ok(None) => match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) => return Err(Unreachable("the server closed the connection".into())),
                    Ok(_) => {}
                    Err(error) => return Err(Unreachable(error.to_string())),
                },
            }
        }
    }
}

/// Servers quote the arguments of commands that they do not know, and one may be a password.
pub(crate) fn without_arguments(text: &str) -> &str {
    text.split_once(", with args beginning with").map_or(text, |(before, _)| before)
}

/// One of the first commands. Its name is what errors show: the command itself may hold a password.
struct Greeting {
    name: &'static str,
    command: redis::Cmd,
    required: bool,
}

fn greetings(config: &ConnectionConfig, password: Option<&str>, serves_reads: bool) -> Vec<Greeting> {
    let mut greetings = Vec::new();
    let mut add = |name, required, command: &mut redis::Cmd| {
        greetings.push(Greeting { name, command: std::mem::take(command), required });
    };
    let client_name = config.client_name.as_deref();
    match config.protocol {
        Protocol::Resp3 => {
            let mut hello = redis::cmd("HELLO");
            hello.arg(3);
            if let Some(password) = password {
                hello.arg("AUTH").arg(config.credentials.username().unwrap_or("default")).arg(password);
            }
            if let Some(name) = client_name {
                hello.arg("SETNAME").arg(name);
            }
            add("HELLO", true, &mut hello);
        }
        Protocol::Resp2 => {
            if let Some(password) = password {
                add("AUTH", true, &mut config.credentials.auth(password));
            }
            if let Some(name) = client_name {
                add("CLIENT SETNAME", true, redis::cmd("CLIENT").arg("SETNAME").arg(name));
            }
        }
    }
    // Servers before Redis 7.2 do not know SETINFO, and a busy one refuses it.
    let version = env!("CARGO_PKG_VERSION");
    add("CLIENT SETINFO", false, redis::cmd("CLIENT").arg("SETINFO").arg("LIB-NAME").arg("glide_scripts"));
    add("CLIENT SETINFO", false, redis::cmd("CLIENT").arg("SETINFO").arg("LIB-VER").arg(version));
    if config.database != 0 {
        add("SELECT", true, redis::cmd("SELECT").arg(config.database));
    }
    if serves_reads {
        add("READONLY", true, &mut redis::cmd("READONLY"));
    }
    greetings
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Backoff;

    thread_local! {
        static FOUND: RefCell<Vec<SocketAddr>> = const { RefCell::new(Vec::new()) };
    }

    /// What every name means from now on, on this thread.
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
            credentials: std::sync::Arc::default(),
            protocol: Protocol::Resp2,
            database: 0,
            client_name: None,
            tcp_nodelay: true,
            timeout: Duration::from_secs(5),
            backoff: Backoff { retries: 3, factor: Duration::from_millis(1), base: 2, jitter_percent: 20 },
            observed: false,
            unacknowledged: None,
        }
    }

    #[tokio::test]
    async fn the_system_watches_over_a_connection_and_delays_nothing() {
        for tcp_nodelay in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let_names_mean(vec![listener.local_addr().expect("its address")]);
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a client");
                stream.write_all(b"+OK\r\n+OK\r\n").await.expect("a client that listens");
                let _ = stream.read_buf(&mut BytesMut::new()).await;
            });
            let config = ConnectionConfig { tcp_nodelay, ..config() };
            let connection = connect(&Address::new("server.example", 1), &config, false).await.expect("a connection");
            let socket = SockRef::from(connection.stream.tcp());
            assert_eq!(socket.tcp_nodelay().expect("an option"), tcp_nodelay);
            assert!(socket.keepalive().expect("an option"));
            assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(15));
            assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(5));
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
        let name = Address::new("server.example", 1);
        let tcp = timeout(Duration::from_secs(5), reach(&name)).await.expect("in time").expect("a connection");
        assert_eq!(tcp.peer_addr().expect("its address"), address);
    }

    #[tokio::test]
    async fn of_several_addresses_the_last_failure_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let closed = listener.local_addr().expect("its address");
        drop(listener);
        let_names_mean(vec![closed, closed]);
        let error = reach(&Address::new("server.example", 1)).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let_names_mean(Vec::new());
        let error = reach(&Address::new("server.example", 1)).await.expect_err("no address");
        assert!(error.to_string().contains("no address"), "{error}");
    }
}
