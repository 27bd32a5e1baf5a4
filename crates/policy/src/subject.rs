//! How often one subject may be asked about: the limit that the unit signs.
//!
//! A quota bounds how many calls a grant allows; it does not keep anybody from asking about one person until a guess
//! matches. This limit counts the calls about one subject, of all callers together, and of each grant alone.

/// Most calls that a limit may allow.
const CALLS_CEILING: u32 = 1_000_000;
/// Longest window, in hours: 31 days.
const WINDOW_CEILING_HOURS: u16 = 744;

/// At most so many calls about the same subject of one resource within one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectLimit {
    calls_max: u32,
    grant_calls_max: u32,
    window_hours: u16,
}

/// A limit that limits nothing, or never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`calls_max` must be between 1 and {CALLS_CEILING}, `grant_calls_max` between 1 and `calls_max`, `window_hours` between 1 and \
     {WINDOW_CEILING_HOURS}"
)]
pub struct SubjectLimitRefused;

impl SubjectLimit {
    /// `calls_max` calls of all callers together within `window_hours` hours. Windows lie side by side, counted from
    /// 1970 in UTC+8: one of 24 hours is a day.
    ///
    /// # Errors
    /// [`SubjectLimitRefused`]
    pub fn new(calls_max: u32, window_hours: u16) -> Result<SubjectLimit, SubjectLimitRefused> {
        let is_within = (1..=CALLS_CEILING).contains(&calls_max)
            && (1..=WINDOW_CEILING_HOURS).contains(&window_hours);
        is_within
            .then_some(SubjectLimit {
                calls_max,
                grant_calls_max: calls_max,
                window_hours,
            })
            .ok_or(SubjectLimitRefused)
    }

    /// The same, with fewer calls for each grant alone: then one caller cannot use up what all have.
    ///
    /// # Errors
    /// [`SubjectLimitRefused`] for zero or more than all have.
    pub fn with_grant_calls_max(self, calls: u32) -> Result<SubjectLimit, SubjectLimitRefused> {
        (1..=self.calls_max)
            .contains(&calls)
            .then_some(SubjectLimit {
                grant_calls_max: calls,
                ..self
            })
            .ok_or(SubjectLimitRefused)
    }

    /// Calls of all callers together within a window.
    pub fn calls_max(self) -> u32 {
        self.calls_max
    }

    /// Calls under one grant within a window; as many as all have, if the unit did not say less.
    pub fn grant_calls_max(self) -> u32 {
        self.grant_calls_max
    }

    /// Length of a window.
    pub fn window_hours(self) -> u16 {
        self.window_hours
    }

    /// What satisfies both: the fewer calls within the longer window.
    #[must_use]
    pub fn meet(self, other: SubjectLimit) -> SubjectLimit {
        SubjectLimit {
            calls_max: self.calls_max.min(other.calls_max),
            grant_calls_max: self.grant_calls_max.min(other.grant_calls_max),
            window_hours: self.window_hours.max(other.window_hours),
        }
    }
}
