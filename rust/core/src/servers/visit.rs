//! Asks servers for their roles, over existing connections, or over ones that end with the answer.

use std::rc::Rc;

use crate::connection::lane::Lane;
use crate::model::config::Address;
use crate::model::topology_error::{AtServer, DiscoveryError};
use crate::servers::directory::Servers;
use crate::servers::node::Node;

impl Servers {
    /// The lane by which a node that is known is asked most things: where nobody reads replicas, they have none that is
    /// connected.
    pub(super) fn used_lane(&self, node: &Rc<Node>) -> Rc<Lane> {
        if self.reads_replicas() { self.topology().lane_of(node) } else { node.data.clone() }
    }

    /// The server at an address, to be asked what it is: by the connection that there is, or by one for that alone. A
    /// name is looked up again if the address that it had is known to be outdated.
    pub(super) fn visit(&self, address: &Address) -> Visit {
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
        match known.filter(|node| !node.is_outdated.get()) {
            Some(node) => Visit { lane: self.used_lane(&node), node, is_guest: false, is_seed: false },
            None => Visit::guest(self.new_node(address.clone()), false),
        }
    }

    /// A replica, with no connection that only its primary would need.
    pub(super) fn replica(&self, address: Address) -> Rc<Node> {
        let node = self.node(address);
        let keeps_data = self.reads_replicas() && !self.is_cluster();
        if keeps_data || !node.data.is_started() {
            return node;
        }
        self.replace(self.new_node(node.address.clone()))
    }
}

/// A server that is asked what it is. The connection of one that was made for that alone ends with it.
pub(super) struct Visit {
    pub(super) node: Rc<Node>,
    pub(super) lane: Rc<Lane>,
    is_guest: bool,
    /// The address is a configured one, by which the cluster's nodes may not know the server.
    pub(super) is_seed: bool,
}

impl Visit {
    /// For this visit alone, unless it is kept.
    pub(super) fn guest(node: Rc<Node>, is_seed: bool) -> Self {
        Self { lane: node.data.clone(), node, is_guest: true, is_seed }
    }

    /// Why it does not answer the question.
    pub(super) fn failure(&self, reason: DiscoveryError) -> AtServer<DiscoveryError> {
        AtServer { address: self.node.address.clone(), reason }
    }

    /// Keeps the connection, in place of one to what the name meant before.
    pub(super) fn keep(mut self, servers: &Servers) -> Rc<Node> {
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
