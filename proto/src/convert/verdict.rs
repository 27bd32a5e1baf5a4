//! The verdict of a verification, as the caller gets it: already narrowed to what its grant reveals.

use std::fmt;

use super::FieldInvalid;
use super::field::refuse;
use crate::pb;

/// Does the claim match the register?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// 无法核验; only where granted.
    Indeterminate,
    /// 一致
    Match,
    /// 不一致
    NoMatch,
    /// 查无; only where granted.
    NotFound,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 4] = [
        Verdict::Indeterminate,
        Verdict::Match,
        Verdict::NoMatch,
        Verdict::NotFound,
    ];

    /// The word on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Indeterminate => "INDETERMINATE",
            Verdict::Match => "MATCH",
            Verdict::NoMatch => "NO_MATCH",
            Verdict::NotFound => "NOT_FOUND",
        }
    }

    /// What a record commits to as the answer: the verdict's number on the wire, in one byte.
    pub fn answer_byte(self) -> u8 {
        match self {
            Verdict::Match => 1,
            Verdict::NoMatch => 2,
            Verdict::NotFound => 3,
            Verdict::Indeterminate => 4,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdict with this number.
///
/// # Errors
/// [`FieldInvalid`] for `VERDICT_UNSPECIFIED` and unknown numbers.
pub fn verdict_from_pb(number: i32) -> Result<Verdict, FieldInvalid> {
    match pb::Verdict::try_from(number) {
        Ok(pb::Verdict::Match) => Ok(Verdict::Match),
        Ok(pb::Verdict::NoMatch) => Ok(Verdict::NoMatch),
        Ok(pb::Verdict::NotFound) => Ok(Verdict::NotFound),
        Ok(pb::Verdict::Indeterminate) => Ok(Verdict::Indeterminate),
        Ok(pb::Verdict::Unspecified) | Err(_) => refuse("verdict", "is unspecified or unknown"),
    }
}

/// The verdict for the wire.
pub fn verdict_to_pb(verdict: Verdict) -> pb::Verdict {
    match verdict {
        Verdict::Indeterminate => pb::Verdict::Indeterminate,
        Verdict::Match => pb::Verdict::Match,
        Verdict::NoMatch => pb::Verdict::NoMatch,
        Verdict::NotFound => pb::Verdict::NotFound,
    }
}
