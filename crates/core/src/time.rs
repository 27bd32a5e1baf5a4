//! Instants and the clock they come from. Pure code takes instants; only the edges of a process hold a [`Clock`].

use std::fmt;
use std::time::Duration;

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `unix_s` seconds after the epoch.
    pub const fn from_unix_s(unix_s: i64) -> Timestamp {
        Timestamp(unix_s.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn unix_s(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant and `later`.
    #[must_use]
    pub fn plus(self, later: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar day in UTC+8, counted from 1970-01-01: quotas per day are the day of the regulations' clock.
    pub const fn day_utc8(self) -> i64 {
        self.unix_s().saturating_add(8 * 3_600).div_euclid(86_400)
    }

    /// This instant `months` calendar months later in UTC+8. A day that the month does not have is its last one; the
    /// time of the day stays. Beyond the calendar it is the end of time: nothing is due earlier for being too large.
    #[must_use]
    pub fn plus_months_utc8(self, months: u16) -> Timestamp {
        let day = self.day_utc8();
        let (year, month, of_month) = civil(day);
        let month = i64::from(month) - 1 + i64::from(months);
        let (year, month) = (year + month.div_euclid(12), month.rem_euclid(12) + 1);
        let later = (1..=i64::from(of_month))
            .rev()
            .find_map(|of_month| days_from_civil(year, month, of_month));
        let moved = later
            .and_then(|later| (later - day).checked_mul(86_400_000_000))
            .and_then(|micros| self.0.checked_add(micros));
        moved.map_or(Timestamp(i64::MAX), Timestamp)
    }

    /// `2026h2`: the half-year in UTC+8 that names a stream.
    pub fn half_year(self) -> String {
        let (year, month, _) = civil(self.day_utc8());
        format!("{year}h{}", if month <= 6 { 1 } else { 2 })
    }
}

/// Year, month and day of a day number since 1970-01-01 in the proleptic Gregorian calendar.
const fn civil(day: i64) -> (i64, u32, u32) {
    // Days are counted from 0000-03-01, so that a leap day ends its year; 146,097 days make 400 years.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month as u32, day_of_month as u32)
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.unix_s();
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let micros = self.0.rem_euclid(1_000_000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

/// A text that is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `YYYY-MM-DD` (midnight of UTC+8), `YYYY-MM-DDThh:mm:ssZ` or the same with six digits after a point"
)]
pub struct TimestampRefused;

impl std::str::FromStr for Timestamp {
    type Err = TimestampRefused;

    fn from_str(text: &str) -> Result<Self, TimestampRefused> {
        let part = |range: std::ops::Range<usize>, low: i64, high: i64| {
            let digits = text.get(range).ok_or(TimestampRefused)?;
            let value = digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| digits.parse().ok());
            value
                .flatten()
                .filter(|value| (low..=high).contains(value))
                .ok_or(TimestampRefused)
        };
        let shaped = match text.len() {
            10 => text.is_char_boundary(10) && [4, 7].iter().all(|at| text.as_bytes()[*at] == b'-'),
            20 | 27 => {
                let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
                let ends: &[(usize, u8)] = match text.len() {
                    20 => &[(19, b'Z')],
                    _ => &[(19, b'.'), (26, b'Z')],
                };
                let mut marks = marks.iter().chain(ends);
                marks.all(|(at, mark)| text.as_bytes()[*at] == *mark)
            }
            _ => false,
        };
        if !shaped {
            return Err(TimestampRefused);
        }
        let (year, month, day) = (
            part(0..4, 1970, 9_999)?,
            part(5..7, 1, 12)?,
            part(8..10, 1, 31)?,
        );
        let days = days_from_civil(year, month, day).ok_or(TimestampRefused)?;
        let of_day = if text.len() == 10 {
            -8 * 3_600
        } else {
            part(11..13, 0, 23)? * 3_600 + part(14..16, 0, 59)? * 60 + part(17..19, 0, 59)?
        };
        let micros = match text.len() {
            27 => part(20..26, 0, 999_999)?,
            _ => 0,
        };
        let seconds = Timestamp::from_unix_s(days * 86_400 + of_day);
        Ok(Timestamp(seconds.0 + micros))
    }
}

/// The inverse of [`civil`]; none for a day that the month does not have.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (civil(days) == (year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)).then_some(days)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the world's time comes in.
///
/// Contract: `monotonic` never goes back within a process and is unaffected by changes of the wall clock; `now` may
/// jump, and whoever decides by it also keeps a floor.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point of this process.
    fn monotonic(&self) -> Duration;
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_shown_is_read_back() {
        for micros in [0, 1, 999_999, 1_782_871_200_123_456] {
            let shown = super::Timestamp(micros).to_string();
            assert_eq!(shown.parse(), Ok(super::Timestamp(micros)), "{shown}");
        }
        for wrong in [
            "2026-01-01T00:00:00.12345Z",
            "2026-01-01T00:00:00,123456Z",
            "2026-01-01T00:00:00.12345xZ",
            "2026-01-01T00:00:00.123456+",
        ] {
            assert!(wrong.parse::<super::Timestamp>().is_err(), "{wrong}");
        }
    }

    use super::*;

    #[test]
    fn dates_read_as_the_calendar_does() {
        for (unix_s, text, half) in [
            (0, "1970-01-01T00:00:00.000000Z", "1970h1"),
            (951_782_400, "2000-02-29T00:00:00.000000Z", "2000h1"),
            (1_767_225_600, "2026-01-01T00:00:00.000000Z", "2026h1"),
            // 2026-06-30T16:00:00Z is already July in UTC+8.
            (1_782_835_200, "2026-06-30T16:00:00.000000Z", "2026h2"),
            (-1, "1969-12-31T23:59:59.000000Z", "1970h1"),
        ] {
            let instant = Timestamp::from_unix_s(unix_s);
            assert_eq!(
                (instant.to_string().as_str(), instant.half_year().as_str()),
                (text, half)
            );
        }
    }

    #[test]
    fn instants_read_back_and_nonsense_is_refused() {
        assert_eq!(
            "2026-01-01T00:00:00Z".parse(),
            Ok(Timestamp::from_unix_s(1_767_225_600))
        );
        assert_eq!(
            "2026-01-01".parse(),
            Ok(Timestamp::from_unix_s(1_767_225_600 - 8 * 3_600))
        );
        assert_eq!(
            "2000-02-29T00:00:00Z".parse(),
            Ok(Timestamp::from_unix_s(951_782_400))
        );
        for wrong in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "2026-01-01T24:00:00Z",
            "２026-01-1",
        ] {
            assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_turn_at_midnight_in_utc8() {
        let before = Timestamp::from_unix_s(16 * 3_600 - 1);
        let after = Timestamp::from_unix_s(16 * 3_600);
        assert_eq!(after.day_utc8(), before.day_utc8() + 1);
    }
}
