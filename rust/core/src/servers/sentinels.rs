//! The Sentinels of a service: together they say which of its servers is the primary.

use std::cmp::Reverse;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::model::config::SentinelConfig;
use crate::model::topology_error::{AtServer, TopologyError};
use crate::servers::sentinel::{Claim, Sentinel};
use crate::tasks::signal::Signal;

pub(crate) struct Sentinels {
    pub(crate) service: Arc<str>,
    all: Vec<Rc<Sentinel>>,
    /// Counts what they said unasked of the service's servers.
    news: Signal<u64>,
}

/// What the Sentinels of a service say.
pub(super) struct Claims {
    pub(super) claims: Vec<Claim>,
    /// Each of them has answered, or failed to.
    pub(super) are_all: bool,
}

impl Sentinels {
    pub(super) fn new(config: &SentinelConfig) -> Self {
        let (service, connection): (Arc<str>, _) =
            (config.service.as_str().into(), Arc::new(config.connection.clone()));
        let sentinel = |address: &_| Rc::new(Sentinel::new(Clone::clone(address), connection.clone(), service.clone()));
        Self { all: config.addresses.iter().map(sentinel).collect(), service, news: Signal::new(0) }
    }

    pub(crate) fn all(&self) -> &[Rc<Sentinel>] {
        &self.all
    }

    /// What they say now, the most recent knowledge first. An error if none knows the service. `stragglers`: how long
    /// to wait for those that do not answer, once others have answered.
    pub(super) async fn claims(&self, stragglers: Duration) -> Result<Claims, TopologyError> {
        let mut asking = JoinSet::new();
        for sentinel in &self.all {
            let sentinel = sentinel.clone();
            asking.spawn_local(async move { (sentinel.address.clone(), sentinel.ask().await) });
        }
        let (mut claims, mut failures) = (Vec::<Claim>::new(), Vec::new());
        let mut are_all = false;
        loop {
            let bound = if claims.is_empty() { Duration::MAX } else { stragglers };
            let Ok(answer) = timeout(bound, asking.join_next()).await else { break };
            are_all = answer.is_none();
            let Some(Ok((address, answer))) = answer else { break };
            match answer {
                Ok(claim) => claims.push(claim),
                Err(reason) => failures.push(AtServer { address, reason }),
            }
        }
        if claims.is_empty() {
            return Err(TopologyError::NotNamed { service: self.service.clone(), sentinels: failures });
        }
        claims.sort_by_key(|claim| Reverse(claim.epoch));
        Ok(Claims { claims, are_all })
    }

    /// Ends the connections that they were asked by.
    pub(super) fn release(&self) {
        self.all.iter().for_each(|sentinel| sentinel.release());
    }

    /// One of them has said something of the service.
    pub(super) fn note_news(&self) {
        let count = *self.news.borrow();
        self.news.set(count + 1);
    }

    pub(super) fn times_heard(&self) -> u64 {
        *self.news.borrow()
    }

    /// Waits until they have said something since they had `seen` times.
    pub(super) async fn heard_since(&self, seen: u64) {
        self.news.wait_for(|count| (*count > seen).then_some(())).await;
    }
}
