//! ISO 8601 calendar dates to days since 1970-01-01, for the comparator `date`.
//!
//! Only complete dates of the years 0000 to 9999, extended (`2013-01-31`) or basic (`20130131`): a
//! reduced or a local form could be read in two ways, and a verification must not guess.

#[cfg(test)]
mod tests;

/// Days since 1970-01-01 in the proleptic Gregorian calendar, or `None` if `text` is not a date.
pub(crate) fn days_since_epoch(text: &[u8]) -> Option<i32> {
    let (year, month, day) = match text {
        [y @ .., b'-', m1, m2, b'-', d1, d2] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2]),
        [y @ .., m1, m2, d1, d2] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2]),
        _ => return None,
    };
    let (year, month, day) = (digits(year)?, digits(&month)?, digits(&day)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return None;
    }
    Some(civil_days(year, month, day))
}

fn digits(text: &[u8]) -> Option<i32> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i32::from(byte - b'0'))
    })
}

fn days_of_month(year: i32, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The usual reckoning with years that begin in March, so that the leap day comes last.
fn civil_days(year: i32, month: i32, day: i32) -> i32 {
    const DAYS_PER_ERA: i32 = 146_097; // 400 years
    const EPOCH: i32 = 719_468; // days from 0000-03-01 to 1970-01-01
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH
}
