//! One table read whole, by whomever: how many rows, how long, how much memory; and the rows of the report.
//!
//! Bytes are those of our Arrow buffers on both sides, since every reader has its own idea of what a byte of a table is.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use datafusion::prelude::{Expr, SessionContext};
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{Connector, LoadRequest, ReadLimits, TableName};

use super::{Failed, SCENARIO, Stage};
use crate::measure::median;
use crate::report::Row;

/// What one reading took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    /// Rows that came.
    pub(super) rows: u64,
    /// Bytes of their Arrow buffers; 0 for readers that make none.
    pub(super) bytes: u64,
    /// From the request to the last row.
    pub(super) elapsed: Duration,
}

/// A side of a comparison: reads the table once.
pub(super) type Side<'a> = (&'static str, Box<dyn FnMut() -> Result<Read, Failed> + 'a>);

/// Reads with every side in turn, round after round. Every side has to see all rows.
pub(super) fn alternate(
    stage: &Stage<'_>,
    case: &'static str,
    sides: &mut [Side<'_>],
) -> Result<Vec<Vec<Read>>, Failed> {
    let begin = stage.clock.monotonic();
    let mut reads = vec![Vec::new(); sides.len()];
    for round in 0..=stage.plan.rounds {
        let late = stage.clock.monotonic().saturating_sub(begin)
            > stage.plan.time_max * u32::try_from(sides.len()).unwrap_or(u32::MAX);
        if late && round > 1 {
            break;
        }
        for ((reader, read), reads) in sides.iter_mut().zip(&mut reads) {
            let one = read()?;
            stage.bar.inc(1);
            if one.rows != stage.plan.table_rows {
                return Err(Failed::Differ {
                    case,
                    reader,
                    found: one.rows,
                    expected: stage.plan.table_rows,
                });
            }
            // The first round warms caches and connections on every side.
            if round > 0 {
                reads.push(one);
            }
        }
    }
    Ok(reads)
}

/// Throughput of ours beside one baseline.
pub(super) fn throughput(
    case: &'static str,
    baseline_name: &'static str,
    ours: &[Read],
    baseline: &[Read],
) -> Vec<Row> {
    let bytes = ours.first().map_or(0, |read| read.bytes);
    let per_s = |reads: &[Read], amount: fn(&Read, u64) -> u64| {
        let of = |read: &Read| amount(read, bytes) as f64 / read.elapsed.as_secs_f64().max(1e-9);
        median(reads.iter().map(of).collect())
    };
    let row = |metric, unit, of: fn(&Read, u64) -> u64| {
        Row::new(
            (SCENARIO, case, baseline_name),
            (metric, unit),
            per_s(ours, of),
            per_s(baseline, of),
        )
    };
    vec![
        row("rows_per_s", "rows/s", |read, _| read.rows),
        row("bytes_per_s", "bytes/s", |_, bytes| bytes),
    ]
}

/// Columns of a table whole, as a load reads them.
pub(super) fn load(
    stage: &Stage<'_>,
    connector: &Arc<dyn Connector>,
    table: &TableName,
    columns: &[&str],
) -> Result<Read, Failed> {
    let begin = stage.clock.monotonic();
    let request = LoadRequest {
        table: table.clone(),
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        limits: ReadLimits {
            rows_max: u64::MAX,
            bytes_max: u64::MAX,
            ..ReadLimits::default()
        },
    };
    let mut read = Read::default();
    stage.runtime.block_on(async {
        let mut reading = connector.load(&request).await?;
        while let Some(batch) = reading.batches.try_next().await? {
            read.rows += batch.num_rows() as u64;
            read.bytes += batch.get_array_memory_size() as u64;
        }
        Ok::<(), Failed>(())
    })?;
    read.elapsed = stage.clock.monotonic().saturating_sub(begin);
    Ok(read)
}

/// The most memory that this process held while `work` ran, beyond what it held before, in bytes. 0 where the kernel
/// does not tell.
pub(super) fn memory_peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let field = |name: &str| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .unwrap_or_default()
            * 1_024
    };
    // Sets the high-water mark back to what is held now, see proc(5).
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = field("VmRSS:");
    let result = work();
    (result, field("VmHWM:").saturating_sub(before))
}

/// Selectivities in per cent, with the metric that tells of each.
pub(super) const SWEEP: [(f64, &str); 4] = [
    (0.1, "filter_0_1_percent_ms"),
    (1.0, "filter_1_percent_ms"),
    (10.0, "filter_10_percent_ms"),
    (100.0, "filter_100_percent_ms"),
];

/// How long a filter of each selectivity takes, pushed down beside evaluated in the engine over the whole table.
/// `filter` makes the predicate that a share of `0.0..=1.0` of the rows fulfils.
pub(super) fn sweep(
    stage: &Stage<'_>,
    case: &'static str,
    provider: &Arc<dyn TableProvider>,
    filter: impl Fn(f64) -> Expr,
) -> Result<Vec<Row>, Failed> {
    let (pushed, whole) = (SessionContext::new(), SessionContext::new());
    pushed.register_table("t", Arc::clone(provider))?;
    whole.register_table("t", Arc::new(Unfiltered(Arc::clone(provider))))?;
    let time = |context: &SessionContext, predicate: Expr| {
        let begin = stage.clock.monotonic();
        let rows = stage.runtime.block_on(async {
            let frame = context.table("t").await?.filter(predicate)?;
            let mut batches = frame.execute_stream().await?;
            let mut rows = 0;
            while let Some(batch) = batches.try_next().await? {
                rows += batch.num_rows() as u64;
            }
            Ok::<u64, Failed>(rows)
        })?;
        Ok::<_, Failed>((stage.clock.monotonic().saturating_sub(begin), rows))
    };
    let mut report = Vec::new();
    for (percent, metric) in SWEEP {
        let (mut ours, mut engine) = (Vec::new(), Vec::new());
        for _ in 0..stage.plan.rounds.min(3) {
            let (elapsed, found) = time(&pushed, filter(percent / 100.0))?;
            ours.push(elapsed.as_secs_f64() * 1e3);
            let (elapsed, expected) = time(&whole, filter(percent / 100.0))?;
            engine.push(elapsed.as_secs_f64() * 1e3);
            stage.bar.inc(2);
            if found != expected {
                return Err(Failed::Differ {
                    case,
                    reader: "push-down",
                    found,
                    expected,
                });
            }
        }
        report.push(Row::new(
            (SCENARIO, case, "filter in the engine"),
            (metric, "ms"),
            median(ours),
            median(engine),
        ));
    }
    Ok(report)
}

/// A table whose filters nobody takes, so that the engine evaluates them.
#[derive(Debug)]
struct Unfiltered(Arc<dyn TableProvider>);

#[async_trait::async_trait]
impl TableProvider for Unfiltered {
    fn schema(&self) -> arrow_schema::SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> datafusion::logical_expr::TableType {
        self.0.table_type()
    }

    async fn scan(
        &self,
        state: &dyn datafusion::catalog::Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
        self.0.scan(state, projection, &[], limit).await
    }
}
