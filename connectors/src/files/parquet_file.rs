//! Parquet, read by DataFusion's own reader: projection, pruning of row groups and pages by statistics.
//!
//! The reader runs in a runtime that knows the table's files and no other store, whatever session asks. Text and bytes
//! are decoded as views and copied afterwards, so that a dictionary of long values repeated a billion times, which a
//! small file can hold, meets a bound before it meets memory.

mod footer;
mod plan;
#[cfg(test)]
mod tests;
mod views;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt as _;
use lingqu_connector_sdk::SourceError;
use object_store::ObjectMeta;

use super::parts::{Looked, Parts};
use super::{FileLimits, FileTable};
use crate::bounded::{carried, failed, produced, spawned_ahead, uncarried};
use crate::scan::{Wanted, projected};
use plan::Partition;

/// Most row groups that are decoded at once for one load.
const WORKERS_MAX: usize = 4;

/// Columns and rows of one file, if its footer keeps within the limits.
pub(super) async fn look(
    parts: &Parts,
    meta: &ObjectMeta,
    limits: FileLimits,
) -> Result<Looked, SourceError> {
    footer::look(parts, meta, limits).await
}

/// The wanted columns of every file in turn, row group by row group; some row groups are decoded ahead, on other cores.
pub(super) async fn read(
    parts: &Parts,
    schema: &SchemaRef,
    wanted: &Wanted,
) -> Result<SendableRecordBatchStream, SourceError> {
    let cuts = footer::cuts(parts, wanted.batch_rows).await?;
    let plan = plan::Plan {
        parts,
        schema,
        columns: &wanted.columns,
        predicate: None,
        limit: None,
        partitions: 1,
    };
    let pieces = plan
        .pieces(&cuts.ranges)
        .map_err(crate::bounded::uncarried)?;
    let context = TaskContext::default();
    let config = context.session_config().clone();
    let context = Arc::new(context.with_session_config(config.with_batch_size(wanted.batch_rows)));
    let out = projected(schema, &wanted.columns);
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(WORKERS_MAX);
    Ok(produced(out, move |sender| async move {
        let mut due = pieces.into_iter();
        let mut begun = VecDeque::new();
        let mut seen = 0;
        loop {
            while begun.len() < workers {
                let Some(piece) = due.next() else { break };
                begun.push_back(spawned_ahead(
                    piece.execute(Arc::clone(&context)),
                    cuts.ahead,
                ));
            }
            let Some(mut first) = begun.pop_front() else {
                // Whatever a footer makes of its row groups, none is passed over in silence.
                let whole = seen == cuts.rows;
                return if whole {
                    Ok(())
                } else {
                    Err(failed("parquet-malformed"))
                };
            };
            while let Some(item) = first.next().await {
                let batch = item.map_err(uncarried)?;
                seen += batch.num_rows() as u64;
                if sender.send(Ok(batch)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }))
}

/// A provider that scans the files in parallel.
pub(super) fn provider(table: Arc<FileTable>) -> Arc<dyn TableProvider> {
    Arc::new(ParquetTable { table })
}

#[derive(Debug)]
struct ParquetTable {
    table: Arc<FileTable>,
}

#[async_trait]
impl TableProvider for ParquetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        // Statistics leave row groups out; which rows of the others are meant, the engine decides.
        let support = |filter: &&Expr| {
            if plan::prunes(filter) {
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
        let parts = self.table.parts().await.map_err(carried)?;
        let schema = &self.table.schema;
        let columns = projection.map_or_else(|| (0..schema.fields().len()).collect(), Vec::clone);
        let plan = plan::Plan {
            parts: &parts,
            schema,
            columns: &columns,
            predicate: plan::predicate(state, schema, filters),
            limit: limit.filter(|_| filters.is_empty()),
            partitions: state.config().target_partitions(),
        };
        let partitions: Vec<Arc<dyn PartitionStream>> = plan
            .partitions()?
            .into_iter()
            .map(|partition: Partition| Arc::new(partition) as Arc<dyn PartitionStream>)
            .collect();
        let out = projected(schema, &columns);
        let limit = limit.filter(|_| filters.is_empty());
        Ok(Arc::new(StreamingTableExec::try_new(
            out,
            partitions,
            None,
            [],
            false,
            limit,
        )?))
    }
}
