//! Runs one seed from beginning to end: chaos, healing, and a check that calls succeed again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use glide_scripts_core::{
    Address, Backoff, Client, Completion, Config, ConnectionConfig, Credentials, Deadlines, IoThread, Mode, Protocol,
    ReadFrom, ReplyTo, Stats,
};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::ids::word_of;
use crate::network::Simulated;
use crate::oracle::{BUSY_AFTER, Oracle};
use crate::panics;
use crate::reshaping::reshape;
use crate::servers::{Condition, Deployment, Layout, NodeId, Options, Version, slot};
use crate::work;
use crate::work::Callers;
use crate::world::{Roughness, Trace, World};

/// The result of one seed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub seed: u64,
    /// The promises that were violated.
    pub violations: Vec<String>,
    pub calls: u64,
    pub virtual_time: Duration,
    /// A hash of all events, in order.
    pub hash: u64,
    /// What happened, where it was asked for.
    pub trace: Vec<String>,
}

/// Runs one seed.
pub fn run(seed: u64, keeps_trace: bool) -> Report {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be made");
    let local = LocalSet::new();
    panics::note();
    let mut report = local.block_on(&runtime, simulate(seed, keeps_trace));
    drop(local);
    report.violations.extend(panics::noted());
    World::forget();
    report
}

/// How long the faults last.
const CHAOS: Duration = Duration::from_secs(2);

/// How long a client may take to notice that its connections are silent, and to replace them: four intervals of its
/// heartbeat, two more for its questions, and an attempt to connect that nobody answers.
const UNTIL_NOTICED: Duration = Duration::from_secs(3);

/// The servers of a seed, and how rough its network is.
fn make_world(seed: u64, chance: &mut fastrand::Rng, keeps_trace: bool) -> (Layout, Version, Rc<World>) {
    let layout = match chance.u8(..6) {
        0 | 1 => Layout::Standalone,
        2 => Layout::Replicated { replicas: 1 },
        3 => Layout::Cluster { shards: 3, replicas: 0 },
        _ => Layout::Cluster { shards: 2, replicas: 1 },
    };
    let version = Version::ALL[chance.usize(..Version::ALL.len())];
    let options = Options {
        version,
        busy_after: BUSY_AFTER,
        replication_delay: (Duration::ZERO, Duration::from_micros(chance.u64(..20_000))),
        ..Options::default()
    };
    let mut deployment = Deployment::new(layout, options, chance.u64(..));
    let is_calm = chance.u8(..4) == 0;
    let may_begin_transactions = is_calm || chance.u8(..8) > 0;
    let may_eval = is_calm || chance.u8(..8) > 0;
    for node in deployment.nodes() {
        deployment.set_user(node, "default", &PASSWORDS);
        if !may_eval {
            deployment.set_user(node, "default", &["-eval", "-eval_ro"]);
        }
        if !may_begin_transactions {
            deployment.set_user(node, "default", &["-multi"]);
        }
    }
    let world = World::new(seed, deployment, Trace::new(keeps_trace));
    world.is_quiet.set(is_calm);
    world.stays_silent.set(!is_calm && chance.u8(..3) == 0);
    world.may_eval.set(may_eval);
    world.shows_arrival.set(!is_calm || chance.bool());
    world.has_slow_scripts.set(chance.u8(..if is_calm { 2 } else { 4 }) == 0);
    world.log(format_args!("{layout:?} {version:?} {}", if is_calm { "calm" } else { "rough" }));
    (layout, version, world)
}

