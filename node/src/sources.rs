//! Where the unit's data is read. Read only: there is no way to write.

mod parquet_file;

use arrow_array::RecordBatch;
use lingqu_core::product::Load;
use lingqu_matching::Value;

pub use parquet_file::{ParquetFile, each_row};

/// A resource that can be read whole, column by column.
///
/// Contract: `read` calls `row` once per row with the values of `columns` in that order, stops when it returns false,
/// and returns the load that the rows were: its digest is over the exact bytes that were read. Errors name columns and
/// types, never values.
pub trait Register: Send + Sync {
    /// Reads every row.
    fn read(
        &self,
        columns: &[&str],
        row: &mut dyn FnMut(&[Value<'_>]) -> bool,
    ) -> Result<Load, RegisterUnreadable>;

    /// Reads `columns` of every row into memory; at least one batch, all of one schema.
    fn table(&self, columns: &[&str]) -> Result<(Load, Vec<RecordBatch>), RegisterUnreadable>;
}

/// Why a register cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RegisterUnreadable {
    /// The file is missing, truncated or not what it should be.
    #[error("the file cannot be read as Parquet")]
    File,
    /// A column that the product needs is not there.
    #[error("there is no column `{0}`")]
    ColumnMissing(String),
    /// A column has a type that verification does not know.
    #[error("column `{column}` has the unsupported type {found}")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// The file is larger than the limit.
    #[error("the register is larger than its limit")]
    TooLarge,
}
