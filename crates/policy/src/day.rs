//! A calendar day, as domains of date columns name their edges.
//!
//! Written YYYY-MM-DD, counted in days since 1970-01-01 as Arrow's `Date32` does. Pure arithmetic on the proleptic
//! Gregorian calendar, so that this crate needs no library of time.

use std::fmt;
use std::str::FromStr;

/// First year that can be written.
const YEAR_MIN: i32 = 1;
/// Last year that can be written.
const YEAR_MAX: i32 = 9_999;
/// Days from 0000-03-01 to 1970-01-01: the count below starts at a leap year's end.
const EPOCH_OFFSET: i32 = 719_468;
/// Days in 400 years.
const ERA_DAYS: i32 = 146_097;

/// A day between 0001-01-01 and 9999-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// A text that is not a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a day is written YYYY-MM-DD, from 0001-01-01 to 9999-12-31")]
pub struct DayMalformed;

impl Day {
    /// The day `days` after 1970-01-01, if its year has four digits.
    pub fn from_days(days: i32) -> Option<Day> {
        let first = Day::from_civil(YEAR_MIN, 1, 1).days();
        let last = Day::from_civil(YEAR_MAX, 12, 31).days();
        (first..=last).contains(&days).then_some(Day(days))
    }

    /// Days since 1970-01-01, negative before it: an Arrow `Date32`.
    pub fn days(self) -> i32 {
        self.0
    }

    /// Years are counted from March here, so that the leap day is the last of its year.
    fn from_civil(year: i32, month: i32, day: i32) -> Day {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Day(era * ERA_DAYS + day_of_era - EPOCH_OFFSET)
    }

    fn to_civil(self) -> (i32, i32, i32) {
        let shifted = self.0 + EPOCH_OFFSET;
        let day_of_era = shifted.rem_euclid(ERA_DAYS);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = (shifted_month + 2) % 12 + 1;
        let year = year_of_era + shifted.div_euclid(ERA_DAYS) * 400 + i32::from(month <= 2);
        (year, month, day)
    }
}

impl FromStr for Day {
    type Err = DayMalformed;

    fn from_str(text: &str) -> Result<Day, DayMalformed> {
        let bytes = text.as_bytes();
        let digits = |byte: &u8| byte.is_ascii_digit();
        let shaped = bytes.len() == 10
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && [&bytes[..4], &bytes[5..7], &bytes[8..]]
                .iter()
                .all(|part| part.iter().all(digits));
        if !shaped {
            return Err(DayMalformed);
        }
        let number = |part: &str| part.parse::<i32>().map_err(|_| DayMalformed);
        let (year, month, day) = (
            number(&text[..4])?,
            number(&text[5..7])?,
            number(&text[8..])?,
        );
        if year < YEAR_MIN || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(DayMalformed);
        }
        // A day that its month does not have, such as 30 February, comes back as another date.
        let built = Day::from_civil(year, month, day);
        if built.to_civil() == (year, month, day) {
            Ok(built)
        } else {
            Err(DayMalformed)
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.to_civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}
