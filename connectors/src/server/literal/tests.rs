use super::*;

/// As PostgreSQL has them.
const YEARS: RangeInclusive<i64> = 1..=9_999;

#[test]
fn dates_and_decimals_are_written_exactly() {
    assert_eq!(date(0, &YEARS).as_deref(), Some("1970-01-01"));
    assert_eq!(date(-1, &YEARS).as_deref(), Some("1969-12-31"));
    assert_eq!(date(19_782, &YEARS).as_deref(), Some("2024-02-29"));
    assert_eq!(date(2_932_896, &YEARS).as_deref(), Some("9999-12-31"));
    assert_eq!(date(2_932_897, &YEARS), None);
    assert_eq!(date(-1_000_000, &YEARS), None);
    // A server whose dates begin later takes no earlier ones.
    assert_eq!(date(-354_286, &YEARS).as_deref(), Some("0999-12-31"));
    assert_eq!(date(-354_286, &(1_000..=9_999)), None);
    assert_eq!(
        date(-354_285, &(1_000..=9_999)).as_deref(),
        Some("1000-01-01")
    );
    assert_eq!(
        timestamp(-1, &YEARS).as_deref(),
        Some("1969-12-31 23:59:59.999999")
    );
    assert_eq!(timestamp(i64::MAX, &YEARS), None);
    assert_eq!(timestamp(i64::MIN, &YEARS), None);
    assert_eq!(decimal(-150, 2).as_deref(), Some("-1.50"));
    assert_eq!(decimal(-1, 3).as_deref(), Some("-0.001"));
    assert_eq!(decimal(7, 0).as_deref(), Some("7"));
    assert_eq!(decimal(7, -1), None);
    let longest = decimal(i128::MIN, 38).unwrap();
    assert_eq!(longest, "-1.70141183460469231731687303715884105728");
}
