//! Which node holds which slot, and which nodes may answer a request.

use std::cell::Cell;
use std::rc::Rc;

use crate::connection::lane::Lane;
use crate::model::config::ReadFrom;
use crate::model::route::{Role, Route, SLOTS, Slot};
use crate::model::status::Status;
use crate::servers::node::Node;

/// The servers as they were last seen. A standalone server is a cluster of one shard, which holds every slot.
#[derive(Default)]
pub(crate) struct Topology {
    shards: Vec<Shard>,
    /// For each slot the index of its shard. Empty: the first shard holds them all.
    owners: Vec<u16>,
}

/// A primary and its replicas.
pub(crate) struct Shard {
    pub(crate) primary: Rc<Node>,
    pub(crate) replicas: Vec<Rc<Node>>,
    /// Counts reads, to spread them.
    turn: Cell<usize>,
}

impl Shard {
    pub(crate) fn new(primary: Rc<Node>, replicas: Vec<Rc<Node>>) -> Self {
        Self { primary, replicas, turn: Cell::new(0) }
    }

    /// The lane that answers reads, as `read_from` says: one that is connected, where there is one.
    fn reader(&self, read_from: &ReadFrom) -> Rc<Lane> {
        let zone = match read_from {
            ReadFrom::Primary => return self.primary.data.clone(),
            ReadFrom::PreferReplica | ReadFrom::AnyNode => None,
            ReadFrom::ZoneReplica(zone) | ReadFrom::ZoneReplicaOrPrimary(zone) | ReadFrom::ZoneNode(zone) => {
                Some(zone.as_str())
            }
        };
        let near = |node: &Node| zone.is_some_and(|zone| node.zone.borrow().as_deref() == Some(zone));
        if matches!(read_from, ReadFrom::AnyNode | ReadFrom::ZoneNode(_)) {
            let count = self.replicas.len() + 1;
            let node = self.in_turn(count, near).or_else(|| self.in_turn(count, |_| true));
            return node.unwrap_or_else(|| self.primary.data.clone());
        }
        let primary_is_near = matches!(read_from, ReadFrom::ZoneReplicaOrPrimary(_)) && near(&self.primary);
        self.replica(near)
            .or_else(|| primary_is_near.then(|| self.primary.data.clone()))
            .or_else(|| self.replica(|_| true))
            .unwrap_or_else(|| self.primary.data.clone())
    }

    /// The next replica in turn that is connected and fits.
    fn replica(&self, fits: impl Fn(&Node) -> bool) -> Option<Rc<Lane>> {
        self.in_turn(self.replicas.len(), fits)
    }

    /// The next in turn, of that many nodes, that is connected and fits. The primary comes after the replicas.
    fn in_turn(&self, count: usize, fits: impl Fn(&Node) -> bool) -> Option<Rc<Lane>> {
        let turn = self.turn.get();
        (turn..turn + count).find_map(|index| {
            let (node, lane) = match self.replicas.get(index % count) {
                Some(replica) => (replica, replica.reads()),
                None => (&self.primary, &self.primary.data),
            };
            lane.start();
            if !fits(node) || !lane.is_up() {
                return None;
            }
            self.turn.set(index % count + 1);
            Some(lane.clone())
        })
    }

    /// A replica that may yet be connected.
    fn promising_replica(&self) -> Option<Rc<Lane>> {
        let mut lanes = self.replicas.iter().map(|node| node.reads());
        lanes.find(|lane| !matches!(lane.status(), Status::Down(_))).cloned()
    }

    fn nodes(&self) -> impl Iterator<Item = &Rc<Node>> {
        std::iter::once(&self.primary).chain(&self.replicas)
    }
}

impl Topology {
    /// One shard that holds every slot.
    pub(crate) fn standalone(shard: Shard) -> Self {
        Self { shards: vec![shard], owners: Vec::new() }
    }

    /// Shards with the ranges of slots that each holds, first and last included.
    pub(crate) fn cluster(shards: Vec<(Shard, Vec<(u16, u16)>)>) -> Self {
        let mut owners = vec![u16::MAX; usize::from(SLOTS)];
        let mut topology = Vec::with_capacity(shards.len());
        for (index, (shard, ranges)) in (0_u16..).zip(shards) {
            for (first, last) in ranges {
                owners[usize::from(first)..=usize::from(last)].fill(index);
            }
            topology.push(shard);
        }
        Self { shards: topology, owners }
    }

