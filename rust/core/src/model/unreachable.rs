//! Why there is no connection to a server, in its parts. The text is made only when it is read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::model::address::Address;
use crate::model::broken_stream::{SPEAKS_NO_TLS, explained};
use crate::model::question::CallbackError;
use crate::wire::resp::{ProtocolError, ServerError};

/// The text of errors for calls and connections that a panic has ended.
pub(crate) const PANICKED: &str = "a bug in glide_scripts occurred; standard error has the panic's message";

/// Why there is no connection, or none any more. It holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unreachable {
    /// The client closed it.
    #[error("the connection was closed")]
    Closed,
    #[error("the server closed the connection")]
    ClosedByServer,
    /// What waited for it was dropped.
    #[error("the client dropped it")]
    Dropped,
    #[error("{PANICKED}")]
    Panicked,

    /// The system made no stream, or broke one.
    #[error("{0}")]
    System(#[source] Arc<io::Error>),
    #[error("TLS: {}", explained(.0))]
    Handshake(#[source] Arc<io::Error>),
    /// The same with files that were read before they changed.
    #[error("{reason} (the TLS files have changed and cannot be used: {why})")]
    WithFormerFiles { reason: Box<Self>, why: String },
    #[error("TLS: {SPEAKS_NO_TLS}")]
    SpeaksNoTls,
    #[error("{0:?} cannot be a server name in TLS; set server_name")]
    ServerName(String),
    #[error("the connection was lost while it was set up: {}", explained(.0))]
    LostInGreeting(#[source] Arc<io::Error>),
    #[error("the connection was lost: {}", explained(.0))]
    Lost(#[source] Arc<io::Error>),
    /// A transport from outside this crate could not open a stream, and says why.
    #[error("{0}")]
    NoStream(String),

    #[error("no connection within {} ms{}", .within.as_millis(), doubt(*.over_tls))]
    NotInTime { within: Duration, over_tls: bool },
    #[error("the server was busy running a script for the {} ms that connecting may take", .0.as_millis())]
    BusyWithScript(Duration),
    #[error("password_callback has not answered within the {} ms that connecting may take", .0.as_millis())]
    NoPasswordInTime(Duration),
    #[error("address_map has not answered within {} ms", .0.as_millis())]
    NoAddressInTime(Duration),
    /// How `password_callback` or `address_map` failed.
    #[error("{0}")]
    CallbackFailed(#[from] CallbackError),

    /// The server refused one of the first commands.
    #[error("{0}")]
    Refused(Refused),
    /// The refused command was the login.
    #[error("{0}")]
    LoginRefused(Refused),
    /// The server takes no connection.
    #[error("{}", .0.without_arguments())]
    TurnedAway(ServerError),
    #[error("{0}")]
    Stranger(Stranger),

    #[error("the server's reply is not valid RESP: {0}")]
    InvalidReply(#[from] ProtocolError),
    #[error("{}", .0.text())]
    UnaskedError(ServerError),
    #[error("the server sent a reply to no request")]
    UnaskedReply,
    #[error("the server confirmed a subscription that the client did not ask for")]
    UnaskedSubscription,

    #[error("no reply for {} ms, and the server runs no script", .0.as_millis())]
    Silent(Duration),
    #[error("the server has not answered for {} ms", .0.as_millis())]
    SilentServer(Duration),
    #[error("no reply to {0}")]
    NoReplyTo(&'static str),
    #[error("it has not answered {command} within {} ms", .within.as_millis())]
    NoReplyInTime { command: &'static str, within: Duration },

    /// The same, of a server that `address_map` has at another address.
    #[error("{reason} (address_map: it is at {target})")]
    Elsewhere { reason: Box<Self>, target: Address },
    /// The same, with the caller's names for settings: pairs of our name and the caller's.
    #[error("{}", renamed(.reason, .setting_names))]
    Renamed { reason: Box<Self>, setting_names: Vec<(String, String)> },
}

impl Unreachable {
    pub(crate) fn system(error: io::Error) -> Self {
        Self::System(Arc::new(error))
    }

    pub(crate) fn lost(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }

    pub(crate) fn is_login_refused(&self) -> bool {
        match self {
            Self::LoginRefused(_) => true,
            Self::Elsewhere { reason, .. } | Self::Renamed { reason, .. } => reason.is_login_refused(),
            _ => false,
        }
    }
}

/// How a server refused one of the first commands.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{command} was refused: {}{}", .answer.without_arguments(), advice(*.wants_credentials))]
pub struct Refused {
    pub command: &'static str,
    pub answer: ServerError,
    pub wants_credentials: bool,
}

fn doubt(over_tls: bool) -> &'static str {
    if over_tls { " (does the server speak TLS on this port?)" } else { "" }
}

fn advice(wants_credentials: bool) -> &'static str {
    if wants_credentials { ": the server wants credentials" } else { "" }
}

fn renamed(reason: &Unreachable, setting_names: &[(String, String)]) -> String {
    setting_names.iter().fold(reason.to_string(), |text, (setting, name)| text.replace(setting, name))
}

/// What answers where a server was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    #[error("the server speaks TLS on this port; pass use_tls=True")]
    Tls,
    #[error("an HTTP server answers there; connect to the port of Valkey or Redis")]
    Http,
    #[error(
        "a Sentinel answers there; connect to the server itself, or name the Sentinels and the service in a \
         SentinelConfiguration or a valkey+sentinel:// URL"
    )]
    Sentinel,
    /// Its first bytes, escaped.
    #[error("what answers there is not Valkey or Redis: it begins with \"{0}\"")]
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::Error;

    #[test]
    fn an_error_keeps_the_systems_error_among_its_sources() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        let error = Error::lost(Unreachable::system(reset));
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        let mut kinds = Vec::new();
        while let Some(error) = source {
            kinds.extend(error.downcast_ref::<Arc<io::Error>>().map(|error| error.kind()));
            source = error.source();
        }
        assert_eq!(kinds, [io::ErrorKind::ConnectionReset]);
    }

    #[test]
    fn a_refusal_shows_no_argument_of_the_command() {
        let answer =
            ServerError::new("ERR unknown command 'HELLO', with args beginning with: 'AUTH' 's3cret'".as_bytes());
        let reason = Refused { command: "HELLO", answer, wants_credentials: false };
        assert_eq!(reason.to_string(), "HELLO was refused: ERR unknown command 'HELLO'");
    }

    #[test]
    fn settings_are_called_what_the_caller_calls_them() {
        let setting_names = vec![("use_tls=False".to_owned(), "valkey://".to_owned())];
        let reason = Unreachable::Renamed { reason: Box::new(Unreachable::SpeaksNoTls), setting_names };
        assert_eq!(reason.to_string(), "TLS: the server does not speak TLS on this port; pass valkey://");
    }
}
