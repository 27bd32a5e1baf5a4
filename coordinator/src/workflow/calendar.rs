//! Working days (D-02): the starting day is not counted, weekends and holidays are not worked, shifted weekends are, and
//! the last day ends at 24:00 in UTC+8.

use lingqu_core::Timestamp;

use crate::config::WorkflowConfig;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
/// UTC+8, in microseconds.
const OFFSET_US: i64 = 8 * 3_600_000_000;

/// The first instant after `count` whole working days that follow the day of `accepted`.
pub(super) fn due(config: &WorkflowConfig, accepted: Timestamp, count: u32) -> Timestamp {
    let mut day = accepted.day_utc8();
    let mut left = count;
    // Ends: the table of holidays is finite, and at most five days in seven are neither in it nor a weekend.
    while left > 0 {
        day += 1;
        left -= u32::from(is_worked(config, day));
    }
    // The end of that day is the midnight at which the next begins.
    Timestamp((day + 1).saturating_mul(DAY_US).saturating_sub(OFFSET_US))
}

fn is_worked(config: &WorkflowConfig, day: i64) -> bool {
    // 1970-01-01 was a Thursday; Monday is 0 here.
    let is_weekend = (day + 3).rem_euclid(7) >= 5;
    if is_weekend {
        config.workdays.contains(&day)
    } else {
        !config.holidays.contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(holidays: &[&str], workdays: &[&str]) -> WorkflowConfig {
        let days = |texts: &[&str]| {
            let day = |text: &&str| text.parse::<Timestamp>().unwrap().day_utc8();
            texts.iter().map(day).collect()
        };
        WorkflowConfig {
            holidays: days(holidays),
            workdays: days(workdays),
            ..WorkflowConfig::default()
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The dates of the walkthrough: due on a day means until its end.
    #[test]
    fn three_working_days_as_in_the_story() {
        let plain = config(&[], &[]);
        for (accepted, end) in [
            // Mon 9 March: 10, 11, 12.
            ("2026-03-09T01:00:00Z", "2026-03-13"),
            // Fri 13 March: 16, 17, 18.
            ("2026-03-13T01:00:00Z", "2026-03-19"),
            // Thu 19 March: 20, 23, 24.
            ("2026-03-19T01:00:00Z", "2026-03-25"),
            // Sat 14 March counts like the days before Monday.
            ("2026-03-14T01:00:00Z", "2026-03-19"),
        ] {
            assert_eq!(due(&plain, at(accepted), 3), at(end), "{accepted}");
        }
    }

    #[test]
    fn a_day_begins_and_ends_in_utc8() {
        let plain = config(&[], &[]);
        // 16:00Z is the next day's midnight in UTC+8.
        let late_monday = due(&plain, at("2026-03-09T15:59:59Z"), 1);
        let tuesday = due(&plain, at("2026-03-09T16:00:00Z"), 1);
        assert_eq!((late_monday, tuesday), (at("2026-03-11"), at("2026-03-12")));
    }

    #[test]
    fn holidays_are_not_worked_and_shifted_weekends_are() {
        // Golden week, with a worked Sunday before and a worked Saturday after it.
        let holidays = [
            "2026-10-01",
            "2026-10-02",
            "2026-10-05",
            "2026-10-06",
            "2026-10-07",
        ];
        let golden = config(&holidays, &["2026-09-27", "2026-10-10"]);
        // Wed 30 September: 8, 9, 10 October.
        assert_eq!(
            due(&golden, at("2026-09-30T01:00:00Z"), 3),
            at("2026-10-11")
        );
        // Fri 25 September: the worked Sunday 27, then 28 and 29.
        assert_eq!(
            due(&golden, at("2026-09-25T01:00:00Z"), 3),
            at("2026-09-30")
        );
    }
}
