//! From an address to a connection that is ready for commands: a stream, and the first commands on it.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::model::config::{Address, ConnectionConfig, Protocol, Stream};
use crate::model::status::Unreachable;
use crate::model::verdict;
use crate::wire::pack;
use crate::wire::resp::{Decoder, Frame, Reply, ServerError};

/// A connection after its first commands.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    /// What was read and not yet decoded.
    pub(crate) buffer: BytesMut,
    pub(crate) decoder: Decoder,
}

/// What a connection is for, by which its first commands differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Data,
    /// It asks a cluster's replica to answer reads.
    Reads,
    /// It reaches a server also while that runs a script, and so needs nothing that a busy server refuses.
    Admin,
}

/// What connecting waits for.
#[derive(Clone, Copy)]
enum WaitsFor {
    Server,
    Password,
    /// The end of a script, because of which the server refuses the first commands.
    Script,
}

/// Connects within the configured time.
pub(crate) async fn connect(
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
) -> Result<Connection, Unreachable> {
    let waits_for = Cell::new(WaitsFor::Server);
    if let Ok(result) = timeout(config.timeout, open(address, config, purpose, &waits_for)).await {
        return result;
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

async fn open(
    address: &Address,
    config: &ConnectionConfig,
    purpose: Purpose,
    waits_for: &Cell<WaitsFor>,
) -> Result<Connection, Unreachable> {
    let stream = config.transport.open(address, config).await.map_err(Unreachable)?;
    let mut connection = Connection { stream, buffer: BytesMut::new(), decoder: Decoder::default() };
    waits_for.set(WaitsFor::Password);
    let password = config.credentials.password().await.map_err(Unreachable)?;
    waits_for.set(WaitsFor::Server);
    let mut greetings = greetings(config, password.as_deref(), purpose);
    loop {
        greetings = connection.greet(greetings).await?;
        if greetings.is_empty() || purpose == Purpose::Admin {
            return Ok(connection);
        }
        waits_for.set(WaitsFor::Script);
        sleep(BUSY_PAUSE).await;
    }
}

/// How long to wait before a busy server is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

impl Connection {
    /// Logs in and sets the connection up, all in one write. Returns what is needed and was refused because the server
    /// runs a script.
    async fn greet(&mut self, greetings: Vec<Greeting>) -> Result<Vec<Greeting>, Unreachable> {
        let wire: Vec<u8> = greetings.iter().flat_map(|greeting| greeting.command.iter().copied()).collect();
        let lost = |error: io::Error| Unreachable(format!("the connection was lost in its first commands: {error}"));
        self.stream.write_all(&wire).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)?;
        let mut refused = Vec::new();
        for greeting in greetings {
            let reply = self.reply().await?;
            match reply.error() {
                Some(error) if verdict::is_busy(error) => refused.extend(greeting.required.then_some(greeting)),
                Some(error) if greeting.required || verdict::wants_password(error) => {
                    return Err(greeting.refused(error));
                }
                _ => {}
            }
        }
        Ok(refused)
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
    command: Bytes,
    required: bool,
}

impl Greeting {
    fn refused(&self, error: &ServerError) -> Unreachable {
        let text = error.text();
        let advice = match error.code() {
            "NOAUTH" => ": the server wants credentials",
            "NOPROTO" => ": the server does not speak RESP3; set protocol to ProtocolVersion.RESP2",
            "ERR" if text.contains("unknown command") && text.contains("HELLO") => {
                ": the server does not speak RESP3; set protocol to ProtocolVersion.RESP2"
            }
            _ => "",
        };
        Unreachable(format!("{} was refused: {}{advice}", self.name, without_arguments(&text)))
    }
}

fn greetings(config: &ConnectionConfig, password: Option<&str>, purpose: Purpose) -> Vec<Greeting> {
    let mut greetings = Vec::new();
    let mut add = |name, required, command| greetings.push(Greeting { name, command, required });
    let client_name = config.client_name.as_deref();
    match config.protocol {
        Protocol::Resp3 => {
            let mut hello: Vec<&[u8]> = vec![b"HELLO", b"3"];
            if let Some(password) = password {
                let username = config.credentials.username().unwrap_or("default");
                hello.extend([&b"AUTH"[..], username.as_bytes(), password.as_bytes()]);
            }
            if let Some(name) = client_name {
                hello.extend([&b"SETNAME"[..], name.as_bytes()]);
            }
            add("HELLO", true, pack::command(&hello));
        }
        Protocol::Resp2 => {
            if let Some(password) = password {
                add("AUTH", true, config.credentials.auth(password));
            }
            if let Some(name) = client_name {
                add("CLIENT SETNAME", true, pack::command(&[b"CLIENT", b"SETNAME", name.as_bytes()]));
            }
        }
    }
    // Servers before Redis 7.2 do not know SETINFO, and a busy one refuses it.
    let version = env!("CARGO_PKG_VERSION");
    add("CLIENT SETINFO", false, pack::command(&[b"CLIENT", b"SETINFO", b"LIB-NAME", b"glide_scripts"]));
    add("CLIENT SETINFO", false, pack::command(&[b"CLIENT", b"SETINFO", b"LIB-VER", version.as_bytes()]));
    if config.database != 0 && purpose != Purpose::Admin {
        add("SELECT", true, pack::command(&[b"SELECT", config.database.to_string().as_bytes()]));
    }
    if purpose == Purpose::Reads {
        add("READONLY", true, pack::command(&[b"READONLY"]));
    }
    greetings
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
