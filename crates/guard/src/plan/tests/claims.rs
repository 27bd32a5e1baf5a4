//! Conditions are compared by what they take, not by how they are written.

use super::super::claim::{Claim, Comparison, Point, representatives};
use crate::infer::Origin;
use arrow_schema::DataType;

const COLUMN: Origin = Origin { scan: 0, column: 0 };

fn number(comparison: Comparison, value: i64) -> Claim {
    Claim::Compare(COLUMN, comparison, Point::Number(value))
}

fn same(one: &Claim, two: &Claim, nullable: bool) -> bool {
    let values = representatives([one, two], &DataType::Int32, nullable);
    values
        .iter()
        .all(|value| one.takes(value.as_ref()) == two.takes(value.as_ref()))
}

fn not(claim: Claim) -> Claim {
    Claim::Not(Box::new(claim))
}

#[test]
fn rewritten_conditions_are_the_same() {
    use Comparison::{Above, AtLeast, AtMost, Below, Equal, NotEqual};
    let listed = Claim::among(COLUMN, vec![Point::Number(1), Point::Number(2)], false);
    let ors = Claim::Any(vec![number(Equal, 2), number(Equal, 1)]);
    assert!(same(&listed, &ors, true));
    assert!(same(&number(AtLeast, 5), &number(Above, 4), true));
    assert!(same(&number(AtLeast, 5), &not(number(Below, 5)), true));
    let twice = Claim::All(vec![number(AtLeast, 5), number(AtLeast, 3)]);
    assert!(same(&number(AtLeast, 5), &twice, true));
    // Without NULL, a claim that something is there says nothing.
    let present = not(Claim::IsNull(COLUMN));
    assert!(same(&Claim::Known(true), &present, false));
    assert!(!same(&Claim::Known(true), &present, true));
    // An integer of 32 bits is below any larger number.
    assert!(same(&Claim::Known(true), &number(AtMost, i64::MAX), false));
    assert!(!same(&number(NotEqual, 3), &Claim::Known(true), false));
}

#[test]
fn a_difference_of_one_value_is_found() {
    let edge = |comparison, value| number(comparison, value);
    use Comparison::{AtLeast, AtMost, Below, Equal};
    assert!(!same(&edge(AtLeast, 5), &edge(AtLeast, 6), true));
    assert!(!same(&edge(Below, 5), &edge(AtMost, 5), true));
    let two = Claim::among(COLUMN, vec![Point::Number(1), Point::Number(2)], false);
    assert!(!same(&two, &edge(Equal, 1), true));
    let hole = Claim::All(vec![not(edge(Equal, 7))]);
    assert!(!same(&hole, &not(Claim::IsNull(COLUMN)), true));
}

#[test]
fn texts_have_a_next_one() {
    let text =
        |comparison, value: &str| Claim::Compare(COLUMN, comparison, Point::Text(value.to_owned()));
    let values = |one: &Claim, two: &Claim| {
        let values = representatives([one, two], &DataType::Utf8, true);
        values
            .iter()
            .all(|value| one.takes(value.as_ref()) == two.takes(value.as_ref()))
    };
    use Comparison::{Above, AtLeast, Below};
    assert!(values(&text(Above, "a"), &text(AtLeast, "a\0")));
    assert!(!values(&text(Above, "a"), &text(AtLeast, "a")));
    assert!(!values(&text(Below, ""), &Claim::Known(true)));
}
