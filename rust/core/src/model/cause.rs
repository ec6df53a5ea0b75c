//! What went wrong with a call, in its parts. The text is made only when it is read.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::address::Address;
use crate::model::route::Slot;
use crate::model::tls::setting_error::SettingError;
use crate::model::topology_error::TopologyError;
use crate::model::unreachable::{PANICKED, Unreachable};
use crate::wire::resp::ServerError;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Cause {
    /// What the server answered.
    #[error("{}", .0.text())]
    Answer(ServerError),
    /// What the server answered to a command of a transaction, which it then discarded.
    #[error("EXECABORT transaction discarded: batch[{index}] ({command}): {}", .answer.text())]
    Discarded { index: usize, command: String, answer: ServerError },
    #[error("timed out: timeout after {} ms: {known}", .after.as_millis())]
    Timeout { after: Duration, known: AtDeadline },
    #[error("the connection was lost after the request was sent ({0}); it may have been executed")]
    Lost(#[source] Unreachable),
    #[error(
        "not executed: the connection was lost {} while this request of {bytes} bytes was sent ({reason}); it may be \
         larger than the server accepts: see the server's proto-max-bulk-len and client-query-buffer-limit",
        how_often(*.times)
    )]
    CutOff {
        times: u32,
        bytes: u64,
        #[source]
        reason: Unreachable,
    },
    #[error("CROSSSLOT (CrossSlot): {0}")]
    CrossSlot(#[source] CrossSlot),
    #[error("the client was closed while the call was in flight")]
    ClosedInFlight,
    #[error("{PANICKED}; the request may have been executed")]
    Panicked,
    #[error("a node answered something other than {expected}")]
    Unexpected { expected: &'static str },
    #[error("EXEC has no reply")]
    NoReplyToExec,
    /// Although an empty transaction was allowed just before.
    #[error("MULTI was refused, so that the commands ran one by one: {}", .0.text())]
    MultiRefused(ServerError),
    #[error("not sent: no node is known")]
    NoNode,
    #[error("not sent: no node of the cluster is at {0}")]
    NoNodeAt(Address),
    #[error("inflight_requests_limit: {limit} requests are already in flight")]
    TooManyInFlight { limit: usize },
    #[error(
        "pending_bytes_limit: {pending} bytes wait to be written already, because the server does not take them; the \
         limit is {limit}"
    )]
    TooManyBytes { pending: usize, limit: usize },
    #[error("{0}")]
    Setting(#[source] SettingError),
    #[error("the client is closed")]
    Closed,
    #[error("the client was closed while it connected")]
    ClosedWhileConnecting,
    #[error("the client could not connect: {0}")]
    NotConnected(#[source] TopologyError),
    /// The server refused a changed password.
    #[error("{node}: AUTH was refused: {}", .answer.without_arguments())]
    PasswordRefused { node: Address, answer: ServerError },
    #[error("{0}")]
    Other(Cow<'static, str>),
}

impl Cause {
    /// Whether a deadline passed because there was no connection.
    pub fn is_unconnected(&self) -> bool {
        matches!(self, Self::Timeout { known, .. } if known.is_unconnected())
    }
}

/// What is known of a call when its deadline has passed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AtDeadline {
    #[error("not sent: {0}")]
    NotSent(Obstacle),
    /// And what it waited for, where it waited.
    #[error("not executed{}", after_colon(.0))]
    NotExecuted(Obstacle),
    #[error("no reply from the server{0}")]
    NoReply(Doubt),
    #[error("sent on a connection that was lost; it may have been executed")]
    LostBefore,
    #[error("not all connections have logged in")]
    LoggingIn,
}

/// What a call waits for before it can be sent, or sent again.
#[derive(Clone, Debug, Default, thiserror::Error)]
pub enum Obstacle {
    #[default]
    #[error("")]
    None,
    /// No connection has been tried to its end yet.
    #[error("no connection yet")]
    Connecting,
    #[error("no connection to {0} yet")]
    ConnectingTo(Address),
    #[error("no connection: {0}")]
    Unreachable(#[source] Unreachable),
    #[error("no connection to {0}: {1}")]
    UnreachableAt(Address, #[source] Unreachable),
    /// It was sent before.
    #[error("{0}")]
    Lost(#[source] Unreachable),
    /// The client knows no server for it, for this reason.
    #[error("no connection ({0})")]
    TopologyUnknown(#[source] Arc<TopologyError>),
    #[error("no node holds slot {0}")]
    NoNodeOf(Slot),
    #[error("no node is known")]
    NoNode,
    #[error("the nodes of its route are not known yet")]
    NodesUnreachable,
    #[error("the server takes no more requests")]
    Congested,
    #[error("{}", .0.text())]
    Redirected(ServerError),
    #[error("the server answered {}", .0.text())]
    Refused(ServerError),
    #[error("calls with on_timeout=\"kill\" have at most {most} connections to {address}, and others use them")]
    OwnConnections { most: usize, address: Address },
}

impl Obstacle {
    /// Whether there is no connection to the server that the call is for.
    fn is_unconnected(&self) -> bool {
        !matches!(
            self,
            Self::None | Self::Congested | Self::Redirected(_) | Self::Refused(_) | Self::OwnConnections { .. }
        )
    }
}

fn how_often(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

fn after_colon(obstacle: &Obstacle) -> String {
    if matches!(obstacle, Obstacle::None) { String::new() } else { format!(": {obstacle}") }
}

/// What the server that has not replied may have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("")]
    None,
    #[error("; the command may have been executed")]
    Command,
    #[error("; the transaction may have been executed")]
    Transaction,
    #[error("; the script may have run, or may still be running")]
    Script,
    #[error("; the script may still be running, and the client will try to kill it")]
    ScriptToKill,
}

impl AtDeadline {
    /// Whether the call was not sent because there was no connection.
    fn is_unconnected(&self) -> bool {
        matches!(self, Self::NotSent(obstacle) | Self::NotExecuted(obstacle) if obstacle.is_unconnected())
    }

    pub(crate) fn may_have_executed(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::NotExecuted(_) | Self::NoReply(Doubt::None) => false,
            Self::NoReply(_) | Self::LostBefore | Self::LoggingIn => true,
        }
    }
}

/// A key as errors show it, and where it is.
#[derive(Clone, Debug)]
pub struct InSlot {
    pub key: String,
    pub slot: Slot,
}

impl InSlot {
    pub(crate) fn new(key: &[u8], slot: Slot) -> Self {
        Self { key: String::from_utf8_lossy(key).into_owned(), slot }
    }
}

/// The keys of one call that are in several slots.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CrossSlot {
    #[error(
        "key {:?} is in slot {} and key {:?} in slot {}; the keys of one call must be in one slot: give them a common \
         hash tag, such as {:?} and {:?}, whose part in braces alone is hashed",
        .0.key, .0.slot, .1.key, .1.slot, format!("{{tag}}{}", .0.key), format!("{{tag}}{}", .1.key)
    )]
    Keys(InSlot, InSlot),
    #[error(
        "an atomic batch must stay in one slot, but {} has key {:?} of slot {} and {} has key {:?} of slot {}; give the \
         keys a common hash tag in braces, or use a batch that is not atomic",
        .0.0, .0.1.key, .0.1.slot, .1.0, .1.1.key, .1.1.slot
    )]
    Commands((String, InSlot), (String, InSlot)),
    #[error(
        "the watched keys are in slot {watched}, and these are in slot {keys}, which a watch does not reach; give the \
         keys a common hash tag in braces"
    )]
    Watch { watched: Slot, keys: Slot },
    #[error("the keys are in slot {keys}, and route is to slot {route}")]
    Route { keys: Slot, route: Slot },
    #[error("the keys are in slot {keys}, which not all nodes of route hold; pass none")]
    Nodes { keys: Slot },
}
