//! One Sentinel, and what it says of a service: [SENTINEL](https://valkey.io/topics/sentinel/).

use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::timeout;

use crate::connection::connect::{Connection, Purpose, connect};
use crate::model::address::Address;
use crate::model::config::ConnectionConfig;
use crate::model::topology_error::SentinelError;
use crate::model::verdict;
use crate::wire::fields::Fields;
use crate::wire::pack;
use crate::wire::resp::{Reply, ServerError};

pub(crate) struct Sentinel {
    pub(crate) address: Address,
    pub(crate) config: Arc<ConnectionConfig>,
    service: Arc<str>,
    /// The connection that it was asked by, while it is asked again and again.
    kept: RefCell<Option<Connection>>,
}

/// What one Sentinel says of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) by: Address,
    pub(crate) primary: Address,
    /// Counts the failovers: of two Sentinels, the one with the higher epoch knows more.
    pub(crate) epoch: u64,
    /// Those that seem to be up.
    pub(crate) replicas: Vec<Address>,
    /// The replica that it is making the primary, which it will name only once it has seen it be one.
    pub(crate) promoted: Option<Address>,
}

impl Sentinel {
    pub(super) fn new(address: Address, config: Arc<ConnectionConfig>, service: Arc<str>) -> Self {
        Self { address, config, service, kept: RefCell::default() }
    }

    /// Asks it for the servers of the service.
    pub(super) async fn ask(&self) -> Result<Claim, SentinelError> {
        // A connection that was lost meanwhile is no reason to do without an answer.
        let kept = self.kept.take();
        if let Some(connection) = kept
            && let Ok(claim) = self.ask_over(connection).await
        {
            return Ok(claim);
        }
        let connection = connect(&self.address, &self.config, Purpose::Sentinel).await;
        self.ask_over(connection?).await
    }

    async fn ask_over(&self, mut connection: Connection) -> Result<Claim, SentinelError> {
        let bound = self.config.timeout;
        let asking = timeout(bound, self.claim(&mut connection)).await;
        let claim = asking.unwrap_or(Err(SentinelError::NoReplyInTime(bound)))?;
        self.kept.replace(Some(connection));
        Ok(claim)
    }

    /// Ends the connection that it was asked by.
    pub(super) fn release(&self) {
        self.kept.take();
    }

    async fn claim(&self, connection: &mut Connection) -> Result<Claim, SentinelError> {
        let ask = |what: &[u8]| pack::command(&[b"SENTINEL", what, self.service.as_bytes()]);
        // In one write, so that the answers are of one moment. Redis before 5 calls REPLICAS SLAVES.
        let questions = [ask(b"GET-MASTER-ADDR-BY-NAME"), ask(b"MASTER"), ask(b"REPLICAS")].concat();
        connection.send(&questions).await?;
        let primary = connection.receive().await?;
        let details = connection.receive().await?;
        let replicas = connection.receive().await?;
        if let Some(error) = primary.error() {
            return Err(refused(error));
        }
        let Some(place) = primary.into_elements() else {
            connection.send(&pack::command(&[b"SENTINEL", b"MASTERS"])).await?;
            return Err(self.unknown_service(connection.receive().await?));
        };
        let primary = match place.as_slice() {
            [host, port] => address(host, port),
            _ => None,
        };
        let primary = primary.ok_or(SentinelError::Malformed { command: "SENTINEL GET-MASTER-ADDR-BY-NAME" })?;
        let details = Entry::read(details);
        let epoch = details.as_ref().and_then(|entry| entry.0.text("config-epoch")?.parse().ok());
        let is_failing_over = details.is_some_and(|entry| entry.has_flag(&["failover_in_progress"]));
        let entries: Vec<_> = replicas.into_elements().into_iter().flatten().filter_map(Entry::read).collect();
        let replicas = entries.iter().filter_map(Entry::replica).filter(|replica| *replica != primary).collect();
        let promoted = entries.iter().find(|entry| is_failing_over && entry.has_flag(&["promoted"]));
        let promoted = promoted.and_then(Entry::address);
        Ok(Claim { by: self.address.clone(), primary, epoch: epoch.unwrap_or(0), replicas, promoted })
    }

    /// `known` is its reply to SENTINEL MASTERS.
    fn unknown_service(&self, known: Reply) -> SentinelError {
        let entries = known.into_elements().into_iter().flatten();
        let names = entries.filter_map(|entry| Some(Fields::read(entry)?.text("name")?.to_owned()));
        SentinelError::UnknownService { service: self.service.clone(), known: names.collect() }
    }
}

fn refused(error: &ServerError) -> SentinelError {
    match error {
        // A Sentinel before Redis 7.2 does not say so earlier, because it knows none of the first commands.
        error if verdict::wants_password(error) => SentinelError::WantsCredentials(error.clone()),
        error if verdict::lacks_command(error) => SentinelError::NoSentinel(error.clone()),
        error => SentinelError::Refused(error.clone()),
    }
}

fn address(host: &Reply, port: &Reply) -> Option<Address> {
    let text = |reply: &Reply| std::str::from_utf8(reply.as_bytes()?).ok().map(str::to_owned);
    let (host, port) = (text(host)?, text(port)?.parse().ok()?);
    (!host.is_empty() && port != 0).then(|| Address::new(host, port))
}

/// What a Sentinel says of one server.
struct Entry(Fields);

impl Entry {
    fn read(reply: Reply) -> Option<Self> {
        Fields::read(reply).map(Self)
    }

    fn has_flag(&self, any_of: &[&str]) -> bool {
        self.0.text("flags").is_some_and(|flags| flags.split(',').any(|flag| any_of.contains(&flag)))
    }

    fn address(&self) -> Option<Address> {
        address(self.0.value("ip")?, self.0.value("port")?)
    }

    /// The address of the replica in the entry; `None` if it seems to be down, or still believes that it is a primary,
    /// as an old primary does for seconds after a failover.
    fn replica(&self) -> Option<Address> {
        let is_primary = self.0.text("role-reported") == Some("master");
        if is_primary || self.0.text("flags").is_none() || self.has_flag(&["s_down", "o_down"]) {
            return None;
        }
        self.address()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::resp::Item;

    fn word(text: &str) -> Reply {
        Reply::One(Item::Bulk(Bytes::copy_from_slice(text.as_bytes()).into()))
    }

    fn entry(fields: &[(&str, &str)]) -> Entry {
        Entry(Fields(fields.iter().flat_map(|(name, value)| [word(name), word(value)]).collect()))
    }

    #[test]
    fn only_a_replica_that_seems_to_be_up_and_says_that_it_is_one_serves_reads() {
        let place = [("ip", "::1"), ("port", "6380")];
        let replica = |flags, role| entry(&[place[0], place[1], ("flags", flags), ("role-reported", role)]).replica();
        assert_eq!(replica("slave", "slave"), Some(Address::new("::1", 6380)));
        assert_eq!(replica("slave,disconnected", "slave"), Some(Address::new("::1", 6380)));
        for (flags, role) in [("s_down,slave", "slave"), ("slave,o_down", "slave"), ("slave", "master")] {
            assert_eq!(replica(flags, role), None, "{flags} {role}");
        }
    }

    #[test]
    fn an_address_that_makes_no_sense_is_none() {
        for (host, port) in [("", "1"), ("h", "0"), ("h", "70000"), ("h", "x")] {
            assert_eq!(address(&word(host), &word(port)), None, "{host:?} {port:?}");
        }
    }
}
