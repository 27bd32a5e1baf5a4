use arrow_schema::{DataType, Field};

use super::*;

fn columns(fields: &[(&str, DataType, bool)]) -> Columns {
    let fields = fields
        .iter()
        .map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable));
    Columns::of(&Schema::new(fields.collect::<Vec<_>>())).unwrap()
}

#[test]
fn order_and_nullability_are_no_change_and_everything_else_is() {
    let seen = columns(&[("a", DataType::Int64, true), ("b", DataType::Utf8, true)]);
    let same = columns(&[("b", DataType::Utf8, false), ("a", DataType::Int64, true)]);
    assert_eq!(seen.digest(), same.digest());
    for other in [
        columns(&[("a", DataType::Int32, true), ("b", DataType::Utf8, true)]),
        columns(&[("a", DataType::Int64, true)]),
        columns(&[("a", DataType::Int64, true), ("B", DataType::Utf8, true)]),
        columns(&[
            ("a", DataType::Int64, true),
            ("b", DataType::Utf8, true),
            ("c", DataType::Utf8, true),
        ]),
    ] {
        assert_ne!(seen.digest(), other.digest());
        let drift = Drift {
            accepted: seen.clone(),
            found: other,
        };
        assert!(!drift.differences().is_empty());
    }
}

#[test]
fn names_cannot_be_moved_into_types() {
    let one = columns(&[("ab", DataType::Int8, true)]);
    let Columns(mut other) = Columns::default();
    other.insert("a".to_owned(), "bInt8".to_owned());
    assert_ne!(one.digest(), Columns(other).digest());
}

#[test]
fn two_columns_of_one_name_are_no_table() {
    let twice = [("a", DataType::Int64), ("a", DataType::Utf8)];
    let fields = twice.map(|(name, kind)| Field::new(name, kind, true));
    assert_eq!(Columns::of(&Schema::new(fields.to_vec())), None);
}