async fn simulate(seed: u64, keeps_trace: bool) -> Report {
    let mut chance = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let (layout, version, world) = make_world(seed, &mut chance, keeps_trace);
    let is_calm = world.is_quiet.get();
    spawn_local(world.clone().tick());

    let io = IoThread::simulated();
    let oracle = Rc::new(RefCell::new(Oracle::default()));
    let ids = Rc::new(Cell::new(0));
    let mut violations = Vec::new();
    let mut all = Vec::new();
    let has_functions = version.has_functions();
    let open = async |number, config: Config| {
        let (opened, outcome) = ReplyTo::task();
        let waits = config.connection.deadlines == Deadlines::UntilSent;
        let client = Client::open(config, &io, opened);
        let outcome = outcome.await.ok().and_then(Completion::into_call);
        let callers = Callers::new(client, number, world.clone(), oracle.clone(), ids.clone(), has_functions, waits);
        match outcome {
            Some(Ok(_)) => Ok(callers),
            other => Err(format!("a client could not connect on a calm network: {other:?}")),
        }
    };
    for number in 0..=chance.usize(..2) {
        match open(number, config(&world, layout, &mut chance)).await {
            Ok(callers) => all.push(callers),
            Err(violation) => violations.push(violation),
        }
    }
    // One client is closed while its callers are at work.
    let closing = match chance.bool().then(|| config(&world, layout, &mut chance)) {
        Some(config) => open(all.len(), config).await.ok(),
        None => None,
    };

    // Chaos.
    if !is_calm {
        world.roughness.set(Roughness::Rough);
        spawn_local(trouble(world.clone(), CHAOS));
    }
    let flooding = all.first().filter(|_| !is_calm && world.once_in(3));
    let flooding = flooding.map(|callers| spawn_local(pause_and_flood(world.clone(), callers.clone())));
    for callers in &all {
        spawn_local(callers.clone().work(CHAOS));
    }
    if let Some(callers) = &closing {
        spawn_local(callers.clone().work(CHAOS));
        sleep(Duration::from_millis(world.below(2_000))).await;
        world.log(format_args!("client {} is closed", callers.number));
        callers.close().await;
    }
    sleep(CHAOS.saturating_sub(world.now())).await;
    if is_calm {
        // The last calls are issued.
        sleep(Duration::from_millis(50)).await;
        rest(&all).await;
        // Only calls to a single address keep their order while they wait for it.
        let waiting = if layout == Layout::Standalone { &all[..] } else { &[] };
        restart_all(&world, waiting).await;
        for callers in &all {
            spawn_local(callers.clone().work(CHAOS / 4));
        }
        sleep(CHAOS / 4).await;
    }

    // Healing.
    world.roughness.set(Roughness::Healed);
    heal(&world);
    if !is_calm && !world.stays_silent.get() && world.once_in(4) {
        replace_connections(&world, &all);
    }
    world.log(format_args!("healed"));
    if world.stays_silent.get() {
        sleep(UNTIL_NOTICED).await;
    }

    // Life.
    for callers in &all {
        if let Err(error) = callers.clone().probe().await {
            violations.push(format!("client {} does not serve within a second of healing: {error}", callers.number));
        }
    }
    if timeout(Duration::from_secs(30), rest(all.iter().chain(&closing))).await.is_err() {
        violations.push("calls are still in flight long after their deadlines".into());
    }
    if world.deployment.borrow().is_cluster() {
        violations.extend(reshape(&world, &all).await);
    }
    if let Some(flooding) = flooding
        && let Ok(Err(violation)) = flooding.await
    {
        violations.push(violation);
    }
    // Bytes in flight arrive, and a kill whose connection stays silent is given up.
    sleep(Duration::from_secs(62)).await;
    for callers in &all {
        violations.extend(account(callers).await);
        callers.close().await;
    }
    sleep(Duration::from_secs(1)).await;
    if !world.wires.borrow().is_empty() {
        violations.push(format!("{} connections are open after all clients were closed", world.wires.borrow().len()));
    }
    violations.extend(oracle.borrow().violations(&world.events.borrow(), &world.taken.borrow(), is_calm));
    let count = |key: &str, id| world.deployment.borrow().count(key.as_bytes(), word_of(id).as_bytes());
    violations.extend(oracle.borrow().check_counts(&world.events.borrow(), count));
    let mut trace = world.trace.borrow_mut();
    let lines = trace.lines.take().unwrap_or_default();
    let calls = oracle.borrow().records.len() as u64;
    Report { seed, violations, calls, virtual_time: world.now(), hash: trace.hash(), trace: lines }
}

