use super::{Draws, Weights};

#[test]
fn the_stream_is_the_published_one() {
    // The first outputs of SplitMix64 for the seed 1234567, as published with its reference implementation.
    let mut draws = Draws { state: 1_234_567 };
    let expected = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!(expected.map(|_| draws.next()), expected);
}

#[test]
fn streams_of_subjects_differ() {
    let first = |seed, domain, index| Draws::of(seed, domain, index).next();
    let mut seen: Vec<u64> = (0..4)
        .flat_map(|seed| (0..4).flat_map(move |domain| (0..64).map(move |i| (seed, domain, i))))
        .map(|(seed, domain, index)| first(seed, domain, index))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4 * 4 * 64);
}

#[test]
fn weights_are_kept_and_nothing_of_weight_zero_is_drawn() {
    let weights = Weights::new([1, 0, 3, 0]);
    let mut counts = [0_u32; 4];
    let mut draws = Draws::of(1, 2, 3);
    for _ in 0..40_000 {
        counts[weights.draw(&mut draws)] += 1;
    }
    assert_eq!((counts[1], counts[3]), (0, 0));
    assert!((9_500..10_500).contains(&counts[0]), "{counts:?}");
}

#[test]
fn bounds_hold_at_their_ends() {
    let mut draws = Draws::of(9, 9, 9);
    let drawn: Vec<u32> = (0..1_000).map(|_| draws.between(3, 5)).collect();
    assert_eq!(drawn.iter().min(), Some(&3));
    assert_eq!(drawn.iter().max(), Some(&5));
    assert_eq!(draws.below(1), 0);
    assert!(!draws.chance(0));
    assert!(draws.chance(1_000));
}
