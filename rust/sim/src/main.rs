//! `make sim SEEDS=0..500`: runs seeds. For each one that fails, it prints which promise was violated, and how to
//! replay the run.

use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let traces = args.iter().any(|arg| arg == "--trace");
    let seeds = args.iter().find(|arg| !arg.starts_with("--")).map_or(Some(0..200), |arg| parse(arg));
    let Some(seeds) = seeds else {
        eprintln!("SEEDS is a number, or a range of numbers: make sim SEEDS=7, or make sim SEEDS=0..500");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let (mut calls, mut virtual_time, mut failed, mut count) = (0, Duration::ZERO, 0_u32, 0_u64);
    for seed in seeds {
        let report = glide_scripts_sim::run(seed, traces);
        (calls, virtual_time, count) = (calls + report.calls, virtual_time + report.virtual_time, count + 1);
        report.trace.iter().for_each(|line| println!("{line}"));
        if report.violations.is_empty() {
            continue;
        }
        failed += 1;
        println!("seed {seed}: {} promises were broken", report.violations.len());
        report.violations.iter().take(5).for_each(|violation| println!("  {violation}"));
        println!("  see it again: make sim SEEDS={seed} SIM_ARGS=--trace");
    }
    println!(
        "{count} seeds, {calls} calls, {:.1} virtual hours in {:.1} s: {failed} seeds failed",
        virtual_time.as_secs_f64() / 3600.0,
        began.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(text: &str) -> Option<Range<u64>> {
    match text.split_once("..") {
        Some((from, to)) => {
            let range = from.parse().ok()?..to.parse().ok()?;
            (!range.is_empty()).then_some(range)
        }
        None => text.parse().ok().map(|seed: u64| seed..seed + 1),
    }
}
