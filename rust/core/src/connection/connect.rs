//! From an address to a connection that is ready for commands: a stream, and the first commands on it.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::connection::greeting::{ECHO, Greeting, Manner, Weight, greetings};
use crate::connection::stranger;
use crate::connection::transport::why_broken;
use crate::model::config::{Address, ConnectionConfig, Stream};
use crate::model::status::Unreachable;
use crate::model::verdict;
use crate::wire::pack;
use crate::wire::resp::{Decoder, Frame, Reply, ServerError};

pub(crate) use crate::connection::greeting::Purpose;

/// A connection after its first commands.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    /// What was read and not yet decoded.
    pub(crate) buffer: BytesMut,
    pub(crate) decoder: Decoder,
    /// Whether anything was read that may be a server's.
    has_answered: bool,
    /// Whether what is at the other end ends connections over commands that it does not know.
    pub(crate) is_fragile: bool,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        let (buffer, decoder) = (BytesMut::new(), Decoder::default());
        Self { stream, buffer, decoder, has_answered: false, is_fragile: false }
    }
}

/// What connecting waits for.
#[derive(Clone, Copy)]
enum WaitsFor {
    Server,
    Password,
    /// The end of a script, because of which the server refuses the first commands.
    Script,
}

/// Why an attempt to connect has failed.
enum Failure {
    /// The server ended the connection over the first commands: it may take fewer.
    Ended(Unreachable),
    Final(Unreachable),
}

impl Failure {
    fn last(reason: impl Into<String>) -> Self {
        Self::Final(Unreachable(reason.into()))
    }

    /// Of a stream that broke.
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let reason = Unreachable(format!("the connection was lost in its first commands: {}", why_broken(error)));
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Ended(reason),
            _ => Self::Final(reason),
        }
    }
}

/// Connects to a server, where `address_map` says that it is. Both steps may take the configured time.
pub(crate) async fn connect(
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
) -> Result<Connection, Unreachable> {
    let Some(map) = &config.address_map else { return connect_to(address, config, purpose).await };
    let limit = config.timeout;
    let target = timeout(limit, map.target(address)).await;
    let target = target
        .unwrap_or_else(|_| Err(format!("address_map has not answered within {} ms", limit.as_millis())))
        .map_err(Unreachable)?;
    let connected = connect_to(&target, config, purpose).await;
    connected.map_err(|reason| if target == *address { reason } else { reason.at(&target) })
}

/// Connects within the configured time.
async fn connect_to(address: &Address, config: &ConnectionConfig, purpose: Purpose) -> Result<Connection, Unreachable> {
    let waits_for = Cell::new(WaitsFor::Server);
    if let Ok(result) = timeout(config.timeout, open(address, config, purpose, &waits_for)).await {
        return result.map_err(|Unreachable(reason)| Unreachable(config.in_terms(reason)));
    }
    let limit = config.timeout.as_millis();
    Err(Unreachable(match waits_for.get() {
        WaitsFor::Password => {
            format!("password_callback has not answered within the {limit} ms that connecting may take")
        }
        WaitsFor::Script => {
            format!("the server was busy running a script for the {limit} ms that connecting may take")
        }
        WaitsFor::Server => {
            let doubt = if config.tls.is_some() { " (does the server speak TLS on this port?)" } else { "" };
            format!("no connection within {limit} ms{doubt}")
        }
    }))
}

/// Connects in as many manners as it takes.
async fn open(
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
    waits_for: &Cell<WaitsFor>,
) -> Result<Connection, Unreachable> {
    let mut ended = None;
    for manner in Manner::all(config.protocol) {
        match open_in(*manner, address, config, purpose, waits_for).await {
            Ok(mut connection) => {
                connection.is_fragile = ended.is_some() && Some(manner) != Manner::all(config.protocol).first();
                return Ok(connection);
            }
            Err(Failure::Ended(reason)) => ended = ended.or(Some(reason)),
            Err(Failure::Final(reason)) => return Err(reason),
        }
    }
    if config.tls.is_none() && config.transport.speaks_tls(address).await {
        return Err(Unreachable(stranger::TLS.into()));
    }
    Err(ended.unwrap_or_else(|| Unreachable("the server closed the connection".into())))
}

