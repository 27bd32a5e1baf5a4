//! Dates and times in declared forms, read strictly: every digit where the form wants it, no other calendar, no guess.

#[cfg(test)]
mod tests;

/// One step through a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// Nothing, or a point and one to nine digits.
    Fraction,
    /// `Z`, `±hh:mm`, `±hhmm` or `±hh`.
    Zone,
    /// `T` or a space.
    Between,
    Literal(u8),
}

/// What a form must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Year, month and day, nothing else.
    Date,
    /// Date, hour and minute; no zone.
    Time,
    /// Date, hour, minute and zone.
    TimeAndZone,
}

/// How a date or time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form(Vec<Item>);

#[derive(Default)]
struct Parts {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    offset_seconds: Option<i32>,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Form {
    /// `%Y %m %d %H %M %S %f %z` and `%%`, everything else standing for itself. `%f` is an optional point with digits.
    pub(crate) fn parse(text: &str, needs: Needs) -> Result<Form, &'static str> {
        let mut items = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            items.push(match byte {
                b'%' => match bytes.next() {
                    Some(b'Y') => Item::Year,
                    Some(b'm') => Item::Month,
                    Some(b'd') => Item::Day,
                    Some(b'H') => Item::Hour,
                    Some(b'M') => Item::Minute,
                    Some(b'S') => Item::Second,
                    Some(b'f') => Item::Fraction,
                    Some(b'z') => Item::Zone,
                    Some(b'%') => Item::Literal(b'%'),
                    _ => return Err("has a field other than `%Y %m %d %H %M %S %f %z %%`"),
                },
                byte => Item::Literal(byte),
            });
        }
        check(&items, needs)?;
        Ok(Form(items))
    }

    /// `2024-02-29`.
    pub(crate) fn date() -> Form {
        Form::parse("%Y-%m-%d", Needs::Date).expect("the form is complete")
    }

    /// `2024-02-29T08:00:00.123456`, also with a space.
    pub(crate) fn timestamp() -> Form {
        let mut form = Form::parse("%Y-%m-%d %H:%M:%S%f", Needs::Time).expect("it is complete");
        form.between();
        form
    }

    /// `2024-02-29T08:00:00.123456+08:00`, also with a space or `Z`.
    pub(crate) fn timestamp_with_zone() -> Form {
        let mut form =
            Form::parse("%Y-%m-%d %H:%M:%S%f%z", Needs::TimeAndZone).expect("it is complete");
        form.between();
        form
    }

    fn between(&mut self) {
        for item in &mut self.0 {
            if *item == Item::Literal(b' ') {
                *item = Item::Between;
            }
        }
    }

    /// Days since 1970-01-01, if the text is a date in this form.
    pub(crate) fn days(&self, text: &str) -> Option<i32> {
        let parts = self.parts(text.as_bytes())?;
        i32::try_from(days_from_civil(parts.year, parts.month, parts.day)?).ok()
    }

    /// Microseconds since 1970-01-01 00:00 UTC, if the text is a time in this form; a time that names no zone is
    /// `offset_seconds` east of UTC.
    pub(crate) fn micros(&self, text: &str, offset_seconds: i32) -> Option<i64> {
        let parts = self.parts(text.as_bytes())?;
        let days = days_from_civil(parts.year, parts.month, parts.day)?;
        let of_day = i64::from(parts.hour * 3_600 + parts.minute * 60 + parts.second);
        let offset = i64::from(parts.offset_seconds.unwrap_or(offset_seconds));
        let seconds = days * SECONDS_PER_DAY + of_day - offset;
        Some(seconds * MICROS_PER_SECOND + i64::from(parts.micros))
    }

    fn parts(&self, text: &[u8]) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = text;
        for item in &self.0 {
            match item {
                Item::Year => parts.year = i32::try_from(digits(&mut rest, 4)?).ok()?,
                Item::Month => parts.month = digits(&mut rest, 2)?,
                Item::Day => parts.day = digits(&mut rest, 2)?,
                Item::Hour => parts.hour = below(digits(&mut rest, 2)?, 24)?,
                Item::Minute => parts.minute = below(digits(&mut rest, 2)?, 60)?,
                Item::Second => parts.second = below(digits(&mut rest, 2)?, 60)?,
                Item::Fraction => parts.micros = fraction(&mut rest)?,
                Item::Zone => parts.offset_seconds = Some(zone(&mut rest)?),
                Item::Between => match take(&mut rest)? {
                    b' ' | b'T' => {}
                    _ => return None,
                },
                Item::Literal(literal) => {
                    (take(&mut rest)? == *literal).then_some(())?;
                }
            }
        }
        rest.is_empty().then_some(parts)
    }
}

