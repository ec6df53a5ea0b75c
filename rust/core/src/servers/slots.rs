//! The nodes of a cluster and their slots, as one of the nodes lists them.

use tokio::task::JoinSet;

use crate::model::config::Address;
use crate::model::topology_error::{AtServer, TopologyError};
use crate::servers::directory::Servers;
use crate::servers::discovery;
use crate::servers::shard_view::ShardView;
use crate::servers::topology::{Shard, Topology};
use crate::servers::visit::Visit;

impl Servers {
    /// The slots as the first node that answers lists them: one that is connected anyway, if there is any.
    pub(super) async fn learn_slots(&self, from_seeds: bool) -> Result<Topology, TopologyError> {
        const ASKED_AT_ONCE: usize = 3;
        let mut failures = Vec::new();
        for group in self.candidates(from_seeds).chunks(ASKED_AT_ONCE) {
            let visits: Vec<_> = group.iter().map(|candidate| self.visit_candidate(candidate)).collect();
            let mut asking = JoinSet::new();
            for visit in &visits {
                let (lane, abilities) = (visit.lane.clone(), self.abilities.clone());
                asking.spawn_local(async move {
                    let shards = discovery::shards(&lane, &abilities).await;
                    (lane.address().clone(), shards)
                });
            }
            while let Some(Ok((address, answer))) = asking.join_next().await {
                match answer {
                    Ok(shards) => {
                        let is_primary = |visit: &Visit| {
                            !visit.is_seed && shards.iter().any(|shard| shard.primary == visit.node.address)
                        };
                        visits.into_iter().filter(is_primary).for_each(|visit| drop(visit.keep(self)));
                        return Ok(self.cluster_of(shards));
                    }
                    Err(reason) => failures.push(AtServer { address, reason }),
                }
            }
        }
        Err(TopologyError::Unanswered(failures))
    }

    /// Whom to ask for the slots, one after the other.
    fn candidates(&self, from_seeds: bool) -> Vec<Candidate> {
        let seeds = self.config.addresses.iter().cloned();
        // A server's own address and the one to connect to may be alike, and mean two servers.
        let are_seeds_nodes = self.config.connection.address_map.is_none();
        let seeds: Vec<_> = seeds.map(if are_seeds_nodes { Candidate::Node } else { Candidate::Seed }).collect();
        if from_seeds {
            return seeds;
        }
        let mut known: Vec<_> = self.topology.borrow().nodes().cloned().collect();
        fastrand::shuffle(&mut known);
        known.sort_by_key(|node| !self.used_lane(node).is_up());
        let mut candidates: Vec<_> = known.into_iter().map(|node| Candidate::Node(node.address.clone())).collect();
        let others: Vec<_> = seeds.into_iter().filter(|seed| !candidates.contains(seed)).collect();
        candidates.extend(others);
        candidates
    }

    fn visit_candidate(&self, candidate: &Candidate) -> Visit {
        match candidate {
            Candidate::Node(address) => self.visit(address),
            Candidate::Seed(address) => Visit::guest(self.new_seed(address.clone()), true),
        }
    }

    fn cluster_of(&self, shards: Vec<ShardView>) -> Topology {
        let shards = shards.into_iter().map(|shard| {
            let primary = self.node(shard.primary);
            let replicas = shard.replicas.into_iter().map(|address| self.replica(address)).collect();
            (Shard::new(primary, replicas), shard.ranges)
        });
        Topology::cluster(shards.collect())
    }
}

/// A server that may be asked for the slots.
#[derive(PartialEq)]
enum Candidate {
    /// By its own address, which `address_map` is for.
    Node(Address),
    /// By an address to connect to, where the two may differ.
    Seed(Address),
}
