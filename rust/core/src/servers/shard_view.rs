//! The shards of a cluster, as one of its nodes lists them.

use crate::model::config::Address;
use crate::model::route::SLOTS;
use crate::wire::fields::Fields;
use crate::wire::resp::Reply;

/// One shard of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardView {
    pub(crate) primary: Address,
    pub(crate) replicas: Vec<Address>,
    /// First and last slot of each range.
    pub(crate) ranges: Vec<(u16, u16)>,
}

/// From a reply to CLUSTER SLOTS. `asked` is the node that answered: where it does not know a host, its own is meant.
pub(crate) fn of_slots(reply: Reply, asked: &Address) -> Option<Vec<ShardView>> {
    let mut shards: Vec<ShardView> = Vec::new();
    for range in reply.into_elements()? {
        let mut parts = range.into_elements()?.into_iter();
        let range = range_of(&parts.next()?, &parts.next()?)?;
        let primary = of_node(parts.next()?, asked)?;
        // A replica without an address serves nobody, and is no reason to know nothing of the others.
        let replicas = parts.filter_map(|node| of_node(node, asked)).collect();
        match shards.iter_mut().find(|shard| shard.primary == primary) {
            Some(shard) => shard.ranges.push(range),
            None => shards.push(ShardView { primary, replicas, ranges: vec![range] }),
        }
    }
    Some(shards)
}

/// From a reply to CLUSTER SHARDS, which lists shards without slots and nodes that are down, too.
pub(crate) fn of_shards(reply: Reply, asked: &Address, with_tls: bool) -> Option<Vec<ShardView>> {
    let mut shards = Vec::new();
    for shard in reply.into_elements()? {
        let mut shard = Fields::read(shard)?;
        let slots = shard.take("slots")?.into_elements()?;
        let ranges = slots.chunks(2).map(|ends| range_of(ends.first()?, ends.get(1)?)).collect::<Option<Vec<_>>>()?;
        let nodes = shard.take("nodes")?.into_elements()?;
        let nodes = nodes.into_iter().map(Fields::read).collect::<Option<Vec<_>>>()?;
        // After a failover, the old primary may stand beside the new one, as down.
        let (up, down): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.text("health") == Some("online"));
        let (primaries, replicas): (Vec<_>, Vec<_>) = up.into_iter().partition(is_primary);
        let Some(primary) = primaries.first().or_else(|| down.iter().find(|node| is_primary(node))) else { continue };
        if ranges.is_empty() {
            continue;
        }
        let primary = of_fields(primary, asked, with_tls)?;
        let replicas = replicas.iter().filter_map(|node| of_fields(node, asked, with_tls)).collect();
        shards.push(ShardView { primary, replicas, ranges });
    }
    Some(shards)
}

fn is_primary(node: &Fields) -> bool {
    matches!(node.text("role"), Some("master" | "primary"))
}

fn range_of(first: &Reply, last: &Reply) -> Option<(u16, u16)> {
    let (first, last) = (u16::try_from(first.as_int()?).ok()?, u16::try_from(last.as_int()?).ok()?);
    (first <= last && last < SLOTS).then_some((first, last))
}

/// Host, port, id, and since Redis 7 more about the node in pairs.
fn of_node(reply: Reply, asked: &Address) -> Option<Address> {
    let mut parts = reply.into_elements()?.into_iter();
    let (host, port) = (parts.next()?, parts.next()?);
    let more = parts.nth(1).and_then(Fields::read);
    address(&host, &port, more.as_ref().and_then(|more| more.value("ip")), asked)
}

/// A node of CLUSTER SHARDS. It has a port for each way to connect.
fn of_fields(node: &Fields, asked: &Address, with_tls: bool) -> Option<Address> {
    let (own, other) = if with_tls { ("tls-port", "port") } else { ("port", "tls-port") };
    let port = node.value(own).or_else(|| node.value(other))?;
    address(node.value("endpoint")?, port, node.value("ip"), asked)
}

