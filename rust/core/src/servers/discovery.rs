//! Asking servers what they are: roles, slots and zones.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout;

use crate::connection::lane::Lane;
use crate::model::config::Address;
use crate::model::unreachable::Unreachable;
use crate::model::verdict;
use crate::servers::abilities::Abilities;
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

/// One shard of a cluster, as `CLUSTER SLOTS` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardView {
    pub(crate) primary: Address,
    pub(crate) replicas: Vec<Address>,
    /// First and last slot of each range.
    pub(crate) ranges: Vec<(u16, u16)>,
}

/// Asks [ROLE](https://valkey.io/commands/role/), and where that is refused, in any words or by the connection's end,
/// for INFO.
pub(crate) async fn role(lane: &Rc<Lane>, abilities: &Abilities) -> Result<ServerRole, String> {
    let mut has_ended = false;
    if !abilities.cannot_ask_role.get() {
        match ask(lane, &[b"ROLE"]).await {
            Ok(reply) => match reply.error() {
                None => {
                    let role = reply.into_elements().and_then(|elements| elements.into_iter().next());
                    return Ok(role.as_ref().and_then(Reply::as_bytes).map_or(ServerRole::Unknown, ServerRole::named));
                }
                Some(error) if verdict::passes(error) => return Err(error.text()),
                Some(_) => {}
            },
            Err(NoReply::Lost) => {
                has_ended = true;
                // The lane connects again by itself; that it cannot, the next question says.
                let _ = timeout(lane.connection_timeout(), lane.up()).await;
            }
            Err(reason) => return Err(reason.into()),
        }
    }
    let reply = ask(lane, &[b"INFO", b"REPLICATION"]).await?;
    if has_ended {
        abilities.cannot_ask_role.set(true);
    }
    Ok(info_field(&reply, "role:").map_or(ServerRole::Unknown, |role| ServerRole::named(role.as_bytes())))
}

/// Asks [CLUSTER SLOTS](https://valkey.io/commands/cluster-slots/).
pub(crate) async fn shards(lane: &Rc<Lane>) -> Result<Vec<ShardView>, String> {
    let reply = ask(lane, &[b"CLUSTER", b"SLOTS"]).await?;
    if let Some(error) = reply.error() {
        return Err(match error.text() {
            text if text.contains("cluster support disabled") => {
                format!("{text} (it is no cluster: use GlideClient)")
            }
            text => text,
        });
    }
    let shards = parse_slots(reply, lane.address()).ok_or("its CLUSTER SLOTS reply makes no sense")?;
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

/// `asked` is the node that answered: where it does not know a host, its own is meant.
fn parse_slots(reply: Reply, asked: &Address) -> Option<Vec<ShardView>> {
    let mut shards: Vec<ShardView> = Vec::new();
    for range in reply.into_elements()? {
        let mut parts = range.into_elements()?.into_iter();
        let first = u16::try_from(parts.next()?.as_int()?).ok()?;
        let last = u16::try_from(parts.next()?.as_int()?).ok()?;
        if first > last || last >= crate::model::route::SLOTS {
            return None;
        }
        let primary = parse_node(parts.next()?, asked)?;
        // A replica without an address serves nobody, and is no reason to know nothing of the others.
        let replicas = parts.filter_map(|node| parse_node(node, asked)).collect();
        match shards.iter_mut().find(|shard| shard.primary == primary) {
            Some(shard) => shard.ranges.push((first, last)),
            None => shards.push(ShardView { primary, replicas, ranges: vec![(first, last)] }),
        }
    }
    Some(shards)
}

/// Host, port, id, and since Redis 7 more about the node in pairs.
fn parse_node(reply: Reply, asked: &Address) -> Option<Address> {
    let mut parts = reply.into_elements()?.into_iter();
    let host = parts.next()?;
    let port = parts.next()?.as_int()?;
    let port = match (u16::try_from(port).ok()?, asked) {
        (0, Address::Tcp { port, .. }) => *port,
        (0, Address::Unix(_)) => return Some(asked.clone()),
        (port, _) => port,
    };
    let more = parts.nth(1).and_then(Reply::into_elements).unwrap_or_default();
    let host = match host.as_bytes() {
        None | Some(b"") => None,
        // A host name was asked for, and the node has none.
        Some(b"?") => more.chunks_exact(2).find(|pair| pair[0].as_bytes() == Some(b"ip"))?[1].as_bytes(),
        known => known,
    };
    match host {
        None => Some(asked.beside(port)),
        Some(host) => Some(Address::new(std::str::from_utf8(host).ok()?, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::resp::{Decoder, Frame};

    fn slots(wire: &str) -> Option<Vec<ShardView>> {
        let mut buffer = wire.replace(' ', "\r\n").as_bytes().into();
        let Ok(Some(Frame::Reply(reply))) = Decoder::default().decode(&mut buffer) else { panic!("{wire}") };
        parse_slots(reply, &Address::new("seed", 7000))
    }

    #[test]
    fn ranges_of_one_primary_make_one_shard() {
        let node = "*3 $9 127.0.0.1 :7001 $2 id";
        let shards = slots(&format!("*2 *3 :0 :9 {node} *3 :20 :29 {node} ")).expect("slots");
        assert_eq!(shards.len(), 1);
        assert_eq!(shards[0].ranges, [(0, 9), (20, 29)]);
        assert_eq!(shards[0].primary, Address::new("127.0.0.1", 7001));
    }

    #[test]
    fn unknown_hosts_are_those_of_the_node_that_was_asked() {
        let shards = slots("*1 *4 :0 :16383 *3 $0  :7001 $2 id *3 $-1 :7002 $2 id ").expect("slots");
        assert_eq!(shards[0].primary, Address::new("seed", 7001));
        assert_eq!(shards[0].replicas, [Address::new("seed", 7002)]);
    }

    #[test]
    fn a_missing_host_name_gives_way_to_the_address() {
        let shards = slots("*1 *3 :0 :1 *4 $1 ? :7001 $2 id *2 $2 ip $3 ::1 ").expect("slots");
        assert_eq!(shards[0].primary, Address::new("::1", 7001));
    }

    #[test]
    fn garbage_is_no_topology() {
        for wire in [
            "*1 *3 :0 :16384 *3 $1 h :1 $2 id ",
            "*1 *3 :9 :0 *3 $1 h :1 $2 id ",
            "*1 *3 :0 :1 *3 $1 h :70000 $2 id ",
            "*1 *2 :0 :1 ",
            ":1 ",
            "*1 *3 :0 :1 *3 $1 ? :1 $2 id ",
        ] {
            assert_eq!(slots(wire), None, "{wire}");
        }
    }
}
