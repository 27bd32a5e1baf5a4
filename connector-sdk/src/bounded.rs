//! Reading as the node does it: no connector is believed.
//!
//! Whatever a connector promises, rows, bytes, time and schema are checked again here, and the digest is computed over
//! exactly the batches that are handed on. Dropping a [`BoundedReading`] at any point stops the work at the source.

use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt as _;

use crate::limited::{Deadline, bytes_of};
use crate::{Connector, LoadRequest, Reading, RowsDigest, RowsHasher, SourceError};

/// How far a reading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows so far.
    pub rows: u64,
    /// Bytes of Arrow buffers so far.
    pub bytes: u64,
}

/// What is known of a reading once it has ended: what a load records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingFacts {
    /// Rows.
    pub rows: u64,
    /// Bytes of Arrow buffers.
    pub bytes: u64,
    /// Digest of columns and rows.
    pub digest: RowsDigest,
    /// How the source names the state that was read, if it does.
    pub version: Option<String>,
}

/// A reading that has ended, with its rows.
#[derive(Clone)]
pub struct ReadRows {
    /// The declared schema, also where there are no rows.
    pub schema: SchemaRef,
    /// The rows, in batches as they came.
    pub batches: Vec<RecordBatch>,
    /// What is known of them.
    pub facts: ReadingFacts,
}

impl fmt::Debug for ReadRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReadRows")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// A reading under way, checked and hashed.
pub struct BoundedReading {
    batches: SendableRecordBatchStream,
    hasher: RowsHasher,
    progress: Progress,
    version: Option<String>,
}

impl BoundedReading {
    /// Begins to read. `declared` is the schema of the requested columns as they were when the table was last looked at
    /// ([`LoadRequest::schema`]); the time limit counts from now.
    ///
    /// # Errors
    /// The source cannot be read, does not begin in time, or has other columns by now.
    pub async fn begin(
        connector: &dyn Connector,
        declared: SchemaRef,
        request: &LoadRequest,
    ) -> Result<BoundedReading, SourceError> {
        let hasher = RowsHasher::new(&declared)?;
        let mut deadline = Deadline::after(request.limits.time_max);
        let reading = deadline.meets(connector.load(request)).await??;
        let same = crate::scan::same_columns(&reading.batches.schema(), &declared);
        if !same {
            return Err(SourceError::SchemaChanged(request.table.clone()));
        }
        let Reading { batches, version } = reading.before(deadline, declared, request);
        Ok(BoundedReading {
            batches,
            hasher,
            progress: Progress::default(),
            version,
        })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The next batch; `None` at the end. After an error the rows so far are of no use.
    ///
    /// # Errors
    /// The source fails, or a limit or the schema is not kept.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let Some(next) = self.batches.next().await else {
            return Ok(None);
        };
        let batch = next?;
        self.hasher.update(&batch)?;
        self.progress.rows += batch.num_rows() as u64;
        self.progress.bytes += bytes_of(&batch);
        Ok(Some(batch))
    }

    /// Reads on to the end, handing each batch to `each`, which may end the reading with an error of its own.
    ///
    /// # Errors
    /// As [`BoundedReading::next`], or what `each` returns.
    pub async fn for_each<E: From<SourceError>>(
        mut self,
        mut each: impl FnMut(RecordBatch, Progress) -> Result<(), E>,
    ) -> Result<ReadingFacts, E> {
        while let Some(batch) = self.next().await? {
            each(batch, self.progress)?;
        }
        Ok(ReadingFacts {
            rows: self.progress.rows,
            bytes: self.progress.bytes,
            digest: self.hasher.finish(),
            version: self.version,
        })
    }

    /// Reads on to the end and keeps the rows; `progress` is told after each batch.
    ///
    /// # Errors
    /// As [`BoundedReading::next`].
    pub async fn collect(
        self,
        mut progress: impl FnMut(Progress),
    ) -> Result<ReadRows, SourceError> {
        let schema = self.schema();
        let mut batches = Vec::new();
        let keep = |batch, so_far| {
            batches.push(batch);
            progress(so_far);
            Ok::<_, SourceError>(())
        };
        let facts = self.for_each(keep).await?;
        Ok(ReadRows {
            schema,
            batches,
            facts,
        })
    }
}

impl fmt::Debug for BoundedReading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BoundedReading")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
