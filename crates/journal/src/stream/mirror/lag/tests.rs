use super::*;

#[test]
fn the_lag_is_bounded_and_still_above_every_limit() {
    let mut lag = Lag::default();
    let applied = |end, calls| Applied {
        end,
        calls,
        oldest_call: Some(Timestamp(0)),
    };
    for end in 1..=300 {
        lag.push(
            &applied(end * 10_000, 10_000),
            (Timestamp(0), Duration::ZERO),
        );
    }
    assert!(lag.calls() >= CALLS_COUNTED_MAX);
    assert!(lag.runs.len() <= 102, "{} runs", lag.runs.len());
    lag.mirrored(2_995_000);
    assert_eq!(
        lag.calls(),
        10_000,
        "a frame counts until it is covered whole"
    );
    lag.mirrored(3_000_000);
    assert_eq!(lag.calls(), 0);
}
