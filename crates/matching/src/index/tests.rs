mod ordered;

use std::num::NonZeroU8;

use proptest::prelude::*;

use super::{Finding, Index};
use crate::{
    BuildRefused, Claim, Comparator, Field, IndexBuilder, IndexKey, Limits, Schema, Value,
    work::{Work, measure},
};

/// Texts, each with the class it belongs to under `folded`: the oracle knows the classes by hand.
const NAMES: [(&str, u8); 13] = [
    ("张 三", 0),
    ("张\u{3000}三", 0),
    (" 张\u{a0} 三\n", 0),
    ("张三", 1),
    ("li wei", 2),
    ("Ｌｉ Ｗｅｉ", 2),
    ("LI \t WEI ", 2),
    ("straße", 3),
    ("STRASSE", 3),
    ("\u{e9}", 4),
    ("e\u{301}", 5),
    ("", 6),
    ("\u{3000}", 6),
];

const NUMBERS: [(Value<'static>, u8); 6] = [
    (Value::Integer(7), 0),
    (Value::Text("007"), 0),
    (Value::Text("７"), 0),
    (Value::Integer(-7), 1),
    (Value::Text("-7"), 1),
    (Value::Integer(0), 2),
];

const DATES: [(Value<'static>, u8); 4] = [
    (Value::Date(0), 0),
    (Value::Text("1970-01-01"), 0),
    (Value::Text("19700102"), 1),
    (Value::Date(2), 2),
];

/// A value and its class; no class is a NULL.
type Known = (Value<'static>, Option<u8>);

fn schema() -> Schema {
    Schema::new(
        vec![
            Field::new("姓名", Comparator::Folded),
            Field::new("nr", Comparator::Integer),
        ],
        vec![
            Field::new("alias", Comparator::Folded),
            Field::new("born", Comparator::Date),
            Field::new("code", Comparator::Exact),
        ],
    )
    .unwrap()
}

fn index(rows: &[[Value<'_>; 5]], max_rows_per_key: u8) -> Result<Index, BuildRefused> {
    let max_rows_per_key = NonZeroU8::new(max_rows_per_key).unwrap();
    let limits = Limits {
        max_rows: 10_000,
        max_rows_per_key,
    };
    let mut builder = IndexBuilder::new(schema(), IndexKey::from_bytes([9; 32]), limits);
    for row in rows {
        builder.add_row(row).unwrap();
    }
    builder.build()
}

fn claim(values: [Value<'_>; 5]) -> Claim {
    let schema = schema();
    let names: Vec<&str> = schema.fields().map(|field| field.name.as_str()).collect();
    Claim::parse(&schema, names.into_iter().zip(values)).unwrap()
}

fn name() -> impl Strategy<Value = Known> {
    prop::sample::select(&NAMES[..]).prop_map(|(text, class)| (Value::Text(text), Some(class)))
}

fn number() -> impl Strategy<Value = Known> {
    prop::sample::select(&NUMBERS[..]).prop_map(|(value, class)| (value, Some(class)))
}

fn date() -> impl Strategy<Value = Known> {
    prop::sample::select(&DATES[..]).prop_map(|(value, class)| (value, Some(class)))
}

fn code() -> impl Strategy<Value = Known> {
    // Under `exact` every text is a class of its own.
    prop::sample::select(&["a", "A", "a ", "张"][..]).prop_map(|text| {
        (
            Value::Text(text),
            Some(text.len() as u8 * 2 + u8::from(text == "A")),
        )
    })
}

fn or_null(known: impl Strategy<Value = Known>) -> impl Strategy<Value = Known> {
    (known, 0..4_u8).prop_map(|(known, dice)| {
        if dice == 0 {
            (Value::Null, None)
        } else {
            known
        }
    })
}

fn register_row() -> impl Strategy<Value = [Known; 5]> {
    (
        or_null(name()),
        or_null(number()),
        or_null(name()),
        or_null(date()),
        or_null(code()),
    )
        .prop_map(Into::into)
}

fn claim_row() -> impl Strategy<Value = [Known; 5]> {
    (name(), number(), name(), date(), code()).prop_map(Into::into)
}

fn same_key(a: &[Known; 5], b: &[Known; 5]) -> bool {
    a[..2]
        .iter()
        .zip(&b[..2])
        .all(|(a, b)| a.1.is_some() && a.1 == b.1)
}

/// The rules of the product, on classes, without a digest.
fn oracle(rows: &[[Known; 5]], claimed: &[Known; 5]) -> Finding {
    let candidates: Vec<_> = rows.iter().filter(|row| same_key(row, claimed)).collect();
    let every = |row: &[Known; 5], accept: fn(Option<u8>, Option<u8>) -> bool| {
        row[2..]
            .iter()
            .zip(&claimed[2..])
            .all(|(row, claimed)| accept(row.1, claimed.1))
    };
    if candidates.is_empty() {
        Finding::NotFound
    } else if candidates
        .iter()
        .any(|row| every(row, |row, claimed| row == claimed))
    {
        Finding::Match
    } else if candidates
        .iter()
        .any(|row| every(row, |row, claimed| row.is_none() || row == claimed))
    {
        Finding::Indeterminate
    } else {
        Finding::NoMatch
    }
}

fn values(row: &[Known; 5]) -> [Value<'static>; 5] {
    row.map(|(value, _)| value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn lookups_agree_with_the_rules(
        rows in prop::collection::vec(register_row(), 0..40),
        mut claims in prop::collection::vec(claim_row(), 8),
        changed in prop::collection::vec((0..5_usize, claim_row()), 8),
    ) {
        // Random claims seldom find a row, so some are made from one, with at most one change.
        for (row, (field, replacement)) in rows.iter().zip(&changed) {
            let mut near = *row;
            near[*field] = replacement[*field];
            for (known, replacement) in near.iter_mut().zip(replacement) {
                if known.1.is_none() {
                    *known = *replacement;
                }
            }
            claims.push(near);
        }
        let index = index(&rows.iter().map(values).collect::<Vec<_>>(), 40).unwrap();
        for claimed in &claims {
            prop_assert_eq!(index.lookup(&claim(values(claimed))), oracle(&rows, claimed));
        }
        let skipped = rows.iter().filter(|row| row[0].1.is_none() || row[1].1.is_none()).count();
        prop_assert_eq!(index.skipped_rows(), skipped);
        prop_assert_eq!(index.rows(), rows.len() - skipped);
    }

    #[test]
    fn exactly_crowded_registers_are_refused(
        rows in prop::collection::vec(register_row(), 0..60),
        limit in 1..5_u8,
    ) {
        let crowd = rows.iter()
            .map(|row| rows.iter().filter(|other| same_key(row, other)).count())
            .max()
            .unwrap_or(0);
        let built = index(&rows.iter().map(values).collect::<Vec<_>>(), limit);
        match built {
            Ok(_) => prop_assert!(crowd <= usize::from(limit)),
            Err(BuildRefused::CrowdedKey { found, .. }) => {
                prop_assert!(crowd > usize::from(limit));
                prop_assert_eq!(found, crowd);
            }
        }
    }
}

/// A register of 500 keys with one row each and one key with three.
fn crowded() -> Index {
    let names: Vec<String> = (0..500).map(|i| format!("name {i}")).collect();
    let mut rows: Vec<[Value<'_>; 5]> = names
        .iter()
        .map(|name| person(name, 1, Value::Text("x")))
        .collect();
    rows.push(person("many", 1, Value::Text("x")));
    rows.push(person("many", 2, Value::Text("x")));
    rows.push(person("many", 3, Value::Null));
    index(&rows, 3).unwrap()
}

fn person<'a>(name: &'a str, born: i32, code: Value<'a>) -> [Value<'a>; 5] {
    [
        Value::Text(name),
        Value::Integer(1),
        Value::Text("alias"),
        Value::Date(born),
        code,
    ]
}

#[test]
fn the_work_does_not_depend_on_the_answer() {
    let index = crowded();
    let x = Value::Text("x");
    let names: Vec<String> = (0..600).map(|i| format!("name {i}")).collect();
    let mut asked: Vec<_> = [
        (person("many", 1, x), Finding::Match),
        (person("many", 2, x), Finding::Match),
        (person("many", 3, x), Finding::Indeterminate),
        (person("many", 4, x), Finding::NoMatch),
        (person("many", 3, Value::Text("X")), Finding::Indeterminate),
        (person("many", 1, Value::Text("X")), Finding::NoMatch),
    ]
    .into();
    for (i, name) in names.iter().enumerate() {
        let there = i < 500;
        asked.push((
            person(name, 1, x),
            if there {
                Finding::Match
            } else {
                Finding::NotFound
            },
        ));
        asked.push((
            person(name, 2, x),
            if there {
                Finding::NoMatch
            } else {
                Finding::NotFound
            },
        ));
    }
    // One digest of the key, two of each field (the value and the NULL); 506 sorted digests are
    // halved nine times, with one probe at the end.
    let expected = Work {
        hmacs: 1 + 2 * 3,
        probes: 10,
        rows: 3,
    };
    for (values, finding) in asked {
        let claim = claim(values);
        assert_eq!(measure(|| index.lookup(&claim)), (expected, finding));
    }
}

#[test]
fn an_empty_register_answers_with_the_same_steps() {
    let index = index(&[], 3).unwrap();
    let claim = claim(person("anyone", 1, Value::Text("x")));
    let (work, finding) = measure(|| index.lookup(&claim));
    assert_eq!(finding, Finding::NotFound);
    assert_eq!((work.hmacs, work.rows), (7, 3));
}

#[test]
fn a_dummy_row_is_never_found() {
    let index = index(&[person("a", 1, Value::Text("x"))], 3).unwrap();
    // The dummies carry the highest digest; not even a key with that digest is theirs.
    assert_eq!(index.first_at_or_above(u128::MAX), 1);
    assert_eq!(
        (index.is_row_of(1, u128::MAX), index.is_row_of(3, u128::MAX)),
        (0, 0)
    );
    assert_eq!(index.is_row_of(0, index.row_keys[0]), 1);
}

#[test]
fn a_row_with_a_null_does_not_hide_one_that_matches() {
    let index = index(
        &[
            person("a", 1, Value::Null),
            person("a", 1, Value::Text("x")),
        ],
        2,
    )
    .unwrap();
    assert_eq!(
        index.lookup(&claim(person("a", 1, Value::Text("x")))),
        Finding::Match
    );
    assert_eq!(
        index.lookup(&claim(person("a", 1, Value::Text("y")))),
        Finding::Indeterminate
    );
    assert_eq!(
        index.lookup(&claim(person("a", 2, Value::Text("x")))),
        Finding::NoMatch
    );
}

#[test]
fn keys_cannot_be_shifted_between_fields() {
    let field = |name: &str| Field::new(name, Comparator::Exact);
    let schema = Schema::new(vec![field("a"), field("b")], vec![field("c")]).unwrap();
    let limits = Limits {
        max_rows: 10,
        max_rows_per_key: NonZeroU8::MIN,
    };
    let mut builder = IndexBuilder::new(schema, IndexKey::from_bytes([9; 32]), limits);
    let text = Value::Text;
    builder
        .add_row(&[text("ab"), text("c"), text("v")])
        .unwrap();
    let index = builder.build().unwrap();
    let ask = |a, b| {
        let values = [("a", text(a)), ("b", text(b)), ("c", text("v"))];
        index.lookup(&Claim::parse(index.schema(), values).unwrap())
    };
    assert_eq!(ask("ab", "c"), Finding::Match);
    for (a, b) in [
        ("a", "bc"),
        ("abc", ""),
        ("", "abc"),
        ("c", "ab"),
        ("ab", "c\0"),
    ] {
        assert_eq!(ask(a, b), Finding::NotFound, "{a:?} {b:?}");
    }
}

#[test]
fn equal_values_of_different_rows_have_different_digests() {
    let x = Value::Text("x");
    let index = index(
        &[
            person("a", 1, x),
            person("b", 1, x),
            person("c", 1, Value::Null),
        ],
        1,
    );
    let index = index.unwrap();
    let mut stored: Vec<u128> = [&index.row_keys[..3], &index.row_fields[..9]].concat();
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), 12);
}

#[test]
#[should_panic(expected = "of its own schema")]
fn a_claim_on_another_schema_gets_no_finding() {
    let field = |name: &str| Field::new(name, Comparator::Exact);
    let other = Schema::new(vec![field("a")], vec![field("b")]).unwrap();
    let values = [("a", Value::Text("x")), ("b", Value::Text("y"))];
    let claim = Claim::parse(&other, values).unwrap();
    let _ = index(&[], 1).unwrap().lookup(&claim);
}

#[test]
fn debug_shows_counts_and_the_content_digest_only() {
    let index = index(&[person("canary", 31_337, Value::Text("canary"))], 1).unwrap();
    let shown = format!("{index:?} {index:#?}");
    assert!(
        shown.contains(&hex::encode(index.content_digest())),
        "{shown}"
    );
    for secret in [
        "canary",
        "31337",
        &index.row_keys[0].to_string(),
        "[",
        "schema",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
