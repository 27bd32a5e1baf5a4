//! One run: public tables are copied and checked, the plan below the Gate is built, accepted again after each optimiser,
//! and streamed into the Gate.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, internal_err};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionState;
use datafusion::physical_plan::execute_stream;
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use crate::engine::{RunFailed, Tables};
use crate::fence::Fence;
use crate::gate::{Broken, Gate};
use crate::limits::GuardLimits;
use crate::plan::{Changed, Expected};
use crate::query::{Joined, Query};
use crate::safeguard::{Safeguard, stands};
use crate::template::Bound;
use crate::{answer, plan};

/// Share of a run's memory that its copies of public tables may take.
const PUBLIC_SHARE: usize = 8;

/// Every error below ends here: what it says may hold values, so it is dropped unread.
impl From<DataFusionError> for RunFailed {
    fn from(_: DataFusionError) -> RunFailed {
        RunFailed
    }
}

impl From<Changed> for RunFailed {
    fn from(_: Changed) -> RunFailed {
        RunFailed
    }
}

impl From<Broken> for RunFailed {
    fn from(_: Broken) -> RunFailed {
        RunFailed
    }
}

pub(crate) async fn run(
    bound: Bound,
    tables: Tables,
    state: SessionState,
    limits: GuardLimits,
) -> Result<RecordBatch, RunFailed> {
    let query = &bound.query;
    let mut schemas: Vec<SchemaRef> = Vec::new();
    let mut providers: Vec<Arc<dyn TableProvider>> = Vec::new();
    let fence = |scan, table: &Arc<dyn TableProvider>| -> Arc<dyn TableProvider> {
        let table = Arc::clone(table);
        Arc::new(Fence { scan, table })
    };
    for scan in 0..query.scans.len() {
        let rules = bound.template.rules(scan);
        let table = tables.get(&rules.name).ok_or(RunFailed)?;
        check_schema(query, scan, &rules.schema, &table.schema())?;
        let fenced = fence(scan, table);
        let joined = query.joins.iter().find(|join| join.scan == scan);
        providers.push(match joined {
            Some(join) => {
                let copy = copied(query, join, &rules.schema, &fenced, &state, limits).await?;
                fence(scan, &copy)
            }
            None => fenced,
        });
        schemas.push(Arc::clone(&rules.schema));
    }
    let partials = plan::partials(&query.cells);
    let below = plan::build(query, &schemas, &providers, &partials)?;
    // From here on the plan is the optimisers' work; it runs only if it still does what was decided.
    let below = state.optimize(&below)?;
    let expected = Expected {
        query,
        schemas: &schemas,
        partials: &partials,
    };
    plan::logical::accept(&below, &expected, &providers)?;
    let planner = state.query_planner();
    let below = planner.create_physical_plan(&below, &state).await?;
    plan::physical::accept(&below, &expected)?;
    let mut gate = Gate::new(query.release, &query.keys, query.groups, &partials)?;
    let mut entities = execute_stream(below, state.task_ctx())?;
    while let Some(batch) = entities.next().await {
        gate.add(&batch?)?;
    }
    let released = gate.release(&query.cells)?;
    let answer = answer::build(query, released)?;
    if answer.num_rows() > limits.rows_out_max {
        return Err(RunFailed);
    }
    Ok(answer)
}

/// The table must still have the columns that the template was checked with.
fn check_schema(
    query: &Query<ScalarValue>,
    scan: usize,
    checked: &Schema,
    now: &Schema,
) -> Result<(), RunFailed> {
    for column in query.columns_of(scan) {
        let field = checked.field(column);
        let same = now
            .field_with_name(field.name())
            .is_ok_and(|found| found.data_type() == field.data_type());
        if !same {
            return Err(RunFailed);
        }
    }
    Ok(())
}

/// Copies a public table's used columns, and refuses it unless its join key is unique: a key that stands twice would
/// count rows of the protected table twice. What was checked is what is joined.
async fn copied(
    query: &Query<ScalarValue>,
    join: &Joined,
    schema: &Schema,
    table: &Arc<dyn TableProvider>,
    state: &SessionState,
    limits: GuardLimits,
) -> Result<Arc<dyn TableProvider>, RunFailed> {
    let names: Vec<&String> = query
        .columns_of(join.scan)
        .into_iter()
        .map(|column| schema.field(column).name())
        .collect();
    let found = table.schema();
    let projection: Vec<usize> = names
        .iter()
        .map(|name| found.index_of(name).map_err(|_| RunFailed))
        .collect::<Result<_, _>>()?;
    let projected = Arc::new(found.project(&projection).map_err(|_| RunFailed)?);
    let scan = table.scan(state, Some(&projection), &[], None).await?;
    let mut rows = execute_stream(scan, state.task_ctx())?;
    let mut batches = Vec::new();
    let mut bytes = 0_usize;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > limits.memory_bytes_max / PUBLIC_SHARE / crate::engine::RUNS_MAX {
            return Err(RunFailed);
        }
        batches.push(batch);
    }
    let keys: Vec<usize> = join
        .on
        .iter()
        .map(|(_, public)| projected.index_of(schema.field(*public).name()))
        .collect::<Result<_, _>>()
        .map_err(|_| RunFailed)?;
    unique(&batches, &projected, &keys)?;
    let table = MemTable::try_new(projected, vec![batches])?;
    Ok(Arc::new(table))
}

/// A row with a NULL in its key joins nothing, so it may repeat.
fn unique(batches: &[RecordBatch], schema: &Schema, keys: &[usize]) -> Result<(), DataFusionError> {
    let fields = keys
        .iter()
        .map(|key| SortField::new(schema.field(*key).data_type().clone()))
        .collect();
    let converter = RowConverter::new(fields)?;
    let mut seen: HashSet<Box<[u8]>> = HashSet::new();
    for batch in batches {
        let columns: Vec<_> = keys
            .iter()
            .map(|key| Arc::clone(batch.column(*key)))
            .collect();
        let rows = converter.convert_columns(&columns)?;
        for (index, row) in rows.iter().enumerate() {
            let whole = columns.iter().all(|column| column.is_valid(index));
            let twice = whole && !seen.insert(row.data().into());
            if twice && stands(Safeguard::JoinKeyOnce) {
                return internal_err!("a public table's join key is not unique");
            }
        }
    }
    Ok(())
}
