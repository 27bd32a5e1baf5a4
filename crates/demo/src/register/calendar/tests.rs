use super::{Date, Month};

const fn date(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

#[test]
fn days_are_counted_from_1970_and_back() {
    for (day, days) in [
        (date(1970, 1, 1), 0),
        (date(2000, 2, 29), 11_016),
        (date(2026, 5, 1), 20_574),
        (date(1969, 12, 31), -1),
    ] {
        assert_eq!((day.days(), Date::of_days(days)), (days, day));
    }
    for days in -40_000..40_000 {
        assert_eq!(Date::of_days(days).days(), days);
    }
}

#[test]
fn only_days_of_the_calendar_exist() {
    assert!(date(2024, 2, 29).exists());
    for wrong in [
        date(2023, 2, 29),
        date(2024, 13, 1),
        date(2024, 0, 1),
        date(2024, 4, 31),
        date(2024, 4, 0),
    ] {
        assert!(!wrong.exists(), "{wrong:?}");
    }
}

#[test]
fn an_age_is_completed_on_the_birthday() {
    let birth = date(1990, 5, 2);
    assert_eq!(date(2026, 5, 1).age_of(birth), 35);
    assert_eq!(date(2026, 5, 2).age_of(birth), 36);
}

#[test]
fn months_go_over_the_turn_of_the_year() {
    let december = Month::new(2025, 12);
    assert_eq!(december.number(), 202_512);
    assert_eq!(december.plus(1).number(), 202_601);
    assert_eq!(december.plus(1), Month::new(2026, 1));
}
