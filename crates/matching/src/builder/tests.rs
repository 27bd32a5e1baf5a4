use std::num::NonZeroU8;

use super::{BuildRefused, IndexBuilder, Limits, RowRefused};
use crate::{Claim, Comparator, Field, Finding, IndexKey, MAX_TEXT_BYTES, Schema, Value};

fn schema() -> Schema {
    Schema::new(
        vec![Field::new("nr", Comparator::Integer)],
        vec![
            Field::new("name", Comparator::Folded),
            Field::new("born", Comparator::Date),
        ],
    )
    .unwrap()
}

fn builder(max_rows: usize, max_rows_per_key: u8) -> IndexBuilder {
    let max_rows_per_key = NonZeroU8::new(max_rows_per_key).unwrap();
    let limits = Limits {
        max_rows,
        max_rows_per_key,
    };
    IndexBuilder::new(schema(), IndexKey::from_bytes([0xC7; 32]), limits)
}

fn row(nr: i64, name: &str) -> [Value<'_>; 3] {
    [Value::Integer(nr), Value::Text(name), Value::Date(0)]
}

#[test]
fn a_refused_row_leaves_no_trace() {
    let mut interrupted = builder(10, 1);
    let mut plain = builder(10, 1);
    interrupted.add_row(&row(1, "a")).unwrap();
    plain.add_row(&row(1, "a")).unwrap();
    // Refused at its last field, when the digest of the one before already exists.
    let bad = [Value::Integer(2), Value::Text("b"), Value::Text("soon")];
    assert_eq!(
        interrupted.add_row(&bad),
        Err(RowRefused::Unreadable {
            row: 1,
            field: "born".into()
        })
    );
    interrupted.add_row(&row(3, "c")).unwrap();
    plain.add_row(&row(3, "c")).unwrap();
    let (interrupted, plain) = (interrupted.build().unwrap(), plain.build().unwrap());
    assert_eq!(interrupted.rows(), 2);
    assert_eq!(interrupted.content_digest(), plain.content_digest());
}

#[test]
fn refusals_name_row_and_field() {
    let mut builder = builder(10, 1);
    builder.add_row(&row(1, "a")).unwrap();
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    assert_eq!(
        builder.add_row(&row(2, &long)),
        Err(RowRefused::TooLong {
            row: 1,
            field: "name".into()
        })
    );
    assert_eq!(
        builder.add_row(&[Value::Date(2), Value::Text("b"), Value::Null]),
        Err(RowRefused::WrongType {
            row: 1,
            field: "nr".into()
        })
    );
    assert_eq!(
        builder.add_row(&row(2, "b")[..2]),
        Err(RowRefused::WrongWidth {
            row: 1,
            found: 2,
            expected: 3
        })
    );
    assert_eq!(
        builder.add_row(&[[Value::Null; 3], [Value::Null; 3]].concat()),
        Err(RowRefused::WrongWidth {
            row: 1,
            found: 6,
            expected: 3
        })
    );
}

#[test]
fn rows_without_a_key_are_skipped_and_counted() {
    let mut builder = builder(1, 1);
    for _ in 0..3 {
        builder
            .add_row(&[Value::Null, Value::Text("a"), Value::Date(0)])
            .unwrap();
    }
    builder.add_row(&row(1, "a")).unwrap();
    assert_eq!(builder.skipped_rows(), 3);
    let index = builder.build().unwrap();
    assert_eq!((index.rows(), index.skipped_rows()), (1, 3));
}

#[test]
fn rows_are_bounded() {
    let mut builder = builder(2, 1);
    builder.add_row(&row(1, "a")).unwrap();
    builder.add_row(&row(2, "b")).unwrap();
    assert_eq!(
        builder.add_row(&row(3, "c")),
        Err(RowRefused::TooManyRows { max_rows: 2 })
    );
    assert_eq!(builder.build().unwrap().rows(), 2);
}

#[test]
fn a_crowded_key_is_refused() {
    for crowd in 1_usize..=4 {
        let mut builder = builder(10, 3);
        builder.add_row(&row(1, "other")).unwrap();
        for name in ["a", "b", "c", "d"].iter().take(crowd) {
            // The same number written differently is the same key.
            builder
                .add_row(&[Value::Text("007"), Value::Text(name), Value::Null])
                .unwrap();
        }
        let max_rows_per_key = NonZeroU8::new(3).unwrap();
        match builder.build() {
            Ok(index) => assert!(crowd <= 3 && index.rows() == crowd + 1),
            Err(refused) => {
                assert_eq!(
                    refused,
                    BuildRefused::CrowdedKey {
                        found: crowd,
                        max_rows_per_key
                    }
                );
                assert_eq!(crowd, 4);
            }
        }
    }
}

#[test]
fn the_content_digest_is_of_the_rows_and_not_of_their_order() {
    let build = |rows: &[(i64, &str)]| {
        let mut builder = builder(10, 3);
        for (nr, name) in rows {
            builder.add_row(&row(*nr, name)).unwrap();
        }
        builder.build().unwrap().content_digest()
    };
    let digest = build(&[(1, "a"), (1, "b"), (2, "a")]);
    assert_eq!(build(&[(2, "A"), (1, " b"), (1, "a")]), digest);
    assert_ne!(build(&[(1, "a"), (1, "b"), (2, "b")]), digest);
    assert_ne!(build(&[(1, "a"), (1, "b")]), digest);
    assert_ne!(build(&[(1, "a"), (1, "b"), (2, "a"), (2, "a")]), digest);
}

#[test]
fn the_builder_can_be_given_rows_of_one_key_type_and_asked_in_another() {
    let mut builder = builder(10, 1);
    builder
        .add_row(&[Value::Text("０４２"), Value::Text("Li Wei"), Value::Date(1)])
        .unwrap();
    let index = builder.build().unwrap();
    let values = [
        ("nr", Value::Integer(42)),
        ("name", Value::Text("ＬＩ　ＷＥＩ")),
        ("born", Value::Text("1970-01-02")),
    ];
    let claim = Claim::parse(index.schema(), values).unwrap();
    assert_eq!(index.lookup(&claim), Finding::Match);
}

#[test]
fn nothing_shows_a_value_or_the_key() {
    let key = IndexKey::from_bytes([0xC7; 32]);
    let mut builder = builder(10, 1);
    builder
        .add_row(&[Value::Integer(31_337), Value::Text("canary"), Value::Null])
        .unwrap();
    let mut shown = format!("{key:?} {key:#?} {builder:?} {builder:#?}");
    let unreadable = [
        Value::Integer(31_338),
        Value::Text("canary"),
        Value::Text("canary"),
    ];
    let refused = builder.add_row(&unreadable).unwrap_err();
    shown += &format!("{refused:?} {refused}");
    builder.add_row(&row(31_337, "canary")).unwrap();
    let refused = builder.build().unwrap_err();
    shown += &format!("{refused:?} {refused}");
    for secret in ["canary", "31337", "31338", "199", "c7c7", "99, 97, 110"] {
        assert!(
            !shown.to_lowercase().contains(secret),
            "{secret} in {shown}"
        );
    }
}
