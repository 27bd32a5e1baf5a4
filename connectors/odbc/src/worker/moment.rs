//! Dates and times as drivers give them: fields that may hold anything. Impossible ones are refused; among them MySQL's
//! `0000-00-00`, the infinities of PostgreSQL, and second 60.

use arrow_odbc::odbc_api::sys::{Date, Timestamp};

use super::columns::Unfit;

const DAY_SECONDS: i64 = 86_400;

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// # Errors
/// There is no such day, or it lies outside the years 1 to 9999.
pub(super) fn days(date: &Date) -> Result<i32, Unfit> {
    let (year, month, day) = (
        i32::from(date.year),
        i32::from(date.month),
        i32::from(date.day),
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return Err(Unfit),
    };
    if !(1..=9_999).contains(&year) || !(1..=last).contains(&day) {
        return Err(Unfit);
    }
    // Years that begin in March have their leap day at the end; 400 of them have always 146,097 days.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Ok(era * 146_097 + day_of_era - 719_468)
}

/// Microseconds since 1970-01-01 00:00.
///
/// # Errors
/// There is no such moment, or it needs nanoseconds.
pub(super) fn micros(moment: &Timestamp) -> Result<i64, Unfit> {
    let seconds = seconds(moment)?;
    if !moment.fraction.is_multiple_of(1_000) {
        return Err(Unfit);
    }
    Ok(seconds * 1_000_000 + i64::from(moment.fraction / 1_000))
}

/// Nanoseconds since 1970-01-01 00:00.
///
/// # Errors
/// There is no such moment, or 64 bits do not hold it.
pub(super) fn nanos(moment: &Timestamp) -> Result<i64, Unfit> {
    let nanos = i128::from(seconds(moment)?) * 1_000_000_000 + i128::from(moment.fraction);
    i64::try_from(nanos).map_err(|_| Unfit)
}

/// The day of a moment at midnight.
///
/// # Errors
/// There is no such day, or the time is another.
pub(super) fn midnight(moment: &Timestamp) -> Result<i32, Unfit> {
    let seconds = seconds(moment)?;
    if seconds % DAY_SECONDS != 0 || moment.fraction != 0 {
        return Err(Unfit);
    }
    i32::try_from(seconds / DAY_SECONDS).map_err(|_| Unfit)
}

fn seconds(moment: &Timestamp) -> Result<i64, Unfit> {
    let date = Date {
        year: moment.year,
        month: moment.month,
        day: moment.day,
    };
    let fits = moment.hour < 24
        && moment.minute < 60
        && moment.second < 60
        && moment.fraction < 1_000_000_000;
    if !fits {
        return Err(Unfit);
    }
    let of_day =
        i64::from(moment.hour) * 3_600 + i64::from(moment.minute) * 60 + i64::from(moment.second);
    Ok(i64::from(days(&date)?) * DAY_SECONDS + of_day)
}

/// `YYYY-MM-DD`, or that and `HH:MM:SS` with up to nine digits of a fraction.
///
/// # Errors
/// It has another form. Whether there is such a moment is found when it is converted.
pub(super) fn parse(text: &[u8]) -> Result<Timestamp, Unfit> {
    let text = text.trim_ascii();
    let number = |at: std::ops::Range<usize>| {
        let digits = text.get(at)?;
        let plain = digits.iter().all(u8::is_ascii_digit);
        plain.then(|| {
            digits
                .iter()
                .fold(0, |n, digit| n * 10 + u16::from(digit - b'0'))
        })
    };
    let part = |at| number(at).ok_or(Unfit);
    let sign = |at: usize, signs: &[u8]| match text.get(at) {
        Some(sign) if signs.contains(sign) => Ok(()),
        _ => Err(Unfit),
    };
    sign(4, b"-")?;
    sign(7, b"-")?;
    let mut moment = Timestamp {
        year: i16::try_from(part(0..4)?).map_err(|_| Unfit)?,
        month: part(5..7)?,
        day: part(8..10)?,
        ..Timestamp::default()
    };
    if text.len() == 10 {
        return Ok(moment);
    }
    sign(10, b" T")?;
    sign(13, b":")?;
    sign(16, b":")?;
    moment.hour = part(11..13)?;
    moment.minute = part(14..16)?;
    moment.second = part(17..19)?;
    let fraction = match text.get(19..) {
        Some([]) => &[][..],
        Some([b'.', digits @ ..]) if (1..=9).contains(&digits.len()) => digits,
        _ => return Err(Unfit),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(Unfit);
    }
    let zeros = std::iter::repeat_n(&b'0', 9 - fraction.len());
    moment.fraction = fraction
        .iter()
        .chain(zeros)
        .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Ok(moment)
}

/// The same with the offset that means UTC, or without any.
///
/// # Errors
/// It has another form, or another offset.
pub(super) fn parse_utc(text: &[u8]) -> Result<Timestamp, Unfit> {
    let text = text.trim_ascii();
    let offset = [&b"+00:00"[..], b"+00", b"Z"]
        .into_iter()
        .find(|offset| text.ends_with(offset));
    parse(&text[..text.len() - offset.map_or(0, <[u8]>::len)])
}