fn check(items: &[Item], needs: Needs) -> Result<(), &'static str> {
    let count = |item: &Item| items.iter().filter(|other| *other == item).count();
    let once = |wanted: &[Item]| wanted.iter().all(|item| count(item) == 1);
    let never = |unwanted: &[Item]| unwanted.iter().all(|item| count(item) == 0);
    if !once(&[Item::Year, Item::Month, Item::Day]) {
        return Err("does not say year, month and day once each");
    }
    if needs == Needs::Date {
        let time = [
            Item::Hour,
            Item::Minute,
            Item::Second,
            Item::Fraction,
            Item::Zone,
        ];
        return if never(&time) {
            Ok(())
        } else {
            Err("of a date has parts of a time")
        };
    }
    let optional = [Item::Second, Item::Fraction];
    if !once(&[Item::Hour, Item::Minute]) || optional.iter().any(|item| count(item) > 1) {
        return Err("does not say hour and minute once each");
    }
    match (needs, count(&Item::Zone)) {
        (Needs::Time, 0) | (Needs::TimeAndZone, 1) => Ok(()),
        (Needs::TimeAndZone, _) => Err("does not say the zone once; or declare `zone`"),
        _ => Err("says a zone although the column has none of its own"),
    }
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(*first)
}

fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let mut value = 0;
    for _ in 0..count {
        let byte = take(rest)?;
        byte.is_ascii_digit().then_some(())?;
        value = value * 10 + u32::from(byte - b'0');
    }
    Some(value)
}

fn below(value: u32, limit: u32) -> Option<u32> {
    (value < limit).then_some(value)
}

/// Up to nine digits after a point as microseconds; finer ones must be zeros.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    if rest.first() != Some(&b'.') {
        return Some(0);
    }
    take(rest);
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=9).contains(&length).then_some(())?;
    let nanos = digits(rest, length)? * 10_u32.pow(9 - u32::try_from(length).ok()?);
    (nanos.is_multiple_of(1_000)).then_some(nanos / 1_000)
}

fn zone(rest: &mut &[u8]) -> Option<i32> {
    let sign = match take(rest)? {
        b'Z' => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = below(digits(rest, 2)?, 24)?;
    let minutes = match rest.first() {
        Some(b':') => {
            take(rest);
            below(digits(rest, 2)?, 60)?
        }
        Some(byte) if byte.is_ascii_digit() => below(digits(rest, 2)?, 60)?,
        _ => 0,
    };
    Some(sign * i32::try_from(hours * 3_600 + minutes * 60).ok()?)
}

/// Seconds east of UTC of `+08:00`, `-0330` or `Z`.
pub(crate) fn offset_seconds(text: &str) -> Option<i32> {
    let mut rest = text.as_bytes();
    let offset = zone(&mut rest)?;
    rest.is_empty().then_some(offset)
}

/// Days since 1970-01-01 in the Gregorian calendar, extended to before 1582. `None` if there is no such day.
fn days_from_civil(year: i32, month: u32, day: u32) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=length).contains(&day).then_some(())?;
    // The year begins in March here, so that the leap day is the last of a year.
    let year = i64::from(year) - i64::from(month <= 2);
    let month = (i64::from(month) + 9) % 12;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + days - 719_468)
}
