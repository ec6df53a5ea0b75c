//! How the servers of a deployment are set up.

use std::time::Duration;

use super::versions::Version;

#[derive(Clone, Debug)]
pub struct Options {
    pub version: Version,
    /// Where the nodes listen, in their order. Empty: at addresses of the model's own.
    pub addresses: Vec<(String, u16)>,
    pub availability_zones: Vec<String>,
    /// `maxclients`.
    pub connections_limit: usize,
    /// `busy-reply-threshold`.
    pub busy_after: Duration,
    /// Least and most time that a write takes to a replica.
    pub replication_delay: (Duration, Duration),
    /// How long nodes of a cluster take to hear of a change.
    pub gossip_delay: (Duration, Duration),
    /// Data, scripts' effects included, outlive a restart (an append-only file); scripts never do.
    pub persistent: bool,
    /// `replica-serve-stale-data`.
    pub serves_stale_data: bool,
    pub databases: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: Version::Valkey91,
            addresses: Vec::new(),
            availability_zones: Vec::new(),
            connections_limit: 10_000,
            busy_after: Duration::from_secs(5),
            replication_delay: (Duration::from_micros(100), Duration::from_millis(5)),
            gossip_delay: (Duration::from_millis(1), Duration::from_millis(200)),
            persistent: true,
            serves_stale_data: true,
            databases: 16,
        }
    }
}