/// Microseconds since midnight of `HH:MM:SS` with up to six digits of a fraction.
///
/// # Errors
/// It is no such time; times of more than a day, as MySQL has them, are none.
pub(super) fn time_of_day(text: &[u8]) -> Result<i64, Unfit> {
    let text = text.trim_ascii();
    let (clock, fraction) = match text.get(8) {
        Some(b'.') => (&text[..8], &text[9..]),
        _ => (text, &[][..]),
    };
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else {
        return Err(Unfit);
    };
    let two = |tens: &u8, ones: &u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let hours = two(h1, h2).filter(|&hours| hours < 24).ok_or(Unfit)?;
    let minutes = two(m1, m2).filter(|&minutes| minutes < 60).ok_or(Unfit)?;
    let seconds = two(s1, s2).filter(|&seconds| seconds < 60).ok_or(Unfit)?;
    if !fraction.iter().all(u8::is_ascii_digit) || fraction.len() > 9 {
        return Err(Unfit);
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(6));
    if rest.iter().any(|&digit| digit != b'0') {
        return Err(Unfit);
    }
    let zeros = std::iter::repeat_n(&b'0', 6 - kept.len());
    let micros = kept
        .iter()
        .chain(zeros)
        .fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
    Ok(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i16, month: u16, day: u16) -> Result<i32, Unfit> {
        days(&Date { year, month, day })
    }

    #[test]
    fn days_follow_one_another() {
        assert_eq!(date(1970, 1, 1), Ok(0));
        assert_eq!(date(1969, 12, 31), Ok(-1));
        assert_eq!(date(2000, 2, 29), Ok(11_016));
        let mut expected = date(1, 1, 1).unwrap();
        assert_eq!(expected, -719_162);
        for year in 1..=9_999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Ok(days) = date(year, month, day) {
                        assert_eq!(days, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 2_932_897);
    }

    #[test]
    fn impossible_days_are_refused() {
        for (year, month, day) in [
            (0, 0, 0),
            (0, 1, 1),
            (-4713, 1, 1),
            (10_000, 1, 1),
            (i16::MAX, 1, 1),
            (1900, 2, 29),
            (2021, 13, 1),
            (2021, 4, 31),
            (2021, 1, 0),
            (2021, u16::MAX, u16::MAX),
        ] {
            assert_eq!(date(year, month, day), Err(Unfit), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn moments_are_exact_or_refused() {
        let moment = |second, fraction| Timestamp {
            year: 1969,
            month: 12,
            day: 31,
            hour: 23,
            minute: 59,
            second,
            fraction,
        };
        assert_eq!(micros(&moment(59, 999_999_000)), Ok(-1));
        assert_eq!(micros(&moment(59, 999_999_999)), Err(Unfit));
        assert_eq!(nanos(&moment(59, 999_999_999)), Ok(-1));
        assert_eq!(micros(&moment(60, 0)), Err(Unfit));
        let day = Timestamp {
            hour: 0,
            minute: 0,
            ..moment(0, 0)
        };
        assert_eq!(midnight(&day), Ok(-1));
        assert_eq!(midnight(&moment(0, 0)), Err(Unfit));
        assert_eq!(midnight(&Timestamp { fraction: 1, ..day }), Err(Unfit));
        assert_eq!(nanos(&moment(59, 1_000_000_000)), Err(Unfit));
        let far = Timestamp {
            year: 2263,
            ..moment(0, 0)
        };
        assert_eq!(nanos(&far), Err(Unfit));
        assert!(micros(&far).is_ok());
    }

    #[test]
    fn written_moments_have_one_form() {
        let micros_of = |text: &str| parse(text.as_bytes()).and_then(|moment| micros(&moment));
        assert_eq!(micros_of("1970-01-01"), Ok(0));
        assert_eq!(micros_of("1969-12-31 23:59:59.999999"), Ok(-1));
        assert_eq!(micros_of("1970-01-02T00:00:01"), Ok(86_401_000_000));
        for text in [
            "",
            "1970-1-1",
            "1970/01/01",
            "70-01-01",
            "1970-01-01 00:00",
            "1970-01-01 00:00:00.",
            "1970-01-01 00:00:00.0000000000",
            "1970-01-01 00:00:00+08",
            "1970-02-30",
            "infinity",
            "+970-01-01",
        ] {
            assert_eq!(micros_of(text), Err(Unfit), "{text}");
        }
        for text in [
            "1970-01-01 00:00:00.5+00",
            "1970-01-01T00:00:00.5Z",
            "1970-01-01 00:00:00.5",
        ] {
            let moment = parse_utc(text.as_bytes()).unwrap();
            assert_eq!(micros(&moment), Ok(500_000), "{text}");
        }
        for text in [
            "1970-01-01 00:00:00+08",
            "0044-03-15 BC",
            "-infinity",
            "+00",
        ] {
            assert!(parse_utc(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn times_of_day_are_exact_or_refused() {
        assert_eq!(time_of_day(b"00:00:00"), Ok(0));
        assert_eq!(time_of_day(b"23:59:59.999999"), Ok(86_399_999_999));
        assert_eq!(time_of_day(b"00:00:01.5"), Ok(1_500_000));
        assert_eq!(time_of_day(b"00:00:00.000001000"), Ok(1));
        for text in [
            "24:00:00",
            "-01:00:00",
            "838:59:59",
            "1:00:00",
            "00:60:00",
            "00:00:60",
            "00:00:00.0000001",
            "00:00:00.x",
            "",
            "00:00",
            "00:00:00+08",
        ] {
            assert_eq!(time_of_day(text.as_bytes()), Err(Unfit), "{text}");
        }
    }
}
