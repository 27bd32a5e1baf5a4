//! Comparison by order: the register's number is the claimed one or greater, at constant work, and seen by nobody.

use std::num::NonZeroU8;

use proptest::prelude::*;

use crate::{
    Claim, ClaimRefused, Comparator, Field, Finding, Index, IndexBuilder, IndexKey, Limits, Schema,
    Value,
    work::{Work, measure},
};

/// What may be claimed of the rows of most tests.
const DECLARED: [i64; 10] = [i64::MIN, i64::MIN + 1, -1, 0, 6, 12, 20, 21, 22, i64::MAX];

fn index(rows: &[(&str, Option<i64>, &str)], max_rows_per_key: u8) -> Index {
    index_asked(&DECLARED, rows, max_rows_per_key)
}

fn index_asked(
    declared: &[i64],
    rows: &[(&str, Option<i64>, &str)],
    max_rows_per_key: u8,
) -> Index {
    let schema = Schema::new(
        vec![Field::new("id", Comparator::Exact)],
        vec![
            Field::at_least("months", declared.to_vec()),
            Field::new("name", Comparator::Exact),
        ],
    )
    .unwrap();
    let limits = Limits {
        max_rows: 1_000,
        max_rows_per_key: NonZeroU8::new(max_rows_per_key).unwrap(),
    };
    let mut builder = IndexBuilder::new(schema, IndexKey::from_bytes([7; 32]), limits);
    for (id, months, name) in rows {
        let months = months.map_or(Value::Null, Value::Integer);
        builder
            .add_row(&[Value::Text(id), months, Value::Text(name)])
            .unwrap();
    }
    builder.build().unwrap()
}

fn ask(index: &Index, id: &str, months: i64, name: &str) -> Finding {
    let values = [
        ("id", Value::Text(id)),
        ("months", Value::Integer(months)),
        ("name", Value::Text(name)),
    ];
    index.lookup(&Claim::parse(index.schema(), values).unwrap())
}

#[test]
fn a_claim_holds_up_to_the_number_of_the_register() {
    let index = index(
        &[
            ("a", Some(21), "x"),
            ("b", None, "x"),
            ("c", Some(i64::MIN), "x"),
        ],
        2,
    );
    for (months, finding) in [
        (i64::MIN, Finding::Match),
        (-1, Finding::Match),
        (0, Finding::Match),
        (20, Finding::Match),
        (21, Finding::Match),
        (22, Finding::NoMatch),
        (i64::MAX, Finding::NoMatch),
    ] {
        assert_eq!(ask(&index, "a", months, "x"), finding, "{months}");
        assert_eq!(ask(&index, "a", months, "y"), Finding::NoMatch, "{months}");
        // What is unknown is not small: not even the lowest number of all is claimed truly of it.
        assert_eq!(
            ask(&index, "b", months, "x"),
            Finding::Indeterminate,
            "{months}"
        );
        assert_eq!(ask(&index, "d", months, "x"), Finding::NotFound, "{months}");
    }
    assert_eq!(ask(&index, "c", i64::MIN, "x"), Finding::Match);
    assert_eq!(ask(&index, "c", i64::MIN + 1, "x"), Finding::NoMatch);
}

#[test]
fn halving_ends_at_the_declared_numbers() {
    let index = index_asked(&[6, 12, 24], &[("a", Some(17), "x")], 1);
    let mut learnt = Vec::new();
    for months in -100..=100 {
        for text in [months.to_string(), format!("{months:+04}")] {
            let values = [
                ("id", Value::Text("a")),
                ("months", Value::Text(&text)),
                ("name", Value::Text("x")),
            ];
            match Claim::parse(index.schema(), values) {
                Ok(claim) => learnt.push((months, index.lookup(&claim))),
                Err(refused) => assert_eq!(
                    refused,
                    ClaimRefused::Undeclared {
                        field: "months".into()
                    }
                ),
            }
        }
    }
    learnt.dedup();
    // Between 12 and 24, and nothing closer, however often it is asked.
    assert_eq!(
        learnt,
        [
            (6, Finding::Match),
            (12, Finding::Match),
            (24, Finding::NoMatch)
        ]
    );
}

#[test]
fn each_row_stands_for_itself() {
    // No row has 24 months and the name y: two rows together are not one that matches.
    let index = index(&[("a", Some(24), "x"), ("a", Some(6), "y")], 2);
    assert_eq!(ask(&index, "a", 12, "x"), Finding::Match);
    assert_eq!(ask(&index, "a", 12, "y"), Finding::NoMatch);
    assert_eq!(ask(&index, "a", 6, "y"), Finding::Match);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn order_agrees_with_the_numbers(register in any::<i64>(), claimed in any::<i64>(), near in -2..=2_i64) {
        for claimed in [claimed, register.saturating_add(near)] {
            let index = index_asked(&[claimed], &[("a", Some(register), "x")], 1);
            let expected = if claimed <= register { Finding::Match } else { Finding::NoMatch };
            prop_assert_eq!(ask(&index, "a", claimed, "x"), expected);
        }
    }
}

#[test]
fn the_work_does_not_depend_on_the_answer() {
    let index = index(
        &[("a", Some(21), "x"), ("a", None, "x"), ("b", Some(3), "x")],
        2,
    );
    // The key, value and NULL of the name, value and pad of the NULL of the months, and a pad for each row compared.
    let expected = Work {
        hmacs: 1 + 2 + 2 + 2,
        probes: 4,
        rows: 2,
    };
    for (id, months) in [("a", 21), ("a", 22), ("b", 0), ("b", 12), ("c", 0)] {
        let values = [
            ("id", Value::Text(id)),
            ("months", Value::Integer(months)),
            ("name", Value::Text("x")),
        ];
        let claim = Claim::parse(index.schema(), values).unwrap();
        let (work, _) = measure(|| index.lookup(&claim));
        assert_eq!(work, expected, "{id} {months}");
    }
}

#[test]
fn the_table_shows_no_order() {
    let index = index(
        &[
            ("a", Some(1), "x"),
            ("a", Some(2), "x"),
            ("a", Some(2), "y"),
        ],
        3,
    );
    let months: Vec<u128> = index.row_fields[..6].iter().step_by(2).copied().collect();
    // Equal numbers of one key look equal, as with every comparator; different ones differ in both halves.
    let distinct: std::collections::BTreeSet<u128> = months.iter().copied().collect();
    assert_eq!(distinct.len(), 2);
    let halves: Vec<(u64, u64)> = distinct
        .iter()
        .map(|m| ((m >> 64) as u64, *m as u64))
        .collect();
    assert_ne!(halves[0].0, halves[1].0);
    assert!(halves[0].1.abs_diff(halves[1].1) > 1_000);
}
