//! What the server or the network says, as an error that carries a code and nothing else.

use lingqu_connector_sdk::{SourceError, TableName};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// While working on no table in particular.
pub(super) fn general(error: &Error) -> SourceError {
    about(error, None)
}

/// While working on this table.
pub(super) fn of_table(error: &Error, table: &TableName) -> SourceError {
    about(error, Some(table))
}

fn about(error: &Error, table: Option<&TableName>) -> SourceError {
    let Some(state) = error.code() else {
        return without_code(error);
    };
    let missing = [
        &SqlState::UNDEFINED_TABLE,
        &SqlState::INVALID_SCHEMA_NAME,
        &SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    // Waiting for a lock, running too long and being told to stop are all the server's end of a deadline.
    let late = [
        &SqlState::QUERY_CANCELED,
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    match (state, table) {
        (state, Some(table)) if missing.contains(&state) => {
            SourceError::TableMissing(table.clone())
        }
        (state, Some(table)) if *state == SqlState::UNDEFINED_COLUMN => {
            SourceError::SchemaChanged(table.clone())
        }
        (state, _) if late.contains(&state) => SourceError::TimedOut,
        (state, _) if state.code().starts_with("28") => SourceError::AccountRefused,
        // The server is starting, stopping or out of connections: it answers, but not to us, not now.
        (state, _) if ["57P01", "57P02", "57P03", "53300"].contains(&state.code()) => {
            SourceError::Unreachable
        }
        (state, _) => SourceError::Failed {
            code: Some(state.code().to_owned()),
        },
    }
}

/// The library names these kinds only by their texts; `tests` of this connector hold it to them.
fn without_code(error: &Error) -> SourceError {
    match error.to_string().as_str() {
        "error performing TLS handshake" => SourceError::Untrusted,
        "authentication error" | "invalid configuration" => SourceError::AccountRefused,
        "timeout waiting for server" => SourceError::TimedOut,
        "error connecting to server"
        | "error communicating with the server"
        | "connection closed" => SourceError::Unreachable,
        _ => SourceError::Failed { code: None },
    }
}
