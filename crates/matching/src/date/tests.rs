use super::days_since_epoch;

#[test]
fn known_days() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("1969-12-31", -1),
        ("1970-03-01", 59),
        ("2000-02-29", 11_016),
        ("2000-03-01", 11_017),
        ("2013-01-31", 15_736),
        ("20130131", 15_736),
        ("0000-03-01", -719_468),
        ("0000-01-01", -719_528),
        ("9999-12-31", 2_932_896),
    ] {
        assert_eq!(days_since_epoch(text.as_bytes()), Some(days), "{text}");
    }
}

#[test]
fn four_centuries_of_days_follow_each_other() {
    let mut expected = days_since_epoch(b"1800-01-01").unwrap();
    for year in 1800..2200 {
        for month in 1..=12 {
            for day in 1..=31 {
                let text = format!("{year:04}-{month:02}-{day:02}");
                if let Some(days) = days_since_epoch(text.as_bytes()) {
                    assert_eq!(days, expected, "{text}");
                    expected += 1;
                }
            }
        }
    }
    assert_eq!(Some(expected), days_since_epoch(b"2200-01-01"));
}

#[test]
fn what_is_not_a_complete_calendar_date_is_refused() {
    for text in [
        "",
        "2013",
        "2013-01",
        "201301",
        "2013-1-1",
        "13-01-01",
        "2013/01/01",
        "2013-0101",
        "201301-01",
        "2013-00-01",
        "2013-13-01",
        "2013-01-00",
        "2013-01-32",
        "2013-02-29",
        "1900-02-29",
        "2013-04-31",
        "+2013-01-01",
        "-013-01-01",
        "12013-01-01",
        "2013-W01-1",
        "2013-001",
        "2013-01-01T00:00:00Z",
        "2013-01-0a",
        "31.01.2013",
    ] {
        assert_eq!(days_since_epoch(text.as_bytes()), None, "{text}");
    }
}
