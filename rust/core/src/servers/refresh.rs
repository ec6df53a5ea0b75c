//! When the topology is learned, and learned again, and what happens to nodes that leave.

use std::collections::{BTreeMap, HashSet};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::model::cause::Cause;
use crate::model::config::Mode;
use crate::model::error::{Error, Kind};
use crate::model::topology_error::TopologyError;
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::discovery;
use crate::servers::learning::Refresh;
use crate::servers::sentinels::Sentinels;
use crate::servers::topology::Topology;
use crate::tasks::guard;

impl Servers {
    /// Learns the topology for the first time, or says why it cannot.
    pub(crate) async fn open(&self) -> Result<(), Error> {
        let mut preparing = self.learn().await.map_err(|reason| {
            let kind = if reason.is_login_refused() { Kind::Authentication } else { Kind::Closing };
            Error::because(kind, Cause::NotConnected(reason))
        })?;
        if self.reads_replicas() {
            for node in self.topology.borrow().replicas() {
                let lane = node.reads().clone();
                // If a replica is down, its lane keeps the reason.
                preparing.spawn_local(async move { drop(lane.connected().await) });
            }
        }
        // The first reads are to find the replicas connected or known to be down, and the zones known.
        preparing.join_all().await;
        Ok(())
    }

    /// Waits for the first topology.
    pub(crate) async fn learn_first(&self) {
        while !self.knows_nodes() {
            self.refresh();
            // The caller looks for a topology again, whether or not one was learned.
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
            let heard = self.times_heard();
            let round = async {
                match self.learn().await {
                    Ok(mut asking) => asking.detach_all(),
                    Err(reason) => self.note_failure(reason),
                }
                let pause = PAUSE * 2_u32.pow(rounds.min(DOUBLINGS));
                sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            };
            tokio::select! {
                biased;
                () = round => {}
                // The answer to the questions in flight may be out of date.
                () = self.heard_since(heard) => continue,
            }
            rounds += 1;
            if self.learning.refresh.get() == Refresh::Running {
                self.learning.refresh.set(Refresh::Idle);
                return;
            }
        }
    }

    fn note_failure(&self, reason: TopologyError) {
        // If the server is down, this fails again and again. With a single address, the connection has logged the
        // reason.
        let is_news = self.learning.failure.borrow().is_none() && self.has_alternatives();
        let level = if is_news { log::Level::Warn } else { log::Level::Debug };
        log::log!(level, "the topology could not be refreshed: {reason}");
        self.learning.failure.replace(Some(Arc::new(reason)));
    }

    /// A Sentinel has said that the service's servers have changed.
    pub(crate) fn heard_of_change(&self) {
        if let Some(sentinels) = &self.sentinels {
            sentinels.note_news();
        }
        self.refresh();
    }

    fn times_heard(&self) -> u64 {
        self.sentinels.as_ref().map_or(0, Sentinels::times_heard)
    }

    /// Waits until a Sentinel has said something since they had `seen` times.
    async fn heard_since(&self, seen: u64) {
        match &self.sentinels {
            Some(sentinels) => sentinels.heard_since(seen).await,
            None => pending().await,
        }
    }

    /// Waits until a topology has been learned since `seen`, a value that this returned.
    pub(crate) async fn learned_since(&self, seen: u64) -> u64 {
        self.learning.learned.wait_for(|count| (*count > seen).then_some(*count)).await
    }

    pub(crate) fn times_learned(&self) -> u64 {
        *self.learning.learned.borrow()
    }

    /// Returns what asks for the zones that are not known.
    async fn learn(&self) -> Result<JoinSet<()>, TopologyError> {
        let topology = match (&self.config.mode, &self.sentinels) {
            (Mode::Standalone, Some(sentinels)) => self.learn_from_sentinels(sentinels).await?,
            (Mode::Standalone, None) => self.learn_roles().await?,
            (Mode::Cluster { refresh_from_seeds, .. }, _) => self.learn_slots(*refresh_from_seeds).await?,
        };
        self.replace_topology(topology);
        if let Some(sentinels) = &self.sentinels {
            sentinels.release();
        }
        Ok(self.learn_zones())
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
        // Calls that wait for a connection may now belong to another node. The others keep their places in the queue.
        staying.iter().for_each(|node| node.hand_back_stranded(slots_moved));
        gone.into_values().for_each(|node| self.retire(node));
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

    fn learn_zones(&self) -> JoinSet<()> {
        let mut asking = JoinSet::new();
        if self.knows_zones() {
            for (node, lane) in self.topology.borrow().without_zone() {
                asking.spawn_local(async move {
                    // Where it cannot be asked, it is asked again with the next topology.
                    if let Ok(zone) = discovery::zone(&lane).await {
                        node.zone.replace(zone);
                    }
                });
            }
        }
        asking
    }
}