/// The servers know only the passwords that the clients have now, and all connections end.
fn replace_connections(world: &World, all: &[Rc<Callers>]) {
    world.log(format_args!("the servers forget old passwords, and all connections end"));
    let passwords: Vec<_> = all.iter().map(|callers| format!(">{}", callers.password.get())).collect();
    let rules: Vec<_> = std::iter::once("resetpass").chain(passwords.iter().map(String::as_str)).collect();
    world.with_model(|model| model.nodes().into_iter().for_each(|node| model.set_user(node, "default", &rules)));
    for wire in world.wires.borrow().values().cloned().collect::<Vec<_>>() {
        wire.reset(world);
    }
}

/// Waits until no call is in flight.
async fn rest(all: impl IntoIterator<Item = &Rc<Callers>>) {
    let all: Vec<_> = all.into_iter().collect();
    while all.iter().any(|callers| callers.under_way.get() > 0) {
        sleep(Duration::from_millis(10)).await;
    }
}

/// A client writes more than a server reads that has stopped for a moment.
async fn pause_and_flood(world: Rc<World>, callers: Rc<Callers>) -> Result<(), String> {
    sleep(Duration::from_millis(world.below(900))).await;
    world.with_model(|model| model.nodes().into_iter().for_each(|node| model.pause(node)));
    let result = callers.flood().await;
    world.with_model(|model| model.nodes().into_iter().for_each(|node| model.unpause(node)));
    result
}

/// The servers end while no call is in flight, and start again: they have their data, and no scripts. Meanwhile, the
/// callers of `waiting` are at work.
async fn restart_all(world: &World, waiting: &[Rc<Callers>]) {
    const NOTICED: Duration = Duration::from_millis(50);
    const DOWN: Duration = Duration::from_millis(300);
    world.log(format_args!("all servers start again"));
    world.with_model(|model| model.nodes().into_iter().for_each(|node| model.kill(node)));
    if !waiting.is_empty() {
        sleep(NOTICED).await;
        waiting.iter().for_each(|callers| drop(spawn_local(callers.clone().work(DOWN))));
        sleep(DOWN).await;
    }
    world.with_model(|model| model.nodes().into_iter().for_each(|node| model.restart(node)));
    // The clients connect again.
    sleep(Duration::from_secs(2)).await;
}

/// What is wrong with the counters of a client that has nothing left to do.
async fn account(callers: &Callers) -> Vec<String> {
    let mut violations = Vec::new();
    let stats = callers.client.borrow().stats().clone();
    if let Err(violation) = come_to_rest(&stats).await {
        violations.push(violation);
    }
    let (counted, ended) = (stats.calls.get(), callers.ended.get());
    if counted != ended {
        violations.push(format!("{counted} calls are counted, but {ended} have ended"));
    }
    violations
}

/// Waits until nothing is queued or in flight, except perhaps a heartbeat.
async fn come_to_rest(stats: &Stats) -> Result<(), String> {
    let mut busy = String::new();
    for _ in 0..200 {
        let waiting = stats.pending_bytes();
        let in_flight: u64 = stats.nodes().iter().map(|(_, node)| node.in_flight()).sum();
        if (waiting, in_flight) == (0, 0) {
            return Ok(());
        }
        busy = format!("{waiting} bytes are counted as waiting and {in_flight} requests as in flight, but none are");
        sleep(Duration::from_millis(7)).await;
    }
    Err(busy)
}

fn config(world: &World, layout: Layout, chance: &mut fastrand::Rng) -> Config {
    let deployment = world.deployment.borrow();
    let address = |node| {
        let (host, port) = deployment.address(node);
        Address::new(host, port)
    };
    let addresses = deployment.nodes().into_iter().map(address).collect();
    let mode = match layout {
        Layout::Cluster { .. } => {
            Mode::Cluster { refresh_from_seeds: chance.bool(), periodic_checks: Some(Duration::from_secs(5)) }
        }
        _ => Mode::Standalone,
    };
    Config {
        mode,
        addresses,
        sentinels: None,
        connection: ConnectionConfig {
            tls: None,
            credentials: Arc::new(Credentials::new(None, Some(work::PASSWORDS[0].into()))),
            protocol: if chance.bool() { Protocol::Resp3 } else { Protocol::Resp2 },
            database: 0,
            sends_client_info: true,
            setting_names: Vec::new(),
            client_name: None,
            tcp_nodelay: true,
            timeout: Duration::from_millis(500),
            backoff: Backoff { retries: 4, factor: Duration::from_millis(20), base: 2, jitter_percent: 20 },
            address_map: None,
            deadlines: if chance.u8(..5) == 0 { Deadlines::UntilSent } else { Deadlines::WholeCalls },
            observed: false,
            // The simulated connections know it themselves.
            unacknowledged: world.shows_arrival.get().then_some(|_| None),
            transport: Arc::new(Simulated),
        },
        read_from: if chance.bool() { ReadFrom::Primary } else { ReadFrom::PreferReplica },
        request_timeout: Duration::from_secs(1),
        inflight_limit: None,
        lazy: false,
        heartbeat: Some(Duration::from_millis(300)),
        pending_bytes_limit: work::LIMIT,
    }
}

