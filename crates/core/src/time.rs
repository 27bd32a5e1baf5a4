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
    fn days_turn_at_midnight_in_utc8() {
        let before = Timestamp::from_unix_s(16 * 3_600 - 1);
        let after = Timestamp::from_unix_s(16 * 3_600);
        assert_eq!(after.day_utc8(), before.day_utc8() + 1);
    }
}
