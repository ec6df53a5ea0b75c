//! Nodes of a cluster: slots, redirects, and slots that move.

use glide_scripts_sim::servers::scripts::text;
use glide_scripts_sim::servers::{Deployment, Layout, slot};

use crate::generator::Speaker;
use crate::servers::programs;
use crate::{hold, seeds};

#[test]
fn a_cluster_says_what_the_model_says() {
    let layout = Layout::Cluster { shards: 2, replicas: 0 };
    hold(&programs(), seeds(2), layout, |program| program.cluster(2), scenario);
}

fn scenario(model: &mut Deployment, chance: &mut fastrand::Rng) {
    let names = [model.node_name(0), model.node_name(1)];
    let mut speaker = Speaker::new(model, chance, &[0, 1, 0]);
    for connection in 0..2 {
        speaker.say(connection, &["CLUSTER", "SLOTS"]);
        speaker.say(connection, &["HELLO", "3"]);
        speaker.say(connection, &["CLUSTER", "SLOTS"]);
        speaker.say(connection, &["SELECT", "1"]);
    }
    for _ in 0..150 {
        speaker.say_in_cluster();
    }
    // A slot of the first node's moves to the second.
    let tag =
        (0..100).map(|n| format!("{{tag{n}}}")).find(|tag| slot(tag.as_bytes()) < 8192).expect("a key of the first");
    let (moving, here, gone) = (slot(tag.as_bytes()).to_string(), format!("{tag}here"), format!("{tag}gone"));
    let (count, any) = (text("count", ""), text("any", ""));
    speaker.say(0, &["SET", &here, "value"]);
    speaker.say(1, &["CLUSTER", "SETSLOT", &moving, "IMPORTING", &names[0]]);
    speaker.say(0, &["CLUSTER", "SETSLOT", &moving, "MIGRATING", &names[1]]);
    let commands: [&[&str]; 8] = [
        &["GET", &here],
        &["GET", &gone],
        &["MGET", &here, &gone],
        &["MGET", &gone, &format!("{tag}gone too")],
        &["EVAL", &count, "1", &gone, "id"],
        &["EVAL", &count, "2", &here, &gone, "id"],
        &["EVAL", &any, "1", &here, "id", "GET", &gone],
        &["EVAL", &any, "0", "id", "SET", &gone, "value"],
    ];
    for words in commands {
        for connection in 0..2 {
            speaker.say(connection, words);
            speaker.say(connection, &["ASKING"]);
            speaker.say(connection, words);
            speaker.say(connection, &["MULTI"]);
            speaker.say(connection, words);
            speaker.say(connection, &["EXEC"]);
            speaker.say(connection, &["MULTI"]);
            speaker.say(connection, &["ASKING"]);
            speaker.say(connection, words);
            speaker.say(connection, &["EXEC"]);
        }
    }
    for connection in 0..2 {
        speaker.say(connection, &["CLUSTER", "SETSLOT", &moving, "STABLE"]);
    }
}
