use super::*;

fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

#[test]
fn decimals_lose_no_digit() {
    assert_eq!(decimal("12.30", 10, 2), Some(1_230));
    assert_eq!(decimal("-0.01", 10, 2), Some(-1));
    assert_eq!(decimal("5", 3, 2), Some(500));
    assert_eq!(decimal(&"9".repeat(38), 38, 0), Some(10_i128.pow(38) - 1));
    for wrong in [
        "", ".", "-", "1e3", "+1", "1.234", "1000", "1.2.3", " 1", "１",
    ] {
        assert_eq!(decimal(wrong, 5, 2), None, "{wrong}");
    }
}

#[test]
fn dates_are_days_of_the_calendar() {
    let day = |text_of: &str| date(&text(text_of));
    assert_eq!(day("1970-01-01"), Some(0));
    assert_eq!(day("1969-12-31"), Some(-1));
    assert_eq!(day("2024-02-29"), Some(19_782));
    assert_eq!(day("9999-12-31"), Some(2_932_896));
    assert_eq!(day("1000-01-01"), Some(-354_285));
    for wrong in [
        "2023-02-29",
        "2000-00-01",
        "2000-01-00",
        "2000-13-01",
        "2000-1",
        "2000-01-01-01",
        "+200-01-01",
    ] {
        assert_eq!(day(wrong), None, "{wrong}");
    }
    assert_eq!(
        date(&Value::Date(2000, 1, 1, 0, 0, 1, 0)),
        None,
        "a time of day would be lost"
    );
}

#[test]
fn both_protocols_give_the_same_moments() {
    for (typed, written) in [
        (
            Value::Date(1969, 12, 31, 23, 59, 59, 999_999),
            "1969-12-31 23:59:59.999999",
        ),
        (Value::Date(2020, 1, 1, 0, 0, 0, 0), "2020-01-01 00:00:00"),
        (
            Value::Date(2020, 1, 1, 8, 0, 0, 500_000),
            "2020-01-01 08:00:00.5",
        ),
    ] {
        assert_eq!(timestamp(&typed), timestamp(&text(written)), "{written}");
        assert!(timestamp(&typed).is_some());
    }
    assert_eq!(timestamp(&text("1970-01-01 00:00:01")), Some(1_000_000));
    for wrong in [
        "2020-01-01 24:00:00",
        "2020-01-01 00:60:00",
        "2020-01-01 00:00",
        "2020-01-01 00:00:00.1234567",
    ] {
        assert_eq!(timestamp(&text(wrong)), None, "{wrong}");
    }
    assert_eq!(
        time(&text("23:59:59.5")),
        time(&Value::Time(false, 0, 23, 59, 59, 500_000))
    );
    for wrong in [
        Value::Time(true, 0, 1, 0, 0, 0),
        Value::Time(false, 1, 0, 0, 0, 0),
        text("-01:00:00"),
        text("100:00:00"),
    ] {
        assert_eq!(time(&wrong), None, "{wrong:?}");
    }
}

#[test]
fn zero_dates_are_told_from_days_that_are_none() {
    assert!(is_zero_date(&text("0000-00-00")));
    assert!(is_zero_date(&text("2000-02-00 00:00:00")));
    assert!(is_zero_date(&Value::Date(0, 0, 0, 0, 0, 0, 0)));
    assert!(!is_zero_date(&text("2023-02-31")));
    assert!(!is_zero_date(&text("")));
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    assert_eq!(unsigned(&Value::Int(-1)), None);
    assert_eq!(signed(&Value::UInt(u64::MAX)), None);
    assert_eq!(unsigned(&text("0000000042")), Some(42));
    assert_eq!(signed(&text("1 ")), None);
    assert_eq!(bit(&Value::Bytes(vec![2, 1])), Some(513));
    assert_eq!(bit(&Value::Bytes(vec![0; 9])), None);
    assert_eq!(float(&text("0.10000000149011612")), Some(0.1));
    assert_eq!(float(&text("0.1")), None, "no `FLOAT` was this number");
}
