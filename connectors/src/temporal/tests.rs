use super::*;

#[test]
fn every_day_from_year_0_to_9999_follows_the_one_before() {
    let mut expected = days_from_civil(0, 1, 1).unwrap();
    assert_eq!(days_from_civil(1970, 1, 1), Some(0));
    assert_eq!(days_from_civil(1969, 12, 31), Some(-1));
    assert_eq!(days_from_civil(2000, 2, 29), Some(11_016));
    for year in 0..=9_999 {
        for month in 1..=12 {
            for day in 1..=31 {
                if let Some(days) = days_from_civil(year, month, day) {
                    assert_eq!(days, expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }
    assert_eq!(expected, 2_932_897);
}

#[test]
fn there_is_no_such_day() {
    for text in [
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-04-31",
        "2024-1-01",
        "2024-01-1",
        "24-01-01",
        "2024/01/01",
        "2024-01-01 ",
        " 2024-01-01",
        "2024-01-01T00:00:00",
        "",
        "２０２４-01-01",
        "+024-01-01",
    ] {
        assert_eq!(Form::date().days(text), None, "{text}");
    }
    assert_eq!(Form::date().days("2024-02-29"), Some(19_782));
    assert_eq!(Form::date().days("1949-10-01"), Some(-7_397));
}

#[test]
fn forms_are_followed_to_the_byte() {
    let form = Form::parse("%Y年%m月%d日", Needs::Date).unwrap();
    assert_eq!(form.days("1970年01月02日"), Some(1));
    assert_eq!(form.days("1970年01月02"), None);
    let form = Form::parse("%d.%m.%Y %H:%M", Needs::Time).unwrap();
    assert_eq!(form.micros("02.01.1970 00:01", 0), Some(86_460_000_000));
    assert_eq!(form.micros("02.01.1970T00:01", 0), None);
}

#[test]
fn zones_move_the_time_and_are_not_guessed() {
    let form = Form::timestamp_with_zone();
    assert_eq!(form.micros("1970-01-01T08:00:00+08:00", 0), Some(0));
    assert_eq!(form.micros("1969-12-31 20:30:00.000001-03:30", 0), Some(1));
    assert_eq!(form.micros("1970-01-01T00:00:00Z", 0), Some(0));
    assert_eq!(form.micros("1970-01-01T00:00:00", 0), None);
    // A time of Beijing without an offset, in a column that declares it.
    assert_eq!(
        Form::timestamp().micros("1970-01-01 08:00:00", 28_800),
        Some(0)
    );
    for text in [
        "1970-01-01T24:00:00Z",
        "1970-01-01T23:60:00Z",
        "1970-01-01T23:59:60Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567Z",
        "1970-01-01T00:00:00+24:00",
    ] {
        assert_eq!(form.micros(text, 0), None, "{text}");
    }
    assert_eq!(
        form.micros("1970-01-01T00:00:00.1234560Z", 0),
        Some(123_456)
    );
}

#[test]
fn forms_that_say_too_little_or_too_much_are_refused() {
    for (form, needs) in [
        ("%Y-%m", Needs::Date),
        ("%Y-%m-%d %d", Needs::Date),
        ("%Y-%m-%d %H", Needs::Date),
        ("%Y-%m-%d", Needs::Time),
        ("%Y-%m-%d %H:%M%z", Needs::Time),
        ("%Y-%m-%d %H:%M", Needs::TimeAndZone),
        ("%y-%m-%d", Needs::Date),
        ("%Y-%m-%d%", Needs::Date),
    ] {
        assert!(Form::parse(form, needs).is_err(), "{form}");
    }
    assert_eq!(offset_seconds("+08:00"), Some(28_800));
    assert_eq!(offset_seconds("-0330"), Some(-12_600));
    assert_eq!(offset_seconds("Asia/Shanghai"), None);
    assert_eq!(offset_seconds("+08:00x"), None);
}
