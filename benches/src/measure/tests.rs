use super::*;

fn round(latencies: impl IntoIterator<Item = u32>) -> Round {
    let latencies = latencies.into_iter().map(f64::from).collect();
    Round::new(latencies, Duration::from_millis(500))
}

#[test]
fn percentiles_are_samples_by_nearest_rank() {
    let hundred = round((1..=100).rev());
    for (percent, expected) in [(1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)] {
        assert_eq!(hundred.percentile_us(percent), expected, "{percent}");
    }
    // Of few samples the highest percentiles are the largest one, never less.
    let three = round([30, 10, 20]);
    assert_eq!(three.percentile_us(50), 20.0);
    assert_eq!(three.percentile_us(99), 30.0);
    assert_eq!(round([7]).percentile_us(50), 7.0);
}

#[test]
fn a_round_without_calls_is_all_zero() {
    for (_, _, of) in METRICS {
        assert_eq!(of(&round([])), 0.0);
    }
}

#[test]
fn throughput_counts_every_call_over_the_whole_round() {
    assert_eq!(round(1..=100).throughput_per_s(), 200.0);
}

#[test]
fn one_bad_round_does_not_move_the_median() {
    assert_eq!(median(vec![10.0, 1_000.0, 11.0]), 11.0);
    assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
    assert_eq!(median(Vec::new()), 0.0);
}