async fn open_in(
    manner: Manner,
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
    waits_for: &Cell<WaitsFor>,
) -> Result<Connection, Failure> {
    let stream = config.transport.open(address, config).await.map_err(Failure::last)?;
    let mut connection = Connection::new(stream);
    waits_for.set(WaitsFor::Password);
    let password = config.credentials.password().await.map_err(Failure::last)?;
    waits_for.set(WaitsFor::Server);
    let mut next = greetings(config, password.as_deref(), purpose, manner);
    loop {
        next = match connection.greet(next, purpose).await? {
            Greeted::Done(refused) if refused.is_empty() || purpose == Purpose::Admin => {
                config.credentials.set_refused(false);
                return Ok(connection);
            }
            Greeted::Done(refused) => {
                waits_for.set(WaitsFor::Script);
                sleep(BUSY_PAUSE).await;
                refused
            }
            Greeted::WithoutHello => greetings(config, password.as_deref(), purpose, Manner::Resp2),
            Greeted::NotLoggedIn(reason) => {
                config.credentials.set_refused(true);
                return Err(Failure::last(reason));
            }
        }
    }
}

/// How long to wait before a busy server is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How a server took the first commands.
enum Greeted {
    /// But for those that it refused because it runs a script.
    Done(Vec<Greeting>),
    /// It takes no HELLO, and what followed may have been refused because of that.
    WithoutHello,
    NotLoggedIn(String),
}

impl Connection {
    /// Logs in and sets the connection up, all in one write.
    async fn greet(&mut self, greetings: Vec<Greeting>, purpose: Purpose) -> Result<Greeted, Failure> {
        let wire: Vec<u8> = greetings.iter().flat_map(|greeting| greeting.command.iter().copied()).collect();
        self.stream.write_all(&wire).await.map_err(|error| Failure::of(&error))?;
        self.stream.flush().await.map_err(|error| Failure::of(&error))?;
        let (mut refused, mut is_without_hello, mut lacks_echo) = (Vec::new(), false, false);
        for greeting in greetings {
            let reply = self.reply().await?;
            let is_busy = reply.error().is_some_and(verdict::is_busy);
            match (reply.error(), greeting.weight) {
                (None, Weight::Hello) if stranger::is_sentinel(&reply) => {
                    return Err(Failure::last(stranger::SENTINEL));
                }
                (None, _) => {}
                (Some(_), Weight::Offered) if is_busy => {}
                (Some(_), _) if is_busy => refused.push(greeting),
                (Some(error), _) if verdict::turns_away(error) => {
                    return Err(Failure::last(without_arguments(&error.text())));
                }
                // What is at the other end may want AUTH before anything else, HELLO with AUTH in it included.
                (Some(error), Weight::Hello) if !verdict::denies_login(error) => is_without_hello = true,
                (Some(_), _) if is_without_hello => {}
                (Some(error), Weight::Hello | Weight::Login) => {
                    return Ok(Greeted::NotLoggedIn(greeting.refusal(error)));
                }
                (Some(error), _) if verdict::wants_password(error) => {
                    return Ok(Greeted::NotLoggedIn(greeting.refusal(error)));
                }
                (Some(error), Weight::Needed) => return Err(Failure::last(greeting.refusal(error))),
                (Some(_), Weight::Wanted | Weight::Offered) => lacks_echo |= greeting.name == ECHO,
            }
        }
        if lacks_echo && purpose != Purpose::Sentinel && self.is_sentinel().await? {
            return Err(Failure::last(stranger::SENTINEL));
        }
        Ok(if is_without_hello { Greeted::WithoutHello } else { Greeted::Done(refused) })
    }

    /// Over RESP2 there is no HELLO whose reply says so.
    async fn is_sentinel(&mut self) -> Result<bool, Failure> {
        self.stream.write_all(&pack::command(&[b"ROLE"])).await.map_err(|error| Failure::of(&error))?;
        self.stream.flush().await.map_err(|error| Failure::of(&error))?;
        Ok(stranger::has_role_of_sentinel(&self.reply().await?))
    }

