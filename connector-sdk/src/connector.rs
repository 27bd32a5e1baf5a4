//! The one trait that a connector implements, and what passes through it.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;

use crate::SourceError;

/// A configured source: one database, directory, bucket or interface, read only.
///
/// Every method may be called from several tasks at once. Each bounds its own work by the source's timeouts and stops
/// it at the source when the future or the stream is dropped. Errors name tables, columns, types and codes, never values.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// The tables that the account can read, in order of their names, with the schemas that [`Connector::open`] will
    /// give them. Looks at no rows.
    ///
    /// A table that is there and cannot be read (a column of an unsupported type, a file that is none of its kind) is left
    /// out, so that it does not hide the others; opening it says what is wrong. A table that the settings themselves
    /// declare may be an error here: whoever declared it should hear of it.
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError>;

    /// One table as DataFusion reads it. Projection, filters and limits that the source evaluates exactly as the engine
    /// would are pushed down to it; all others stay with the engine.
    ///
    /// What was opened stays as it was declared: scanned after the columns at the source have changed, it fails with
    /// [`SourceError::SchemaChanged`] and neither scans on nor gives other columns. [`crate::StreamTable`] makes one of a
    /// stream.
    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError>;

    /// Reads columns of one table whole, as the source had them at one moment, and in the same order as long as nothing
    /// has changed: the digest of a reading tells its rows' order too.
    ///
    /// Unless a connector does better, this scans what [`Connector::open`] gives, one partition after the other, under
    /// the request's limits, and names no version. Then it is for the scan to show one moment. A connector that
    /// implements this itself ends it with [`Reading::within`], which the default does too: the limits are the
    /// connector's to keep.
    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        crate::scan::whole(self.open(&request.table).await?, request).await
    }

    /// Whether the source can be reached and read now, and whether the account could write.
    async fn health(&self) -> Result<Health, SourceError>;

    /// Tries to write, with the account of this source but without its precautions (no read-only session), in a way that
    /// leaves nothing behind if it is let: a transaction that is rolled back, a temporary object. Nothing but the
    /// conformance kit calls this, and only when its user asks for it. Unless a connector does better, it answers
    /// [`WriteProbe::NotOffered`]; one that has no means of writing at all answers [`WriteProbe::NoMeans`].
    async fn probe_write(&self) -> Result<WriteProbe, SourceError> {
        Ok(WriteProbe::NotOffered)
    }

    /// How many statements or requests of this connector the source is working on now, by the source's own account
    /// (its list of sessions), without the one that asks. `None` if the source does not tell.
    async fn running_queries(&self) -> Result<Option<u64>, SourceError> {
        Ok(None)
    }
}

/// What a source calls a table: up to three parts (catalog, schema, name), as written there, without quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(Vec<String>);

/// A text that names no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a table is named by one to three parts of 1 to 128 bytes without control characters")]
pub struct TableNameRefused;

impl TableName {
    /// Longest part in bytes.
    pub const PART_BYTES_MAX: usize = 128;

    /// Of parts that stand for themselves, dots included.
    ///
    /// # Errors
    /// There are none or more than three parts, or one is empty, too long or has a control character.
    pub fn new(parts: impl IntoIterator<Item = String>) -> Result<TableName, TableNameRefused> {
        let parts: Vec<String> = parts.into_iter().take(4).collect();
        let fits = |part: &String| {
            (1..=TableName::PART_BYTES_MAX).contains(&part.len())
                && !part.chars().any(char::is_control)
        };
        if (1..=3).contains(&parts.len()) && parts.iter().all(fits) {
            Ok(TableName(parts))
        } else {
            Err(TableNameRefused)
        }
    }

    /// Of one part that stands for itself, dots included.
    ///
    /// # Errors
    /// It is empty, too long or has a control character.
    pub fn of_one(name: impl Into<String>) -> Result<TableName, TableNameRefused> {
        TableName::new([name.into()])
    }

    /// The parts, the name itself last.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.last().expect("there is at least one part")
    }
}

impl std::str::FromStr for TableName {
    type Err = TableNameRefused;

