//! The published rules by which a claimed value equals a registered one.
//!
//! Both sides are brought to one canonical byte string and compared by digest, so equality here is
//! always an equivalence: there is no "almost", no score, and nothing to tune per caller. One rule is
//! an order and no equality: [`Comparator::AtLeast`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Value,
    date::days_since_epoch,
    fold::{fold_into, half_width},
};

#[cfg(test)]
mod tests;

/// The longest text a field may hold after normalisation, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 1_024;

/// Room for any canonical value: the tag, the text, and the overshoot of one folded character.
pub(crate) const MAX_CANONICAL_BYTES: usize = 1 + MAX_TEXT_BYTES + 64;

/// How a claimed value is compared with the register's value.
///
/// No comparator applies Unicode normalisation: a letter with a combining accent differs from the
/// precomposed letter. None maps traditional to simplified characters, variants of the middle dot
/// in transcribed names, or removes zero-width characters. A unit whose register needs this cleans
/// it before loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparator {
    /// Whole numbers, read as by [`Comparator::Integer`]: holds if the register's number is the
    /// claimed one or greater. Only for compared fields.
    ///
    /// Whoever may ask about one subject with every number finds the register's by halving. A field
    /// of this comparator therefore declares the few numbers that may be claimed at all
    /// ([`crate::Field::at_least`]): all that can be learnt is between which two of them it lies.
    AtLeast,
    /// Calendar dates. Text is an ISO 8601 complete date, extended or basic, years 0000 to 9999,
    /// full-width digits and surrounding white space allowed.
    Date,
    /// Text, byte for byte.
    Exact,
    /// Text, after these steps: full-width ASCII (U+FF01 to U+FF5E) and the ideographic space
    /// become half-width; white space (Unicode `White_Space`) is removed at both ends and each
    /// inner run becomes one space; case is folded by mapping every character to lower, upper and
    /// again lower case. Two texts then meet exactly if Unicode full case folding makes them meet
    /// (so `ß` equals `SS`), except that `ı` equals `i` too. Text of white space alone becomes the
    /// empty text, which is a value and not a NULL.
    Folded,
    /// Whole numbers from −2⁶³ to 2⁶³ − 1. Text is decimal digits with an optional sign, leading
    /// zeros (`007` equals 7), full-width forms and surrounding white space allowed.
    Integer,
}

/// The comparator's name is none of the five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown comparator, expected one of `at_least`, `date`, `exact`, `folded`, `integer`")]
pub struct UnknownComparator;

/// Why a value has no canonical form. The caller adds the field's name; nothing else is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    TooLong,
    Unreadable,
    WrongType,
}

// The first byte of a canonical value. A NULL has a tag of its own, so that no value equals it.
const TAG_NULL: u8 = 0;
const TAG_TEXT: u8 = 1;
const TAG_INTEGER: u8 = 2;
const TAG_DATE: u8 = 3;

/// The canonical form of an unknown value.
pub(crate) const CANONICAL_NULL: [u8; 1] = [TAG_NULL];

impl Comparator {
    /// The name used in product definitions and documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Comparator::AtLeast => "at_least",
            Comparator::Date => "date",
            Comparator::Exact => "exact",
            Comparator::Folded => "folded",
            Comparator::Integer => "integer",
        }
    }

    /// Appends the canonical form of `value` to `out`: equal forms mean equal values. On an error
    /// `out` holds an unspecified tail that the caller cuts off.
    pub(crate) fn canonical_into(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Unfit> {
        match (self, value) {
            (_, Value::Null) => out.push(TAG_NULL),
            (Comparator::Exact, Value::Text(text)) => {
                if text.len() > MAX_TEXT_BYTES {
                    return Err(Unfit::TooLong);
                }
                out.push(TAG_TEXT);
                out.extend_from_slice(text.as_bytes());
            }
            (Comparator::Folded, Value::Text(text)) => {
                out.push(TAG_TEXT);
                if !fold_into(text, MAX_TEXT_BYTES, out) {
                    return Err(Unfit::TooLong);
                }
            }
            (Comparator::AtLeast | Comparator::Integer, Value::Integer(number)) => {
                push_integer(number, out);
            }
            (Comparator::AtLeast | Comparator::Integer, Value::Text(text)) => {
                push_integer(read_integer(text)?, out);
            }
            (Comparator::Date, Value::Date(days)) => push_date(days, out),
            (Comparator::Date, Value::Text(text)) => push_date(read_date(text)?, out),
            (Comparator::Exact | Comparator::Folded, Value::Date(_) | Value::Integer(_))
            | (Comparator::AtLeast | Comparator::Integer, Value::Date(_))
            | (Comparator::Date, Value::Integer(_)) => return Err(Unfit::WrongType),
        }
        Ok(())
    }
}

impl fmt::Display for Comparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Comparator {
    type Err = UnknownComparator;

    fn from_str(name: &str) -> Result<Self, UnknownComparator> {
        match name {
            "at_least" => Ok(Comparator::AtLeast),
            "date" => Ok(Comparator::Date),
            "exact" => Ok(Comparator::Exact),
            "folded" => Ok(Comparator::Folded),
            "integer" => Ok(Comparator::Integer),
            _ => Err(UnknownComparator),
        }
    }
}

/// The number of a canonical integer, so that greater numbers are greater here; 0 for a NULL.
pub(crate) fn rank(canonical: &[u8]) -> u64 {
    match canonical.split_first() {
        Some((&TAG_INTEGER, bytes)) => {
            let bytes = bytes
                .try_into()
                .expect("a canonical integer has eight bytes");
            // The sign bit turned over puts negative numbers below the others.
            u64::from_be_bytes(bytes) ^ (1 << 63)
        }
        _ => 0,
    }
}

/// The canonical form of a number.
pub(crate) fn canonical_integer(number: i64) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(9);
    push_integer(number, &mut canonical);
    canonical
}

fn push_integer(number: i64, out: &mut Vec<u8>) {
    out.push(TAG_INTEGER);
    out.extend_from_slice(&number.to_be_bytes());
}

fn push_date(days: i32, out: &mut Vec<u8>) {
    out.push(TAG_DATE);
    out.extend_from_slice(&days.to_be_bytes());
}

fn read_integer(text: &str) -> Result<i64, Unfit> {
    let mut characters = text.trim().chars().map(half_width).peekable();
    let sign = match characters.next_if(|c| matches!(c, '+' | '-')) {
        Some('-') => -1,
        _ => 1,
    };
    // An empty digit string is no number; after this the fold sees at least one character.
    characters.peek().ok_or(Unfit::Unreadable)?;
    characters
        .try_fold(0_i64, |number, c| {
            let digit = i64::from(c.to_digit(10)?);
            // Signed from the first digit on, so that −2⁶³ needs no case of its own.
            number.checked_mul(10)?.checked_add(sign * digit)
        })
        .ok_or(Unfit::Unreadable)
}

fn read_date(text: &str) -> Result<i32, Unfit> {
    const LONGEST: usize = "YYYY-MM-DD".len();
    let mut ascii = [0; LONGEST];
    let mut length = 0;
    for c in text.trim().chars().map(half_width) {
        *ascii.get_mut(length).ok_or(Unfit::Unreadable)? =
            u8::try_from(c).map_err(|_| Unfit::Unreadable)?;
        length += 1;
    }
    days_since_epoch(&ascii[..length]).ok_or(Unfit::Unreadable)
}
