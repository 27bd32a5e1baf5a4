//! A table over one way of streaming its rows: what `open` gives and what `load` reads are then the same reading.
//!
//! For sources that evaluate no filters: the projection is taken, everything else is left to the engine. Nothing is
//! read ahead, and dropping the stream drops the reading.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::scan::same_columns;
use crate::{LoadRequest, Reading, SourceError, TableName};

/// Begins a reading of some columns, by their places, in batches of at most so many rows.
type Read =
    dyn Fn(Vec<usize>, usize) -> BoxStream<'static, Result<RecordBatch, SourceError>> + Send + Sync;

/// A [`TableProvider`] over a function that streams the columns asked for.
#[derive(Clone)]
pub struct StreamTable {
    name: TableName,
    schema: SchemaRef,
    read: Arc<Read>,
}

impl fmt::Debug for StreamTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StreamTable")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl StreamTable {
    /// The table `name` with the columns `schema`. `read` is called once for each reading: with the places of the wanted
    /// columns in `schema`, in the order in which they are wanted and never none of a table that has some, and with the
    /// most rows of one batch. It begins to work when its stream is polled.
    ///
    /// A batch that comes with other columns ends the reading with [`SourceError::SchemaChanged`].
    pub fn new<S>(
        name: TableName,
        schema: SchemaRef,
        read: impl Fn(Vec<usize>, usize) -> S + Send + Sync + 'static,
    ) -> StreamTable
    where
        S: Stream<Item = Result<RecordBatch, SourceError>> + Send + 'static,
    {
        StreamTable {
            name,
            schema,
            read: Arc::new(move |columns, batch_rows| read(columns, batch_rows).boxed()),
        }
    }

    /// What `load` answers: the requested columns under the request's limits, as the state `version`.
    ///
    /// # Errors
    /// A column is not there, or is requested twice.
    pub fn load(
        &self,
        request: &LoadRequest,
        version: Option<String>,
    ) -> Result<Reading, SourceError> {
        let columns = request.projection(&self.schema)?;
        let declared = request.schema(&self.schema)?;
        let batches = self.stream(columns, declared.clone(), request.limits.batch_rows.get());
        Ok(Reading { batches, version }.within(declared, request))
    }

    /// The columns at `places`, which are those of `declared`.
    fn stream(
        &self,
        places: Vec<usize>,
        declared: SchemaRef,
        batch_rows: usize,
    ) -> SendableRecordBatchStream {
        // Rows that are only counted are read by the first column, so that no connector has to think of them.
        let counted = places.is_empty() && !self.schema.fields().is_empty();
        let places = if counted { vec![0] } else { places };
        let (name, schema) = (self.name.clone(), declared.clone());
        let batches = (self.read)(places, batch_rows)
            .map_err(DataFusionError::from)
            .and_then(move |batch| {
                let batch = fitting(&name, &schema, counted, batch);
                std::future::ready(batch.map_err(DataFusionError::from))
            });
        Box::pin(RecordBatchStreamAdapter::new(declared, batches))
    }
}

/// The batch with the declared schema, if it has its columns.
fn fitting(
    name: &TableName,
    declared: &SchemaRef,
    counted: bool,
    batch: RecordBatch,
) -> Result<RecordBatch, SourceError> {
    let other = || SourceError::SchemaChanged(name.clone());
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = match counted {
        true => Vec::new(),
        false if same_columns(&batch.schema(), declared) => batch.columns().to_vec(),
        false => return Err(other()),
    };
    RecordBatch::try_new_with_options(declared.clone(), columns, &options).map_err(|_| other())
}

#[async_trait]
impl TableProvider for StreamTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let all = || (0..self.schema.fields().len()).collect();
        let places = projection.cloned().unwrap_or_else(all);
        let schema: SchemaRef = Arc::new(Schema::project(&self.schema, &places)?);
        let scan: Arc<dyn PartitionStream> = Arc::new(Scan {
            table: self.clone(),
            places,
            schema: schema.clone(),
            batch_rows: state.config().batch_size(),
        });
        // Rows that a filter drops afterwards must not count against a limit.
        let limit = limit.filter(|_| filters.is_empty());
        let exec = StreamingTableExec::try_new(schema, vec![scan], None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// The table's only partition: one reading each time that it is executed.
#[derive(Debug)]
struct Scan {
    table: StreamTable,
    places: Vec<usize>,
    schema: SchemaRef,
    batch_rows: usize,
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (places, schema) = (self.places.clone(), self.schema.clone());
        self.table.stream(places, schema, self.batch_rows)
    }
}

#[cfg(test)]
mod tests;
