//! How the topology is learned, and learned again: from whom, how often, and what becomes of the nodes that go.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::connection::lane::Lane;
use crate::model::config::{Address, Mode, ReadFrom};
use crate::model::error::{Error, Kind};
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::discovery::{self, ServerRole, ShardView};
use crate::servers::learning::Refresh;
use crate::servers::node::Node;
use crate::servers::topology::{Shard, Topology};
use crate::tasks::guard;

impl Servers {
    /// Learns the topology for the first time, or says why it cannot.
    pub(crate) async fn open(&self) -> Result<(), Error> {
        let learned = self.learn().await;
        let is_refused = self.config.connection.credentials.are_refused();
        let kind = if is_refused { Kind::Authentication } else { Kind::Closing };
        learned.map_err(|reason| Error::new(kind, format!("the client could not connect: {reason}")))?;
        if self.reads_replicas() {
            self.prepare_replicas().await;
        }
        Ok(())
    }

    /// Waits until each replica is connected or known to be down: the first reads are to find them.
    async fn prepare_replicas(&self) {
        let replicas: Vec<_> = self.topology.borrow().replicas().cloned().collect();
        let mut preparing = JoinSet::new();
        for node in replicas {
            let knows_zones = self.knows_zones();
            preparing.spawn_local(async move {
                if knows_zones {
                    learn_zone(&node, node.reads()).await;
                } else {
                    // Of a replica that is down its lane keeps the reason.
                    let _ = node.reads().connected().await;
                }
            });
        }
        preparing.join_all().await;
    }

    /// Waits for the first topology.
    pub(crate) async fn learn_first(&self) {
        while !self.knows_nodes() {
            self.refresh();
            // Whether or not it was: it is looked at again.
            let _ = timeout(LOOK_AGAIN, self.learned_since(self.times_learned())).await;
        }
    }

    /// Learns the topology again in the background; many causes at once make one refresh.
    pub(crate) fn refresh(&self) {
        if self.learning.refresh.get() != Refresh::Idle {
            self.learning.refresh.set(Refresh::RunningTwice);
            return;
        }
        let Some(servers) = self.itself.upgrade() else { return };
        self.learning.refresh.set(Refresh::Running);
        spawn_local(async move {
            let closed = servers.supervisor.closed();
            let learning = closed.run_until_cancelled(servers.keep_learning());
            if guard::run("reading the topology", learning).await.is_err() {
                servers.learning.refresh.set(Refresh::Idle);
            }
        });
    }

    async fn keep_learning(&self) {
        const PAUSE: Duration = Duration::from_millis(50);
        /// How often the pause doubles while there is always a cause for one more refresh.
        const DOUBLINGS: u32 = 2;
        let mut rounds = 0;
        loop {
            self.learning.refresh.set(Refresh::Running);
            if let Err(reason) = self.learn().await {
                // At a server that is away it is tried again and again.
                // Of a single address the connection has logged it.
                let is_news = self.learning.failure.borrow().is_empty() && self.has_alternatives();
                let level = if is_news { log::Level::Warn } else { log::Level::Debug };
                log::log!(level, "the topology could not be refreshed: {reason}");
                self.learning.failure.replace(reason);
            }
            let pause = PAUSE * 2_u32.pow(rounds.min(DOUBLINGS));
            rounds += 1;
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            if self.learning.refresh.get() == Refresh::Running {
                self.learning.refresh.set(Refresh::Idle);
                return;
            }
        }
    }

    /// Waits until a topology has been learned since `seen`, a value that this returned.
    pub(crate) async fn learned_since(&self, seen: u64) -> u64 {
        self.learning.learned.wait_for(|count| (*count > seen).then_some(*count)).await
    }

    pub(crate) fn times_learned(&self) -> u64 {
        *self.learning.learned.borrow()
    }

    async fn learn(&self) -> Result<(), String> {
        let topology = match &self.config.mode {
            Mode::Standalone => self.learn_roles().await?,
            Mode::Cluster { refresh_from_seeds, .. } => self.learn_slots(*refresh_from_seeds).await?,
        };
        self.replace_topology(topology);
        Ok(())
    }

