//! Makes a connection that is ready for commands: opens a stream to an address, and sends the first commands.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::connection::greeting::{ECHO, Greeting, GreetingStyle, IfRefused, greetings};
use crate::connection::stranger;
use crate::model::config::{Address, ConnectionConfig, Stream};
use crate::model::unreachable::{Refused, Stranger, Unreachable};
use crate::model::verdict;
use crate::wire::fields::Fields;
use crate::wire::pack;
use crate::wire::resp::{Decoder, Frame, Reply, ServerError};

pub(crate) use crate::connection::greeting::Purpose;

/// A connection after its first commands.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    /// What was read and not yet decoded.
    pub(crate) buffer: BytesMut,
    pub(crate) decoder: Decoder,
    /// Whether anything was read that a server may have sent.
    has_answered: bool,
    /// Whether what is at the other end ends connections over commands that it does not know.
    pub(crate) is_fragile: bool,
    /// The server has said that it is no node of a cluster.
    pub(crate) is_without_cluster: bool,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        let (buffer, decoder) = (BytesMut::new(), Decoder::default());
        Self { stream, buffer, decoder, has_answered: false, is_fragile: false, is_without_cluster: false }
    }
}

/// What connecting waits for.
#[derive(Clone, Copy)]
enum WaitsFor {
    Server,
    Password,
    /// For a script to end: the server is busy with it and refuses the first commands.
    Script,
}

/// Why an attempt to connect has failed.
enum Failure {
    /// The server ended the connection over the first commands: it may take fewer.
    Ended(Unreachable),
    Final(Unreachable),
}

impl Failure {
    /// The stream broke.
    fn of(error: Arc<io::Error>) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let kind = error.kind();
        let reason = Unreachable::LostInGreeting(error);
        match kind {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Ended(reason),
            _ => Self::Final(reason),
        }
    }
}

