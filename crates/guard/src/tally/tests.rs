//! What a reader who takes part in a sum, and knows its bounds, can tell of another part.

use std::collections::BTreeMap;

use lingqu_policy::Release;
use proptest::prelude::*;

use super::*;

mod acro;

/// Entities by number: how many values each has, and their sum.
type Parts = BTreeMap<u8, (i128, i128)>;

const P: u128 = 10;

fn terms() -> Release {
    Release::new(10, 50, 1, 100).unwrap()
}

fn measure(min: i64, max: i64) -> Measure {
    Measure { min, max, scale: 0 }
}

fn sum_of(parts: &Parts, measure: Measure) -> Tally {
    let mut tallies = [Tally::default(); 2];
    let known = [Known::sum(measure, 1), Known::Count];
    for (values, sum) in parts.values() {
        Tally::add_entity(&mut tallies, &known, |at| [*sum, *values][at]).unwrap();
    }
    tallies[0]
}

/// One value each.
fn single(values: impl IntoIterator<Item = i128>) -> Parts {
    (0..)
        .zip(values.into_iter().map(|value| (1, value)))
        .collect()
}

/// Whether somebody in the block, who knows its total, its own part, how many values everybody has, and that every value
/// lies at `bound` or on one side of it, can name another's part within `P` percent of it.
fn tells(parts: &Parts, bound: i128) -> bool {
    let total: i128 = parts.values().map(|(_, sum)| sum).sum();
    let values: i128 = parts.values().map(|(values, _)| values).sum();
    let pairs = { parts.iter() }.flat_map(|one| parts.iter().map(move |other| (one, other)));
    let mut pairs = pairs.filter(|(one, other)| one.0 != other.0);
    pairs.any(|((_, own), (_, sought))| {
        let others = (values - own.0 - sought.0) * bound;
        let guess = total - own.1 - others;
        guess.abs_diff(sought.1) * 100 < P * sought.1.unsigned_abs()
    })
}

#[test]
fn a_block_near_its_floor_tells_its_largest_part() {
    let others = [4_131; 14].into_iter().chain([4_146, 4_146]);
    let parts = single(others.chain([5_231, 5_019]));
    let total: i128 = parts.values().map(|(_, sum)| sum).sum();
    assert_eq!((parts.len(), total), (18, 76_376));
    assert!(tells(&parts, 4_131), "the attack works on the total");
    assert!(!sum_of(&parts, measure(4_131, 21_000)).may_show(&terms()));
    // Who takes zero for what is known sees nothing wrong: so it was, and so it is where no floor is declared.
    assert!(!tells(&parts, 0));
    assert!(sum_of(&parts, measure(0, 21_000)).may_show(&terms()));
}

#[test]
fn a_block_near_its_ceiling_tells_its_smallest_part() {
    let others = [21_000; 16];
    let parts = single(others.into_iter().chain([9_000, 20_000]));
    assert!(tells(&parts, 21_000), "the attack works on the total");
    assert!(!sum_of(&parts, measure(4_131, 21_000)).may_show(&terms()));
    assert!(sum_of(&parts, measure(4_131, 90_000)).may_show(&terms()));
}

#[test]
fn a_block_at_its_bound_tells_everybody() {
    for bound in [4_131, 21_000] {
        let parts = single([bound; 40]);
        assert!(tells(&parts, bound));
        assert!(!sum_of(&parts, measure(4_131, 21_000)).may_show(&terms()));
    }
    // Nobody has anything of a measure that begins at zero: such cells were never in the way.
    assert!(sum_of(&single([0; 12]), measure(0, 10)).is_nothing());
}

#[test]
fn bounds_count_as_often_as_there_are_values() {
    // Twelve values each, all at the floor but one of one entity's: judged by one floor each this was far above it.
    let mut parts: Parts = (0..15).map(|entity| (entity, (12, 12 * 4_131))).collect();
    parts.insert(15, (12, 11 * 4_131 + 9_000));
    assert!(tells(&parts, 4_131));
    assert!(!sum_of(&parts, measure(4_131, 21_000)).may_show(&terms()));
}

#[test]
fn values_that_went_away_are_changes_with_the_same_bounds() {
    let went = |sums: Vec<i128>| -> Parts {
        let parts = sums.into_iter().map(|sum| (-1, -sum));
        (0..).zip(parts).collect()
    };
    let mut near = vec![4_131; 16];
    near.extend([5_231, 5_019]);
    let bounds = measure(4_131, 21_000);
    assert!(!sum_of(&went(near), bounds).may_show(&terms()));
    let wide = (0..18).map(|at| 5_000 + 700 * at).collect();
    assert!(sum_of(&went(wide), bounds).may_show(&terms()));
}

#[test]
fn bounds_that_do_not_fit_break_the_run() {
    let mut tallies = [Tally::default(); 2];
    let known = [Known::sum(measure(-5, i64::MAX), 1), Known::Count];
    let added = Tally::add_entity(&mut tallies, &known, |_| i128::MAX / 2);
    assert_eq!(added, Err(Broken));
}

fn bounds() -> impl Strategy<Value = (i64, i64)> {
    prop::sample::select(vec![(0, 100), (-50, 50), (10, 20), (40, 210), (-90, -80)])
}

/// Parts within the bounds, mostly near one of them.
fn parts((min, max): (i64, i64)) -> impl Strategy<Value = Parts> {
    let span = max - min;
    let value = prop_oneof![0..=span / 20, 0..=span, span - span / 20..=span];
    let values = prop::collection::vec(value, 1..4);
    prop::collection::btree_map(0..30_u8, values, 0..25).prop_map(move |parts| {
        let summed = |values: Vec<i64>| {
            let count = i128::try_from(values.len()).unwrap();
            let sum: i128 = values.iter().map(|v| i128::from(min + v)).sum();
            (count, sum)
        };
        { parts.into_iter() }
            .map(|(entity, values)| (entity, summed(values)))
            .collect()
    })
}

fn together(one: &Parts, other: &Parts) -> Parts {
    let mut all = one.clone();
    for (entity, (values, sum)) in other {
        let part = all.entry(*entity).or_default();
        *part = (part.0 + values, part.1 + sum);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Nobody in what is shown can tell another's part, whichever bound it starts from.
    #[test]
    fn what_is_shown_tells_nobody((bounds, parts) in bounds().prop_flat_map(|b| (Just(b), parts(b)))) {
        let tally = sum_of(&parts, measure(bounds.0, bounds.1));
        if tally.may_show(&terms()) {
            prop_assert!(!tells(&parts, bounds.0.into()));
            prop_assert!(!tells(&parts, bounds.1.into()));
        }
    }

    /// What may be shown twice may be shown together, also where entities lie in both: so answers keep back nothing that
    /// blocks do not. Of measures with both signs parts may cancel, so they are left out.
    #[test]
    fn what_is_shown_adds_up(
        (bounds, one, other) in bounds().prop_flat_map(|b| (Just(b), parts(b), parts(b)))
    ) {
        let measure = measure(bounds.0, bounds.1);
        let shown = |parts: &Parts| sum_of(parts, measure).may_show(&terms());
        if shown(&one) && shown(&other) && bounds.0 * bounds.1 >= 0 {
            prop_assert!(shown(&together(&one, &other)));
        }
    }
}
