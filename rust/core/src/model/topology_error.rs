//! Why a client does not know its servers, in its parts. The text is made only when it is read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::address::Address;
use crate::model::unreachable::Unreachable;
use crate::wire::resp::ServerError;

/// Why it is not known which server is the primary, or which has which slots.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TopologyError {
    /// None of these servers has answered the question.
    #[error("{}", joined(.0))]
    Unanswered(Vec<AtServer<DiscoveryError>>),
    #[error("none of the addresses is a primary ({})", joined(.0))]
    NoPrimary(Vec<AtServer<DiscoveryError>>),
    #[error("no Sentinel names a primary of {service:?} ({})", joined(.sentinels))]
    NotNamed { service: Arc<str>, sentinels: Vec<AtServer<SentinelError>> },
    #[error("no primary of {service:?} ({})", joined(.named))]
    NotConfirmed { service: Arc<str>, named: Vec<NotConfirmed> },
}

impl TopologyError {
    /// Whether a server or a Sentinel refused the login.
    pub(crate) fn is_login_refused(&self) -> bool {
        match self {
            Self::Unanswered(servers) | Self::NoPrimary(servers) => {
                servers.iter().any(|server| server.reason.is_login_refused())
            }
            Self::NotNamed { sentinels, .. } => sentinels.iter().any(|sentinel| sentinel.reason.is_login_refused()),
            Self::NotConfirmed { named, .. } => named.iter().any(|server| server.reason.is_login_refused()),
        }
    }
}

/// What went wrong with one of several servers.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{address}: {reason}")]
pub struct AtServer<E: std::error::Error + 'static> {
    pub address: Address,
    #[source]
    pub reason: E,
}

/// Why a server that a Sentinel names is not taken for the primary.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{server}: {reason}; the Sentinel at {sentinel} names it")]
pub struct NotConfirmed {
    pub server: Address,
    #[source]
    pub reason: DiscoveryError,
    pub sentinel: Address,
}

/// Why a server gave no usable answer to a question.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DiscoveryError {
    #[error("{0}")]
    Unreachable(#[from] Unreachable),
    #[error("the connection was lost")]
    Lost,
    #[error("no reply within {} ms", .0.as_millis())]
    NoReplyInTime(Duration),
    /// The server may give another answer soon.
    #[error("{}", .0.text())]
    NotNow(ServerError),
    #[error("{} (it is not a cluster: use GlideClient)", .0.text())]
    NoCluster(ServerError),
    #[error(
        "a cluster client needs CLUSTER SLOTS or CLUSTER SHARDS; the first was refused: {slots}; the second: {shards}"
    )]
    SlotsAndShardsRefused { slots: CommandRefused, shards: CommandRefused },
    #[error("its {command} reply makes no sense")]
    Malformed { command: &'static str },
    #[error("it knows of no slots")]
    NoSlots,
    #[error("it is a replica")]
    IsReplica,
    #[error("it does not say whether it is a primary")]
    RoleUnknown,
}

impl DiscoveryError {
    fn is_login_refused(&self) -> bool {
        matches!(self, Self::Unreachable(reason) if reason.is_login_refused())
    }
}

/// How a server, or a proxy before it, refused a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    #[error("{}", .0.text())]
    Answer(ServerError),
    #[error("the connection ended")]
    ConnectionEnded,
}

/// Why a Sentinel has not named a primary.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SentinelError {
    #[error("{}{}", .0, whose_login(.0))]
    Unreachable(#[from] Unreachable),
    #[error("no reply within {} ms", .0.as_millis())]
    NoReplyInTime(Duration),
    #[error("it answered {:?}; it wants credentials of its own: pass sentinel_credentials", .0.text())]
    WantsCredentials(ServerError),
    #[error(
        "it answered {:?}; it is not a Sentinel: pass the Sentinels' addresses, or the server's own in a \
         GlideClientConfiguration",
        .0.text()
    )]
    NoSentinel(ServerError),
    #[error("it answered {:?}", .0.text())]
    Refused(ServerError),
    #[error("its reply to {command} makes no sense")]
    Malformed { command: &'static str },
    #[error("it knows no service {service:?}{}", only(.known))]
    UnknownService { service: Arc<str>, known: Vec<String> },
}

impl SentinelError {
    fn is_login_refused(&self) -> bool {
        match self {
            Self::Unreachable(reason) => reason.is_login_refused(),
            reason => matches!(reason, Self::WantsCredentials(_)),
        }
    }
}

fn joined(reasons: &[impl fmt::Display]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The credentials that the Sentinels want are not the servers'.
fn whose_login(reason: &Unreachable) -> &'static str {
    if reason.is_login_refused() { " (sentinel_credentials)" } else { "" }
}

fn only(known: &[String]) -> String {
    let known: Vec<_> = known.iter().map(|name| format!("{name:?}")).collect();
    if known.is_empty() { String::new() } else { format!(", only {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::unreachable::Refused;

    fn at<E: std::error::Error>(port: u16, reason: E) -> AtServer<E> {
        AtServer { address: Address::new("h", port), reason }
    }

    fn login_refused() -> Unreachable {
        let answer = ServerError::new(&b"WRONGPASS no"[..]);
        Unreachable::LoginRefused(Refused { command: "AUTH", answer, wants_credentials: false })
    }

    #[test]
    fn each_server_is_named_with_its_reason() {
        let failures = vec![at(1, DiscoveryError::IsReplica), at(2, DiscoveryError::Unreachable(login_refused()))];
        let error = TopologyError::NoPrimary(failures);
        let said = "none of the addresses is a primary (h:1: it is a replica; h:2: AUTH was refused: WRONGPASS no)";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn a_refused_login_is_found_in_all_that_wraps_it() {
        let login =
            |reason| TopologyError::Unanswered(vec![at(1, DiscoveryError::Lost), at(2, reason)]).is_login_refused();
        assert!(!login(DiscoveryError::Lost));
        assert!(login(login_refused().into()));
        let elsewhere =
            Unreachable::Elsewhere { reason: Box::new(login_refused()), target: Address::new("elsewhere", 1) };
        assert!(login(elsewhere.into()));
        let sentinels = vec![at(3, SentinelError::Unreachable(login_refused()))];
        let error = TopologyError::NotNamed { service: "main".into(), sentinels };
        assert!(
            error.is_login_refused() && error.to_string().ends_with("WRONGPASS no (sentinel_credentials))"),
            "{error}"
        );
    }
}
