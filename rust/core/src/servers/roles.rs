//! Which of several servers is the primary: the one that says so, of those that are configured or that Sentinels name.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::model::config::Address;
use crate::model::topology_error::{DiscoveryError, NotConfirmed, TopologyError};
use crate::servers::directory::Servers;
use crate::servers::discovery::{self, ServerRole};
use crate::servers::node::Node;
use crate::servers::sentinel::Claim;
use crate::servers::sentinels::{Claims, Sentinels};
use crate::servers::topology::{Shard, Topology};

impl Servers {
    /// The primary is the configured server that says so.
    pub(super) async fn learn_roles(&self) -> Result<Topology, TopologyError> {
        /// How long servers that do not answer are waited for once all others have said that they are replicas.
        const STRAGGLERS: Duration = Duration::from_millis(300);
        let mut visits: Vec<_> = self.config.addresses.iter().map(|address| self.visit(address)).collect();
        if visits.len() == 1
            && let Some(only) = visits.pop()
        {
            // There is no choice to make, and no need for the right to ask.
            only.lane
                .connected()
                .await
                .map_err(|reason| TopologyError::Unanswered(vec![only.failure(reason.into())]))?;
            return Ok(Topology::standalone(Shard::new(only.keep(self), Vec::new())));
        }
        let mut asking = JoinSet::new();
        for (index, visit) in visits.iter().enumerate() {
            let (lane, abilities) = (visit.lane.clone(), self.abilities.clone());
            asking.spawn_local(async move { (index, discovery::role(&lane, &abilities).await) });
        }
        let (mut primary, mut unknown, mut failures) = (None, None, Vec::new());
        loop {
            let answer = if failures.is_empty() || !self.knows_nodes() {
                asking.join_next().await
            } else {
                timeout(STRAGGLERS, asking.join_next()).await.unwrap_or_default()
            };
            let Some(Ok((index, role))) = answer else { break };
            let visit = &visits[index];
            match role {
                Ok(ServerRole::Primary) => {
                    primary = Some(index);
                    break;
                }
                Ok(ServerRole::Replica) => {
                    visit.node.is_outdated.set(true);
                    failures.push(visit.failure(DiscoveryError::IsReplica));
                }
                // The first one that is configured, of those that do not say.
                Ok(ServerRole::Unknown) => unknown = Some(unknown.map_or(index, |before: usize| before.min(index))),
                Err(reason) => failures.push(visit.failure(reason)),
            }
        }
        let primary = primary.or(unknown);
        let primary = primary.ok_or(TopologyError::NoPrimary(failures))?;
        let primary = visits.swap_remove(primary).keep(self);
        let replicas = visits.into_iter().map(|visit| {
            visit.node.is_outdated.set(false);
            // The connection to a replica that nobody reads ends here.
            if self.reads_replicas() { visit.keep(self) } else { self.replica(visit.node.address.clone()) }
        });
        let replicas = replicas.collect();
        Ok(Topology::standalone(Shard::new(primary, replicas)))
    }

    /// The primary is the server that the Sentinels name, once it says itself that it is.
    pub(super) async fn learn_from_sentinels(&self, sentinels: &Sentinels) -> Result<Topology, TopologyError> {
        /// How long to wait for Sentinels that do not answer, if others have answered.
        const STRAGGLERS: Duration = Duration::from_millis(100);
        let Claims { claims, are_all } = sentinels.claims(STRAGGLERS).await?;
        match self.confirmed(sentinels, &claims).await {
            Err(_) if !are_all => {
                let Claims { claims, .. } = sentinels.claims(Duration::MAX).await?;
                self.confirmed(sentinels, &claims).await
            }
            outcome => outcome,
        }
    }

    /// Takes the first of the named servers that says itself that it is a primary.
    async fn confirmed(&self, sentinels: &Sentinels, claims: &[Claim]) -> Result<Topology, TopologyError> {
        for claim in claims {
            let Some(promoted) = &claim.promoted else { continue };
            match self.verified(promoted, true).await {
                Ok(primary) => return Ok(self.topology_of(primary, &claim.replicas)),
                // It is about to become a primary.
                Err(_) => self.refresh(),
            }
        }
        let mut named: Vec<NotConfirmed> = Vec::new();
        // That of a failover whose primary cannot be reached from here.
        let mut binding = None;
        for claim in claims {
            if binding.is_some_and(|epoch| claim.epoch < epoch) {
                break;
            }
            if named.iter().any(|other| other.server == claim.primary) {
                continue;
            }
            match self.verified(&claim.primary, false).await {
                Ok(primary) => return Ok(self.topology_of(primary, &claim.replicas)),
                Err(reason) => {
                    let is_refuted = matches!(reason, DiscoveryError::IsReplica);
                    binding = binding.or((!is_refuted).then_some(claim.epoch));
                    let (server, sentinel) = (claim.primary.clone(), claim.by.clone());
                    named.push(NotConfirmed { server, reason, sentinel });
                }
            }
        }
        Err(TopologyError::NotConfirmed { service: sentinels.service.clone(), named })
    }

    /// The server at that address, unless it says that it is a replica. `must_say`: it has to say that it is a primary,
    /// which some users may not ask.
    async fn verified(&self, address: &Address, must_say: bool) -> Result<Rc<Node>, DiscoveryError> {
        let visit = self.visit(address);
        match discovery::role(&visit.lane, &self.abilities).await? {
            ServerRole::Unknown if must_say => Err(DiscoveryError::RoleUnknown),
            ServerRole::Primary | ServerRole::Unknown => Ok(visit.keep(self)),
            ServerRole::Replica => {
                if self.topology.borrow().primaries().any(|primary| Rc::ptr_eq(primary, &visit.node)) {
                    visit.node.is_outdated.set(true);
                }
                Err(DiscoveryError::IsReplica)
            }
        }
    }

    fn topology_of(&self, primary: Rc<Node>, replicas: &[Address]) -> Topology {
        let others = replicas.iter().filter(|replica| **replica != primary.address);
        let replicas = others.map(|address| self.replica(address.clone()));
        let replicas = replicas.inspect(|node| node.is_outdated.set(false)).collect();
        Topology::standalone(Shard::new(primary, replicas))
    }
}
