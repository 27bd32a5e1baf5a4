//! Measurements against named baselines, each scenario beside its baseline in the same run.
//!
//! In scope: what a caller sees (throughput, latency), what the machine can do at most, where the processor time goes.
//! Out of scope: thresholds. A number never fails a run; a call that is refused or fails does.
//! stdout is data, stderr is for people. Exit codes: 0 measured, 1 not measured, 2 wrong arguments.
//! Start reading at [`verify::run`], [`guard::run`], [`log::run`], [`score::run`], [`statistic::run`] or [`connectors::run`].

mod chart;
mod connectors;
mod filing;
mod guard;
mod log;
mod machine;
mod measure;
mod processor;
mod report;
mod score;
mod statistic;
mod tools;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use report::Row;

/// `lingqu` uses it as well, so that what is measured is what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Lingqu against named baselines.
#[derive(Debug, Parser)]
#[command(name = "lingqu-benches")]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Connectors, beside the fastest independent readers of the same sources.
    Connectors {
        #[command(flatten)]
        settings: Settings,
        /// Measure this source only; may be repeated.
        #[arg(long = "case", value_name = "CASE")]
        cases: Vec<connectors::Case>,
    },
    /// Statistics from their cells, beside the plain aggregate and one with a count(distinct entity) in bare DataFusion.
    Guard(Settings),
    /// Recorded calls through group commit, beside a bare group commit of the same bytes.
    Log {
        #[command(flatten)]
        settings: Settings,
        /// Measure this case only; may be repeated.
        #[arg(long = "case", value_name = "CASE", value_parser = log::case_names())]
        cases: Vec<String>,
    },
    /// Scores of exported models, beside onnxruntime in a Python process.
    Score(Settings),
    /// Recorded and mirrored calls without a pause: the end beside the beginning. Takes 6 GB of the disk.
    Soak(Settings),
    /// Governed statistics, beside the same SQL ungoverned: in bare DataFusion and in roapi.
    Statistic(Settings),
    /// Unary verifications with mirrored receipts, beside a bare gRPC echo over the same transport.
    Verify(Settings),
}

/// What every scenario can be told.
#[derive(Clone, Debug, Parser)]
struct Settings {
    /// Print one JSON list and nothing else.
    #[arg(long)]
    json: bool,
    /// Fewer and shorter rounds: under 50 seconds.
    #[arg(long)]
    quick: bool,
    /// Keep the network's files below this directory while measuring; it should be on the disk that is to be measured.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Also draw the numbers into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let scenario = Arguments::parse().scenario;
    report_to_stderr();
    match measure(&scenario) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            // Nobody is left to be told when stderr is gone.
            let _ = writeln!(io::stderr(), "not measured: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// Why there are no numbers, or nowhere to put them.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Connectors(#[from] connectors::Failed),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Log(#[from] log::Failed),
    #[error(transparent)]
    Score(#[from] score::Failed),
    #[error(transparent)]
    Statistic(#[from] statistic::Failed),
    #[error(transparent)]
    Verify(#[from] verify::Failed),
}

/// Errors of the parts, on stderr. Every process of ours has a subscriber; without one, the spans of each HTTP/2 frame
/// would take the way to the `log` crate instead, and that would be measured too.
fn report_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}

fn measure(scenario: &Scenario) -> Result<(), Failed> {
    match scenario {
        Scenario::Connectors { settings, cases } => {
            let measured = connectors::run(settings, cases)?;
            print(settings, &measured.rows, &measured.notes)
        }
        Scenario::Guard(settings) => {
            let measured = guard::run(settings)?;
            print(settings, &measured.rows, &measured.notes)
        }
        Scenario::Log { settings, cases } => {
            let measured = log::run(settings, cases)?;
            print(settings, &measured.rows, &measured.notes)
        }
        Scenario::Score(settings) => {
            let measured = score::run(settings)?;
            print(settings, &measured.rows, &measured.notes)
        }
        Scenario::Soak(settings) => {
            let measured = log::soak::run(settings)?;
            print(settings, &measured.rows, &measured.notes)
        }
        Scenario::Statistic(settings) => {
            let measured = statistic::run(settings)?;
            print(settings, &measured.rows, &measured.notes)
        }
        Scenario::Verify(settings) => {
            let measured = verify::run(settings)?;
            print(settings, &measured.rows, &measured.notes)
        }
    }
}

fn print(settings: &Settings, rows: &[Row], notes: &[String]) -> Result<(), Failed> {
    if let Some(file) = &settings.svg {
        std::fs::write(file, chart::draw(rows))?;
    }
    let mut out = io::stdout().lock();
    if settings.json {
        writeln!(out, "{}", report::json(rows))?;
    } else {
        write!(out, "{}", report::table(rows))?;
        for note in notes {
            writeln!(out, "{note}")?;
        }
    }
    Ok(out.flush()?)
}
