//! Whether the details of a call are kept for regulators: the terms that the unit signs.
//!
//! Without such terms a node keeps nothing but the record, which has no detail in it. With them it keeps request and
//! answer sealed, so that only a regulator can read them and only by an order that is on record.

/// Shortest time that details are kept after their grant has ended: that of the log records (003 Art. 12(三); R-283).
pub const KEEP_MONTHS_MIN: u16 = 6;
/// Longest.
pub const KEEP_MONTHS_MAX: u16 = 120;

/// Details of calls are kept, sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTerms {
    keep_months: u16,
}

/// The time is shorter than the regulations allow, or without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`keep_months` must be between {KEEP_MONTHS_MIN} and {KEEP_MONTHS_MAX}")]
pub struct BodyTermsRefused;

impl BodyTerms {
    /// Details are kept until `keep_months` calendar months after their grant has ended. Where they are personal
    /// information shared with another processor, 36 (网络数据安全管理条例 Art. 12).
    ///
    /// # Errors
    /// [`BodyTermsRefused`]: R-283 allows longer, never shorter.
    pub fn new(keep_months: u16) -> Result<BodyTerms, BodyTermsRefused> {
        if (KEEP_MONTHS_MIN..=KEEP_MONTHS_MAX).contains(&keep_months) {
            Ok(BodyTerms { keep_months })
        } else {
            Err(BodyTermsRefused)
        }
    }

    /// Calendar months after the end of the grant.
    pub fn keep_months(self) -> u16 {
        self.keep_months
    }

    /// What satisfies both: the longer time.
    #[must_use]
    pub fn meet(self, other: BodyTerms) -> BodyTerms {
        BodyTerms {
            keep_months: self.keep_months.max(other.keep_months),
        }
    }
}
