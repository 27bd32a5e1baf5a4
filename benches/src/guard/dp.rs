//! Case `dp`: a statistic with noise, beside PyPI `smartnoise-sql` over the same rows.
//!
//! Both limit what each person contributes, add up by group and draw noise; ours keeps the entities' parts of a load, the
//! peer works from rows in SQLite, which is how it reads a data frame. The peer runs in a Python process that waits for its
//! turn and tells its own time. One of its packages is no wheel, so nothing here brings it: [`PYTHON`] names a Python that
//! has it, or the case is left out with a note.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::SessionContext;
use lingqu_core::Clock;
use lingqu_guard::{DpProduct, DpTemplate, DpTerms, Engine, GuardLimits, Tables, TemplateSource};
use lingqu_policy::MicroRho;
use tokio::runtime::Runtime;

use super::{Failed, Measured, Plan, RUNS_MIN, SQL, micros};
use crate::measure::Round;
use crate::statistic::register;
use crate::verify::network::runtime;

/// The variable that names a Python with `smartnoise-sql` 1.0.10 and `pyarrow`.
const PYTHON: &str = "LINGQU_SMARTNOISE_PYTHON";
/// Runs of the slower side at most.
const RUNS_MAX: usize = 9;

/// Measures, and adds its row and its note.
pub(super) fn measure(
    plan: Plan,
    clock: &dyn Clock,
    measured: &mut Measured,
) -> Result<(), Failed> {
    let Some(python) = std::env::var_os(PYTHON) else {
        let note = format!("dp: not measured, {PYTHON} names no Python with smartnoise-sql 1.0.10");
        measured.notes.push(note);
        return Ok(());
    };
    let callers = runtime("callers")?;
    let table: Arc<dyn TableProvider> = Arc::new(register::table(plan.noisy, 1)?);
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("employment.parquet");
    callers.block_on(write(&table, &file))?;
    let ours = Ours::open(callers, table)?;
    let mut theirs = Smartnoise::start(&python, &file)?;
    let groups = ours.answer()?;
    let mut seen: [Vec<f64>; 2] = Default::default();
    let begin = clock.monotonic();
    for run in 0..RUNS_MAX {
        if run >= RUNS_MIN && clock.monotonic().saturating_sub(begin) > plan.time {
            break;
        }
        let before = clock.monotonic();
        ours.answer()?;
        seen[0].push(micros(clock.monotonic().saturating_sub(before)));
        let (found, seconds) = theirs.answer()?;
        // Ours has the group of everything else, too.
        if found + 1 != groups {
            return Err(Failed::Differ("smartnoise-sql"));
        }
        seen[1].push(seconds * 1e6);
    }
    let elapsed = clock.monotonic().saturating_sub(begin);
    let [ours, theirs] = seen.map(|runs| Round::new(runs, elapsed).percentile_us(50));
    measured.push("dp", "smartnoise-sql", ours, theirs);
    let (rows, entities) = plan.noisy;
    measured
        .notes
        .push(format!("dp: {rows} rows of {entities} persons"));
    Ok(())
}

/// One file with the rows of `table`.
async fn write(table: &Arc<dyn TableProvider>, file: &Path) -> Result<(), Failed> {
    let context = SessionContext::new();
    let frame = context.read_table(Arc::clone(table))?;
    let options = DataFrameWriteOptions::new().with_single_file_output(true);
    let path = file.display().to_string();
    frame.write_parquet(&path, options, None).await?;
    Ok(())
}

/// The guard's side, open over its load.
struct Ours {
    callers: Runtime,
    engine: Engine,
    product: Arc<DpProduct>,
}

impl Ours {
    fn open(callers: Runtime, table: Arc<dyn TableProvider>) -> Result<Ours, Failed> {
        let limits = GuardLimits::default();
        let source = TemplateSource {
            sql: SQL.to_owned(),
            parameters: Vec::new(),
        };
        let terms = DpTerms {
            rho: MicroRho(500_000),
            groups_per_entity_max: 12,
            rows_per_entity_max: 4,
            clamps: Vec::new(),
        };
        let rules = [register::rules_with_budget()];
        let template = callers.block_on(DpTemplate::register(&source, &terms, &rules, &limits))?;
        let engine = Engine::new(limits)?;
        let tables = Tables::from([(register::NAME.to_owned(), table)]);
        let product = callers.block_on(engine.open_dp(&template, tables))?;
        Ok(Ours {
            callers,
            engine,
            product: Arc::new(product),
        })
    }

    /// One answer with fresh noise; how many groups it has.
    fn answer(&self) -> Result<usize, Failed> {
        let bound = { self.product.template().bind(&[]) }.expect("there are no parameters");
        let place = self.engine.enter().expect("nobody else asks");
        let product = Arc::clone(&self.product);
        let answer = self
            .callers
            .block_on(self.engine.answer_dp(place, product, bound))?;
        Ok(answer.num_rows())
    }
}

/// `smartnoise-sql`, waiting for its turn.
struct Smartnoise {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Drop for Smartnoise {
    fn drop(&mut self) {
        // It ends with its input; waiting leaves no process behind.
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

impl Smartnoise {
    fn start(python: &OsStr, file: &Path) -> Result<Smartnoise, Failed> {
        let mut process = Command::new(python)
            .args(["-c", include_str!("smartnoise.py")])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().expect("it was asked for");
        Ok(Smartnoise {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    /// One answer with fresh noise; how many groups it has, and its seconds.
    fn answer(&mut self) -> Result<(usize, f64), Failed> {
        let input = self.input.as_mut().expect("it is there until the end");
        input.write_all(b"\n")?;
        input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let groups = words.next().and_then(|word| word.parse().ok());
        let seconds = words.next().and_then(|word| word.parse().ok());
        match (groups, seconds) {
            (Some(groups), Some(seconds)) => Ok((groups, seconds)),
            _ => Err(Failed::Peers("smartnoise-sql said no numbers".to_owned())),
        }
    }
}
