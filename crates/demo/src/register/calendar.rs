//! Days and months as numbers: just enough calendar for a register, in integers only.

#[cfg(test)]
mod tests;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: i32,
    /// Day of the month, from 1.
    pub day: i32,
}

impl Date {
    /// Days since 1970-01-01, as Parquet and Arrow count them.
    pub(crate) fn days(self) -> i32 {
        // Years here begin in March, so that the leap day is a year's last.
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day with this number.
    pub(crate) fn of_days(days: i32) -> Date {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        Date {
            year: era * 400 + year + i32::from(month <= 2),
            month,
            day: of_year - (153 * shifted_month + 2) / 5 + 1,
        }
    }

    /// Whether the calendar has this day.
    pub(crate) fn exists(self) -> bool {
        (1..=12).contains(&self.month) && self.day >= 1 && Date::of_days(self.days()) == self
    }

    /// Completed years of life of whoever was born on `birth`.
    pub(crate) fn age_of(self, birth: Date) -> i32 {
        let before_birthday = (self.month, self.day) < (birth.month, birth.day);
        self.year - birth.year - i32::from(before_birthday)
    }
}

/// A month of the calendar; ordered, and `+ 1` is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(pub(crate) i32);

impl Month {
    /// The `month`-th month (1 to 12) of `year`.
    pub(crate) const fn new(year: i32, month: i32) -> Month {
        Month(year * 12 + month - 1)
    }

    /// As the register writes it: `202604`.
    pub(crate) fn number(self) -> i32 {
        self.0.div_euclid(12) * 100 + self.0.rem_euclid(12) + 1
    }

    /// The month `months` later.
    pub(crate) fn plus(self, months: u32) -> Month {
        Month(self.0.saturating_add_unsigned(months))
    }
}
