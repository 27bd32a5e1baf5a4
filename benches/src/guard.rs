//! The guard's answer from a partition, beside what bare DataFusion needs for the same statistic.
//!
//! `naive` is the plain aggregate, `distinct` the aggregate with a `count(distinct entity)` in it, which nobody who minds
//! small groups can do without; both over 5 million rows of 500,000 entities in memory. `tpch` is a statistic of TPC-H with
//! the customer as entity, orders joined with customers. `planning` is what a call costs before it runs: arguments bound to
//! a registered template, beside the planning of the same SQL. Answers are compared first. What the load costs, once, is
//! said in the notes. `dp` is a statistic with noise beside `smartnoise-sql`. Start reading at [`run`].

mod dp;
mod tpch;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use arrow_array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::catalog::TableProvider;
use datafusion::prelude::{SessionConfig, SessionContext};
use lingqu_core::Clock;
use lingqu_guard::{
    Engine, GuardLimits, Partition, StatisticProduct, TableRules, Template, TemplateSource,
};
use lingqu_journal::SystemClock;
use tokio::runtime::Runtime;

use crate::Settings;
use crate::measure::Round;
use crate::report::Row;
use crate::statistic::engine::same;
use crate::statistic::{Failed, Measured, register};
use crate::verify::network::runtime;

/// The scenario's name in every row.
const SCENARIO: &str = "guard";
/// Rows and entities of the register.
const SIZE: (usize, usize) = (5_000_000, 500_000);

const SQL: &str = "SELECT region, count(*) AS entries, sum(base) AS total, avg(base) AS average \
                   FROM employment GROUP BY region ORDER BY region";
const SQL_DISTINCT: &str = "SELECT region, count(*) AS entries, sum(base) AS total, avg(base) AS average, \
     count(distinct person) AS persons FROM employment GROUP BY region ORDER BY region";

/// How often, and how long at most.
#[derive(Clone, Copy)]
struct Plan {
    runs: usize,
    time: Duration,
    scale: f64,
    /// Rows and entities of the statistic with noise.
    noisy: (usize, usize),
}

impl Plan {
    fn of(settings: &Settings) -> Plan {
        match settings.quick {
            true => Plan {
                runs: 5,
                time: Duration::from_secs(6),
                scale: 0.1,
                noisy: (50_000, 5_000),
            },
            false => Plan {
                runs: 31,
                time: Duration::from_secs(60),
                scale: 1.0,
                noisy: (500_000, 50_000),
            },
        }
    }
}

/// Runs of each side, however slow they are.
const RUNS_MIN: usize = 3;

/// Measures.
pub(crate) fn run(settings: &Settings) -> Result<Measured, Failed> {
    let plan = Plan::of(settings);
    let clock = SystemClock;
    let threads = available_parallelism()?.get();
    let mut measured = Measured {
        rows: Vec::new(),
        notes: Vec::new(),
    };
    let table: Arc<dyn TableProvider> = Arc::new(register::table(SIZE, threads)?);
    let tables = HashMap::from([(register::NAME.to_owned(), table)]);
    let rules = [register::rules()];
    let mut sides = Sides::new(tables, &rules, SQL, &clock)?;
    let [ours, bare] = sides.measure(SQL, plan, &clock)?;
    measured.push("naive", "datafusion", ours, bare);
    let [ours, distinct] = sides.measure(SQL_DISTINCT, plan, &clock)?;
    measured.push("distinct", "datafusion-count-distinct", ours, distinct);
    let [ours, planning] = sides.planning(&clock)?;
    measured.push("planning", "datafusion", ours, planning);
    measured.notes.push(sides.told(register::NAME, SIZE.0));
    drop(sides);

    let (tables, rules, orders) = tpch::tables(plan.scale)?;
    let mut sides = Sides::new(tables, &rules, tpch::SQL, &clock)?;
    let [ours, bare] = sides.measure(tpch::SQL_DISTINCT, plan, &clock)?;
    measured.push("tpch", "datafusion-count-distinct", ours, bare);
    measured.notes.push(sides.told("orders", orders));
    drop(sides);

    dp::measure(plan, &clock, &mut measured)?;
    Ok(measured)
}

impl Measured {
    fn push(&mut self, case: &'static str, baseline: &'static str, ours: f64, theirs: f64) {
        let names = (SCENARIO, case, baseline);
        self.rows
            .push(Row::new(names, ("p50_us", "us"), ours, theirs));
    }
}

