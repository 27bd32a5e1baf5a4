//! Does the red team notice? Each safeguard is taken away in a process of its own, and the attacks must fail there.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use crate::safeguard::Safeguard;

/// What attacks, cheapest first.
const ATTACKS: &[&str] = &[
    "tests::attacks::every_attack",
    "tests::policies::",
    "tests::released::",
    "plan::tests::",
    "dp::tests::limits::",
    "tests::failures::a_source_that_lies",
    "tests::boundary::",
    "tests::red::random",
    "partition::tests::products::",
    "tests::red::free::",
];
/// Processes at a time.
const AT_A_TIME: usize = 2;

/// Which of the attacks notices first that a safeguard is gone.
fn found_by(safeguard: Safeguard) -> Option<&'static str> {
    let program = std::env::current_exe().expect("the test runs from a file");
    { ATTACKS.iter() }
        .find(|attack| {
            let status = Command::new(&program)
                .arg(attack)
                .args(["--test-threads", "1"])
                .env("LINGQU_GUARD_WITHOUT", format!("{safeguard:?}"))
                .env("LINGQU_RED_CASES", "0.5")
                .env("RUST_BACKTRACE", "0")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            !status.expect("the test runs itself").success()
        })
        .copied()
}

#[test]
fn every_safeguard_that_is_taken_away_is_missed() {
    if super::is_mutated() {
        return;
    }
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(Safeguard, Option<&str>)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(safeguard) = Safeguard::ALL.get(next.fetch_add(1, SeqCst)) {
                    let by = found_by(*safeguard);
                    found.lock().expect("nobody panics").push((*safeguard, by));
                }
            });
        }
    });
    let found = found.into_inner().expect("nobody panics");
    for (safeguard, by) in &found {
        println!("{safeguard:?}: {}", by.unwrap_or("not found"));
    }
    let missed = found.iter().filter(|(_, by)| by.is_none()).count();
    println!("{} of {} found", found.len() - missed, found.len());
    assert!(
        missed == 0 && found.len() == Safeguard::ALL.len(),
        "{found:?}"
    );
}
