//! Scoring of exported models, beside onnxruntime on the same models and rows, each on one thread.
//!
//! onnxruntime runs in a Python process of the environment that `cargo xtask models` makes, and takes its own time
//! there, around the call alone: what it costs to get rows and answers in and out of that process is not counted.
//! Rounds of both alternate. Before anything is measured, both answer all rows, and a single different label ends the
//! run: the speed of a wrong answer is of no interest.
//! Start reading at [`run`], then [`ours`], then [`baseline`].

mod baseline;
mod ours;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lingqu_core::Clock;
use lingqu_journal::SystemClock;

use self::baseline::Baseline;
use self::ours::Ours;
use crate::Settings;
use crate::measure::median;
use crate::report::Row;

/// The scenario's name in every row.
const SCENARIO: &str = "score";
/// The baseline's name in every row.
const BASELINE: &str = "onnxruntime-1-thread";
/// Rows in all, and of the largest batch.
const ROWS: usize = 10_000;

/// What is measured: the case's name, the model's file, and how many rows a call scores.
const CASES: [(&str, &str, usize); 12] = [
    ("rf-b1", "forest", 1),
    ("rf-b100", "forest", 100),
    ("rf-b10000", "forest", ROWS),
    ("xgb-b1", "xgboost", 1),
    ("xgb-b100", "xgboost", 100),
    ("xgb-b10000", "xgboost", ROWS),
    ("lgb-b1", "lightgbm", 1),
    ("lgb-b100", "lightgbm", 100),
    ("lgb-b10000", "lightgbm", ROWS),
    ("lr-b1", "logistic", 1),
    ("lr-b100", "logistic", 100),
    ("lr-b10000", "logistic", ROWS),
];

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The numbers.
    pub(crate) rows: Vec<Row>,
    /// Lines for people.
    pub(crate) notes: Vec<String>,
}

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The two give a row different labels.
    #[error("{model}: row {row} is labelled `{ours}` here and `{theirs}` by onnxruntime")]
    Differ {
        model: &'static str,
        row: usize,
        ours: String,
        theirs: String,
    },
    /// A model that is committed was refused.
    #[error("a model of the tests was refused: {0}")]
    Refused(#[from] lingqu_scoring::ModelRefused),
    /// A row of the committed data was not scored.
    #[error("a row was not scored: {0}")]
    Row(#[from] lingqu_scoring::ScoreFailed),
    /// The committed data is not as it was.
    #[error("the data of the tests is damaged")]
    Data,
    /// The Python process said something else than its numbers.
    #[error("onnxruntime's process: {0}")]
    Baseline(String),
    /// There is no environment with onnxruntime.
    #[error("there is no `{0}`: run `cargo xtask models --check` first, which makes it")]
    NoPython(String),
    /// A file or the process.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What one round of one side saw.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Round {
    rows_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

/// The name of a metric, its unit, and how it follows from a round.
type Metric = (&'static str, &'static str, fn(&Round) -> f64);

/// What is reported of every case. Latencies are those of a whole call.
const METRICS: [Metric; 3] = [
    ("rows_per_s", "rows/s", |round| round.rows_per_s),
    ("p50_us", "us", |round| round.p50_us),
    ("p99_us", "us", |round| round.p99_us),
];

/// Measures.
pub(crate) fn run(settings: &Settings) -> Result<Measured, Failed> {
    let (rounds, round) = if settings.quick {
        (3, Duration::from_millis(300))
    } else {
        (9, Duration::from_millis(1_000))
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rows = rows::read(ROWS)?;
    let mut baseline = Baseline::start()?;
    let mut models = Vec::new();
    for (_, name, _) in CASES {
        if models.iter().all(|(known, _)| *known != name) {
            let ours = Ours::load(name, &rows)?;
            same(name, &ours.labels()?, &baseline.labels(name)?)?;
            models.push((name, ours));
        }
    }
    let bar = progress(rounds * CASES.len() * 2);
    let mut seen: Vec<(Vec<Round>, Vec<Round>)> = vec![Default::default(); CASES.len()];
    for turn in 0..=rounds {
        for ((case, name, batch), seen) in CASES.into_iter().zip(&mut seen) {
            bar.set_message(case);
            let ours = models.iter_mut().find(|(known, _)| *known == name);
            let (_, ours) = ours.expect("every case's model was loaded above");
            let ours = ours.round(batch, round, clock.as_ref())?;
            let theirs = baseline.round(name, batch, round)?;
            // The first turn warms up both.
            if turn > 0 {
                seen.0.push(ours);
                seen.1.push(theirs);
                bar.inc(2);
            }
        }
    }
    bar.finish_and_clear();
    let versions = baseline.stop()?;
    Ok(Measured {
        rows: { CASES.into_iter().zip(&seen) }
            .flat_map(|((case, ..), (ours, theirs))| report(case, ours, theirs))
            .collect(),
        notes: vec![
            String::new(),
            format!(
                "beside {versions}; models of 30 to 40 trees over 7 numbers, see tests/data/models"
            ),
            "batches of 1: a call for one row of features here, an array of one row there"
                .to_owned(),
        ],
    })
}

fn report(case: &'static str, ours: &[Round], baseline: &[Round]) -> Vec<Row> {
    METRICS
        .into_iter()
        .map(|(metric, unit, of)| {
            let middle = |rounds: &[Round]| median(rounds.iter().map(of).collect());
            Row::new(
                (SCENARIO, case, BASELINE),
                (metric, unit),
                middle(ours),
                middle(baseline),
            )
        })
        .collect()
}

/// Every row has the same label.
fn same(model: &'static str, ours: &[String], theirs: &[String]) -> Result<(), Failed> {
    if ours.len() != theirs.len() {
        return Err(Failed::Data);
    }
    match ours.iter().zip(theirs).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(row) => Err(Failed::Differ {
            model,
            row,
            ours: ours[row].clone(),
            theirs: theirs[row].clone(),
        }),
    }
}

fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<10} {bar:40} {pos}/{len} {elapsed}")
        .expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}
