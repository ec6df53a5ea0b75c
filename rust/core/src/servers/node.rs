//! One server, and the connections that reach it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_local;

use crate::connection::connect::Purpose;
use crate::connection::lane::{Lane, LaneEvents, NotReached};
use crate::connection::step::StepOptions;
use crate::model::completion::CallId;
use crate::model::config::{Address, ConnectionConfig};
use crate::model::stats::Stats;

/// A server. Its lanes are opened when first used.
pub(crate) struct Node {
    pub(crate) address: Address,
    /// For requests to the primary of a shard; without a cluster, for all requests.
    pub(crate) data: Rc<Lane>,
    in_cluster: bool,
    new_lane: Box<dyn Fn(Purpose) -> Rc<Lane>>,
    reads: OnceCell<Rc<Lane>>,
    admin: OnceCell<Rc<Lane>>,
    /// For what needs a connection to itself: watched keys, scripts that may have to be killed, and commands that wait
    /// for others. The last are limited only by `inflight_limit`: a call that ends another call's wait may itself need
    /// such a connection.
    lent: RefCell<Vec<Rc<Lane>>>,
    /// How many more may be lent to calls that may have to be killed.
    own: Arc<Semaphore>,
    /// Those of them that nobody uses.
    idle: RefCell<Vec<Rc<Lane>>>,
    /// The availability zone, once the server has said it.
    pub(super) zone: RefCell<Option<String>>,
    /// It answered as a replica, although a primary was expected: its name may now stand for another server.
    pub(super) is_outdated: Cell<bool>,
    closed: Cell<bool>,
    /// Connections on which scripts are about to be killed: these, and the admin lane, stay until that is done.
    killing: RefCell<Vec<Rc<Lane>>>,
}

impl Node {
    pub(crate) fn new(
        address: Address,
        in_cluster: bool,
        config: Arc<ConnectionConfig>,
        events: Weak<dyn LaneEvents>,
        stats: Arc<Stats>,
    ) -> Rc<Self> {
        let at = address.clone();
        let new_lane = move |purpose| Lane::new(at.clone(), config.clone(), purpose, events.clone(), stats.clone());
        Rc::new(Self {
            address,
            data: new_lane(Purpose::Data),
            in_cluster,
            new_lane: Box::new(new_lane),
            reads: OnceCell::new(),
            admin: OnceCell::new(),
            lent: RefCell::default(),
            own: Arc::new(Semaphore::new(OWN_CONNECTIONS)),
            idle: RefCell::default(),
            zone: RefCell::default(),
            is_outdated: Cell::new(false),
            closed: Cell::new(false),
            killing: RefCell::default(),
        })
    }

    /// For requests to a replica. In a cluster this is a connection of its own: after the server became another
    /// shard's, or fell behind, a connection on which replicas may answer reads would go on answering.
    pub(crate) fn reads(&self) -> &Rc<Lane> {
        if !self.in_cluster {
            return &self.data;
        }
        self.reads.get_or_init(|| (self.new_lane)(Purpose::Reads))
    }

    /// For commands that must reach a server while it runs a script. It is in no particular database.
    pub(crate) fn admin(&self) -> &Rc<Lane> {
        self.admin.get_or_init(|| (self.new_lane)(Purpose::Admin))
    }

    /// A connection for one user alone.
    pub(crate) fn lend(node: &Rc<Self>, purpose: Purpose) -> Lease {
        let mut idle = node.idle.borrow_mut();
        let fitting = idle.iter().position(|lane| lane.purpose() == purpose);
        let lane = match fitting {
            Some(index) => idle.swap_remove(index),
            None => {
                let lane = (node.new_lane)(purpose);
                node.lent.borrow_mut().push(lane.clone());
                lane
            }
        };
        Lease { node: node.clone(), lane, permit: None, waits: Cell::default() }
    }

    /// The same for a call that may have to be killed, in its turn: a server runs one script at a time, and gains
    /// nothing from more connections.
    pub(crate) async fn lend_in_turn(node: &Rc<Self>, purpose: Purpose) -> Lease {
        // The semaphore is never closed.
        let permit = node.own.clone().acquire_owned().await.ok();
        let mut lease = Self::lend(node, purpose);
        lease.permit = permit;
        lease
    }

    /// Whether a connection is lent out.
    pub(crate) fn has_lent(&self) -> bool {
        self.lent.borrow().len() > self.idle.borrow().len()
    }

    /// Forgets calls whose callers are gone. What goes over lent connections has tasks of its own.
    pub(crate) fn cancel(&self, gone: &mut BTreeSet<CallId>) {
        self.shared_lanes().for_each(|lane| lane.cancel(gone));
    }

