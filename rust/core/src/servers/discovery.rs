//! Asking servers what they are: roles, slots and zones.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout;

use crate::connection::lane::Lane;
use crate::model::unreachable::Unreachable;
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
pub(crate) async fn role(lane: &Rc<Lane>, abilities: &Abilities) -> Result<ServerRole, String> {
    let refusal = match ask_unless_refused(lane, &[b"ROLE"], abilities.cannot_ask_role.get()).await? {
        Ok(reply) => {
            let role = reply.into_elements().and_then(|elements| elements.into_iter().next());
            return Ok(role.as_ref().and_then(Reply::as_bytes).map_or(ServerRole::Unknown, ServerRole::named));
        }
        Err(refusal) => refusal,
    };
    let reply = ask(lane, &[b"INFO", b"REPLICATION"]).await?;
    if refusal == Refusal::Ended {
        abilities.cannot_ask_role.set(true);
    }
    Ok(info_field(&reply, "role:").map_or(ServerRole::Unknown, |role| ServerRole::named(role.as_bytes())))
}

/// Asks [CLUSTER SLOTS](https://valkey.io/commands/cluster-slots/), and where that is refused,
/// [CLUSTER SHARDS](https://valkey.io/commands/cluster-shards/).
pub(crate) async fn shards(lane: &Rc<Lane>, abilities: &Abilities) -> Result<Vec<ShardView>, String> {
    let refusal = match ask_unless_refused(lane, &[b"CLUSTER", b"SLOTS"], abilities.cannot_ask_slots.get()).await? {
        Ok(reply) => return shards_in(shard_view::of_slots(reply, lane.address()), "CLUSTER SLOTS"),
        Err(Refusal::Words(text)) if text.contains("cluster support disabled") => {
            return Err(format!("{text} (it is no cluster: use GlideClient)"));
        }
        Err(refusal) => refusal,
    };
    match ask_unless_refused(lane, &[b"CLUSTER", b"SHARDS"], false).await? {
        Ok(reply) => {
            if refusal == Refusal::Ended {
                abilities.cannot_ask_slots.set(true);
            }
            shards_in(shard_view::of_shards(reply, lane.address(), lane.has_tls()), "CLUSTER SHARDS")
        }
        Err(other) => {
            abilities.cannot_ask_slots.set(false);
            Err(format!(
                "a cluster client needs CLUSTER SLOTS or CLUSTER SHARDS; the first was refused: {refusal}; the second: \
                 {other}"
            ))
        }
    }
}

fn shards_in(views: Option<Vec<ShardView>>, command: &str) -> Result<Vec<ShardView>, String> {
    let shards = views.ok_or_else(|| format!("its {command} reply makes no sense"))?;
    if shards.is_empty() {
        return Err("it knows of no slots".into());
    }
    Ok(shards)
}

/// The availability zone that a server was given, if any.
pub(crate) async fn zone(lane: &Rc<Lane>) -> Result<Option<String>, String> {
    let reply = ask(lane, &[b"INFO", b"SERVER"]).await?;
    Ok(info_field(&reply, "availability_zone:").filter(|zone| !zone.is_empty()))
}

/// A field of a reply to INFO.
fn info_field(reply: &Reply, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(reply.as_bytes()?);
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}

/// Why a server has not answered.
#[derive(Debug, thiserror::Error)]
enum NoReply {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("the connection was lost")]
    Lost,
    #[error("no reply within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl From<NoReply> for String {
    fn from(reason: NoReply) -> Self {
        reason.to_string()
    }
}

/// How a command is refused by a server, or by what stands before it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Words(String),
    #[error("the connection ended")]
    Ended,
}

/// Asks what can be asked in another way, too. `is_known_to_end`: it has ended a connection before.
async fn ask_unless_refused(
    lane: &Rc<Lane>,
    command: &[&[u8]],
    is_known_to_end: bool,
) -> Result<Result<Reply, Refusal>, String> {
    if is_known_to_end {
        return Ok(Err(Refusal::Ended));
    }
    match ask(lane, command).await {
        Ok(reply) => match reply.error() {
            None => Ok(Ok(reply)),
            Some(error) if verdict::passes(error) => Err(error.text()),
            Some(error) => Ok(Err(Refusal::Words(error.text()))),
        },
        Err(NoReply::Lost) => {
            // The lane connects again by itself; that it cannot, the next question says.
            let _ = timeout(lane.connection_timeout(), lane.up()).await;
            Ok(Err(Refusal::Ended))
        }
        Err(reason) => Err(reason.into()),
    }
}

/// A server has as long to answer as it has to connect.
async fn ask(lane: &Rc<Lane>, command: &[&[u8]]) -> Result<Reply, NoReply> {
    lane.connected().await?;
    let bound = lane.connection_timeout();
    match timeout(bound, lane.ask(pack::command(command))).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(NoReply::Lost),
        Err(_) => Err(NoReply::TimedOut(bound)),
    }
}
