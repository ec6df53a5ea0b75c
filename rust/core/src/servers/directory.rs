//! All servers that one client knows, and the lanes to them.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_local};
use tokio::time::sleep;

use crate::connection::lane::{Lane, LaneEvents};
use crate::model::cause::{Cause, Obstacle};
use crate::model::completion::CallId;
use crate::model::config::{Address, Config, ConnectionConfig, Mode, ReadFrom};
use crate::model::error::{Error, Kind};
use crate::model::request::{LaneKind, Request};
use crate::model::route::{Route, Slot};
use crate::model::script::Script;
use crate::model::stats::Stats;
use crate::servers::abilities::Abilities;
use crate::servers::learning::Learning;
use crate::servers::node::{Lease, Node};
use crate::servers::refusals::Refusals;
use crate::servers::sentinels::Sentinels;
use crate::servers::supervision::Supervisor;
use crate::servers::teaching::Teaching;
use crate::servers::topology::Topology;
use crate::servers::watches::Watches;

pub(crate) struct Servers {
    pub(crate) config: Config,
    pub(crate) stats: Arc<Stats>,
    connection: Arc<ConnectionConfig>,
    /// How to reach a cluster's configured addresses. An `address_map` that is a function is not called for them.
    seed_connection: Arc<ConnectionConfig>,
    pub(super) itself: Weak<Self>,
    pub(super) nodes: RefCell<BTreeMap<Address, Rc<Node>>>,
    /// Nodes that have left the topology, with calls in flight.
    pub(super) retiring: RefCell<Vec<Rc<Node>>>,
    pub(super) topology: RefCell<Topology>,
    pub(super) learning: Learning,
    pub(crate) sentinels: Option<Sentinels>,
    pub(crate) teaching: Teaching,
    pub(crate) abilities: Rc<Abilities>,
    pub(crate) refusals: Refusals,
    /// Connections on which keys are watched, by the names that their users gave them.
    pub(crate) watches: Watches,
    /// Receives the calls that the lanes cannot finish.
    lane_events: Rc<dyn LaneEvents>,
    pub(crate) supervisor: Supervisor,
}

