//! The settings of a client, already parsed: they are valid.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::address_map::AddressMap;
use crate::model::question::{CallbackError, Question, Questioner, ask};
use crate::model::tls::Tls;
use crate::model::unreachable::Unreachable;
use crate::wire::pack;

pub(crate) use crate::model::address::Address;

/// Everything that a client needs to know of its servers and of itself.
#[derive(Clone, Debug)]
pub struct Config {
    pub mode: Mode,
    /// Standalone: the primary and its replicas; cluster: nodes to ask for the others. At least one, unless Sentinels
    /// say which they are.
    pub addresses: Vec<Address>,
    /// Where a standalone client learns its servers from.
    pub sentinels: Option<SentinelConfig>,
    pub connection: ConnectionConfig,
    pub read_from: ReadFrom,
    /// How long a call may take that has no timeout of its own.
    pub request_timeout: Duration,
    /// How many calls may be in flight; over it they fail at once. `None`: no limit.
    pub inflight_limit: Option<usize>,
    /// Whether to connect at the first call instead of at once.
    pub lazy: bool,
    /// How long a connection may be silent before the client asks for a sign of life; `None`: it never asks.
    pub heartbeat: Option<Duration>,
    /// How many bytes may wait to be written; over it calls fail at once.
    pub pending_bytes_limit: usize,
}

/// Sentinels, and the service whose servers they know.
#[derive(Clone, Debug)]
pub struct SentinelConfig {
    /// At least one.
    pub addresses: Vec<Address>,
    pub service: String,
    /// How to reach the Sentinels themselves, in RESP2: their messages are read as replies.
    pub connection: ConnectionConfig,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Standalone,
    Cluster {
        /// How often the slots are looked up without a cause; `None`: never.
        periodic_checks: Option<Duration>,
        /// Whether to ask the configured addresses rather than the nodes that are known.
        refresh_from_seeds: bool,
    },
}

/// How many bytes of a connection the peer's machine has not acknowledged, as the system says.
pub type Unacknowledged = fn(&SockRef<'_>) -> Option<usize>;

/// How to get from a host's name to a connection that is ready for commands.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    pub tls: Option<Tls>,
    /// Shared with the client's handle, which may change the password.
    pub credentials: Arc<Credentials>,
    pub protocol: Protocol,
    pub database: u32,
    pub client_name: Option<String>,
    /// Whether to send the client's name and version to the server, with CLIENT SETINFO.
    pub sends_client_info: bool,
    /// The names of settings in errors for this caller, where they differ from the settings' own.
    pub setting_names: Vec<(String, String)>,
    pub tcp_nodelay: bool,
    /// For all of connecting: name lookup, TCP, TLS, and the first commands, also if that takes several connections.
    pub timeout: Duration,
    pub backoff: Backoff,
    /// Where to connect to the servers that others name; `None`: where they say.
    pub address_map: Option<Arc<AddressMap>>,
    pub deadlines: Deadlines,
    /// Whether callers get the [`CallTrace`](crate::CallTrace) of their calls.
    pub observed: bool,
    /// Asks the system how much the peer has taken, which shows whether a link is slow or dead. `None`: a large request
    /// may take as long as a pause of the server.
    pub unacknowledged: Option<Unacknowledged>,
    /// What makes the streams: [`system`](crate::system) outside of simulations.
    pub transport: Arc<dyn Transport>,
}

impl ConnectionConfig {
    /// A reason in which settings have the caller's names.
    pub(crate) fn with_setting_names(&self, reason: Unreachable) -> Unreachable {
        let is_of_tls = matches!(reason, Unreachable::Handshake(_) | Unreachable::LostInGreeting(_));
        let unusable = self.tls.as_ref().filter(|_| is_of_tls).and_then(Tls::unusable);
        let reason = match unusable {
            Some(why) => Unreachable::WithFormerFiles { reason: Box::new(reason), why },
            None => reason,
        };
        if self.setting_names.is_empty() {
            return reason;
        }
        Unreachable::Renamed { reason: Box::new(reason), setting_names: self.setting_names.clone() }
    }
}

/// What the deadline of a call bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadlines {
    /// The call with all its steps.
    WholeCalls,
    /// The time until it is sent; its reply may take as long as it likes.
    UntilSent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Resp2,
    Resp3,
}