/// The faults of the servers.
async fn trouble(world: Rc<World>, for_long: Duration) {
    let until = world.now() + for_long;
    while world.now() < until {
        sleep(Duration::from_micros(world.below(200_000))).await;
        if !world.is_rough() {
            return;
        }
        befall(&world);
        for wire in world.wires.borrow().values().cloned().collect::<Vec<_>>() {
            if world.once_in(30) {
                wire.reset(&world);
            }
        }
        if world.once_in(2) {
            world.with_model(|model| {
                for node in model.nodes() {
                    model.restart(node);
                    model.unpause(node);
                }
            });
        }
    }
}

/// One fault of a server.
fn befall(world: &World) {
    let nodes = world.deployment.borrow().nodes();
    let is_replica = |node: &NodeId| world.deployment.borrow().is_replica(*node);
    let (replicas, primaries): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| is_replica(node));
    let what = world.below(13);
    let of = if what == 5 || what == 6 { &replicas } else { &primaries };
    if of.is_empty() {
        return;
    }
    let node = world.pick(of);
    world.log(format_args!("trouble {what} at {node}"));
    let key = format!("{{k{}}}", world.below(4));
    let slot = slot(key.as_bytes());
    // A server that runs a script reads nothing that would change it, and does not look at its cluster's state.
    let is_idle = !world.deployment.borrow().runs_script(node);
    let which = usize::try_from(world.below(100)).unwrap_or(0);
    let in_step = world.once_in(2);
    let condition =
        world.pick(&[Condition::Loading, Condition::ClusterDown, Condition::OutOfMemory, Condition::CannotPersist]);
    let rules: &[&str] =
        if world.may_eval.get() { &["-evalsha", "-set", "-exec", "-script", "resetpass"] } else { &["-set", "-exec"] };
    let rule = world.pick(rules);
    world.with_model(|model| match what {
        0 | 1 if is_idle => model.flush_scripts(node),
        2 if is_idle || condition != Condition::ClusterDown => model.set_condition(node, condition, true),
        3 => allow_all(model, node),
        4 => model.kill(node),
        5 | 6 => model.fail_over(node, in_step, Duration::from_millis(100)),
        7 if model.is_cluster() => model.begin_migration(slot, node),
        8 if model.is_cluster() => model.finish_migration(slot),
        9 => model.pause(node),
        10 if is_idle => model.set_user(node, "default", &[rule]),
        11 => model.require_replicas(node, 1),
        12 if is_idle => {
            model.forget_reply(node, which);
        }
        _ => {}
    });
}

/// ACL rules that give a user these rights and no others.
const PASSWORDS: [&str; 3] = ["resetpass", ">first", ">second"];

/// Ends the condition in which a node refuses commands.
fn allow_all(model: &mut Deployment, node: NodeId) {
    for condition in [Condition::Loading, Condition::ClusterDown, Condition::OutOfMemory, Condition::CannotPersist] {
        model.set_condition(node, condition, false);
    }
    model.require_replicas(node, 0);
    model.set_user(node, "default", &["+@all"]);
    model.set_user(node, "default", &PASSWORDS);
}

fn heal(world: &World) {
    world.with_model(|model| {
        for node in model.nodes() {
            model.restart(node);
            model.unpause(node);
            allow_all(model, node);
        }
        model.hurry();
        for key in 0..4 {
            model.finish_migration(slot(format!("{{k{key}}}").as_bytes()));
        }
    });
    for wire in world.wires.borrow().values().cloned().collect::<Vec<_>>() {
        wire.heal(world);
    }
}