/// How long a server may take to come back before the client asks which server has taken its place.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Servers {
    /// `lane_events` makes what the lanes report to.
    pub(crate) fn new(
        mut config: Config,
        stats: Arc<Stats>,
        lane_events: impl FnOnce(Weak<Self>) -> Rc<dyn LaneEvents>,
    ) -> Rc<Self> {
        // An address that is given twice is one server, not a primary and its replica.
        let mut given = BTreeSet::new();
        config.addresses.retain(|address| given.insert(address.clone()));
        Rc::new_cyclic(|itself| Self {
            stats,
            seed_connection: Arc::new(ConnectionConfig {
                address_map: config.connection.address_map.clone().filter(|map| map.is_table()),
                ..config.connection.clone()
            }),
            connection: Arc::new(config.connection.clone()),
            sentinels: config.sentinels.as_ref().map(Sentinels::new),
            config,
            itself: itself.clone(),
            nodes: RefCell::default(),
            retiring: RefCell::default(),
            topology: RefCell::default(),
            learning: Learning::default(),
            teaching: Teaching::default(),
            abilities: Rc::default(),
            refusals: Refusals::default(),
            watches: Watches::default(),
            lane_events: lane_events(itself.clone()),
            supervisor: Supervisor::default(),
        })
    }

    /// Why no node is known for a call.
    pub(crate) fn why_unknown(&self, route: &Route) -> Obstacle {
        match route {
            Route::Slot(slot) | Route::Shard(slot, _) if self.knows_nodes() => Obstacle::NoNodeOf(*slot),
            _ => self.learning.failure.borrow().clone().map_or(Obstacle::Connecting, Obstacle::TopologyUnknown),
        }
    }

    pub(super) fn knows_nodes(&self) -> bool {
        self.topology.borrow().nodes().next().is_some()
    }

    pub(super) fn reads_replicas(&self) -> bool {
        self.config.read_from != ReadFrom::Primary
    }

    pub(super) fn knows_zones(&self) -> bool {
        matches!(
            self.config.read_from,
            ReadFrom::ZoneReplica(_) | ReadFrom::ZoneReplicaOrPrimary(_) | ReadFrom::ZoneNode(_)
        )
    }

    /// The user that the servers know the client as; `None` over TLS, where its certificate may say so.
    pub(crate) fn user(&self) -> Option<&str> {
        let connection = &self.config.connection;
        connection.credentials.username().or_else(|| connection.tls.is_none().then_some("default"))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.config.mode, Mode::Cluster { .. })
    }

    /// The name of the service that Sentinels know the servers of.
    pub(crate) fn service(&self) -> Option<&str> {
        self.sentinels.as_ref().map(|sentinels| &*sentinels.service)
    }

    /// If a request makes the servers forget their scripts, all connections forget which scripts they loaded.
    pub(crate) fn note_flush(&self, request: &Request) {
        if request.flushes_scripts() {
            self.lanes().iter().for_each(|lane| lane.forget_loaded());
        }
    }

    /// Whether another server may take the place of one that is lost.
    pub(crate) fn has_alternatives(&self) -> bool {
        self.is_cluster() || self.sentinels.is_some() || self.config.addresses.len() > 1
    }

    /// The lane that a request takes at present.
    pub(crate) fn lane(&self, request: &Request, route: &Route) -> Option<Rc<Lane>> {
        self.lane_for(request, route, false)
    }

    /// The same; with `needs_primary`, also a request that only reads goes to a primary.
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
        self.learning.moved.update(|count| count + 1);
        self.refresh();
        node.data.clone()
    }

    pub(crate) fn node(&self, address: Address) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        nodes.entry(address.clone()).or_insert_with(|| self.new_node(address)).clone()
    }

    pub(super) fn new_node(&self, address: Address) -> Rc<Node> {
        self.new_node_by(address, &self.connection)
    }

    /// A configured node, which is asked about the others. It is not stored under that address.
    pub(super) fn new_seed(&self, address: Address) -> Rc<Node> {
        self.new_node_by(address, &self.seed_connection)
    }

    fn new_node_by(&self, address: Address, connection: &Arc<ConnectionConfig>) -> Rc<Node> {
        let events = Rc::downgrade(&self.lane_events);
        Node::new(address, self.is_cluster(), connection.clone(), events, self.stats.clone())
    }

    /// Puts a node in the place of the one at its address.
    pub(super) fn replace(&self, node: Rc<Node>) -> Rc<Node> {
        let before = self.nodes.borrow_mut().insert(node.address.clone(), node.clone());
        if let Some(before) = before {
            self.retire(before);
        }
        node
    }

    /// Sends the node's waiting calls elsewhere, and closes it after the last reply.
    pub(super) fn retire(&self, node: Rc<Node>) {
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

    /// Whether a connection has one user alone at present.
    pub(crate) fn has_lent(&self) -> bool {
        self.all_nodes().iter().any(|node| node.has_lent())
    }

    /// Forgets calls without tasks of their own whose callers are gone.
    pub(crate) fn cancel(&self, mut gone: BTreeSet<CallId>) {
        self.all_nodes().iter().for_each(|node| node.cancel(&mut gone));
    }

    pub(crate) fn close(&self) {
        self.supervisor.close();
        let nodes = std::mem::take(&mut *self.nodes.borrow_mut());
        let retiring = std::mem::take(&mut *self.retiring.borrow_mut());
        nodes.values().chain(&retiring).for_each(|node| node.close());
        self.watches.clear();
        *self.topology.borrow_mut() = Topology::default();
    }

    /// Loads a script that was missing on every primary, and on the server that missed it: a server may evict a script
    /// that came only by EVAL. It is sent without waiting, so that later calls find it.
    pub(crate) fn teach(&self, script: &Script, missed_by: &Rc<Lane>) {
        if !self.teaching.may_teach(script, &self.stats) {
            return;
        }
        let load = script.load();
        let topology = self.topology.borrow();
        topology.primaries().for_each(|primary| primary.data.load(load.clone(), script.hash()));
        if !topology.primaries().any(|primary| Rc::ptr_eq(&primary.data, missed_by)) {
            missed_by.load(load, script.hash());
        }
    }

    /// Logs all connections in with a new password. They do so at the same time, so a server that does not answer
    /// delays no other.
    pub(crate) async fn authenticate(&self, password: &str) -> Result<(), Error> {
        let auth = self.connection.credentials.auth(password);
        let mut asking = JoinSet::new();
        for lane in self.lanes().into_iter().filter(|lane| lane.is_up()) {
            let (auth, waits) = (auth.clone(), lane.may_block());
            let logging_in = async move {
                // A connection that is lost logs in when it is replaced.
                let reply = lane.ask(auth).await.ok()?;
                let error = reply.error()?;
                let cause = Cause::PasswordRefused { node: lane.address().clone(), answer: error.clone() };
                Some(Error { code: Some(error.code().to_owned()), ..Error::because(Kind::Request, cause) })
            };
            if waits {
                // Its answer comes after that of a command that waits for other clients, which may take any time.
                spawn_local(async move { drop(logging_in.await) });
            } else {
                asking.spawn_local(logging_in);
            }
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

    /// The node that a connection belongs to. If its address is a name, other nodes may have had that address before.
    fn node_of(&self, lane: &Rc<Lane>) -> Option<Rc<Node>> {
        let has_it = |node: &Rc<Node>| node.lanes().iter().any(|other| Rc::ptr_eq(other, lane));
        self.all_nodes().into_iter().find(has_it)
    }

    /// The lane to the same server for requests to a primary.
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

    /// Whether a lent connection goes to the same server as `lane`, for the same purpose.
    pub(crate) fn is_alike(&self, lease: &Lease, lane: &Lane) -> bool {
        lease.lane().purpose() == lane.purpose() && lease.is_of(&self.node(lane.address().clone()))
    }

    /// The connection that reaches the server of `lane` also while it runs a script.
    pub(crate) fn admin_lane(&self, lane: &Rc<Lane>) -> Option<Rc<Lane>> {
        self.node_of(lane).map(|node| node.admin().clone())
    }

    /// A server that should be a primary has answered as a replica: its name may now stand for another server. An
    /// answer over a connection that has been replaced since says nothing about the new one.
    pub(crate) fn demoted(&self, lane: &Rc<Lane>) {
        let node = self.nodes.borrow().get(lane.address()).cloned();
        if let Some(node) = node.filter(|node| node.lanes().iter().any(|other| Rc::ptr_eq(other, lane))) {
            node.is_outdated.set(true);
            self.refresh();
        }
    }

    /// Whether the server of that connection was taken for a primary and is a replica, or another node has its place.
    pub(crate) fn has_left(&self, lane: &Rc<Lane>) -> bool {
        self.node_of(lane).is_none_or(|node| node.is_outdated.get())
    }

    /// A connection was lost or could not be made.
    pub(crate) fn disconnected(&self, lane: &Rc<Lane>) {
        let is_known = self.topology.borrow().nodes().any(|node| node.address == *lane.address());
        if is_known && self.has_alternatives() {
            // Waiting calls look for the server that has taken this one's place.
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
}