impl From<Unreachable> for Failure {
    fn from(reason: Unreachable) -> Self {
        match reason {
            Unreachable::ClosedByServer => Self::Ended(reason),
            Unreachable::Lost(error) => Self::of(error),
            reason => Self::Final(reason),
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
    let target = timeout(limit, map.target(address)).await.map_err(|_| Unreachable::NoAddressInTime(limit))??;
    connect_to(&target, config, purpose).await.map_err(|reason| match target {
        target if target == *address => reason,
        target => Unreachable::Elsewhere { reason: Box::new(reason), target },
    })
}

/// Connects within the configured time.
async fn connect_to(address: &Address, config: &ConnectionConfig, purpose: Purpose) -> Result<Connection, Unreachable> {
    let waits_for = Cell::new(WaitsFor::Server);
    if let Ok(result) = timeout(config.timeout, open(address, config, purpose, &waits_for)).await {
        return result.map_err(|reason| config.with_setting_names(reason));
    }
    let within = config.timeout;
    Err(match waits_for.get() {
        WaitsFor::Password => Unreachable::NoPasswordInTime(within),
        WaitsFor::Script => Unreachable::BusyWithScript(within),
        WaitsFor::Server => Unreachable::NotInTime { within, over_tls: config.tls.is_some() },
    })
}

/// Tries one style after another until one works.
async fn open(
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
    waits_for: &Cell<WaitsFor>,
) -> Result<Connection, Unreachable> {
    let mut ended = None;
    for style in GreetingStyle::all(config.protocol) {
        match open_in(*style, address, config, purpose, waits_for).await {
            Ok(mut connection) => {
                connection.is_fragile = ended.is_some() && Some(style) != GreetingStyle::all(config.protocol).first();
                return Ok(connection);
            }
            Err(Failure::Ended(reason)) => ended = ended.or(Some(reason)),
            Err(Failure::Final(reason)) => return Err(reason),
        }
    }
    if config.tls.is_none() && config.transport.speaks_tls(address).await {
        return Err(Unreachable::Stranger(Stranger::Tls));
    }
    Err(ended.unwrap_or(Unreachable::ClosedByServer))
}

async fn open_in(
    style: GreetingStyle,
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
    waits_for: &Cell<WaitsFor>,
) -> Result<Connection, Failure> {
    let stream = config.transport.open(address, config).await.map_err(Failure::Final)?;
    let mut connection = Connection::new(stream);
    waits_for.set(WaitsFor::Password);
    let password = config.credentials.password().await.map_err(Unreachable::CallbackFailed)?;
    waits_for.set(WaitsFor::Server);
    let mut next = greetings(config, password.as_deref(), purpose, style);
    loop {
        next = match connection.greet(next, purpose).await? {
            Greeted::Done(refused) if refused.is_empty() || purpose == Purpose::Admin => {
                return Ok(connection);
            }
            Greeted::Done(refused) => {
                waits_for.set(WaitsFor::Script);
                sleep(BUSY_PAUSE).await;
                refused
            }
            Greeted::WithoutHello => greetings(config, password.as_deref(), purpose, GreetingStyle::Resp2),
            Greeted::NotLoggedIn(refused) => return Err(Failure::Final(Unreachable::LoginRefused(refused))),
        }
    }
}

/// How long to wait before a busy server is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How a server took the first commands.
enum Greeted {
    /// It took the commands, except for some that it refused because it runs a script.
    Done(Vec<Greeting>),
    /// The server knows no HELLO, and may have refused the commands after it because of that.
    WithoutHello,
    NotLoggedIn(Refused),
}

impl Connection {
    /// Logs in and sets the connection up, all in one write.
    async fn greet(&mut self, greetings: Vec<Greeting>, purpose: Purpose) -> Result<Greeted, Failure> {
        let wire: Vec<u8> = greetings.iter().flat_map(|greeting| greeting.command.iter().copied()).collect();
        self.send(&wire).await?;
        let (mut refused, mut is_without_hello, mut lacks_echo) = (Vec::new(), false, false);
        for greeting in greetings {
            let reply = self.receive().await?;
            let is_busy = reply.error().is_some_and(verdict::is_busy);
            match (reply.error(), greeting.if_refused) {
                (None, IfRefused::Hello) => {
                    let hello = Fields::read(reply);
                    let text = |name| hello.as_ref()?.text(name);
                    let mode = text("mode");
                    if mode == Some("sentinel") {
                        return Err(Failure::Final(Unreachable::Stranger(Stranger::Sentinel)));
                    }
                    self.is_without_cluster = mode == Some("standalone");
                }
                (None, _) => {}
                (Some(_), IfRefused::Offered) if is_busy => {}
                (Some(_), _) if is_busy => refused.push(greeting),
                (Some(error), _) if verdict::turns_away(error) => {
                    return Err(Failure::Final(Unreachable::TurnedAway(error.clone())));
                }
                // Some servers and proxies want AUTH before anything else, even before a HELLO that contains AUTH.
                (Some(error), IfRefused::Hello) if !verdict::denies_login(error) => is_without_hello = true,
                (Some(_), _) if is_without_hello => {}
                (Some(error), IfRefused::Hello | IfRefused::Login) => {
                    return Ok(Greeted::NotLoggedIn(greeting.refused(error)));
                }
                (Some(error), _) if verdict::wants_password(error) => {
                    return Ok(Greeted::NotLoggedIn(greeting.refused(error)));
                }
                (Some(error), IfRefused::Needed) => {
                    return Err(Failure::Final(Unreachable::Refused(greeting.refused(error))));
                }
                (Some(_), IfRefused::Wanted | IfRefused::Offered) => lacks_echo |= greeting.name == ECHO,
            }
        }
        if lacks_echo && purpose != Purpose::Sentinel && self.is_sentinel().await? {
            return Err(Failure::Final(Unreachable::Stranger(Stranger::Sentinel)));
        }
        Ok(if is_without_hello { Greeted::WithoutHello } else { Greeted::Done(refused) })
    }

    /// Over RESP2 there is no reply to HELLO that says so.
    async fn is_sentinel(&mut self) -> Result<bool, Failure> {
        self.send(&pack::command(&[b"ROLE"])).await?;
        Ok(stranger::has_role_of_sentinel(&self.receive().await?))
    }

    /// Writes commands; their replies come in the same order.
    pub(crate) async fn send(&mut self, commands: &[u8]) -> Result<(), Unreachable> {
        self.stream.write_all(commands).await.map_err(Unreachable::lost)?;
        self.stream.flush().await.map_err(Unreachable::lost)
    }

    /// The next reply. Dropping this future early loses nothing.
    pub(crate) async fn receive(&mut self) -> Result<Reply, Unreachable> {
        loop {
            if !self.has_answered
                && let Some(who) = stranger::of_first_bytes(&self.buffer)
            {
                return Err(Unreachable::Stranger(who));
            }
            self.has_answered |= !self.buffer.is_empty();
            match self.decoder.decode(&mut self.buffer)? {
                Some(Frame::Reply(reply)) => return Ok(reply),
                Some(Frame::Push(_)) => {}
                None => {
                    if self.stream.read_buf(&mut self.buffer).await.map_err(Unreachable::lost)? == 0 {
                        return Err(Unreachable::ClosedByServer);
                    }
                }
            }
        }
    }
}

impl Greeting {
    fn refused(&self, error: &ServerError) -> Refused {
        let wants_credentials = verdict::wants_password(error);
        Refused { command: self.name, answer: error.clone(), wants_credentials }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::connection::transport::tests::{config, let_names_mean};

    /// A server that runs a script refuses the first commands; the client asks it again later.
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
