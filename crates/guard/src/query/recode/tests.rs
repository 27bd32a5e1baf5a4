//! Which places go where.

use super::*;

fn days(texts: &[&str]) -> Domain {
    Domain::date_bins(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

fn shown(grain: Grain, edges: &[&str]) -> Option<(Vec<usize>, Vec<String>)> {
    let Recode { groups, words } = truncated(grain, &days(edges))?;
    let Words::Days(days) = words else {
        panic!("days are shown as days");
    };
    Some((groups, days.iter().map(Day::to_string).collect()))
}

#[test]
fn whole_units_are_shown_and_parts_of_them_are_not() {
    let months = ["2020-01-01", "2020-01-15", "2020-02-01", "2020-03-01"];
    let (groups, words) = shown(Grain::Month, &months).unwrap();
    assert_eq!(words, ["2020-01-01", "2020-02-01"]);
    // Before the first edge, the two halves of January, February, beyond the last, NULL.
    assert_eq!(groups, [2, 0, 0, 1, 2, 2]);
    // A quarter that ends in its middle, a month that begins on its second, a month left out, and other units.
    assert_eq!(shown(Grain::Quarter, &months), None);
    assert_eq!(shown(Grain::Month, &["2020-01-02", "2020-02-01"]), None);
    assert_eq!(
        shown(Grain::Month, &["2020-01-01", "2020-03-01", "2020-04-01"]),
        None
    );
    assert_eq!(shown(Grain::Month, &["2020-01-01", "2020-01-31"]), None);
    let quarters = ["2019-10-01", "2020-01-01", "2020-04-01"];
    assert_eq!(
        shown(Grain::Quarter, &quarters).unwrap().1,
        ["2019-10-01", "2020-01-01"]
    );
    assert_eq!(shown(Grain::Year, &quarters), None);
    let years = ["2019-01-01", "2019-07-01", "2020-01-01", "2021-01-01"];
    assert_eq!(shown(Grain::Year, &years).unwrap().0, [2, 0, 0, 1, 2, 2]);
}

#[test]
fn the_first_arm_names_a_place_and_the_rest_is_null() {
    let arms = [
        (vec![true, false, false], "low"),
        (vec![true, true, false], "high"),
    ];
    let recode = cases(&arms, None, 3).unwrap();
    assert_eq!(recode.groups, [0, 1, 2]);
    let recode = cases(&arms, Some("low"), 3).unwrap();
    assert_eq!(recode.groups, [0, 1, 0]);
    assert!(cases(&[(vec![true], "")], None, 1).is_none());
    assert!(cases(&[(vec![true], "a\nb")], None, 1).is_none());
    assert!(cases(&[(vec![true], &"x".repeat(65))], None, 1).is_none());
}
