//! Why a field is refused, and the shapes that fields of several messages share.
//!
//! Each function takes the field's name as it stands in the `.proto` file, with the list it is in before a dot. A
//! refusal never holds the value: it may be somebody's, and it ends up in logs.

use std::collections::BTreeSet;
use std::str::FromStr;

use lingqu_core::{ErrorCode, Timestamp};
use lingqu_tlog::Hash;

/// Most entries of a list, except where a message says less or `Epoch.revoked` more.
pub(super) const LIST_LEN_MAX: usize = 1_024;
/// Longest free text, in bytes: what a record's clear field can hold.
const TEXT_LEN_MAX: usize = 256;
/// Longest reason of an act, in bytes.
pub(super) const REASON_LEN_MAX: usize = 2_048;
/// Longest term of an agreement, or summary of an application, in bytes.
pub(super) const PROSE_LEN_MAX: usize = 8_192;
/// Why an agreement without a mandatory term is refused; it has a code of its own.
const TERM_MISSING: &str = "is a mandatory term, and missing";
/// Longest name or code word, in bytes.
const WORD_LEN_MAX: usize = 64;
/// Length of a unified social credit code (统一社会信用代码, GB 32100), in characters.
const CREDIT_CODE_LEN: usize = 18;

/// A field of a message that cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct FieldInvalid {
    /// The field, as the `.proto` files name it; a list's name stands before a dot.
    pub field: &'static str,
    /// What is wrong with it, to be read after the field's name. Never the value.
    pub reason: &'static str,
}

impl FieldInvalid {
    /// A grant whose term is longer than the regulations allow.
    pub(super) const TERM: FieldInvalid = FieldInvalid {
        field: "not_after_us",
        reason: "is more than five years after `not_before_us`",
    };

    /// A mandatory term that an agreement lacks, by its name.
    pub(super) const fn missing_term(field: &'static str) -> FieldInvalid {
        FieldInvalid {
            field,
            reason: TERM_MISSING,
        }
    }

    /// The code with which a signed object that has this field is refused.
    pub fn code(&self) -> ErrorCode {
        if *self == Self::TERM {
            ErrorCode::TermTooLong
        } else if self.reason == TERM_MISSING {
            ErrorCode::AgreementTermMissing
        } else {
            ErrorCode::ObjectInvalid
        }
    }
}

/// A refusal of `field`.
pub(super) fn refuse<T>(field: &'static str, reason: &'static str) -> Result<T, FieldInvalid> {
    Err(FieldInvalid { field, reason })
}

/// A typed id, region or key name.
pub(super) fn parse<T: FromStr>(field: &'static str, text: &str) -> Result<T, FieldInvalid> {
    text.parse().map_err(|_| FieldInvalid {
        field,
        reason: "is missing or malformed",
    })
}

/// Free text for people; may be empty. Characters that hide or reorder others are refused, since people sign what
/// they believe to read.
pub(super) fn text(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    if value.len() > TEXT_LEN_MAX {
        refuse(field, "is longer than 256 bytes")
    } else if value.chars().any(deceives) {
        refuse(field, "has control or invisible characters")
    } else {
        Ok(value)
    }
}

/// The same with line ends, for what has paragraphs; at most `len_max` bytes.
pub(super) fn prose(
    field: &'static str,
    value: String,
    len_max: usize,
) -> Result<String, FieldInvalid> {
    if value.len() > len_max {
        refuse(field, "is too long")
    } else if value.chars().any(|c| c != '\n' && deceives(c)) {
        refuse(field, "has control or invisible characters")
    } else {
        Ok(value)
    }
}

/// A text that must say something.
pub(super) fn named(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    if value.trim().is_empty() {
        refuse(field, "is missing")
    } else {
        Ok(value)
    }
}

/// Whether the character hides, reorders or steers others.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A name of a column, resource or field of a product: `[a-z0-9_]{1,64}`.
pub(super) fn name(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    word(field, value, allowed, "is not 1 to 64 of `a-z 0-9 _`")
}