    pub(crate) fn primaries(&self) -> impl Iterator<Item = &Rc<Node>> {
        self.shards.iter().map(|shard| &shard.primary)
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Rc<Node>> {
        self.shards.iter().flat_map(|shard| &shard.replicas)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Rc<Node>> {
        self.shards.iter().flat_map(Shard::nodes)
    }

    fn shard(&self, slot: Slot) -> Option<&Shard> {
        if self.owners.is_empty() {
            return self.shards.first();
        }
        self.shards.get(usize::from(self.owners[usize::from(slot.number())]))
    }

    /// Notes that a slot has moved to a primary, as that primary or the old owner says.
    pub(crate) fn moved(&mut self, slot: Slot, to: &Rc<Node>) {
        let shard = self.shards.iter().position(|shard| Rc::ptr_eq(&shard.primary, to));
        if let Some(index) = shard.and_then(|index| u16::try_from(index).ok())
            && let Some(owner) = self.owners.get_mut(usize::from(slot.number()))
        {
            *owner = index;
        }
    }

    /// Whether each slot's primary is the same in another one.
    pub(crate) fn has_slots_of(&self, other: &Self) -> bool {
        let primary = |topology: &Self, slot| topology.shard(slot).map(|shard| Rc::as_ptr(&shard.primary));
        (0..SLOTS).filter_map(Slot::new).all(|slot| primary(self, slot) == primary(other, slot))
    }

    /// The one lane that a request takes; `None` where no node is known for it, and for routes to several nodes.
    pub(crate) fn lane(&self, route: &Route, read_only: bool, read_from: &ReadFrom) -> Option<Rc<Lane>> {
        match route {
            Route::Any => {
                let shard = self.any_shard()?;
                Some(if read_only { shard.reader(read_from) } else { shard.primary.data.clone() })
            }
            Route::Slot(slot) => {
                let shard = self.shard(*slot)?;
                Some(if read_only { shard.reader(read_from) } else { shard.primary.data.clone() })
            }
            Route::Shard(slot, Role::Primary) => Some(self.shard(*slot)?.primary.data.clone()),
            Route::Shard(slot, Role::Replica) => {
                let shard = self.shard(*slot)?;
                let connected = shard.replica(|_| true);
                Some(connected.or_else(|| shard.promising_replica()).unwrap_or_else(|| shard.primary.data.clone()))
            }
            Route::RandomNode => {
                let nodes: Vec<_> = self.nodes().collect();
                let node = fastrand::choice(nodes)?;
                Some(self.lane_of(node))
            }
            Route::Address(address) => {
                let node = self.nodes().find(|node| node.address == *address)?;
                Some(self.lane_of(node))
            }
            Route::PrimaryOf(address, primaries) => {
                let shard = self.shards.iter().find(|shard| shard.nodes().any(|node| node.address == *address))?;
                let now = &shard.primary;
                let has_own_part = now.address != *address && primaries.contains(&now.address);
                (!has_own_part).then(|| now.data.clone())
            }
            Route::AllPrimaries | Route::AllNodes => None,
        }
    }

    /// The lane for questions to a node in its own role.
    pub(crate) fn lane_of(&self, node: &Rc<Node>) -> Rc<Lane> {
        let is_primary = self.primaries().any(|primary| Rc::ptr_eq(primary, node));
        if is_primary { node.data.clone() } else { node.reads().clone() }
    }

    /// The nodes whose zones are not known yet, each with the lane to ask it over.
    pub(crate) fn without_zone(&self) -> Vec<(Rc<Node>, Rc<Lane>)> {
        let unknown = self.nodes().filter(|node| node.zone.borrow().is_none());
        unknown.map(|node| (node.clone(), self.lane_of(node))).collect()
    }

    /// A random shard, of the connected ones if there are any.
    fn any_shard(&self) -> Option<&Shard> {
        if let [only] = self.shards.as_slice() {
            return Some(only);
        }
        let up: Vec<_> = self.shards.iter().filter(|shard| shard.primary.data.is_up()).collect();
        fastrand::choice(up).or_else(|| fastrand::choice(&self.shards))
    }
}
