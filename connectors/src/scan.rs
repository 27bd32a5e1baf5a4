//! A table of a source as DataFusion reads it, and as a load reads it: the same reading behind both.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lingqu_connector_sdk::{LoadRequest, Reading, SourceError};

use crate::bounded::{carried, spawned, within};

/// What is wanted of a table.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// Columns by their index in the table's schema, in the order in which they are wanted; never none.
    pub(crate) columns: Vec<usize>,
    /// Conditions of which all hold for every row that is wanted. A source may use them to leave rows out; the engine
    /// evaluates them again.
    pub(crate) filters: Vec<Expr>,
    /// How many rows are enough.
    pub(crate) limit: Option<usize>,
    /// Rows of one batch at most.
    pub(crate) batch_rows: usize,
}

impl fmt::Debug for Wanted {
    // Filters have values in them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Wanted")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// One table that can be read any number of times.
#[async_trait]
pub(crate) trait Rows: fmt::Debug + Send + Sync + 'static {
    /// Its columns.
    fn schema(&self) -> SchemaRef;

    /// Whether a condition helps the source to leave rows out.
    fn helps(&self, _filter: &Expr) -> bool {
        false
    }

    /// Rows in the source's order, with the schema of the wanted columns.
    async fn read(&self, wanted: Wanted) -> Result<SendableRecordBatchStream, SourceError>;
}

/// A provider over `rows`.
pub(crate) fn provider(rows: Arc<dyn Rows>) -> Arc<dyn TableProvider> {
    Arc::new(Table { rows })
}

/// Reads what a load asks for, within its limits.
pub(crate) async fn load(
    rows: &dyn Rows,
    request: &LoadRequest,
) -> Result<SendableRecordBatchStream, SourceError> {
    let columns = indices(&rows.schema(), &request.columns)?;
    let declared = projected(&rows.schema(), &columns);
    let counted = columns.is_empty();
    let wanted = Wanted {
        // Rows that are only counted are read by their first column.
        columns: if counted { vec![0] } else { columns },
        filters: Vec::new(),
        limit: None,
        batch_rows: request.limits.batch_rows.get(),
    };
    let batches = within(request.limits.time_max, rows.read(wanted)).await?;
    let batches = if counted { counting(batches) } else { batches };
    let reading = Reading {
        batches,
        version: None,
    };
    Ok(reading.within(declared, request).batches)
}

/// The batches without their columns.
fn counting(batches: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let empty = Arc::new(Schema::empty());
    let batches = batches.map(|item| item.and_then(|batch| only_counted(&batch)));
    Box::pin(RecordBatchStreamAdapter::new(empty, batches))
}

/// Where the columns with these names are.
pub(crate) fn indices(schema: &Schema, columns: &[String]) -> Result<Vec<usize>, SourceError> {
    let index = |name: &String| {
        let mut found = (0..schema.fields().len()).filter(|&at| schema.field(at).name() == name);
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            // Of two columns with one name nobody can say which is meant.
            _ => Err(SourceError::ColumnMissing(name.clone())),
        }
    };
    let found: Vec<usize> = columns.iter().map(index).collect::<Result<_, _>>()?;
    match found
        .iter()
        .enumerate()
        .find(|(at, index)| found[..*at].contains(index))
    {
        Some((at, _)) => Err(SourceError::ColumnMissing(columns[at].clone())),
        None => Ok(found),
    }
}

/// The schema of these columns.
pub(crate) fn projected(schema: &SchemaRef, columns: &[usize]) -> SchemaRef {
    let fields: Vec<_> = columns
        .iter()
        .map(|&at| Arc::clone(&schema.fields()[at]))
        .collect();
    Arc::new(Schema::new(fields))
}

#[derive(Debug)]
struct Table {
    rows: Arc<dyn Rows>,
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        let support = |filter: &&Expr| {
            if self.rows.helps(filter) {
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let all = self.rows.schema();
        let columns = projection.map_or_else(|| (0..all.fields().len()).collect(), Vec::clone);
        let schema = projected(&all, &columns);
        let counted = columns.is_empty();
        let reading = Arc::new(OneReading {
            rows: Arc::clone(&self.rows),
            schema: Arc::clone(&schema),
            wanted: Wanted {
                // Rows that are only counted are read by their first column.
                columns: if counted { vec![0] } else { columns },
                filters: filters.to_vec(),
                limit,
                batch_rows: state.config().batch_size(),
            },
            counted,
        });
        Ok(Arc::new(StreamingTableExec::try_new(
            schema,
            vec![reading as Arc<dyn PartitionStream>],
            None,
            [],
            false,
            limit,
        )?))
    }
}

/// A table's only partition: one reading each time it is executed.
#[derive(Debug)]
struct OneReading {
    rows: Arc<dyn Rows>,
    schema: SchemaRef,
    wanted: Wanted,
    counted: bool,
}

impl PartitionStream for OneReading {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Arc::clone(&self.rows);
        let wanted = self.wanted.clone();
        let counted = self.counted;
        let items = stream::once(async move {
            let batches = rows.read(wanted).await.map_err(carried)?;
            Ok::<_, DataFusionError>(if counted { counting(batches) } else { batches })
        });
        let stream = Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            items.try_flatten(),
        ));
        spawned(stream)
    }
}

fn only_counted(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let empty = Arc::new(Schema::empty());
    Ok(RecordBatch::try_new_with_options(
        empty,
        Vec::new(),
        &options,
    )?)
}
