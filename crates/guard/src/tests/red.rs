//! The red team that stays: random registers, policies and statements, against oracles that know what may be seen.
//!
//! Seeded and shrinking. `LINGQU_RED_CASES` asks for more cases, `LINGQU_RED_SEED` for others; `docs/testing.md` says how.
//! The statements go through the entrance that a node uses: registered, opened together over a load, bound, answered.

mod free;
mod model;
mod mutations;
mod oracles;
mod order;
mod statement;
mod together;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use oracles::Bench;
use statement::{Choice, drawn};
use world::worlds;

/// How many times the usual number of cases.
fn share() -> f64 {
    let asked = std::env::var("LINGQU_RED_CASES").ok();
    asked.map_or(1.0, |times| times.parse().expect("a number of times"))
}

/// A runner for so many cases, from the same beginning each time.
fn runner(cases: u32) -> TestRunner {
    let seed = std::env::var("LINGQU_RED_SEED").ok();
    let seed: u64 = seed.map_or(2_026, |seed| seed.parse().expect("a seed is a number"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = ProptestConfig {
        cases: (f64::from(cases) * share()).ceil() as u32,
        failure_persistence: None,
        max_shrink_iters: if is_mutated() { 0 } else { 2_000 },
        ..ProptestConfig::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Whether a safeguard is taken away: then the first finding is enough.
fn is_mutated() -> bool {
    std::env::var_os("LINGQU_GUARD_WITHOUT").is_some()
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec(prop::collection::vec(0..6_usize, 3), 1..4)
}

#[test]
fn random_products_over_random_registers_tell_nothing() {
    let bench = Bench::new();
    let strategy = (
        worlds(),
        prop::collection::vec(drawn(), 1..6),
        choices(),
        1..45_u8,
    );
    let run = runner(220).run(&strategy, |(world, drawn, choices, leaves)| {
        bench.attack(&world, &drawn, &choices, leaves);
        Ok(())
    });
    run.unwrap_or_else(|found| panic!("{found}"));
    // What was not asked was not tested: most statements are accepted, most products open, groups are shown.
    if !is_mutated() {
        let counted = bench.counted();
        println!("{counted:?}");
        assert!(counted.is_broad(), "{counted:?}");
    }
}
