//! All servers that one client knows: the nodes, their topology and how it is kept, and what they were taught.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::connect::without_arguments;
use crate::connection::lane::{Lane, LaneEvents};
use crate::model::completion::{CallId, ReplyTo};
use crate::model::config::{Address, Config, ConnectionConfig, Mode, ReadFrom};
use crate::model::error::{Error, Kind};
use crate::model::request::{LaneKind, Request};
use crate::model::route::{Route, Slot};
use crate::model::script::Script;
use crate::model::stats::Stats;
use crate::servers::discovery::{self, ServerRole, ShardView};
use crate::servers::node::{Lease, Node};
use crate::servers::topology::{Shard, Topology};
use crate::servers::watches::Watches;
use crate::tasks::guard;
use crate::tasks::signal::Signal;

pub(crate) struct Servers {
    pub(crate) config: Config,
    pub(crate) stats: Arc<Stats>,
    connection: Arc<ConnectionConfig>,
    itself: Weak<Self>,
    nodes: RefCell<BTreeMap<Address, Rc<Node>>>,
    /// Nodes that have left the topology, with calls under way.
    retiring: RefCell<Vec<Rc<Node>>>,
    topology: RefCell<Topology>,
    /// Single slots that were found to have moved since the topology was learned.
    moved: Cell<usize>,
    /// Why the topology could not be learned, the last time.
    failure: RefCell<String>,
    /// Counts the topologies that were learned.
    learned: Signal<u64>,
    refresh: Cell<Refresh>,
    taught: RefCell<HashSet<String>>,
    teaching_ended: Cell<bool>,
    /// A server was met that knows no `EVALSHA_RO`.
    pub(crate) lacks_read_only_forms: Cell<bool>,
    /// The user was refused SCRIPT LOAD.
    pub(crate) cannot_load: Cell<bool>,
    /// The user was refused EVAL.
    pub(crate) cannot_eval: Cell<bool>,
    /// Connections on which keys are watched, by the names that their users gave them.
    pub(crate) watches: Watches,
    /// Learns what the lanes cannot finish.
    lane_events: Rc<dyn LaneEvents>,
    /// Calls with a task of their own, by what their callers would cancel them by.
    supervised: RefCell<HashMap<CallId, oneshot::Sender<()>>>,
    closed: CancellationToken,
}

/// Ends the work of a call when its caller or the client is gone.
pub(crate) struct Supervision {
    id: Option<CallId>,
    cancelled: oneshot::Receiver<()>,
    servers: Weak<Servers>,
    closed: CancellationToken,
}

impl Supervision {
    pub(crate) async fn over<T>(mut self, work: impl Future<Output = T>) -> Ended<T> {
        tokio::select! {
            biased;
            // An error here means only that the call has no id to cancel it by.
            Ok(()) = &mut self.cancelled => Ended::Cancelled,
            () = self.closed.cancelled() => Ended::Closed,
            result = work => Ended::Done(result),
        }
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        if let (Some(id), Some(servers)) = (self.id, self.servers.upgrade()) {
            servers.supervised.borrow_mut().remove(&id);
        }
    }
}

