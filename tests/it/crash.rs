//! Thousands of kills: a small process is ended with SIGKILL at random moments, and what it left is judged.
//!
//! Promises under test: no answer without its record, never a journal that does not verify or continue, never a quota
//! overspent, never a call id evaluated twice; for the coordinator, nothing cosigned or acknowledged is ever lost.
//! `LINGQU_CRASH_SEED` repeats a run's choices (not the scheduler's), `LINGQU_CRASH_KILLS` sets how many kills.
//! Start reading at [`history`], which judges; [`child`] kills, [`stored`] reads what is on the disk.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it did, and fails by panicking"
)]

#[allow(
    dead_code,
    reason = "shared with the process that is killed; each side uses its half"
)]
#[path = "../crash/plane.rs"]
mod plane;
#[allow(
    dead_code,
    reason = "shared with the process that is killed; each side uses its half"
)]
#[path = "../crash/protocol.rs"]
mod protocol;
#[allow(
    dead_code,
    reason = "shared with the process that is killed; each side uses its half"
)]
#[path = "../crash/world.rs"]
mod world;

mod acknowledged;
mod child;
mod coordinated;
mod coordinator;
mod history;
mod journal;
mod mirror;
mod node;
mod setting;
mod stored;
mod tally;
mod trial;
mod writer;

use lingqu_core::Clock;
use lingqu_journal::SystemClock;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Kills of the journal in both modes together, unless the environment says otherwise.
const KILLS: usize = 1_600;

/// Number of kills, scaled to this suite's share in hundredths of [`KILLS`].
fn kills(percent: usize) -> usize {
    let all = std::env::var("LINGQU_CRASH_KILLS").map_or(KILLS, |kills| {
        kills.parse().expect("LINGQU_CRASH_KILLS is a number")
    });
    (all * percent / 100).max(1)
}

/// The seed, printed so that a failure can be looked at again.
fn choices(suite: &str) -> StdRng {
    let seed = std::env::var("LINGQU_CRASH_SEED").map_or_else(
        |_| SystemClock.now().0.unsigned_abs(),
        |seed| seed.parse().expect("LINGQU_CRASH_SEED is a number"),
    );
    println!("{suite}: LINGQU_CRASH_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[test]
fn a_lagged_journal_survives_every_kill() {
    journal::survives_kills("journal-lagged", kills(50));
}

#[test]
fn a_mirrored_journal_survives_every_kill() {
    journal::survives_kills("journal-mirrored", kills(50));
}

#[test]
fn a_node_survives_every_kill() {
    node::survives_kills(kills(10));
}

#[test]
fn a_coordinator_survives_every_kill() {
    coordinator::survives_kills(kills(15));
}