fn address(host: &Reply, port: &Reply, ip: Option<&Reply>, asked: &Address) -> Option<Address> {
    let port = match (u16::try_from(port.as_int()?).ok()?, asked) {
        (0, Address::Tcp { port, .. }) => *port,
        (0, Address::Unix(_)) => return Some(asked.clone()),
        (port, _) => port,
    };
    let host = match host.as_bytes() {
        None | Some(b"") => None,
        // A host name was asked for, and the node has none.
        Some(b"?") => ip?.as_bytes(),
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

    fn reply(wire: &str) -> Reply {
        let mut buffer = wire.replace(' ', "\r\n").as_bytes().into();
        let Ok(Some(Frame::Reply(reply))) = Decoder::default().decode(&mut buffer) else { panic!("{wire}") };
        reply
    }

    fn slots(wire: &str) -> Option<Vec<ShardView>> {
        of_slots(reply(wire), &Address::new("seed", 7000))
    }

    fn shards(wire: &str, with_tls: bool) -> Option<Vec<ShardView>> {
        of_shards(reply(wire), &Address::new("seed", 7000), with_tls)
    }

    /// A node of CLUSTER SHARDS, in RESP3 or RESP2.
    fn node(start: &str, endpoint: &str, port: u16, role: &str, health: &str) -> String {
        let bulk = |text: &str| format!("${} {text} ", text.len());
        let host = if endpoint.is_empty() { "$-1 ".into() } else { bulk(endpoint) };
        let (role, health) = (bulk(role), bulk(health));
        format!(
            "{start} $4 port :{port} $8 tls-port :8000 $2 ip $3 ::1 $8 endpoint {host}$4 role {role}$6 health {health}"
        )
    }

    #[test]
    fn nodes_of_shards_are_found_by_role_and_health_in_both_protocols() {
        for (map_of_two, map_of_six) in [("%2", "%6"), ("*4", "*12")] {
            let nodes: String = [
                ("a", 7001, "master", "fail"),
                ("", 7002, "master", "online"),
                ("?", 7003, "replica", "online"),
                ("d", 7004, "replica", "loading"),
            ]
            .map(|(endpoint, port, role, health)| node(map_of_six, endpoint, port, role, health))
            .concat();
            let wire = format!("*1 {map_of_two} $5 slots *4 :0 :9 :20 :20 $5 nodes *4 {nodes}");
            let found = shards(&wire, false).expect("shards");
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].primary, Address::new("seed", 7002));
            assert_eq!(found[0].replicas, [Address::new("::1", 7003)]);
            assert_eq!(found[0].ranges, [(0, 9), (20, 20)]);
            assert_eq!(shards(&wire, true).expect("shards")[0].primary, Address::new("seed", 8000));
        }
    }

    #[test]
    fn a_primary_that_is_down_keeps_its_slots_and_one_without_slots_is_left_out() {
        let down = node("%6", "a", 7001, "master", "fail");
        let found = shards(&format!("*1 %2 $5 slots *2 :0 :9 $5 nodes *1 {down}"), false).expect("shards");
        assert_eq!(found[0].primary, Address::new("a", 7001));
        assert_eq!(shards(&format!("*1 %2 $5 slots *0 $5 nodes *1 {down}"), false), Some(Vec::new()));
    }

    #[test]
    fn garbage_is_no_shard() {
        let up = node("%6", "a", 7001, "master", "online");
        for slots in ["*1 :0", "*2 :0 :16384", "*2 :9 :0", "$1 x"] {
            assert_eq!(shards(&format!("*1 %2 $5 slots {slots} $5 nodes *1 {up}"), false), None, "{slots}");
        }
        for wire in [":1 ", "*1 :1 ", "*1 %1 $5 slots *0 ", "*1 %1 $5 nodes *0 "] {
            assert_eq!(shards(wire, false), None, "{wire}");
        }
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