/// Both sides over the same tables.
struct Sides {
    template: Template,
    engine: Arc<Engine>,
    partition: Arc<Partition>,
    bare: SessionContext,
    callers: Runtime,
    loading: Duration,
}

impl Sides {
    fn new(
        tables: HashMap<String, Arc<dyn TableProvider>>,
        rules: &[TableRules],
        sql: &str,
        clock: &dyn Clock,
    ) -> Result<Sides, Failed> {
        let threads = available_parallelism()?.get();
        let limits = GuardLimits {
            partitions: threads,
            ..GuardLimits::default()
        };
        let callers = runtime("callers")?;
        let source = TemplateSource {
            sql: sql.to_owned(),
            parameters: Vec::new(),
        };
        let template = callers.block_on(Template::register(&source, rules, &limits))?;
        let bare =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(threads));
        for (name, table) in &tables {
            bare.register_table(name.as_str(), Arc::clone(table))?;
        }
        let engine = Engine::new(limits)?;
        let product = StatisticProduct {
            name: "measured".to_owned(),
            template: template.clone(),
        };
        let before = clock.monotonic();
        let partition = callers.block_on(engine.partition(vec![product], tables, None))?;
        if !partition.is_open(&template) {
            return Err(Failed::Differ("the partition, which does not open,"));
        }
        Ok(Sides {
            template,
            engine: Arc::new(engine),
            partition: Arc::new(partition),
            bare,
            callers,
            loading: clock.monotonic().saturating_sub(before),
        })
    }

    /// The medians of both sides, in microseconds. Answers of the first run are compared, as far as ours has columns.
    fn measure(
        &mut self,
        sql: &'static str,
        plan: Plan,
        clock: &dyn Clock,
    ) -> Result<[f64; 2], Failed> {
        let governed = self.governed()?;
        let bare = self.bare(sql)?;
        let columns: Vec<usize> = (0..governed.num_columns()).collect();
        let bare = bare
            .project(&columns)
            .map_err(datafusion::error::DataFusionError::from)?;
        if !same(&governed, &bare)? {
            return Err(Failed::Differ("bare DataFusion"));
        }
        let mut seen: [Vec<f64>; 2] = Default::default();
        let begin = clock.monotonic();
        for run in 0..plan.runs {
            if run >= RUNS_MIN && clock.monotonic().saturating_sub(begin) > plan.time {
                break;
            }
            for side in [run % 2, (run + 1) % 2] {
                let before = clock.monotonic();
                match side {
                    0 => self.governed()?,
                    _ => self.bare(sql)?,
                };
                seen[side].push(micros(clock.monotonic().saturating_sub(before)));
            }
        }
        let elapsed = clock.monotonic().saturating_sub(begin);
        Ok(seen.map(|runs| Round::new(runs, elapsed).percentile_us(50)))
    }

    fn governed(&self) -> Result<RecordBatch, Failed> {
        let bound = self
            .template
            .bind(&[])
            .expect("the template has no parameters");
        let place = self.engine.enter().expect("nobody else asks");
        let partition = Arc::clone(&self.partition);
        Ok(self
            .callers
            .block_on(self.engine.answer(place, partition, bound))?)
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

    /// Binding beside planning, in microseconds; each many times, since one is below what a clock sees.
    fn planning(&self, clock: &dyn Clock) -> Result<[f64; 2], Failed> {
        const TIMES: u32 = 200;
        let before = clock.monotonic();
        for _ in 0..TIMES {
            let bound = self
                .template
                .bind(&[])
                .expect("the template has no parameters");
            drop(std::hint::black_box(bound));
        }
        let ours = clock.monotonic().saturating_sub(before) / TIMES;
        let before = clock.monotonic();
        for _ in 0..TIMES {
            let planned = async { self.bare.sql(SQL).await?.create_physical_plan().await };
            drop(std::hint::black_box(self.callers.block_on(planned)?));
        }
        let theirs = clock.monotonic().saturating_sub(before) / TIMES;
        Ok([micros(ours), micros(theirs)])
    }

    fn told(&self, table: &str, rows: usize) -> String {
        let seconds = self.loading.as_secs_f64();
        let bytes = self.partition.bytes() >> 20;
        format!(
            "{table}: {rows} rows, partitioned once in {seconds:.1} s, then held in {bytes} MiB"
        )
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
