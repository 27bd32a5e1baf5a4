use super::{Claim, ClaimRefused, key_capacity, push_key_part};
use crate::{Comparator, Field, MAX_TEXT_BYTES, Schema, Value};

const CANARY: &str = "canary张三";

fn schema() -> Schema {
    Schema::new(
        vec![
            Field::new("nr", Comparator::Integer),
            Field::new("姓名", Comparator::Folded),
        ],
        vec![
            Field::new("born", Comparator::Date),
            Field::new("code", Comparator::Exact),
        ],
    )
    .unwrap()
}

fn complete() -> Vec<(&'static str, Value<'static>)> {
    vec![
        ("nr", Value::Integer(7)),
        ("姓名", Value::Text(CANARY)),
        ("born", Value::Text("1990-05-01")),
        ("code", Value::Text(CANARY)),
    ]
}

fn with(name: &'static str, value: Value<'static>) -> Result<Claim, ClaimRefused> {
    let mut values = complete();
    values.iter_mut().find(|(n, _)| *n == name).unwrap().1 = value;
    Claim::parse(&schema(), values)
}

#[test]
fn the_order_of_the_values_does_not_matter() {
    let mut values = complete();
    let claim = Claim::parse(&schema(), values.clone()).unwrap();
    values.reverse();
    let reversed = Claim::parse(&schema(), values).unwrap();
    assert_eq!(claim.key(), reversed.key());
    assert!(claim.compared().eq(reversed.compared()));
    assert_eq!(claim.compared().count(), 2);
}

#[test]
fn equal_claims_have_equal_forms() {
    let claim = with("nr", Value::Integer(7)).unwrap();
    let text = with("nr", Value::Text("００７")).unwrap();
    let other = with("nr", Value::Integer(8)).unwrap();
    assert_eq!(claim.key(), text.key());
    assert_ne!(claim.key(), other.key());
    let date = with("born", Value::Date(7_425)).unwrap();
    assert!(claim.compared().eq(date.compared()));
}

#[test]
fn each_missing_field_is_named() {
    for (position, (name, _)) in complete().into_iter().enumerate() {
        let mut values = complete();
        values.remove(position);
        let refused = Claim::parse(&schema(), values).unwrap_err();
        assert_eq!(refused, ClaimRefused::Missing { field: name.into() });
    }
}

#[test]
fn duplicate_and_unknown_fields_are_named() {
    let mut values = complete();
    // The second value is the same; it is refused all the same.
    values.push(("nr", Value::Integer(7)));
    let refused = Claim::parse(&schema(), values).unwrap_err();
    assert_eq!(refused, ClaimRefused::Duplicate { field: "nr".into() });

    let mut values = complete();
    values.push(("extra", Value::Null));
    let refused = Claim::parse(&schema(), values).unwrap_err();
    assert_eq!(
        refused,
        ClaimRefused::Unknown {
            field: "extra".into()
        }
    );

    let mut values = complete();
    values.push(("no name, a value", Value::Null));
    let refused = Claim::parse(&schema(), values).unwrap_err();
    assert_eq!(refused, ClaimRefused::Unknown { field: "?".into() });
}

#[test]
fn an_endless_claim_is_refused_at_its_first_repetition() {
    let endless = complete().into_iter().cycle();
    let refused = Claim::parse(&schema(), endless).unwrap_err();
    assert_eq!(refused, ClaimRefused::Duplicate { field: "nr".into() });
}

#[test]
fn unfit_values_are_refused_by_field() {
    for name in ["nr", "姓名", "born", "code"] {
        let refused = with(name, Value::Null).unwrap_err();
        assert_eq!(refused, ClaimRefused::Null { field: name.into() });
    }
    for (name, value) in [
        ("nr", Value::Date(1)),
        ("姓名", Value::Integer(1)),
        ("born", Value::Integer(1)),
        ("code", Value::Integer(1)),
    ] {
        let refused = with(name, value).unwrap_err();
        assert_eq!(refused, ClaimRefused::WrongType { field: name.into() });
    }
    for name in ["nr", "born"] {
        let refused = with(name, Value::Text(CANARY)).unwrap_err();
        assert_eq!(refused, ClaimRefused::Unreadable { field: name.into() });
    }
    let long: &'static str = "x".repeat(MAX_TEXT_BYTES + 1).leak();
    for name in ["姓名", "code"] {
        let refused = with(name, Value::Text(long)).unwrap_err();
        assert_eq!(refused, ClaimRefused::TooLong { field: name.into() });
    }
}

#[test]
fn neither_claims_nor_refusals_show_a_value() {
    let claim = Claim::parse(&schema(), complete()).unwrap();
    let mut shown = format!("{claim:?} {claim:#?}");
    for refused in [
        with("nr", Value::Text(CANARY)),
        with("born", Value::Text(CANARY)),
    ] {
        let refused = refused.unwrap_err();
        shown += &format!("{refused:?} {refused}");
    }
    assert!(
        !shown.contains("canary") && !shown.contains("张三"),
        "{shown}"
    );
    // As bytes either, which is how a derived `Debug` would show the canonical form.
    assert!(!shown.contains("99, 97, 110"), "{shown}");
}

#[test]
fn tuples_cannot_be_shifted() {
    let text = |name: &str| Field::new(name, Comparator::Exact);
    let encode = |parts: [&str; 2]| {
        let mut out = Vec::new();
        for part in parts {
            push_key_part(&text("f"), Value::Text(part), &mut out).unwrap();
        }
        out
    };
    let tuples = [
        ["ab", "c"],
        ["a", "bc"],
        ["abc", ""],
        ["", "abc"],
        ["a\0", "bc"],
        ["a", "\0bc"],
        // These would meet if the lengths were there but always zero.
        ["a\0\0\0\0\u{1}b", "c"],
        ["a", "b\0\0\0\0\u{1}c"],
    ];
    for (i, a) in tuples.iter().enumerate() {
        for (j, b) in tuples.iter().enumerate() {
            assert_eq!(encode(*a) == encode(*b), i == j, "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_longest_key_fits_the_reserved_capacity() {
    let schema = Schema::new(
        (0..8)
            .map(|i| Field::new(format!("k{i}"), Comparator::Folded))
            .collect(),
        vec![Field::new("c", Comparator::Exact)],
    )
    .unwrap();
    // `ŉ` folds to more bytes than it has, so the last character overshoots the limit.
    let longest = format!("{}ŉ", "x".repeat(MAX_TEXT_BYTES - 3));
    let mut out = Vec::with_capacity(key_capacity(&schema));
    let (capacity, address) = (out.capacity(), out.as_ptr());
    for field in schema.key() {
        push_key_part(field, Value::Text(&longest), &mut out).unwrap();
    }
    let too_long = "ŉ".repeat(MAX_TEXT_BYTES);
    out.truncate(out.len() - MAX_TEXT_BYTES - 5);
    assert!(push_key_part(&schema.key()[7], Value::Text(&too_long), &mut out).is_err());
    assert_eq!((out.capacity(), out.as_ptr()), (capacity, address));
}
