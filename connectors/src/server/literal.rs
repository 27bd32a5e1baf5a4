//! Constants of a condition in the digits of SQL; how a server wants them dressed, its own connector knows.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use datafusion::common::ScalarValue;

/// The text, of whatever width.
pub(crate) fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)) => Some(value),
        _ => None,
    }
}

/// Digits with a point where `scale` puts it.
pub(crate) fn decimal(value: i128, scale: i8) -> Option<String> {
    let scale = usize::try_from(scale).ok()?;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let mut text = if value < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    text.push_str(whole);
    if !fraction.is_empty() {
        write!(text, ".{fraction}").expect("a string takes everything");
    }
    Some(text)
}

/// `YYYY-MM-DD` of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`; `None` outside `years`, which are
/// written with four digits.
pub(crate) fn date(days: i64, years: &RangeInclusive<i64>) -> Option<String> {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    years
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// `YYYY-MM-DD hh:mm:ss.ffffff` of a moment counted from 1970-01-01; `None` outside `years`.
pub(crate) fn timestamp(microseconds: i64, years: &RangeInclusive<i64>) -> Option<String> {
    let date = date(microseconds.div_euclid(86_400_000_000), years)?;
    let of_day = microseconds.rem_euclid(86_400_000_000);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Some(format!(
        "{date} {hour:02}:{minute:02}:{second:02}.{fraction:06}"
    ))
}

#[cfg(test)]
mod tests;
