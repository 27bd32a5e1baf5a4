//! Scanning a table that DataFusion can read, outside of any query: the default way to load.
//!
//! Partitions are read one after the other, so that the same table gives the same rows in the same order, and nothing
//! is read ahead. The session is bare: no functions, no catalog, no files to spill to.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use datafusion::prelude::SessionConfig;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::limited::Deadline;
use crate::{LoadRequest, Reading, SourceError};

/// The requested columns of `table`, under the request's limits.
pub(crate) async fn whole(
    table: Arc<dyn TableProvider>,
    request: &LoadRequest,
) -> Result<Reading, SourceError> {
    let schema = table.schema();
    let projection = request.projection(&schema)?;
    let mut deadline = Deadline::after(request.limits.time_max);
    let state = state(request.limits.batch_rows)?;
    let scan = table.scan(&state, Some(&projection), &[], None);
    let plan = deadline.meets(scan).await??;
    let reading = Reading {
        batches: in_order(plan, Arc::new(TaskContext::from(&state))),
        version: None,
    };
    Ok(reading.before(deadline, request.schema(&schema)?, request))
}

/// A session that can do nothing but scan.
pub(crate) fn state(batch_rows: NonZeroUsize) -> Result<SessionState, DataFusionError> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let config = SessionConfig::new()
        .with_batch_size(batch_rows.get())
        .with_target_partitions(1);
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .build())
}

/// The rows of all partitions, each begun when the one before has ended.
pub(crate) fn in_order(
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
) -> SendableRecordBatchStream {
    let schema: SchemaRef = plan.schema();
    let partitions = plan.output_partitioning().partition_count();
    let batches = futures::stream::iter(0..partitions)
        .map(move |partition| plan.execute(partition, task.clone()))
        .try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Whether two schemas have the same columns: names, types and order. What is declared about nulls is checked on the
/// rows, and notes in the metadata change nothing.
pub(crate) fn same_columns(one: &Schema, other: &Schema) -> bool {
    let columns = |schema: &Schema| -> Vec<(String, arrow_schema::DataType)> {
        let column =
            |field: &Arc<arrow_schema::Field>| (field.name().clone(), field.data_type().clone());
        schema.fields().iter().map(column).collect()
    };
    columns(one) == columns(other)
}