    /// The primary is whichever of the configured servers says so.
    async fn learn_roles(&self) -> Result<Topology, String> {
        /// How long servers that do not answer are waited for once all others have said that they are replicas.
        const STRAGGLERS: Duration = Duration::from_millis(300);
        let mut visits: Vec<_> = self.config.addresses.iter().map(|address| self.visit(address)).collect();
        if visits.len() == 1
            && let Some(only) = visits.pop()
        {
            // There is no choice to make, and no need for the right to ask.
            let connected = only.lane.connected().await;
            connected.map_err(|reason| format!("{}: {reason}", only.node.address))?;
            return Ok(Topology::standalone(Shard::new(only.keep(self), Vec::new())));
        }
        let mut asking = JoinSet::new();
        for (index, visit) in visits.iter().enumerate() {
            let lane = visit.lane.clone();
            asking.spawn_local(async move { (index, discovery::role(&lane).await) });
        }
        let (mut primary, mut unknown, mut failures) = (None, None, Vec::new());
        loop {
            let answer = if failures.is_empty() || !self.knows_nodes() {
                asking.join_next().await
            } else {
                timeout(STRAGGLERS, asking.join_next()).await.unwrap_or_default()
            };
            let Some(Ok((index, role))) = answer else { break };
            let node = &visits[index].node;
            match role {
                Ok(ServerRole::Primary) => {
                    primary = Some(index);
                    break;
                }
                Ok(ServerRole::Replica) => {
                    node.set_outdated();
                    failures.push(format!("{}: it is a replica", node.address));
                }
                // The first one that is configured, of those that do not say.
                Ok(ServerRole::Unknown) => unknown = Some(unknown.map_or(index, |before: usize| before.min(index))),
                Err(reason) => failures.push(format!("{}: {reason}", node.address)),
            }
        }
        let primary = primary.or(unknown);
        let primary = primary.ok_or_else(|| format!("no primary among its addresses ({})", failures.join("; ")))?;
        let primary = visits.swap_remove(primary).keep(self);
        let replicas = visits.into_iter().map(|visit| {
            visit.node.set_current();
            // The connection to a replica that nobody reads ends here.
            if self.reads_replicas() { visit.keep(self) } else { self.replica(visit.node.address.clone()) }
        });
        let replicas = replicas.collect();
        Ok(Topology::standalone(Shard::new(primary, replicas)))
    }

    /// The slots as the first node that answers lists them: one that is connected anyway, if there is any.
    async fn learn_slots(&self, from_seeds: bool) -> Result<Topology, String> {
        const ASKED_AT_ONCE: usize = 3;
        let seeds = self.config.addresses.clone();
        let mut known: Vec<_> = self.topology.borrow().nodes().cloned().collect();
        fastrand::shuffle(&mut known);
        known.sort_by_key(|node| !self.used_lane(node).is_up());
        let known = known.into_iter().map(|node| node.address.clone());
        let mut candidates = if from_seeds { seeds.clone() } else { known.collect() };
        candidates.extend(seeds.into_iter().filter(|seed| !candidates.contains(seed)).collect::<Vec<_>>());
        let mut failures = Vec::new();
        for group in candidates.chunks(ASKED_AT_ONCE) {
            let visits: Vec<_> = group.iter().map(|address| self.visit(address)).collect();
            let mut asking = JoinSet::new();
            for visit in &visits {
                let lane = visit.lane.clone();
                asking.spawn_local(async move { (lane.address().clone(), discovery::shards(&lane).await) });
            }
            while let Some(Ok((address, answer))) = asking.join_next().await {
                match answer {
                    Ok(shards) => {
                        let is_primary = |visit: &Visit| shards.iter().any(|shard| shard.primary == visit.node.address);
                        visits.into_iter().filter(is_primary).for_each(|visit| drop(visit.keep(self)));
                        return Ok(self.cluster_of(shards));
                    }
                    Err(reason) => failures.push(format!("{address}: {reason}")),
                }
            }
        }
        Err(failures.join("; "))
    }

    /// The lane by which a node that is known is asked most things: where nobody reads replicas, they have none that is
    /// connected.
    fn used_lane(&self, node: &Rc<Node>) -> Rc<Lane> {
        if self.reads_replicas() { self.topology().lane_of(node) } else { node.data.clone() }
    }

    fn reads_replicas(&self) -> bool {
        self.config.read_from != ReadFrom::Primary
    }

    /// The server at an address, to be asked what it is: by the connection that there is, or by one for that alone. A
    /// name is resolved again where what it meant has turned out to be outdated.
    fn visit(&self, address: &Address) -> Visit {
        let is_used = |node: &Rc<Node>| {
            let topology = self.topology.borrow();
            let is_primary = topology.primaries().any(|primary| Rc::ptr_eq(primary, node));
            is_primary || self.reads_replicas() && topology.nodes().any(|other| Rc::ptr_eq(other, node))
        };
        let known = self.nodes.borrow().get(address).cloned();
        // The only server there is has its connection also before it is known.
        let known = if self.has_alternatives() {
            known.filter(is_used)
        } else {
            Some(known.unwrap_or_else(|| self.node(address.clone())))
        };
        match known.filter(|node| !node.is_outdated()) {
            Some(node) => Visit { lane: self.used_lane(&node), node, is_guest: false },
            None => {
                let node = self.new_node(address.clone());
                Visit { lane: node.data.clone(), node, is_guest: true }
            }
        }
    }

