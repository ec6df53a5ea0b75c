//! From a configuration's settings to the core's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use glide_scripts_core::{
    Address, AddressMap, Backoff, Config, ConnectionConfig, Credentials, Deadlines, Mode, Protocol, Questioner,
    ReadFrom, SentinelConfig, Tls, system,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::socket;
use crate::tls::TlsSetup;

type Settings<'a, 'py> = &'a Bound<'py, PyAny>;
type HostAndPort = (String, Option<u16>);

/// Reads what a configuration's `_settings()` gives, which has checked the values. `questioner` makes what asks a
/// callback.
pub(crate) fn from_settings(
    settings: &Bound<'_, PyDict>,
    questioner: impl Fn(&Bound<'_, PyAny>) -> PyResult<Questioner>,
) -> PyResult<Config> {
    let settings = settings.as_any();
    let setting = |name: &str| settings.get_item(name);
    let milliseconds = |name: &str| -> PyResult<Duration> { Ok(Duration::from_millis(setting(name)?.extract()?)) };
    let optional_milliseconds =
        |name| -> PyResult<_> { Ok(setting(name)?.extract::<Option<u64>>()?.map(Duration::from_millis)) };
    let (retries, factor, base, jitter_percent): (u32, u64, u32, u32) = setting("backoff")?.extract()?;
    let addresses: Vec<HostAndPort> = setting("addresses")?.extract()?;
    let mut addresses: Vec<_> = addresses.into_iter().map(address).collect();
    let mode = if setting("cluster")?.extract()? {
        Mode::Cluster {
            periodic_checks: optional_milliseconds("periodic_checks_ms")?,
            refresh_from_seeds: setting("refresh_from_seeds")?.extract()?,
        }
    } else {
        Mode::Standalone
    };
    let connection = ConnectionConfig {
        tls: tls(settings)?,
        credentials: credentials(settings, &questioner)?,
        protocol: if setting("protocol")?.extract::<u8>()? == 2 { Protocol::Resp2 } else { Protocol::Resp3 },
        database: setting("database")?.extract()?,
        client_name: setting("client_name")?.extract()?,
        sends_client_info: setting("send_client_info")?.extract()?,
        setting_names: setting("setting_names")?.extract()?,
        tcp_nodelay: setting("tcp_nodelay")?.extract()?,
        timeout: milliseconds("connection_timeout_ms")?,
        deadlines: if setting("waits_for_replies")?.extract()? { Deadlines::UntilSent } else { Deadlines::WholeCalls },
        observed: !setting("observer")?.is_none(),
        backoff: Backoff { retries, factor: Duration::from_millis(factor), base, jitter_percent },
        address_map: address_map(&setting("address_map")?, &questioner)?,
        unacknowledged: socket::UNACKNOWLEDGED,
        transport: system(),
    };
    let sentinel = setting("sentinel")?;
    let sentinels = if sentinel.is_none() {
        None
    } else {
        let own_name = ("use_tls=".to_owned(), "sentinel_use_tls=".to_owned());
        Some(SentinelConfig {
            addresses: std::mem::take(&mut addresses),
            service: sentinel.get_item("service")?.extract()?,
            connection: ConnectionConfig {
                tls: tls(&sentinel)?,
                credentials: credentials(&sentinel, &questioner)?,
                protocol: Protocol::Resp2,
                database: 0,
                setting_names: [vec![own_name], connection.setting_names.clone()].concat(),
                address_map: None,
                ..connection.clone()
            },
        })
    };
    Ok(Config {
        mode,
        addresses,
        sentinels,
        connection,
        read_from: read_from(&setting("read_from")?.extract::<String>()?, setting("client_az")?.extract()?),
        request_timeout: milliseconds("request_timeout_ms")?,
        inflight_limit: setting("inflight_limit")?.extract()?,
        lazy: setting("lazy")?.extract()?,
        heartbeat: optional_milliseconds("heartbeat_interval_ms")?,
        pending_bytes_limit: setting("pending_bytes_limit")?.extract()?,
    })
}

/// A host and its port, or the path of a Unix socket and no port.
fn address((place, port): HostAndPort) -> Address {
    match port {
        Some(port) => Address::new(place, port),
        None => Address::unix(place),
    }
}

fn tls(settings: Settings<'_, '_>) -> PyResult<Option<Tls>> {
    let tls: Option<Bound<'_, TlsSetup>> = settings.get_item("tls")?.extract()?;
    Ok(tls.map(|setup| setup.get().0.clone()))
}

fn credentials(
    settings: Settings<'_, '_>,
    questioner: impl Fn(&Bound<'_, PyAny>) -> PyResult<Questioner>,
) -> PyResult<Arc<Credentials>> {
    let username = settings.get_item("username")?.extract()?;
    let callback = settings.get_item("password_callback")?;
    Ok(Arc::new(if callback.is_none() {
        Credentials::new(username, settings.get_item("password")?.getattr("value")?.extract()?)
    } else {
        Credentials::asking(username, questioner(&callback)?)
    }))
}

/// A dict of hosts and ports, or a callback.
fn address_map(
    map: Settings<'_, '_>,
    questioner: impl Fn(&Bound<'_, PyAny>) -> PyResult<Questioner>,
) -> PyResult<Option<Arc<AddressMap>>> {
    if map.is_none() {
        return Ok(None);
    }
    let map = match map.cast::<PyDict>() {
        Ok(table) => {
            let table: HashMap<HostAndPort, HostAndPort> = table.extract()?;
            AddressMap::Table(table.into_iter().map(|(inner, outer)| (address(inner), address(outer))).collect())
        }
        Err(_) => AddressMap::Asked(questioner(map)?),
    };
    Ok(Some(Arc::new(map)))
}

fn read_from(name: &str, zone: Option<String>) -> ReadFrom {
    match (name, zone) {
        ("prefer_replica", _) => ReadFrom::PreferReplica,
        ("az_affinity", Some(zone)) => ReadFrom::ZoneReplica(zone),
        ("az_affinity_replicas_and_primary", Some(zone)) => ReadFrom::ZoneReplicaOrPrimary(zone),
        ("all_nodes", _) => ReadFrom::AnyNode,
        ("az_affinity_all_nodes", Some(zone)) => ReadFrom::ZoneNode(zone),
        _ => ReadFrom::Primary,
    }
}
