use super::{Field, MAX_COMPARED_FIELDS, MAX_KEY_FIELDS, MAX_NAME_BYTES, Schema, SchemaRefused};
use crate::Comparator;

fn fields(prefix: &str, count: usize) -> Vec<Field> {
    (0..count)
        .map(|i| Field::new(format!("{prefix}{i}"), Comparator::Exact))
        .collect()
}

#[test]
fn the_number_of_fields_is_bounded_on_both_sides() {
    assert!(Schema::new(fields("k", 1), fields("c", 1)).is_ok());
    assert!(
        Schema::new(
            fields("k", MAX_KEY_FIELDS),
            fields("c", MAX_COMPARED_FIELDS)
        )
        .is_ok()
    );
    for found in [0, MAX_KEY_FIELDS + 1] {
        let refused = Schema::new(fields("k", found), fields("c", 1));
        assert_eq!(refused, Err(SchemaRefused::KeyFields { found }));
    }
    for found in [0, MAX_COMPARED_FIELDS + 1] {
        let refused = Schema::new(fields("k", 1), fields("c", found));
        assert_eq!(refused, Err(SchemaRefused::ComparedFields { found }));
    }
}

#[test]
fn names_are_unique_across_key_and_compared() {
    let duplicate = Err(SchemaRefused::DuplicateName { field: "f0".into() });
    assert_eq!(Schema::new(fields("f", 1), fields("f", 1)), duplicate);
    assert_eq!(
        Schema::new([fields("f", 1), fields("f", 1)].concat(), fields("c", 1)),
        duplicate
    );
}

#[test]
fn names_are_names() {
    let with = |name: &str| Schema::new(fields("k", 1), vec![Field::new(name, Comparator::Exact)]);
    for name in [
        "姓名",
        "tail_num",
        "a-b.c",
        "x",
        &"n".repeat(MAX_NAME_BYTES),
    ] {
        assert!(with(name).is_ok(), "{name}");
    }
    for name in [
        "",
        " ",
        "a b",
        "a\n",
        "a\"",
        "a`",
        &"n".repeat(MAX_NAME_BYTES + 1),
    ] {
        assert_eq!(
            with(name),
            Err(SchemaRefused::MalformedName { position: 1 }),
            "{name:?}"
        );
    }
}

#[test]
fn the_digest_tells_every_part_of_a_schema_apart() {
    let field = |name: &str| Field::new(name, Comparator::Exact);
    let schemas = [
        Schema::new(vec![field("a"), field("b")], vec![field("c")]),
        Schema::new(vec![field("b"), field("a")], vec![field("c")]),
        Schema::new(vec![field("a")], vec![field("b"), field("c")]),
        Schema::new(vec![field("a"), field("b")], vec![field("d")]),
        Schema::new(
            vec![field("a"), field("b")],
            vec![Field::new("c", Comparator::Folded)],
        ),
        Schema::new(vec![field("ab")], vec![field("c")]),
    ]
    .map(Result::unwrap);
    for (i, a) in schemas.iter().enumerate() {
        for (j, b) in schemas.iter().enumerate() {
            assert_eq!(a.digest() == b.digest(), i == j, "{i} {j}");
        }
    }
}

#[test]
fn a_key_is_found_by_equality_only() {
    let field = |comparator| vec![Field::new("months", comparator)];
    let other = || vec![Field::new("name", Comparator::Exact)];
    assert_eq!(
        Schema::new(field(Comparator::AtLeast), other()),
        Err(SchemaRefused::OrderedKey {
            field: "months".into()
        })
    );
    assert!(Schema::new(other(), vec![Field::at_least("months", vec![12])]).is_ok());
}

#[test]
fn a_field_compared_by_order_declares_by_which_numbers() {
    let with = |field: Field| Schema::new(vec![Field::new("id", Comparator::Exact)], vec![field]);
    let refused = Err(SchemaRefused::Thresholds {
        field: "months".into(),
    });
    let most: Vec<i64> = (0..).take(super::MAX_THRESHOLDS).collect();
    assert!(with(Field::at_least("months", most.clone())).is_ok());
    assert!(with(Field::at_least("months", vec![i64::MIN, i64::MAX])).is_ok());
    for thresholds in [
        Vec::new(),
        vec![12, 12],
        vec![24, 12],
        [most, vec![i64::MAX]].concat(),
    ] {
        assert_eq!(with(Field::at_least("months", thresholds)), refused);
    }
    let undeclared = Field::new("months", Comparator::AtLeast);
    assert_eq!(with(undeclared), refused);
    let surplus = Field {
        thresholds: vec![12],
        ..Field::new("months", Comparator::Integer)
    };
    assert_eq!(with(surplus), refused);
}
