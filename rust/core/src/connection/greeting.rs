//! The first commands on a connection, and which of them the client can do without.

use bytes::Bytes;

use crate::connection::ping;
use crate::model::config::{ConnectionConfig, Protocol};
use crate::wire::pack;

/// What a connection is for. Its first commands depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Data,
    /// It asks a cluster's replica to answer reads.
    Reads,
    /// It must reach a server that runs a script, so it sends nothing that a busy server refuses.
    Admin,
    /// It asks a Sentinel, or listens to it.
    Sentinel,
}

/// Which commands a new connection begins with. Each variant has fewer than the one before it, for servers and proxies
/// that end a connection over a command that they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GreetingStyle {
    Resp3,
    Resp2,
    /// Without the commands that describe the client.
    Terse,
}

impl GreetingStyle {
    /// In which styles a connection is tried, one after the other. HELLO is tried twice: a connection may also end
    /// because its server stops, and replies of RESP2 differ from those of RESP3.
    pub(super) fn all(protocol: Protocol) -> &'static [Self] {
        match protocol {
            Protocol::Resp3 => &[Self::Resp3, Self::Resp3, Self::Resp2, Self::Terse],
            Protocol::Resp2 => &[Self::Resp2, Self::Terse],
        }
    }
}

/// What becomes of a connection if one of the first commands is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfRefused {
    /// The connection speaks RESP2.
    Hello,
    /// It is of no use, because nobody is logged in.
    Login,
    /// It is of no use.
    Needed,
    /// The client does without it. A server that is busy is asked again.
    Wanted,
    /// The client does without it.
    Offered,
}

/// A Sentinel does not know it.
pub(super) const ECHO: &str = "ECHO";

/// One of the first commands. Its name is what errors show: the command itself may hold a password.
pub(super) struct Greeting {
    pub(super) name: &'static str,
    pub(super) command: Bytes,
    pub(super) if_refused: IfRefused,
}

/// The first commands, in their order.
pub(super) fn greetings(
    config: &ConnectionConfig,
    password: Option<&str>,
    purpose: Purpose,
    style: GreetingStyle,
) -> Vec<Greeting> {
    let mut greetings = Vec::new();
    let mut add = |name, if_refused, command| greetings.push(Greeting { name, command, if_refused });
    let client_name = config.client_name.as_deref();
    if style == GreetingStyle::Resp3 {
        let mut hello: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = password {
            let username = config.credentials.username().unwrap_or("default");
            hello.extend([&b"AUTH"[..], username.as_bytes(), password.as_bytes()]);
        }
        add("HELLO", IfRefused::Hello, pack::command(&hello));
    } else if let Some(password) = password {
        add("AUTH", IfRefused::Login, config.credentials.auth(password));
    } else if style == GreetingStyle::Terse {
        // Some proxies know PING but not ECHO.
        add("PING", IfRefused::Offered, ping::ping());
    } else {
        // Its answer shows that there is a server, and whether that wants a password.
        add(ECHO, IfRefused::Offered, pack::command(&[b"ECHO", b""]));
    }
    if let Some(name) = client_name.filter(|_| style <= GreetingStyle::Resp2) {
        add("CLIENT SETNAME", IfRefused::Wanted, pack::command(&[b"CLIENT", b"SETNAME", name.as_bytes()]));
    }
    if config.sends_client_info && style <= GreetingStyle::Resp2 {
        // Servers before Redis 7.2 do not know SETINFO, and a busy one refuses it.
        let version = env!("CARGO_PKG_VERSION");
        add(
            "CLIENT SETINFO",
            IfRefused::Offered,
            pack::command(&[b"CLIENT", b"SETINFO", b"LIB-NAME", b"glide_scripts"]),
        );
        add(
            "CLIENT SETINFO",
            IfRefused::Offered,
            pack::command(&[b"CLIENT", b"SETINFO", b"LIB-VER", version.as_bytes()]),
        );
    }
    if config.database != 0 && purpose != Purpose::Admin {
        add("SELECT", IfRefused::Needed, pack::command(&[b"SELECT", config.database.to_string().as_bytes()]));
    }
    if purpose == Purpose::Reads {
        add("READONLY", IfRefused::Needed, pack::command(&[b"READONLY"]));
    }
    greetings
}
