//! What the server or the network says, as an error that carries a code and nothing else.

use lingqu_connector_sdk::{SourceError, TableName};
use mysql_async::{DriverError, Error, IoError};

/// While working on no table in particular.
pub(super) fn general(error: &Error) -> SourceError {
    about(error, None)
}

/// While working on this table.
pub(super) fn of_table(error: &Error, table: &TableName) -> SourceError {
    about(error, Some(table))
}

fn about(error: &Error, table: Option<&TableName>) -> SourceError {
    match error {
        Error::Server(server) => by_code(server.code, &server.state, table),
        Error::Io(IoError::Tls(_)) | Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            SourceError::Untrusted
        }
        // rustls reports a failed handshake as an error of the stream below.
        Error::Io(IoError::Io(error))
            if error
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>()) =>
        {
            SourceError::Untrusted
        }
        Error::Io(IoError::Io(_)) | Error::Driver(DriverError::ConnectionClosed) => {
            SourceError::Unreachable
        }
        Error::Driver(
            DriverError::CleartextPluginDisabled
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::UnknownAuthPlugin { .. },
        ) => SourceError::AccountRefused,
        _ => SourceError::Failed { code: None },
    }
}

/// Numbers as in MySQL's and MariaDB's lists of server errors; where both have a number, it means the same.
fn by_code(code: u16, state: &str, table: Option<&TableName>) -> SourceError {
    match (code, table) {
        // No such table or database, or no privilege on table or column.
        (1049 | 1044 | 1142 | 1143 | 1146, Some(table)) => SourceError::TableMissing(table.clone()),
        // Unknown column, and a definition that changed after the snapshot.
        (1054 | 1412, Some(table)) => SourceError::SchemaChanged(table.clone()),
        (1044 | 1045 | 1049 | 1698 | 3118, _) => SourceError::AccountRefused,
        // Lock wait, killed query, MySQL's and MariaDB's limits of a statement's time.
        (1205 | 1317 | 1969 | 3024, _) => SourceError::TimedOut,
        // Too many connections, server shutting down, killed connection.
        (1040 | 1053 | 1203 | 1226 | 1927, _) => SourceError::Unreachable,
        (_, _) => SourceError::Failed {
            code: Some(state.to_owned()).filter(|state| {
                state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }),
        },
    }
}