    fn shared_lanes(&self) -> impl Iterator<Item = &Rc<Lane>> {
        [Some(&self.data), self.reads.get(), self.admin.get()].into_iter().flatten()
    }

    /// Takes back the calls that wait for a connection, to send them elsewhere.
    pub(crate) fn hand_back(&self) {
        self.lanes().iter().for_each(Lane::hand_back);
    }

    /// The same of the connections that are not there. Where no slot has moved, data has nowhere else to go.
    pub(crate) fn hand_back_stranded(&self, slots_moved: bool) {
        let is_stranded = |lane: &&Rc<Lane>| !lane.is_up() && (slots_moved || lane.purpose() != Purpose::Data);
        self.lanes().iter().filter(is_stranded).for_each(Lane::hand_back);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.lanes().iter().all(|lane| lane.is_idle())
    }

    pub(crate) fn close(&self) {
        self.closed.set(true);
        let killing = self.killing.borrow();
        let admin = self.admin.get().filter(|_| !killing.is_empty());
        let stays = |lane: &Rc<Lane>| killing.iter().chain(admin).any(|other| Rc::ptr_eq(other, lane));
        self.lanes().iter().filter(|lane| !stays(lane)).for_each(|lane| lane.close());
    }

    pub(crate) fn lanes(&self) -> Vec<Rc<Lane>> {
        let mut lanes: Vec<_> = self.shared_lanes().cloned().collect();
        lanes.extend(self.lent.borrow().iter().cloned());
        lanes
    }
}

/// A connection that is one user's alone, until it is dropped.
pub(crate) struct Lease {
    node: Rc<Node>,
    lane: Rc<Lane>,
    /// Given back with the connection, so that the next one in line may find it idle.
    permit: Option<OwnedSemaphorePermit>,
    /// A command on it waits for other clients, and may have to be taken back.
    waits: Cell<bool>,
}

/// How many connections to one server calls that may have to be killed have to themselves.
pub(crate) const OWN_CONNECTIONS: usize = 16;

impl Lease {
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    pub(crate) fn is_of(&self, node: &Rc<Node>) -> bool {
        Rc::ptr_eq(&self.node, node)
    }

    /// Has the server say how the connection is ended from another one, before a command that may have to be taken back.
    /// Returns the connection that is known so, if the server has said it. An error: the next attempt may go elsewhere.
    pub(crate) fn introduce(&self) -> impl Future<Output = Result<Option<u64>, NotReached>> + use<> {
        self.waits.set(true);
        let (lane, is_fragile) = (self.lane.clone(), self.node.data.is_fragile());
        async move { if is_fragile { Ok(None) } else { lane.introduce().await } }
    }

    /// Ends the connection with all that waits on it.
    pub(crate) fn end(self) {
        self.take_back();
        self.lane.close();
    }

    /// Makes the server end a command that waits on the connection, before it gets any later command. If the connection
    /// were only closed, a server might notice that after later commands on another connection, which may bring what
    /// the command waits for. If the user has no right to CLIENT KILL, the connection is only closed.
    fn take_back(&self) {
        if !self.waits.take() || !self.lane.is_owed_a_reply() {
            return;
        }
        let data = &self.node.data;
        if let Some(kill) = self.lane.kill_command()
            && data.is_up()
        {
            let options = StepOptions { only_on: Some(data.connection()), ..StepOptions::default() };
            let killing = data.begin(vec![kill], options, &Rc::default());
            // Nobody needs the result.
            spawn_local(async move { drop(killing.await) });
        }
    }

    /// Keeps the connection, and the one for kills, after the client is closed. Returns the one for kills.
    pub(crate) fn begin_kill(&self) -> Rc<Lane> {
        self.node.killing.borrow_mut().push(self.lane.clone());
        self.node.admin().clone()
    }

    pub(crate) fn end_kill(&self) {
        self.node.killing.borrow_mut().retain(|lane| !Rc::ptr_eq(lane, &self.lane));
        if self.node.closed.get() {
            self.node.close();
        }
    }

    /// Whether the client has been closed, or has left the server.
    pub(crate) fn is_closed(&self) -> bool {
        self.node.closed.get()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        const KEPT: usize = 8;
        // With a permit, all connections are kept: the next call in line is about to use one.
        let most = if self.permit.is_some() { OWN_CONNECTIONS } else { KEPT };
        self.take_back();
        let mut idle = self.node.idle.borrow_mut();
        if !self.node.closed.get() && idle.len() < most && self.lane.is_up() && !self.lane.is_owed_a_reply() {
            idle.push(self.lane.clone());
        } else {
            self.node.lent.borrow_mut().retain(|lane| !Rc::ptr_eq(lane, &self.lane));
            self.lane.close();
        }
        drop(idle);
        self.permit.take();
    }
}