/// How supervised work ended.
pub(crate) enum Ended<T> {
    Done(T),
    /// The caller is gone.
    Cancelled,
    /// The client was closed.
    Closed,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Refresh {
    #[default]
    Idle,
    Running,
    /// Asked for again while one was running.
    RunningTwice,
}

/// How many scripts one client puts on the servers for good. A program with more is making them up as it goes.
const TEACHING_LIMIT: usize = 256;

/// How long a server may take to come back before it is asked who has taken its place.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Servers {
    /// `lane_events` makes what the lanes report to.
    pub(crate) fn new(
        config: Config,
        stats: Arc<Stats>,
        lane_events: impl FnOnce(Weak<Self>) -> Rc<dyn LaneEvents>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|itself| Self {
            stats,
            connection: Arc::new(config.connection.clone()),
            config,
            itself: itself.clone(),
            nodes: RefCell::default(),
            retiring: RefCell::default(),
            topology: RefCell::default(),
            moved: Cell::default(),
            failure: RefCell::default(),
            learned: Signal::new(0),
            refresh: Cell::default(),
            taught: RefCell::default(),
            teaching_ended: Cell::default(),
            lacks_read_only_forms: Cell::default(),
            cannot_load: Cell::default(),
            cannot_eval: Cell::default(),
            watches: Watches::default(),
            lane_events: lane_events(itself.clone()),
            supervised: RefCell::default(),
            closed: CancellationToken::new(),
        })
    }

    /// Learns the topology for the first time, or says why it cannot.
    pub(crate) async fn open(&self) -> Result<(), Error> {
        let learned = self.learn().await;
        learned.map_err(|reason| Error::new(Kind::Closing, format!("the client could not connect: {reason}")))?;
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

    /// Why no node is known for a call.
    pub(crate) fn why_unknown(&self, route: &Route) -> String {
        let failure = self.failure.borrow();
        match route {
            Route::Slot(slot) | Route::Shard(slot, _) if self.knows_nodes() => format!("no node holds slot {slot}"),
            _ if failure.is_empty() => "no connection yet".into(),
            _ => format!("no connection ({failure})"),
        }
    }

    fn knows_nodes(&self) -> bool {
        self.topology.borrow().nodes().next().is_some()
    }

    fn knows_zones(&self) -> bool {
        matches!(self.config.read_from, ReadFrom::ZoneReplica(_) | ReadFrom::ZoneReplicaOrPrimary(_))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.config.mode, Mode::Cluster { .. })
    }

    /// Has all connections forget which scripts they loaded, where a request has the servers forget them.
    pub(crate) fn note_flush(&self, request: &Request) {
        if request.flushes_scripts() {
            self.lanes().iter().for_each(|lane| lane.forget_loaded());
        }
    }

    /// Whether another server may take the place of one that is lost.
    pub(crate) fn has_alternatives(&self) -> bool {
        self.is_cluster() || self.config.addresses.len() > 1
    }

    /// The lane that a request takes as things stand.
    pub(crate) fn lane(&self, request: &Request, route: &Route) -> Option<Rc<Lane>> {
        self.lane_for(request, route, false)
    }

    /// The same; `needs_primary` where a replica will not do for a request that reads.
    pub(crate) fn lane_for(&self, request: &Request, route: &Route, needs_primary: bool) -> Option<Rc<Lane>> {
        let topology = self.topology.borrow();
        let reads = request.is_read_only() && !needs_primary;
        let lane = topology.lane(route, reads, &self.config.read_from)?;
        match request.lane() {
            LaneKind::Data => Some(lane),
            LaneKind::Admin => self.nodes.borrow().get(lane.address()).map(|node| node.admin().clone()),
        }
    }

    pub(crate) fn topology(&self) -> Ref<'_, Topology> {
        self.topology.borrow()
    }

    /// The lane to the primary at an address that a server named, known or not.
    pub(crate) fn redirected(&self, slot: Slot, address: Address) -> Rc<Lane> {
        let node = self.node(address);
        self.topology.borrow_mut().moved(slot, &node);
        self.moved.update(|count| count + 1);
        self.refresh();
        node.data.clone()
    }

    pub(crate) fn node(&self, address: Address) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        nodes.entry(address.clone()).or_insert_with(|| self.new_node(address)).clone()
    }

    fn new_node(&self, address: Address) -> Rc<Node> {
        let events = Rc::downgrade(&self.lane_events);
        Node::new(address, self.is_cluster(), self.connection.clone(), events, self.stats.clone())
    }

    /// Lets the caller of a call with a task of its own cancel it, from now on.
    pub(crate) fn supervise(&self, reply_to: &ReplyTo) -> Supervision {
        let (cancel, cancelled) = oneshot::channel();
        let id = reply_to.id();
        if let Some(id) = id {
            self.supervised.borrow_mut().insert(id, cancel);
        }
        Supervision { id, cancelled, servers: self.itself.clone(), closed: self.closed.clone() }
    }

    /// Ends the task of a call whose caller is gone, if it has one.
    pub(crate) fn cancel_supervised(&self, id: CallId) -> bool {
        let cancel = self.supervised.borrow_mut().remove(&id);
        // An error means that its ladder has just ended: there is nothing left to cancel.
        cancel.map(|cancel| cancel.send(())).is_some()
    }

    /// Whether a connection has one user alone at present.
    pub(crate) fn lends(&self) -> bool {
        self.all_nodes().iter().any(|node| node.lends())
    }

    /// Forgets calls without tasks of their own whose callers are gone.
    pub(crate) fn cancel(&self, mut gone: BTreeSet<CallId>) {
        self.all_nodes().iter().for_each(|node| node.cancel(&mut gone));
    }

    pub(crate) fn close(&self) {
        self.closed.cancel();
        let nodes = std::mem::take(&mut *self.nodes.borrow_mut());
        let retiring = std::mem::take(&mut *self.retiring.borrow_mut());
        nodes.values().chain(&retiring).for_each(|node| node.close());
        self.watches.clear();
        *self.topology.borrow_mut() = Topology::default();
    }

    /// Puts a script that was missing on every primary for good, and on the server that missed it: EVAL alone leaves
    /// it where the server evicts it. Sent without waiting, so that what is sent later finds it.
    pub(crate) fn teach(&self, script: &Script, missed_by: &Rc<Lane>) {
        if !self.may_teach(script) {
            return;
        }
        let load = script.load();
        let topology = self.topology.borrow();
        topology.primaries().for_each(|primary| primary.data.load(load.clone(), script.hash()));
        if !topology.primaries().any(|primary| Rc::ptr_eq(&primary.data, missed_by)) {
            missed_by.load(load, script.hash());
        }
    }

    /// Whether a script is, or becomes now, one of those that are put on servers for good.
    pub(crate) fn may_teach(&self, script: &Script) -> bool {
        let mut taught = self.taught.borrow_mut();
        if taught.contains(script.hash()) {
            return true;
        }
        if taught.len() < TEACHING_LIMIT {
            self.stats.taught.add(1);
            return taught.insert(script.hash().to_owned());
        }
        if !self.teaching_ended.replace(true) {
            log::warn!(
                "more than {TEACHING_LIMIT} different scripts: further ones are not loaded for good; pass what differs \
                 as ARGV instead of making scripts up"
            );
        }
        false
    }

    /// Has all connections that are up log in with a password, side by side: a server that does not answer keeps none of
    /// the others from it.
    pub(crate) async fn authenticate(&self, password: &str) -> Result<(), Error> {
        let auth = Bytes::from(self.connection.credentials.auth(password).get_packed_command());
        let mut asking = JoinSet::new();
        for lane in self.lanes().into_iter().filter(|lane| lane.is_up()) {
            let auth = auth.clone();
            asking.spawn_local(async move {
                // A connection that is lost logs in when it is made anew.
                let reply = lane.ask(auth).await.ok()?;
                let error = reply.error()?;
                let message = format!("{}: AUTH was refused: {}", lane.address(), without_arguments(&error.text()));
                Some(Error { code: Some(error.code().to_owned()), ..Error::new(Kind::Request, message) })
            });
        }
        let refused = asking.join_all().await.into_iter().flatten().next();
        refused.map_or(Ok(()), Err)
    }

    /// All connections.
    pub(crate) fn lanes(&self) -> Vec<Rc<Lane>> {
        self.all_nodes().iter().flat_map(|node| node.lanes()).collect()
    }

    /// The nodes that there are, and those that go.
    fn all_nodes(&self) -> Vec<Rc<Node>> {
        self.nodes.borrow().values().chain(self.retiring.borrow().iter()).cloned().collect()
    }

    /// The node that a connection belongs to: others may have been at its address, if that is a name.
    fn node_of(&self, lane: &Rc<Lane>) -> Option<Rc<Node>> {
        let has_it = |node: &Rc<Node>| node.lanes().iter().any(|other| Rc::ptr_eq(other, lane));
        self.all_nodes().into_iter().find(has_it)
    }

    /// The lane to the same server on which it does not answer for a primary.
    pub(crate) fn data_lane(&self, lane: &Rc<Lane>) -> Rc<Lane> {
        if lane.serves_reads() { self.node(lane.address().clone()).data.clone() } else { lane.clone() }
    }

    /// A connection to the server of `lane` for one user alone.
    pub(crate) fn lend(&self, lane: &Lane) -> Lease {
        Node::lend(&self.node(lane.address().clone()), lane.purpose())
    }

    /// The same for a call that may have to be killed, once one of the connections for such calls is free.
    pub(crate) async fn lend_in_turn(&self, lane: &Lane) -> Lease {
        Node::lend_in_turn(&self.node(lane.address().clone()), lane.purpose()).await
    }

    /// Whether a lent connection is one to the server of `lane`, as `lane` is.
    pub(crate) fn is_alike(&self, lease: &Lease, lane: &Lane) -> bool {
        lease.lane().purpose() == lane.purpose() && lease.is_of(&self.node(lane.address().clone()))
    }

    /// The connection that reaches the server of `lane` also while it runs a script.
    pub(crate) fn admin_lane(&self, lane: &Rc<Lane>) -> Option<Rc<Lane>> {
        self.node_of(lane).map(|node| node.admin().clone())
    }

    /// Learns the topology anew in the background; many causes at once make one refresh.
    pub(crate) fn refresh(&self) {
        if self.refresh.get() != Refresh::Idle {
            self.refresh.set(Refresh::RunningTwice);
            return;
        }
        let Some(servers) = self.itself.upgrade() else { return };
        self.refresh.set(Refresh::Running);
        spawn_local(async move {
            let closed = servers.closed.clone();
            let learning = closed.run_until_cancelled(servers.keep_learning());
            if guard::run("reading the topology", learning).await.is_err() {
                servers.refresh.set(Refresh::Idle);
            }
        });
    }

    async fn keep_learning(&self) {
        const PAUSE: Duration = Duration::from_millis(50);
        /// How often the pause doubles while there is always a cause for one more refresh.
        const DOUBLINGS: u32 = 2;
        let mut rounds = 0;
        loop {
            self.refresh.set(Refresh::Running);
            if let Err(reason) = self.learn().await {
                // At a server that is away it is tried again and again.
                // Of one address the connection itself has told.
                let is_news = self.failure.borrow().is_empty() && self.has_alternatives();
                let level = if is_news { log::Level::Warn } else { log::Level::Debug };
                log::log!(level, "the topology could not be refreshed: {reason}");
                self.failure.replace(reason);
            }
            let pause = PAUSE * 2_u32.pow(rounds.min(DOUBLINGS));
            rounds += 1;
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            if self.refresh.get() == Refresh::Running {
                self.refresh.set(Refresh::Idle);
                return;
            }
        }
    }

    /// A server that should be a primary has answered as a replica: its name may mean another one by now. What was sent
    /// over a connection that has been replaced since says nothing of the one that took its place.
    pub(crate) fn demoted(&self, lane: &Rc<Lane>) {
        let node = self.nodes.borrow().get(lane.address()).cloned();
        if let Some(node) = node.filter(|node| node.lanes().iter().any(|other| Rc::ptr_eq(other, lane))) {
            node.set_outdated();
            self.refresh();
        }
    }

    /// A connection was lost or could not be made.
    pub(crate) fn disconnected(&self, lane: &Rc<Lane>) {
        let is_known = self.topology.borrow().nodes().any(|node| node.address == *lane.address());
        if is_known && self.has_alternatives() {
            // What waits looks for the server that has taken this one's place.
            lane.hand_back();
            self.refresh();
        }
    }

    /// Calls had no reply in time: another server may have taken the place of theirs.
    pub(crate) fn unanswered(&self) {
        if self.has_alternatives() {
            self.refresh();
        }
    }

    /// Waits until a topology has been learned since `seen`, a value that this returned.
    pub(crate) async fn learned_since(&self, seen: u64) -> u64 {
        self.learned.wait_for(|count| (*count > seen).then_some(*count)).await
    }

    pub(crate) fn times_learned(&self) -> u64 {
        *self.learned.borrow()
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
        let (mut primary, mut failures) = (None, Vec::new());
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
                Err(reason) => failures.push(format!("{}: {reason}", node.address)),
            }
        }
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

    /// The slots as the first node tells them that answers: one that is connected anyway, if there is any.
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
    /// name is looked up anew where what it meant has turned out to be outdated.
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

    /// Nodes that appear are connected in the background; of those that go, the calls under way are left to end.
    fn replace_topology(&self, topology: Topology) {
        if self.closed.is_cancelled() {
            return self.close();
        }
        topology.primaries().for_each(|primary| primary.data.start());
        if self.reads_replicas() {
            topology.nodes().for_each(|node| topology.lane_of(node).start());
        }
        self.log_refresh(&topology);
        self.failure.take();
        self.moved.set(0);
        let in_use: HashSet<_> = topology.nodes().map(|node| node.address.clone()).collect();
        *self.topology.borrow_mut() = topology;
        let (gone, stay): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.nodes.take().into_iter().partition(|(address, _)| !in_use.contains(address));
        let staying: Vec<_> = stay.values().cloned().collect();
        *self.nodes.borrow_mut() = stay;
        // What waits for a connection may now have somewhere better to go.
        staying.iter().for_each(|node| node.hand_back_stranded());
        gone.into_values().for_each(|node| self.retire(node));
        self.learn_zones();
        self.learned.set(self.times_learned() + 1);
    }

    fn log_refresh(&self, now: &Topology) {
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
        } else if self.moved.get() > 0 || !now.has_slots_of(&self.topology.borrow()) {
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
