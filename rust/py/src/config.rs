//! From a configuration's settings to the core's.

use std::sync::Arc;
use std::time::Duration;

use glide_scripts_core::{
    Address, Backoff, Config, ConnectionConfig, Credentials, Mode, PasswordSource, Protocol, ReadFrom, system,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::socket;
use crate::tls::TlsSetup;

/// Reads what a configuration's `_settings()` gives, which has checked the values.
pub(crate) fn from_settings(settings: &Bound<'_, PyDict>, password_source: Option<PasswordSource>) -> PyResult<Config> {
    let setting = |name: &str| settings.as_any().get_item(name);
    let milliseconds = |name: &str| -> PyResult<Duration> { Ok(Duration::from_millis(setting(name)?.extract()?)) };
    let optional_milliseconds =
        |name| -> PyResult<_> { Ok(setting(name)?.extract::<Option<u64>>()?.map(Duration::from_millis)) };
    let (retries, factor, base, jitter_percent): (u32, u64, u32, u32) = setting("backoff")?.extract()?;
    let addresses: Vec<(String, Option<u16>)> = setting("addresses")?.extract()?;
    let password: Option<String> = setting("password")?.getattr("value")?.extract()?;
    let username: Option<String> = setting("username")?.extract()?;
    let credentials = match password_source {
        Some(source) => Credentials::asking(username, source),
        None => Credentials::new(username, password),
    };
    let tls: Option<Bound<'_, TlsSetup>> = setting("tls")?.extract()?;
    let mode = if setting("cluster")?.extract()? {
        Mode::Cluster {
            periodic_checks: optional_milliseconds("periodic_checks_ms")?,
            refresh_from_seeds: setting("refresh_from_seeds")?.extract()?,
        }
    } else {
        Mode::Standalone
    };
    Ok(Config {
        mode,
        addresses: addresses.into_iter().map(address).collect(),
        connection: ConnectionConfig {
            tls: tls.map(|setup| setup.get().0.clone()),
            credentials: Arc::new(credentials),
            protocol: if setting("protocol")?.extract::<u8>()? == 2 { Protocol::Resp2 } else { Protocol::Resp3 },
            database: setting("database")?.extract()?,
            client_name: setting("client_name")?.extract()?,
            sends_client_info: setting("send_client_info")?.extract()?,
            terms: setting("terms")?.extract()?,
            tcp_nodelay: setting("tcp_nodelay")?.extract()?,
            timeout: milliseconds("connection_timeout_ms")?,
            observed: !setting("observer")?.is_none(),
            backoff: Backoff { retries, factor: Duration::from_millis(factor), base, jitter_percent },
            unacknowledged: socket::UNACKNOWLEDGED,
            transport: system(),
        },
        read_from: read_from(&setting("read_from")?.extract::<String>()?, setting("client_az")?.extract()?),
        request_timeout: milliseconds("request_timeout_ms")?,
        inflight_limit: setting("inflight_limit")?.extract()?,
        lazy: setting("lazy")?.extract()?,
        heartbeat: optional_milliseconds("heartbeat_interval_ms")?,
        pending_bytes_limit: setting("pending_bytes_limit")?.extract()?,
    })
}

/// A host and its port, or the path of a Unix socket and no port.
fn address((place, port): (String, Option<u16>)) -> Address {
    match port {
        Some(port) => Address::new(place, port),
        None => Address::unix(place),
    }
}

fn read_from(name: &str, zone: Option<String>) -> ReadFrom {
    match (name, zone) {
        ("prefer_replica", _) => ReadFrom::PreferReplica,
        ("az_affinity", Some(zone)) => ReadFrom::ZoneReplica(zone),
        ("az_affinity_replicas_and_primary", Some(zone)) => ReadFrom::ZoneReplicaOrPrimary(zone),
        _ => ReadFrom::Primary,
    }
}
