//! How strictly "no log, no answer" holds for a product: the terms that the unit signs.
//!
//! There are three, and nothing below them: every answer has at least a durable local record.

/// The least that must be true of a call's record before its answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditTerms {
    /// The mirror has cosigned the record; a call waits at most `wait_ms_max` milliseconds for that.
    Mirrored {
        /// Bound of the wait, 1 to 60,000 ms.
        wait_ms_max: u32,
    },
    /// The record is durable and signed at the node, and the mirror is behind by no more than both limits.
    Lagged {
        /// Most records that the mirror may be behind, 1 to 1,000,000.
        entries_max: u64,
        /// Longest that the oldest unmirrored record may wait, 1 to 86,400 s.
        age_s_max: u32,
    },
    /// As `Mirrored`, and the record is in the head log that supervisors are shown, cosigned by the quorum of witnesses that
    /// the unit pinned at its node; a call waits at most `wait_ms_max` milliseconds for that.
    Witnessed {
        /// Bound of the wait, 1 to 60,000 ms.
        wait_ms_max: u32,
    },
}

/// Why terms are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditTermsRefused {
    /// A limit is zero or above its ceiling: an unbounded wait or lag would be no promise.
    #[error("`{field}` must be between 1 and {ceiling}")]
    OutOfBounds {
        /// The limit's name.
        field: &'static str,
        /// Its largest value.
        ceiling: u64,
    },
}

impl AuditTerms {
    /// What satisfies both terms: witnessed is stricter than mirrored, mirrored than lagged, and of each two limits the
    /// smaller one counts.
    #[must_use]
    pub fn meet(self, other: AuditTerms) -> AuditTerms {
        use AuditTerms::{Lagged, Mirrored, Witnessed};
        match (self, other) {
            (Mirrored { wait_ms_max: one }, Mirrored { wait_ms_max: two }) => Mirrored {
                wait_ms_max: one.min(two),
            },
            // Who waits for the witnesses waits for the mirror too, and no longer than either allows.
            (
                Witnessed { wait_ms_max: one },
                Witnessed { wait_ms_max: two } | Mirrored { wait_ms_max: two },
            )
            | (Mirrored { wait_ms_max: one }, Witnessed { wait_ms_max: two }) => Witnessed {
                wait_ms_max: one.min(two),
            },
            (stricter @ (Mirrored { .. } | Witnessed { .. }), Lagged { .. })
            | (Lagged { .. }, stricter @ (Mirrored { .. } | Witnessed { .. })) => stricter,
            (
                Lagged {
                    entries_max: entries,
                    age_s_max: age,
                },
                Lagged {
                    entries_max,
                    age_s_max,
                },
            ) => Lagged {
                entries_max: entries.min(entries_max),
                age_s_max: age.min(age_s_max),
            },
        }
    }

    /// Checks the bounds of every limit.
    pub fn check(self) -> Result<Self, AuditTermsRefused> {
        match self {
            AuditTerms::Mirrored { wait_ms_max } | AuditTerms::Witnessed { wait_ms_max } => {
                within("wait_ms_max", u64::from(wait_ms_max), 60_000)?;
            }
            AuditTerms::Lagged {
                entries_max,
                age_s_max,
            } => {
                within("entries_max", entries_max, 1_000_000)?;
                within("age_s_max", u64::from(age_s_max), 86_400)?;
            }
        }
        Ok(self)
    }
}

fn within(field: &'static str, value: u64, ceiling: u64) -> Result<(), AuditTermsRefused> {
    if (1..=ceiling).contains(&value) {
        Ok(())
    } else {
        Err(AuditTermsRefused::OutOfBounds { field, ceiling })
    }
}
