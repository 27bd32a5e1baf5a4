//! What can go wrong at a source. Names and codes only: a server's own message may quote the row it stumbled over.

use arrow_schema::ArrowError;
use datafusion::error::DataFusionError;

/// Why a source cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing answers there, or it does not speak the expected protocol.
    #[error("the source cannot be reached")]
    Unreachable,
    /// The server's certificate is not the expected one, or it offers no encryption.
    #[error("the source does not prove its identity")]
    Untrusted,
    /// The account or its secret is refused.
    #[error("the source refuses the account")]
    AccountRefused,
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] crate::SecretUnavailable),
    /// There is no such table, or the account may not read it.
    #[error("there is no table `{0}`, or the account may not read it")]
    TableMissing(crate::TableName),
    /// A requested column is not there.
    #[error("there is no column `{0}`")]
    ColumnMissing(String),
    /// A column's type has no faithful counterpart.
    #[error("column `{column}` has the unsupported type {found}")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type as the source names it.
        found: String,
    },
    /// A value does not fit the declared type of its column. Which value is not said.
    #[error("column `{column}` has a value that does not fit its declared type")]
    ValueUnfit {
        /// The column.
        column: String,
    },
    /// The table has other columns or types than when it was opened.
    #[error("table `{0}` has changed its columns")]
    SchemaChanged(crate::TableName),
    /// The table changed while it was read, so that its rows do not show one moment.
    #[error("table `{0}` changed while it was read")]
    ChangedMeanwhile(crate::TableName),
    /// What describes the source (a layout, a catalogue, a declared schema) is wrong itself.
    #[error("the description of the source is wrong: {what}")]
    Declaration {
        /// What is wrong with it, as a clause. A literal of the connector, so that it can quote nothing.
        what: &'static str,
    },
    /// The bytes are not in the format of the source: a record that is cut off, a page that is no page.
    #[error("table `{table}` is malformed{}", at.map(|at| format!(" at record {at}")).unwrap_or_default())]
    Malformed {
        /// The table.
        table: crate::TableName,
        /// Where, as the number of the record or row from 1 on, if that is known.
        at: Option<u64>,
    },
    /// More rows or bytes than the limits allow.
    #[error("the table is larger than its limit")]
    TooLarge,
    /// The source took longer than allowed.
    #[error("the source did not answer in time")]
    TimedOut,
    /// The source reports an error; its code, if it has one (SQLSTATE, HTTP status), never its message.
    #[error("the source failed{}", code.as_deref().map(|code| format!(" with code `{code}`")).unwrap_or_default())]
    Failed {
        /// The code.
        code: Option<String>,
    },
}

impl SourceError {
    /// The source reports an error with this code.
    pub fn failed(code: impl Into<String>) -> SourceError {
        SourceError::Failed {
            code: Some(code.into()),
        }
    }
}

/// Streams of batches carry a [`SourceError`] in this.
impl From<SourceError> for DataFusionError {
    fn from(error: SourceError) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

/// What a stream of batches ended with: the [`SourceError`] that it carries however deep, otherwise a code of where it
/// came from. The engine's own text is left behind, for it may quote values.
impl From<DataFusionError> for SourceError {
    fn from(error: DataFusionError) -> SourceError {
        if let Some(carried) = carried(&error) {
            return carried;
        }
        let code = match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => return SourceError::TooLarge,
            DataFusionError::IoError(_) => "io",
            DataFusionError::ObjectStore(_) => "object_store",
            DataFusionError::ParquetError(_) => "parquet",
            DataFusionError::ArrowError(..) => "arrow",
            _ => "engine",
        };
        SourceError::Failed {
            code: Some(code.to_owned()),
        }
    }
}

/// The same of an error of Arrow's own.
impl From<ArrowError> for SourceError {
    fn from(error: ArrowError) -> SourceError {
        DataFusionError::ArrowError(Box::new(error), None).into()
    }
}

/// The source error in a chain of causes.
fn carried(error: &DataFusionError) -> Option<SourceError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(error) = found.downcast_ref::<SourceError>() {
            return Some(error.clone());
        }
        cause = found.source();
    }
    None
}

/// Why the settings of a source are refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsRefused {
    /// No connector has this name.
    #[error("there is no connector `{found}`; there are {known}")]
    KindUnknown {
        /// What was asked for.
        found: String,
        /// The names there are.
        known: String,
    },
    /// A key is missing, unknown or malformed.
    #[error(transparent)]
    Malformed(#[from] toml::de::Error),
    /// A value is not usable.
    #[error("`{key}` {why}")]
    Unusable {
        /// The key.
        key: &'static str,
        /// What is wrong with it, as a clause.
        why: String,
    },
}

#[cfg(test)]
mod tests;