    /// A replica, with no connection that only its primary would need.
    fn replica(&self, address: Address) -> Rc<Node> {
        let node = self.node(address);
        let keeps_data = self.reads_replicas() && !self.is_cluster();
        if keeps_data || !node.data.is_started() {
            return node;
        }
        self.replace(self.new_node(node.address.clone()))
    }

    /// Puts a node in the place of the one at its address.
    fn replace(&self, node: Rc<Node>) -> Rc<Node> {
        let before = self.nodes.borrow_mut().insert(node.address.clone(), node.clone());
        if let Some(before) = before {
            self.retire(before);
        }
        node
    }

    fn cluster_of(&self, shards: Vec<ShardView>) -> Topology {
        let shards = shards.into_iter().map(|shard| {
            let primary = self.node(shard.primary);
            let replicas = shard.replicas.into_iter().map(|address| self.replica(address)).collect();
            (Shard::new(primary, replicas), shard.ranges)
        });
        Topology::cluster(shards.collect())
    }

    /// Nodes that appear are connected in the background; of those that go, the calls in flight are left to end.
    fn replace_topology(&self, topology: Topology) {
        if self.supervisor.is_closed() {
            return self.close();
        }
        topology.primaries().for_each(|primary| primary.data.start());
        if self.reads_replicas() {
            topology.nodes().for_each(|node| topology.lane_of(node).start());
        }
        let slots_moved = self.learning.moved.get() > 0 || !topology.has_slots_of(&self.topology.borrow());
        self.log_refresh(&topology, slots_moved);
        self.learning.failure.take();
        self.learning.moved.set(0);
        let in_use: HashSet<_> = topology.nodes().map(|node| node.address.clone()).collect();
        *self.topology.borrow_mut() = topology;
        let (gone, stay): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.nodes.take().into_iter().partition(|(address, _)| !in_use.contains(address));
        let staying: Vec<_> = stay.values().cloned().collect();
        *self.nodes.borrow_mut() = stay;
        // What waits for a connection may now have somewhere better to go. Else it keeps its place in line.
        staying.iter().for_each(|node| node.hand_back_stranded(slots_moved));
        gone.into_values().for_each(|node| self.retire(node));
        self.learn_zones();
        self.learning.learned.set(self.times_learned() + 1);
    }

    fn log_refresh(&self, now: &Topology, slots_moved: bool) {
        let names = |topology: &Topology| {
            let mut names: Vec<_> = topology.primaries().map(|primary| primary.address.to_string()).collect();
            names.sort();
            names
        };
        let (before, now_names) = (names(&self.topology.borrow()), names(now));
        let joined = now_names.join(", ");
        if before.is_empty() {
            log::info!("the topology is known; the primaries: {joined}");
        } else if before != now_names {
            log::info!("the topology was refreshed; the primaries are now {joined}");
        } else if slots_moved {
            log::info!("the topology was refreshed; slots have moved between the primaries");
        } else {
            log::debug!("the topology was refreshed; it is as it was");
        }
    }

    /// Sends what waits elsewhere, and closes the node once the last reply has come.
    fn retire(&self, node: Rc<Node>) {
        const PAUSE: Duration = Duration::from_millis(20);
        node.hand_back();
        if node.is_idle() {
            return node.close();
        }
        self.retiring.borrow_mut().push(node.clone());
        let servers = self.itself.clone();
        spawn_local(async move {
            while !node.is_idle() {
                sleep(PAUSE).await;
                node.hand_back();
            }
            node.close();
            if let Some(servers) = servers.upgrade() {
                servers.retiring.borrow_mut().retain(|retiring| !Rc::ptr_eq(retiring, &node));
            }
        });
    }

    fn learn_zones(&self) {
        if !self.knows_zones() {
            return;
        }
        let topology = self.topology.borrow();
        for node in topology.nodes().filter(|node| node.zone().is_none()) {
            let (node, lane) = (node.clone(), topology.lane_of(node));
            spawn_local(async move { learn_zone(&node, &lane).await });
        }
    }
}

/// A server that is asked what it is. The connection of one that was made for that alone ends with it.
struct Visit {
    node: Rc<Node>,
    lane: Rc<Lane>,
    is_guest: bool,
}

impl Visit {
    /// Keeps the connection, in place of one to what the name meant before.
    fn keep(mut self, servers: &Servers) -> Rc<Node> {
        if std::mem::take(&mut self.is_guest) {
            return servers.replace(self.node.clone());
        }
        self.node.clone()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.is_guest {
            self.node.close();
        }
    }
}

async fn learn_zone(node: &Node, lane: &Rc<Lane>) {
    // Where it cannot be asked, it is asked again with the next topology.
    if let Ok(zone) = discovery::zone(lane).await {
        node.set_zone(zone);
    }
}