    async fn reply(&mut self) -> Result<Reply, Failure> {
        self.next_reply().await.map_err(|broken| match broken {
            Broken::Closed => Failure::Ended(broken.reason()),
            Broken::Lost(error) => Failure::of(&error),
            Broken::Strange(_) => Failure::Final(broken.reason()),
        })
    }

    async fn next_reply(&mut self) -> Result<Reply, Broken> {
        loop {
            if !self.has_answered
                && let Some(who) = stranger::of_first_bytes(&self.buffer)
            {
                return Err(Broken::Strange(who));
            }
            self.has_answered |= !self.buffer.is_empty();
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Frame::Reply(reply))) => return Ok(reply),
                Ok(Some(Frame::Push(_))) => {}
                Err(error) => return Err(Broken::Strange(error.to_string())),
                Ok(None) => match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) => return Err(Broken::Closed),
                    Ok(_) => {}
                    Err(error) => return Err(Broken::Lost(error)),
                },
            }
        }
    }

    /// Writes commands; their replies come in the same order.
    pub(crate) async fn send(&mut self, commands: &[u8]) -> Result<(), Unreachable> {
        let lost = |error| Broken::Lost(error).reason();
        self.stream.write_all(commands).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    /// The next reply. Dropped before its end, it loses nothing.
    pub(crate) async fn receive(&mut self) -> Result<Reply, Unreachable> {
        self.next_reply().await.map_err(|broken| broken.reason())
    }
}

/// Why there is no next reply.
enum Broken {
    Closed,
    Lost(io::Error),
    /// What came is no reply.
    Strange(String),
}

impl Broken {
    fn reason(&self) -> Unreachable {
        Unreachable(match self {
            Self::Closed => "the server closed the connection".into(),
            Self::Lost(error) => format!("the connection was lost: {}", why_broken(error)),
            Self::Strange(what) => what.clone(),
        })
    }
}

impl Greeting {
    fn refusal(&self, error: &ServerError) -> String {
        let text = error.text();
        let advice = if verdict::wants_password(error) { ": the server wants credentials" } else { "" };
        format!("{} was refused: {}{advice}", self.name, without_arguments(&text))
    }
}

/// Servers quote the arguments of commands that they do not know, and one may be a password.
pub(crate) fn without_arguments(text: &str) -> &str {
    text.split_once(", with args beginning with").map_or(text, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::connection::transport::tests::{config, let_names_mean};

    /// How a server that runs a script greets a connection for that: it refuses all until it is asked again.
    async fn greetings_at_a_busy_server(purpose: Purpose) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let_names_mean(vec![listener.local_addr().expect("its address")]);
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut asked = Vec::new();
            for reply in ["-BUSY it runs a script\r\n", "+OK\r\n"] {
                let mut input = BytesMut::with_capacity(4096);
                if stream.read_buf(&mut input).await.unwrap_or_default() == 0 {
                    break;
                }
                let text = String::from_utf8_lossy(&input).into_owned();
                let commands = text.matches('*').count();
                asked.push(text);
                stream.write_all(reply.repeat(commands).as_bytes()).await.expect("a client that listens");
            }
            asked
        };
        let config = ConnectionConfig { database: 1, client_name: Some("somebody".into()), ..config() };
        let connecting = async { connect(&Address::new("server.example", 1), &config, purpose).await.map(drop) };
        let (asked, connected) = tokio::join!(serving, connecting);
        connected.expect("a connection");
        asked
    }

    #[tokio::test]
    async fn what_a_busy_server_refuses_is_asked_for_again() {
        let asked = greetings_at_a_busy_server(Purpose::Data).await;
        let [_, again] = asked.as_slice() else { panic!("{asked:?}") };
        assert!(again.contains("SETNAME") && again.contains("SELECT") && !again.contains("SETINFO"), "{again:?}");
    }

    #[tokio::test]
    async fn a_connection_for_a_busy_server_needs_nothing_that_it_refuses() {
        let asked = greetings_at_a_busy_server(Purpose::Admin).await;
        let [only] = asked.as_slice() else { panic!("{asked:?}") };
        assert!(!only.contains("SELECT"), "{only:?}");
    }
}
