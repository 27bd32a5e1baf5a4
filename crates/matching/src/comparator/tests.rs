use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error, value::StrDeserializer},
};

use super::{Comparator, MAX_TEXT_BYTES, Unfit};
use crate::Value;

const ALL: [Comparator; 5] = [
    Comparator::AtLeast,
    Comparator::Date,
    Comparator::Exact,
    Comparator::Folded,
    Comparator::Integer,
];

fn canonical(comparator: Comparator, value: Value<'_>) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::new();
    comparator.canonical_into(value, &mut out).map(|()| out)
}

fn same(comparator: Comparator, a: Value<'_>, b: Value<'_>) -> bool {
    canonical(comparator, a).unwrap() == canonical(comparator, b).unwrap()
}

#[test]
fn names_are_the_same_in_every_direction() {
    for comparator in ALL {
        let name = comparator.as_str();
        assert_eq!(name.parse(), Ok(comparator));
        assert_eq!(comparator.to_string(), name);
        let read: StrDeserializer<'_, Error> = name.into_deserializer();
        assert_eq!(Comparator::deserialize(read), Ok(comparator));
        // `Formatter` serialises unit variants as their names.
        let written = std::fmt::from_fn(|f| comparator.serialize(f)).to_string();
        assert_eq!(written, name);
    }
    assert!("Exact".parse::<Comparator>().is_err());
    assert!("".parse::<Comparator>().is_err());
}

#[test]
fn integers_are_equal_by_number() {
    let texts = ["7", "007", "+7", " 7 ", "７", "＋０７", "\u{3000}7"];
    for text in texts {
        assert!(
            same(Comparator::Integer, Value::Text(text), Value::Integer(7)),
            "{text:?}"
        );
    }
    for (text, number) in [
        ("0", 0),
        ("-0", 0),
        ("－１２", -12),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
        ("00000000000000000000000000000000000001", 1),
    ] {
        assert!(
            same(
                Comparator::Integer,
                Value::Text(text),
                Value::Integer(number)
            ),
            "{text:?}"
        );
    }
    assert!(!same(
        Comparator::Integer,
        Value::Text("-7"),
        Value::Integer(7)
    ));
}

#[test]
fn what_is_no_integer_is_refused() {
    for text in [
        "",
        " ",
        "+",
        "-",
        "--1",
        "+-1",
        "- 1",
        "1 2",
        "1.0",
        "1e3",
        "1_000",
        "1,000",
        "0x10",
        "七",
        "٧",
        "−1",
        "9223372036854775808",
        "-9223372036854775809",
    ] {
        let found = canonical(Comparator::Integer, Value::Text(text));
        assert_eq!(found, Err(Unfit::Unreadable), "{text:?}");
    }
}

#[test]
fn dates_are_equal_by_day() {
    for text in [
        "2013-01-31",
        "20130131",
        " 2013-01-31\n",
        "２０１３－０１－３１",
    ] {
        assert!(
            same(Comparator::Date, Value::Text(text), Value::Date(15_736)),
            "{text:?}"
        );
    }
    assert!(!same(
        Comparator::Date,
        Value::Text("2013-01-30"),
        Value::Date(15_736)
    ));
    for text in [
        "",
        "2013-02-30",
        "2013年1月31日",
        "2013-01-311",
        "２０１３－０１－３１１",
    ] {
        let found = canonical(Comparator::Date, Value::Text(text));
        assert_eq!(found, Err(Unfit::Unreadable), "{text:?}");
    }
}

#[test]
fn exact_means_byte_for_byte() {
    assert!(same(
        Comparator::Exact,
        Value::Text("Ａ b"),
        Value::Text("Ａ b")
    ));
    for (a, b) in [
        ("A", "a"),
        ("a", "a "),
        ("Ａ", "A"),
        ("007", "7"),
        ("", " "),
    ] {
        assert!(
            !same(Comparator::Exact, Value::Text(a), Value::Text(b)),
            "{a:?} {b:?}"
        );
    }
}

#[test]
fn a_null_equals_no_value() {
    let candidates = [
        (Comparator::Exact, Value::Text("")),
        (Comparator::Exact, Value::Text("\0")),
        (Comparator::Folded, Value::Text("")),
        (Comparator::Integer, Value::Integer(0)),
        (Comparator::Date, Value::Date(0)),
    ];
    for (comparator, value) in candidates {
        assert!(!same(comparator, value, Value::Null), "{comparator}");
        assert!(same(comparator, Value::Null, Value::Null));
    }
}

#[test]
fn types_a_comparator_does_not_take_are_refused() {
    for (comparator, value) in [
        (Comparator::Exact, Value::Integer(1)),
        (Comparator::Exact, Value::Date(1)),
        (Comparator::Folded, Value::Integer(1)),
        (Comparator::Folded, Value::Date(1)),
        (Comparator::Integer, Value::Date(1)),
        (Comparator::Date, Value::Integer(20_130_131)),
    ] {
        assert_eq!(
            canonical(comparator, value),
            Err(Unfit::WrongType),
            "{comparator}"
        );
    }
}

#[test]
fn the_longest_text_is_counted_after_normalisation() {
    let longest = "x".repeat(MAX_TEXT_BYTES);
    let (padded, too_long) = (format!("  {longest}  "), format!("{longest}x"));
    assert!(canonical(Comparator::Exact, Value::Text(&longest)).is_ok());
    assert!(canonical(Comparator::Folded, Value::Text(&padded)).is_ok());
    assert_eq!(
        canonical(Comparator::Exact, Value::Text(&padded)),
        Err(Unfit::TooLong)
    );
    for comparator in [Comparator::Exact, Comparator::Folded] {
        assert_eq!(
            canonical(comparator, Value::Text(&too_long)),
            Err(Unfit::TooLong)
        );
    }
}
