//! What can go wrong at a source, as a worker reports it. Names and codes only: a driver's own message may quote the
//! row it stumbled over, so none is ever passed on.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// Why a piece of work at a source failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Failure {
    /// The account or its secret is refused.
    #[error("the source refuses the account")]
    AccountRefused,
    /// A requested column is not there.
    #[error("there is no column `{column}`")]
    ColumnMissing { column: String },
    /// A column's type has no faithful counterpart.
    #[error(
        "column `{column}` has the unsupported type {found}; declare its columns to have it converted"
    )]
    ColumnType { column: String, found: String },
    /// The driver broke the rules of ODBC.
    #[error("the driver misbehaved")]
    DriverMisbehaved,
    /// The source reports an error; its SQLSTATE, if it has one.
    #[error("the source failed{}", code.as_deref().map(|code| format!(" with code `{code}`")).unwrap_or_default())]
    Failed { code: Option<String> },
    /// A predicate that the source would not evaluate exactly as the node.
    #[error("a predicate on column `{column}` does not fit its type")]
    PredicateUnfit { column: String },
    /// One row alone is wider than the buffer may be.
    #[error("a row is wider than `transit_bytes_max`")]
    RowTooWide,
    /// There is no such table, or the account may not read it.
    #[error("there is no such table, or the account may not read it")]
    TableMissing,
    /// More rows or bytes than the limits allow.
    #[error("the table is larger than its limit")]
    TooLarge,
    /// The source itself gave up waiting.
    #[error("the source did not answer in time")]
    TimedOut,
    /// Nothing answers there, or it does not speak the expected protocol.
    #[error("the source cannot be reached{}", code.as_deref().map(|code| format!(" (code `{code}`)")).unwrap_or_default())]
    Unreachable { code: Option<String> },
    /// A value is longer than the buffer for it, and was cut off by the driver. Which value is not said.
    #[error(
        "column `{column}` has a value that is longer than its buffer; `text_bytes_max` bounds it"
    )]
    ValueTooLong { column: String },
    /// A value does not fit the type of its column. Which value is not said.
    #[error("column `{column}` has a value that does not fit its type")]
    ValueUnfit { column: String },
}

/// Where in its work a worker was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Connecting and preparing the session.
    Connect,
    /// Looking at a table's columns.
    Describe,
    /// Reading its rows.
    Read,
}

impl Failure {
    /// By the SQLSTATE of a diagnostic.
    pub(crate) fn of_state(state: &[u8], stage: Stage) -> Failure {
        let code = sql_state(state);
        let class = code.as_deref().map_or("", |code| &code[..2]);
        match (code.as_deref().unwrap_or_default(), class, stage) {
            ("HYT00" | "HYT01", ..) => Failure::TimedOut,
            (_, "08", _) => Failure::Unreachable { code },
            (_, "28", _) => Failure::AccountRefused,
            // Most servers say 42S02 or 42P01; all of class 42 is about names and rights, and a worker says nothing
            // but names.
            ("S0002", ..) | (_, "42", Stage::Describe) => Failure::TableMissing,
            _ => Failure::Failed { code },
        }
    }

    /// Bounds the texts, which another process chose.
    pub(crate) fn bounded(mut self) -> Failure {
        match &mut self {
            Failure::ColumnMissing { column }
            | Failure::PredicateUnfit { column }
            | Failure::ValueTooLong { column }
            | Failure::ValueUnfit { column } => bound(column),
            Failure::ColumnType { column, found } => {
                bound(column);
                bound(found);
            }
            Failure::Failed { code } | Failure::Unreachable { code } => {
                *code = code.take().and_then(|code| sql_state(code.as_bytes()));
            }
            Failure::AccountRefused
            | Failure::DriverMisbehaved
            | Failure::RowTooWide
            | Failure::TableMissing
            | Failure::TooLarge
            | Failure::TimedOut => {}
        }
        self
    }
}

/// Five capital letters and digits, or nothing.
fn sql_state(state: &[u8]) -> Option<String> {
    let fits = state.len() == 5
        && state
            .iter()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    fits.then(|| String::from_utf8_lossy(state).into_owned())
}

/// At most as long as a name, without control characters.
fn bound(text: &mut String) {
    text.retain(|character| !character.is_control());
    let mut end = text.len().min(crate::types::NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}
