//! The short form of `make sim`.

use glide_scripts_sim::run;

#[test]
fn a_seed_does_the_same_each_time() {
    for seed in [0, 2, 3] {
        let (first, second) = (run(seed, true), run(seed, true));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.hash, second.hash, "seed {seed}");
    }
}

#[test]
fn what_is_promised_holds_under_chaos() {
    for seed in 0..20 {
        let report = run(seed, false);
        assert!(report.violations.is_empty(), "make sim SEEDS={seed} SIM_ARGS=--trace: {:#?}", report.violations);
    }
}
