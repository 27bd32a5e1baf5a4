//! What the guard costs: a governed template, the same SQL in bare DataFusion, and the same SQL with a
//! `count(distinct entity)` in it, which nobody who minds small groups can do without.
//!
//! All three read one table in memory. Every run of every side plans anew, as each call at a node does.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::DataType;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::TableProvider;
use datafusion::prelude::{SessionConfig, SessionContext};
use indicatif::ProgressBar;
use lingqu_core::Clock;
use lingqu_guard::{Engine, GuardLimits, Template, TemplateSource};
use tokio::runtime::Runtime;

use super::{Failed, SCENARIO, register};
use crate::measure::Round;
use crate::report::Row;
use crate::verify::network::runtime;

/// Sides that are measured.
pub(super) const SIDES: usize = 3;

/// What is asked.
const SQL: &str = "SELECT region, count(*) AS entries, sum(base) AS total, avg(base) AS average \
                   FROM employment GROUP BY region ORDER BY region";
/// The same, and how many persons each group has.
const SQL_DISTINCT: &str = "SELECT region, count(*) AS entries, sum(base) AS total, avg(base) AS average, \
     count(distinct person) AS persons FROM employment GROUP BY region ORDER BY region";

/// All three sides.
struct Sides {
    template: Template,
    engine: Engine,
    bare: SessionContext,
    callers: Runtime,
}

/// Runs of each side, however slow they are.
const RUNS_MIN: usize = 3;

/// Measures at most so many runs of each side, in turns, and no new ones after so long.
pub(super) fn measure(
    size: (usize, usize),
    (runs, time): (usize, Duration),
    clock: &dyn Clock,
    bar: &ProgressBar,
) -> Result<Vec<Row>, Failed> {
    let sides = Sides::new(size)?;
    let governed = sides.governed()?;
    if !same(&governed, &sides.bare(SQL)?)? {
        return Err(Failed::Differ("bare DataFusion"));
    }
    sides.bare(SQL_DISTINCT)?;
    let mut seen: [Vec<f64>; SIDES] = Default::default();
    let begin = clock.monotonic();
    for run in 0..runs {
        if run >= RUNS_MIN && clock.monotonic().saturating_sub(begin) > time {
            break;
        }
        // Each is first, second and third as often as the others.
        for side in (0..SIDES).map(|side| (side + run) % SIDES) {
            let before = clock.monotonic();
            match side {
                0 => sides.governed()?,
                1 => sides.bare(SQL)?,
                _ => sides.bare(SQL_DISTINCT)?,
            };
            seen[side].push(micros(clock.monotonic().saturating_sub(before)));
            bar.inc(1);
        }
    }
    let elapsed = clock.monotonic().saturating_sub(begin);
    let [ours, bare, distinct] = seen.map(|runs| Round::new(runs, elapsed).percentile_us(50));
    let row = |baseline_name, baseline| {
        let names = (SCENARIO, "engine", baseline_name);
        Row::new(names, ("p50_us", "us"), ours, baseline)
    };
    Ok(vec![
        row("datafusion", bare),
        row("datafusion-count-distinct", distinct),
    ])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Sides {
    fn new(size: (usize, usize)) -> Result<Sides, Failed> {
        let threads = available_parallelism()?.get();
        let limits = GuardLimits {
            partitions: threads,
            ..GuardLimits::default()
        };
        let callers = runtime("callers")?;
        let source = TemplateSource {
            sql: SQL.to_owned(),
            parameters: Vec::new(),
        };
        let rules = [register::rules()];
        let template = callers.block_on(Template::register(&source, &rules, &limits))?;
        let table: Arc<dyn TableProvider> = Arc::new(register::table(size, threads)?);
        let engine = Engine::new(limits)?;
        engine.put_table(register::NAME, Arc::clone(&table));
        let config = SessionConfig::new().with_target_partitions(threads);
        let bare = SessionContext::new_with_config(config);
        bare.register_table(register::NAME, table)?;
        Ok(Sides {
            template,
            engine,
            bare,
            callers,
        })
    }

    fn governed(&self) -> Result<RecordBatch, Failed> {
        let bound = { self.template.bind(&[]) }.expect("the template has no parameters");
        Ok(self.callers.block_on(self.engine.run(bound))?)
    }

    /// On the runtime's threads, not on the one that waits: the governed side has it so too.
    fn bare(&self, sql: &'static str) -> Result<RecordBatch, Failed> {
        let context = self.bare.clone();
        let run = self.callers.spawn(async move {
            let answer = context.sql(sql).await?.collect().await?;
            let schema = answer.first().map(RecordBatch::schema);
            let schema = schema.unwrap_or_else(|| Arc::new(arrow_schema::Schema::empty()));
            Ok::<_, datafusion::error::DataFusionError>(concat_batches(&schema, &answer)?)
        });
        let ended = self.callers.block_on(run).map_err(std::io::Error::other)?;
        Ok(ended?)
    }
}

/// Whether two answers say the same; numbers may differ in their type and in the last digits of a mean.
pub(crate) fn same(ours: &RecordBatch, theirs: &RecordBatch) -> Result<bool, Failed> {
    if ours.num_rows() == 0
        || ours.num_rows() != theirs.num_rows()
        || ours.num_columns() != theirs.num_columns()
    {
        return Ok(false);
    }
    for (ours, theirs) in ours.columns().iter().zip(theirs.columns()) {
        if !same_column(ours, theirs)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_column(ours: &ArrayRef, theirs: &ArrayRef) -> Result<bool, Failed> {
    let arrow = datafusion::error::DataFusionError::from;
    if ours.data_type().is_numeric() && theirs.data_type().is_numeric() {
        let [ours, theirs] = [ours, theirs].map(|column| cast(column, &DataType::Float64));
        let (ours, theirs) = (ours.map_err(arrow)?, theirs.map_err(arrow)?);
        let floats = |column: &ArrayRef| -> Vec<Option<f64>> {
            let floats = column.as_any().downcast_ref::<Float64Array>();
            floats.map_or_else(Vec::new, |floats| floats.iter().collect())
        };
        let close = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * b.abs().max(1.0),
            (a, b) => a == b,
        };
        return Ok(floats(&ours).iter().zip(&floats(&theirs)).all(close));
    }
    for row in 0..ours.len() {
        let text = |column| array_value_to_string(column, row).map_err(arrow);
        if text(ours)? != text(theirs)? {
            return Ok(false);
        }
    }
    Ok(true)
}
