//! What the model does and no real server can: it reports which scripts ran, and which writes were lost.

use std::time::Duration;

use glide_scripts_sim::servers::scripts::text;
use glide_scripts_sim::servers::{Deployment, Ending, Event, Layout, Options, pack};

const SECOND: Duration = Duration::from_secs(1);

fn evaluate(name: &str, words: &[&str]) -> Vec<u8> {
    let code = text(name, "");
    let mut command = vec!["EVAL", &code, "1", "key"];
    command.extend(words);
    pack(&command)
}

#[test]
fn writes_that_no_replica_had_are_told_lost_at_a_failover() {
    let mut model = Deployment::new(Layout::Replicated { replicas: 1 }, Options::default(), 1);
    let connection = model.connect(0).expect("a node that is up");
    model.receive(connection, &evaluate("count", &["kept"]));
    model.advance(SECOND);
    model.receive(connection, &evaluate("count", &["lost"]));
    assert_eq!(model.take_output(connection), b"$4\r\nkept\r\n$4\r\nlost\r\n");
    model.fail_over(1, false, SECOND);
    model.advance(3 * SECOND);
    assert!(model.is_replica(0) && !model.is_replica(1));
    assert_eq!((model.count(b"key", b"kept"), model.count(b"key", b"lost")), (1, 0));
    let events = model.events();
    let run = |wanted: &[u8]| {
        events.iter().find_map(|event| match event {
            Event::Ran { run, id, .. } if id == wanted => Some(*run),
            _ => None,
        })
    };
    let lost = events.iter().find_map(|event| match event {
        Event::RolledBack { runs, .. } => Some(runs.clone()),
        _ => None,
    });
    assert_eq!(lost, Some(vec![run(b"lost").expect("it ran")]));
}

#[test]
fn a_script_dies_with_its_server_and_so_does_what_it_wrote() {
    let mut model = Deployment::new(Layout::Standalone, Options::default(), 1);
    let connection = model.connect(0).expect("a node that is up");
    model.receive(connection, &evaluate("count-then-spin", &["id", "1000"]));
    model.advance(SECOND / 2);
    model.kill(0);
    assert!(!model.is_open(connection) && model.connect(0).is_none());
    model.restart(0);
    assert_eq!(model.count(b"key", b"id"), 0);
    assert!(model.events().iter().any(|event| matches!(event, Event::Ended { ending: Ending::Crashed, .. })));
}

#[test]
fn what_arrived_in_whole_runs_though_its_client_is_gone() {
    let mut model = Deployment::new(Layout::Standalone, Options::default(), 1);
    let busy = model.connect(0).expect("a node that is up");
    let gone = model.connect(0).expect("a node that is up");
    model.receive(busy, &evaluate("spin", &["id", "1000"]));
    let whole = evaluate("count", &["whole"]);
    model.receive(gone, &[&whole[..], &whole[..whole.len() - 1]].concat());
    model.disconnect(gone);
    assert_eq!(model.count(b"key", b"whole"), 0);
    model.advance(2 * SECOND);
    assert_eq!(model.count(b"key", b"whole"), 1);
    assert_eq!(model.take_output(busy), b"$2\r\nid\r\n");
}

#[test]
fn a_demoted_primary_of_a_cluster_hears_of_it_and_redirects() {
    let mut model = Deployment::new(Layout::Cluster { shards: 2, replicas: 1 }, Options::default(), 1);
    let owner = model.topology().owner(glide_scripts_sim::servers::slot(b"key")).expect("a slot that is served");
    let connection = model.connect(owner).expect("a node that is up");
    let replica = model.topology().replicas.iter().find(|(_, of)| *of == owner).expect("a replica").0;
    model.fail_over(replica, true, Duration::ZERO);
    model.advance(SECOND);
    model.receive(connection, &evaluate("count", &["id"]));
    let (host, port) = model.address(replica);
    let slot = glide_scripts_sim::servers::slot(b"key");
    assert_eq!(model.take_output(connection), format!("-MOVED {slot} {host}:{port}\r\n").into_bytes());
}