/// The name of an object that has no typed id: `[a-z0-9_.-]{1,64}`.
pub(super) fn handle(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-')
    };
    word(field, value, allowed, "is not 1 to 64 of `a-z 0-9 _ . -`")
}

/// A purpose or scenario: `[A-Z0-9_.-]{1,64}`. They stand in clear in records, so no free text fits in.
pub(super) fn code_word(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    let allowed = |byte: u8| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-')
    };
    word(field, value, allowed, "is not 1 to 64 of `A-Z 0-9 _ . -`")
}

/// A unified social credit code with its check character (GB 32100). A record shows it in clear, so the check also
/// keeps most other numbers of 18 characters out. One in 31 passes: a refused call's code is recorded only if it is granted.
pub(super) fn credit_code(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    if value.len() == CREDIT_CODE_LEN && check_value(&value) == Some(0) {
        Ok(value)
    } else {
        refuse(field, "is not a unified social credit code")
    }
}

/// A valid code with these 17 characters, for tests that make codes by the thousand.
#[cfg(test)]
pub(crate) fn with_check_character(first_17: &str) -> String {
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .map(|check| format!("{first_17}{check}"))
        .find(|code| check_value(code) == Some(0))
        .expect("one of 31 check characters fits")
}

/// The weighted sum of GB 32100, modulo 31: zero for a valid code, none where a character has no value.
fn check_value(code: &str) -> Option<usize> {
    const CHARACTERS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut weight = 1;
    code.chars()
        .enumerate()
        .try_fold(0, |sum, (place, character)| {
            let value = CHARACTERS.find(character)?;
            // The check character stands last, with the weight 1.
            let weighted = if place + 1 == CREDIT_CODE_LEN {
                value
            } else {
                value * weight
            };
            weight = weight * 3 % 31;
            Some((sum + weighted) % 31)
        })
}

fn word(
    field: &'static str,
    value: String,
    allowed: impl Fn(u8) -> bool,
    reason: &'static str,
) -> Result<String, FieldInvalid> {
    if (1..=WORD_LEN_MAX).contains(&value.len()) && value.bytes().all(allowed) {
        Ok(value)
    } else {
        refuse(field, reason)
    }
}

/// A digest of 32 bytes.
pub(super) fn digest(field: &'static str, bytes: &[u8]) -> Result<Hash, FieldInvalid> {
    bytes.try_into().map(Hash).map_err(|_| FieldInvalid {
        field,
        reason: "is not a digest of 32 bytes",
    })
}

/// A version or sequence number, counted from 1: zero is what a forgotten field reads as.
pub(super) fn from_one<N: PartialEq + Default>(
    field: &'static str,
    number: N,
) -> Result<N, FieldInvalid> {
    if number == N::default() {
        refuse(field, "counts from 1")
    } else {
        Ok(number)
    }
}

/// An instant, in microseconds since the Unix epoch.
pub(super) fn instant(field: &'static str, unix_us: i64) -> Result<Timestamp, FieldInvalid> {
    if unix_us < 0 {
        refuse(field, "lies before 1970")
    } else {
        Ok(Timestamp(unix_us))
    }
}

/// A list of at most [`LIST_LEN_MAX`] entries, each converted.
pub(super) fn list<A, B>(
    field: &'static str,
    entries: Vec<A>,
    convert: impl FnMut(A) -> Result<B, FieldInvalid>,
) -> Result<Vec<B>, FieldInvalid> {
    if entries.len() > LIST_LEN_MAX {
        return refuse(field, "has more than 1024 entries");
    }
    entries.into_iter().map(convert).collect()
}

/// Refuses a list that names something twice: it would be unclear whether that means something.
pub(super) fn distinct<T: Ord>(field: &'static str, entries: &[T]) -> Result<(), FieldInvalid> {
    if entries.iter().collect::<BTreeSet<_>>().len() == entries.len() {
        Ok(())
    } else {
        refuse(field, "names something twice")
    }
}
