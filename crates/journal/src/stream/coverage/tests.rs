//! Ages only: what a head must be is in `heads/tests.rs`.

use lingqu_tlog::Hash;
use proptest::prelude::*;

use super::*;

const LAG: Duration = Duration::from_secs(30);

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "coord.example/h/45".to_owned(),
        size: 1,
        root: Hash([0; 32]),
    }
}

fn headed(coverage: &mut Coverage, size: u64) {
    coverage.headed(CheckedHead::covering(size, checkpoint()));
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nothing_is_fresh_before_a_head_of_this_run() {
    let mut coverage = Coverage::new(LAG, Some((checkpoint(), String::new())));
    assert!(!coverage.is_fresh(s(0)));
    assert!(coverage.is_within(s(0), s(0)));
    headed(&mut coverage, 0);
    assert!(coverage.is_fresh(s(0)));
    coverage.interrupted();
    assert!(!coverage.is_fresh(s(0)));
    assert!(coverage.is_within(s(0), s(0)));
}

#[test]
fn the_oldest_uncovered_size_counts_from_when_it_was_cosigned() {
    let mut coverage = Coverage::new(LAG, None);
    headed(&mut coverage, 0);
    coverage.cosigned(5, s(10));
    coverage.cosigned(7, s(20));
    assert_eq!(coverage.age(s(40)), s(30));
    assert!(coverage.is_fresh(s(40)));
    assert!(!coverage.is_fresh(s(41)));
    assert!(coverage.is_within(s(100), s(60)));
    assert!(!coverage.is_within(s(101), s(60)));
    // A head of less than that changes nothing; one of it leaves the next.
    headed(&mut coverage, 4);
    assert!(!coverage.is_fresh(s(41)));
    headed(&mut coverage, 5);
    assert_eq!(coverage.age(s(41)), s(21));
    headed(&mut coverage, 7);
    assert_eq!(coverage.age(s(999)), s(0));
    assert!(coverage.is_fresh(s(999)));
    // What is covered never becomes uncovered.
    headed(&mut coverage, 2);
    coverage.cosigned(6, s(1_000));
    assert_eq!((coverage.covered(), coverage.age(s(2_000))), (7, s(0)));
}

proptest! {
    /// Whatever is cosigned and covered when: the age is never less than that of the oldest uncovered size, and more
    /// by no more than what sizes are gathered within, unless the bound was exceeded anyway.
    #[test]
    fn an_age_is_never_too_young(steps in prop::collection::vec((0..2_000_u64, 0..3_u8), 1..600)) {
        let mut coverage = Coverage::new(LAG, None);
        let (mut now, mut size, mut covered) = (Duration::ZERO, 0, 0);
        let mut waiting: Vec<(u64, Duration)> = Vec::new();
        for (pause_ms, kind) in steps {
            now += Duration::from_millis(pause_ms);
            if kind == 0 {
                covered = covered + (size - covered) / 2 + (size - covered) % 2;
                headed(&mut coverage, covered);
                waiting.retain(|(end, _)| *end > covered);
            } else {
                size += 3;
                coverage.cosigned(size, now);
                waiting.push((size, now));
            }
            let exact = waiting.first().map_or(Duration::ZERO, |(_, since)| now - *since);
            prop_assert!(coverage.age(now) >= exact);
            let is_close = coverage.age(now) <= exact + LAG / RUNS_PER_LAG;
            prop_assert!(is_close || coverage.runs.len() >= RUNS_MAX || coverage.age(now) > LAG);
            prop_assert!(coverage.runs.len() <= RUNS_MAX);
        }
    }
}
