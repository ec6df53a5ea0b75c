//! Compares the model's answers with those of real servers, byte for byte.
//!
//! Each trace is made from a seed and run on the model, which records what it was sent and what it answered. The same
//! is sent to a real server of that version. `VALKEY_SERVER` names a server's program, and `SERVERS` further ones as
//! `name=path`, separated by commas. `HONEST_SEEDS=20..30` runs other seeds, or more.

mod busy;
mod cluster;
mod data;
mod generator;
mod normal;
mod once;
#[path = "../../../core/tests/support/server.rs"]
mod server;
mod servers;

use glide_scripts_sim::servers::trace::{Act, Difference, readable, replay};
use glide_scripts_sim::servers::{Deployment, Layout, Options, Words};

use self::normal::normal;
use self::servers::{Program, Real};

/// The seeds to run: from the environment, or that many.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    match std::env::var("HONEST_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("HONEST_SEEDS=<from>..<to>");
            from.parse().expect("a number")..to.parse().expect("a number")
        }
        Err(_) => 0..usual,
    }
}

/// Makes a trace on the model for each seed and program, and replays it on the real server.
fn hold(
    programs: &[Program],
    seeds: std::ops::Range<u64>,
    layout: Layout,
    start: impl Fn(&Program) -> Real,
    generate: impl Fn(&mut Deployment, &mut fastrand::Rng),
) {
    let mut failures = String::new();
    for program in programs {
        for seed in seeds.clone() {
            let mut real = start(program);
            let options = Options { version: program.version, addresses: real.addresses(), ..Options::default() };
            let mut model = Deployment::new(layout, options, seed);
            real.ids = model.nodes().into_iter().map(|node| model.node_name(node)).zip(real.real_ids()).collect();
            model.begin_trace();
            generate(&mut model, &mut fastrand::Rng::with_seed(seed));
            let trace = model.take_trace();
            assert!(trace.iter().any(|act| matches!(act, Act::Hear { .. })), "the trace is empty");
            for Difference { words, expected, heard } in replay(&trace, &mut real, normal).into_iter().take(3) {
                failures.push_str(&format!(
                    "{} seed {seed}: {}\n  model  {}\n  server {}\n",
                    program.name,
                    shown(&words),
                    readable(&expected),
                    readable(&heard)
                ));
            }
        }
    }
    assert!(failures.is_empty(), "the model and real servers differ:\n{failures}");
}

fn shown(words: &Words) -> String {
    /// Of code only its beginning, which names it.
    const LONGEST: usize = 400;
    words.iter().map(|word| readable(&word[..word.len().min(LONGEST)])).collect::<Vec<_>>().join(" ")
}
