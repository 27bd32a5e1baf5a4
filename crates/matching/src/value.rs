//! One value of a register or of a claim, borrowed from whoever read it.
//!
//! Borrowed, so that building an index of a large register allocates nothing per value and leaves
//! no copy behind. `Debug` names the type and never the content: values are personal data.

use std::fmt;

#[cfg(test)]
mod tests;

/// A value as a source or a caller states it, before any normalisation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A calendar date, in days since 1970-01-01 (as Arrow's `Date32`).
    Date(i32),
    /// A whole number.
    Integer(i64),
    /// No value. In a register it is unknown; in a claim it is refused.
    Null,
    /// Unicode text.
    Text(&'a str),
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Date(_) => "Date(..)",
            Value::Integer(_) => "Integer(..)",
            Value::Null => "Null",
            Value::Text(_) => "Text(..)",
        })
    }
}
