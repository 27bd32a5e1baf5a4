use super::*;

#[test]
fn times_are_those_of_the_regulations_clock() {
    let time = Timestamp::from_unix_s(1_794_000_000);
    assert_eq!(to_the_second(time), "2026-11-07 05:20:00");
    assert_eq!(to_the_day(time), "2026-11-07");
}

#[test]
fn numbers_are_grouped() {
    for (number, expected) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1\u{2009}000"),
        (1_234_567, "1\u{2009}234\u{2009}567"),
    ] {
        assert_eq!(grouped(number), expected);
    }
}

/// A name that turns the direction of writing could make a licensee look like another.
#[test]
fn what_hides_or_turns_text_becomes_visible() {
    for letter in [
        '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\n', '\0', '\u{7f}',
    ] {
        assert_eq!(visible(&format!("a{letter}b")), "a\u{fffd}b");
    }
    assert_eq!(visible("明江银行 <b>"), "明江银行 <b>");
}