/// Which nodes answer read-only scripts and commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    Primary,
    PreferReplica,
    /// A replica in this availability zone, else any replica, else the primary.
    ZoneReplica(String),
    /// A replica in this availability zone, else the primary if it is there, else any replica, else the primary.
    ZoneReplicaOrPrimary(String),
    /// All nodes in turn.
    AnyNode,
    /// The nodes in this availability zone in turn, else all nodes.
    ZoneNode(String),
}

/// Who to log in as. Each connection asks for the password again.
#[derive(Default)]
pub struct Credentials {
    /// `None`: the default user.
    username: Option<String>,
    /// `None`: connections do not log in.
    password: Mutex<Option<String>>,
    source: Option<Questioner>,
}

impl Credentials {
    pub fn new(username: Option<String>, password: Option<String>) -> Self {
        Self { username, password: Mutex::new(password), ..Self::default() }
    }

    /// Asks `source` for the password of each new connection.
    pub fn asking(username: Option<String>, source: Questioner) -> Self {
        Self { username, source: Some(source), ..Self::default() }
    }

    pub(crate) fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// For the connections to come.
    pub fn set_password(&self, password: Option<String>) {
        *self.password.lock().unwrap_or_else(PoisonError::into_inner) = password;
    }

    /// The current password, or why it is not known.
    pub(crate) async fn password(&self) -> Result<Option<String>, CallbackError> {
        let Some(source) = &self.source else {
            return Ok(self.password.lock().unwrap_or_else(PoisonError::into_inner).clone());
        };
        ask(source, "password_callback", Question::Password).await.map(Some)
    }

    /// AUTH with a password.
    pub(crate) fn auth(&self, password: &str) -> Bytes {
        match self.username() {
            Some(username) => pack::command(&[b"AUTH", username.as_bytes(), password.as_bytes()]),
            None => pack::command(&[b"AUTH", password.as_bytes()]),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials {{ username: {:?}, password: *** }}", self.username)
    }
}

/// How long to wait before the next try: `factor * base^n`. After `n` retries the pause stays the same. A random part
/// is subtracted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub retries: u32,
    pub factor: Duration,
    pub base: u32,
    pub jitter_percent: u32,
}

impl Backoff {
    /// The pause after `failures` failures in a row.
    pub fn pause(&self, failures: u32) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        let exponent = failures.min(self.retries);
        let pause = self
            .base
            .checked_pow(exponent)
            .and_then(|times| self.factor.checked_mul(times))
            .map_or(LONGEST, |pause| pause.min(LONGEST));
        let jitter = f64::from(self.jitter_percent.min(100)) / 100.0 * fastrand::f64();
        pause.mul_f64(1.0 - jitter)
    }
}

/// Makes streams to servers.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Opens a stream that is ready for the first command, or says why it cannot, without a secret.
    fn open<'a>(&'a self, address: &'a Address, config: &'a ConnectionConfig) -> Opening<'a>;

    /// Whether the peer speaks TLS although none is configured: then that is why a connection fails.
    fn speaks_tls<'a>(&'a self, _address: &'a Address) -> Pin<Box<dyn Future<Output = bool> + 'a>> {
        Box::pin(std::future::ready(false))
    }
}

/// A stream that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, Unreachable>> + 'a>>;

/// The bytes to and from one server.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Whether a write that fails has written nothing.
    fn is_plain(&self) -> bool {
        true
    }

    /// How many of the bytes that it took have not reached the peer's machine, where that can be known; `ask` asks the
    /// system.
    fn unacknowledged(&self, _ask: Option<Unacknowledged>) -> Option<usize> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_differ() {
        let backoff = Backoff { retries: 3, factor: Duration::from_millis(10), base: 2, jitter_percent: 0 };
        let pauses: Vec<_> = (0..6).map(|failures| backoff.pause(failures).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 80, 80]);

        let jittered = Backoff { jitter_percent: 50, ..backoff };
        for _ in 0..100 {
            let pause = jittered.pause(1);
            assert!((Duration::from_millis(10)..=Duration::from_millis(20)).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn a_pause_cannot_overflow() {
        let backoff = Backoff { retries: 100, factor: Duration::from_secs(1000), base: 1000, jitter_percent: 0 };
        assert_eq!(backoff.pause(u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn a_password_is_not_shown() {
        let credentials = Credentials::new(Some("app".into()), Some("s3cret".into()));
        assert!(!format!("{credentials:?}").contains("s3cret"));
    }
}
