//! Asking servers what they are: roles, slots and zones.

use std::rc::Rc;

use tokio::time::timeout;

use crate::connection::lane::Lane;
use crate::model::topology_error::{CommandRefused, DiscoveryError};
use crate::model::verdict;
use crate::servers::abilities::Abilities;
use crate::servers::shard_view::{self, ShardView};
use crate::wire::pack;
use crate::wire::resp::Reply;

/// What a standalone server says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerRole {
    Primary,
    Replica,
    /// It does not say.
    Unknown,
}

impl ServerRole {
    fn named(name: &[u8]) -> Self {
        match name {
            b"slave" | b"replica" => Self::Replica,
            b"master" | b"primary" => Self::Primary,
            _ => Self::Unknown,
        }
    }
}

/// Asks [ROLE](https://valkey.io/commands/role/), and where that is refused, INFO.
pub(crate) async fn role(lane: &Rc<Lane>, abilities: &Abilities) -> Result<ServerRole, DiscoveryError> {
    let refusal = match ask_unless_refused(lane, &[b"ROLE"], abilities.cannot_ask_role.get()).await? {
        Ok(reply) => {
            let role = reply.into_elements().and_then(|elements| elements.into_iter().next());
            return Ok(role.as_ref().and_then(Reply::as_bytes).map_or(ServerRole::Unknown, ServerRole::named));
        }
        Err(refusal) => refusal,
    };
    let reply = ask(lane, &[b"INFO", b"REPLICATION"]).await?;
    if refusal == CommandRefused::ConnectionEnded {
        abilities.cannot_ask_role.set(true);
    }
    Ok(info_field(&reply, "role:").map_or(ServerRole::Unknown, |role| ServerRole::named(role.as_bytes())))
}

/// Asks [CLUSTER SLOTS](https://valkey.io/commands/cluster-slots/), and where that is refused,
/// [CLUSTER SHARDS](https://valkey.io/commands/cluster-shards/).
pub(crate) async fn shards(lane: &Rc<Lane>, abilities: &Abilities) -> Result<Vec<ShardView>, DiscoveryError> {
    let refusal = match ask_unless_refused(lane, &[b"CLUSTER", b"SLOTS"], abilities.cannot_ask_slots.get()).await? {
        Ok(reply) => return shards_in(shard_view::of_slots(reply, lane.address()), "CLUSTER SLOTS"),
        Err(CommandRefused::Answer(error)) if verdict::is_no_cluster(&error) => {
            return Err(DiscoveryError::NoCluster(error));
        }
        Err(refusal) => refusal,
    };
    match ask_unless_refused(lane, &[b"CLUSTER", b"SHARDS"], false).await? {
        Ok(reply) => {
            if refusal == CommandRefused::ConnectionEnded {
                abilities.cannot_ask_slots.set(true);
            }
            shards_in(shard_view::of_shards(reply, lane.address(), lane.has_tls()), "CLUSTER SHARDS")
        }
        Err(other) => {
            abilities.cannot_ask_slots.set(false);
            Err(DiscoveryError::SlotsAndShardsRefused { slots: refusal, shards: other })
        }
    }
}

fn shards_in(views: Option<Vec<ShardView>>, command: &'static str) -> Result<Vec<ShardView>, DiscoveryError> {
    let shards = views.ok_or(DiscoveryError::Malformed { command })?;
    if shards.is_empty() { Err(DiscoveryError::NoSlots) } else { Ok(shards) }
}

/// The availability zone that a server was given, if any.
pub(crate) async fn zone(lane: &Rc<Lane>) -> Result<Option<String>, DiscoveryError> {
    let reply = ask(lane, &[b"INFO", b"SERVER"]).await?;
    Ok(info_field(&reply, "availability_zone:").filter(|zone| !zone.is_empty()))
}

/// A field of a reply to INFO.
fn info_field(reply: &Reply, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(reply.as_bytes()?);
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}

/// Asks a question that another command can answer, too. `is_known_to_end`: the command has ended a connection before.
async fn ask_unless_refused(
    lane: &Rc<Lane>,
    command: &[&[u8]],
    is_known_to_end: bool,
) -> Result<Result<Reply, CommandRefused>, DiscoveryError> {
    if is_known_to_end {
        return Ok(Err(CommandRefused::ConnectionEnded));
    }
    match ask(lane, command).await {
        Ok(reply) => match reply.error() {
            None => Ok(Ok(reply)),
            Some(error) if verdict::is_temporary(error) => Err(DiscoveryError::NotNow(error.clone())),
            Some(error) => Ok(Err(CommandRefused::Answer(error.clone()))),
        },
        Err(DiscoveryError::Lost) => {
            // The lane connects again by itself. If it cannot, the next question fails.
            let _ = timeout(lane.connection_timeout(), lane.up()).await;
            Ok(Err(CommandRefused::ConnectionEnded))
        }
        Err(reason) => Err(reason),
    }
}

/// A server has as long to answer as it has to connect.
async fn ask(lane: &Rc<Lane>, command: &[&[u8]]) -> Result<Reply, DiscoveryError> {
    lane.connected().await?;
    let bound = lane.connection_timeout();
    match timeout(bound, lane.ask(pack::command(command))).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(DiscoveryError::Lost),
        Err(_) => Err(DiscoveryError::NoReplyInTime(bound)),
    }
}