    /// Parts between dots; a part that has a dot itself can only be given to [`TableName::new`].
    fn from_str(text: &str) -> Result<TableName, TableNameRefused> {
        TableName::new(text.split('.').map(str::to_owned))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}

/// A table and its columns, without any row.
#[derive(Clone, Debug)]
pub struct TableInfo {
    /// What the source calls it.
    pub name: TableName,
    /// Columns in the source's order.
    pub schema: SchemaRef,
    /// Rows, if the source knows without counting; may be an estimate.
    pub rows: Option<u64>,
}

impl TableInfo {
    /// A table whose rows the source does not count.
    pub fn new(name: TableName, schema: SchemaRef) -> TableInfo {
        TableInfo {
            name,
            schema,
            rows: None,
        }
    }
}

/// Bounds of one reading. By default 5,000,000 rows, 4 GiB, 8,192 rows a batch, one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Most rows.
    pub rows_max: u64,
    /// Most bytes of Arrow buffers over the whole reading.
    pub bytes_max: u64,
    /// Rows of one batch at most; with the width of a row this bounds what a connector holds.
    pub batch_rows: NonZeroUsize,
    /// Longest time from the request to the last batch.
    pub time_max: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        ReadLimits {
            rows_max: 5_000_000,
            bytes_max: 4 << 30,
            batch_rows: NonZeroUsize::new(8_192).expect("it is not zero"),
            time_max: Duration::from_secs(3_600),
        }
    }
}

/// What to read.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The table.
    pub table: TableName,
    /// Its columns by exact name, in the order in which they are wanted; each once.
    pub columns: Vec<String>,
    /// Bounds; crossing one ends the reading with an error, never with fewer rows.
    pub limits: ReadLimits,
}

impl LoadRequest {
    /// The places of the requested columns in `table`.
    ///
    /// # Errors
    /// A column is not there, or is requested twice.
    pub fn projection(&self, table: &Schema) -> Result<Vec<usize>, SourceError> {
        let mut places = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let missing = || SourceError::ColumnMissing(column.clone());
            let place = table.index_of(column).map_err(|_| missing())?;
            if places.contains(&place) {
                return Err(missing());
            }
            places.push(place);
        }
        Ok(places)
    }

    /// The schema that each batch of the reading has: the requested columns of `table`, in the requested order.
    ///
    /// # Errors
    /// As [`LoadRequest::projection`].
    pub fn schema(&self, table: &Schema) -> Result<SchemaRef, SourceError> {
        let fields = self.projection(table)?;
        let fields = fields
            .into_iter()
            .map(|place| table.fields()[place].clone());
        Ok(Arc::new(Schema::new(Fields::from_iter(fields))))
    }
}

/// One reading under way: the rows, as they come.
pub struct Reading {
    /// Batches in the order of the source, each with the schema of the requested columns. Dropping the stream stops
    /// the work at the source.
    pub batches: SendableRecordBatchStream,
    /// How the source itself names the state that was read (snapshot, log position, entity tag), if it does. For a file
    /// its size and time of the last change, where nothing better is there.
    pub version: Option<String>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reading")
            .field("schema", &self.batches.schema())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What became of an attempt to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteProbe {
    /// The source let it happen; what was tried, by its name (`CREATE TABLE`). It was undone.
    Accepted {
        /// What was tried.
        what: String,
    },
    /// There is nothing to try: the connector opens its source for reading and has no statement or request that writes.
    NoMeans,
    /// The connector has no such attempt.
    NotOffered,
    /// The source refused every attempt; its code for the refusal, if it has one.
    Refused {
        /// The code.
        code: Option<String>,
    },
}

/// A source that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Product and version as the source states them. A source without a product is named by what it is (`text files`);
    /// empty is never right.
    pub server: String,
    /// Privileges of the account beyond reading, by their names at the source (`INSERT on public.people`, `SUPERUSER`);
    /// empty if the account can only read. Empty for sources that have no accounts and whose connector has no means of
    /// writing, such as files.
    pub may_write: Vec<String>,
    /// Whether the connection is encrypted and the server's certificate verified; `None` where there is no connection.
    pub verified_tls: Option<bool>,
}

impl Health {
    /// A source without accounts and without a connection, such as files, which its connector has no means of writing.
    pub fn without_accounts(server: impl Into<String>) -> Health {
        Health {
            server: server.into(),
            may_write: Vec::new(),
            verified_tls: None,
        }
    }
}
