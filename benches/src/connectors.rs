//! Connectors beside the fastest independent readers of the same sources.
//!
//! Of every source one table is read whole, by our connector as a load reads it and by readers of others, in rounds that
//! alternate. Then the connector's push-down is compared with evaluating the same filter in the engine, over several
//! selectivities, and what the process holds at most while it reads is told.
//! Start reading at [`run`], then one case.

mod adbc;
mod files;
mod mysql;
mod postgres;
mod reading;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use lingqu_connector_sdk::{SettingsRefused, SourceError};
use lingqu_core::Clock;
use lingqu_journal::SystemClock;

use crate::Settings;
use crate::machine;
use crate::report::Row;

/// The scenario's name in every row.
const SCENARIO: &str = "connectors";

/// A source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// CSV on disk.
    Csv,
    /// MariaDB.
    Mysql,
    /// Parquet on disk.
    Parquet,
    /// PostgreSQL.
    Postgres,
}

/// What came of a run, or of one case.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The numbers.
    pub(crate) rows: Vec<Row>,
    /// Lines for people.
    pub(crate) notes: Vec<String>,
}

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The engine could not evaluate.
    #[error("the engine: {0}")]
    DataFusion(#[from] datafusion::error::DataFusionError),
    /// Two sides that read the same table saw different things.
    #[error("{case}: {reader} read {found} rows where {expected} were expected")]
    Differ {
        /// The case.
        case: &'static str,
        /// Who.
        reader: &'static str,
        /// Its rows.
        found: u64,
        /// Those there are.
        expected: u64,
    },
    /// A file, a socket or a process.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// No place for files.
    #[error(transparent)]
    Machine(#[from] machine::Unmeasured),
    /// There is no environment with the readers of others.
    #[error("there is no `{0}`: run `cargo xtask peers` first, which brings it")]
    NoPeers(String),
    /// A reader of others failed.
    #[error("{reader}: {why}")]
    Reader {
        /// Which.
        reader: &'static str,
        /// What it said.
        why: String,
    },
    /// The source could not be started.
    #[error(transparent)]
    Server(lingqu_demo::servers::ServerFailed),
    /// The connector refuses its settings.
    #[error(transparent)]
    Settings(#[from] SettingsRefused),
    /// Our connector could not read.
    #[error("the connector: {0}")]
    Source(#[from] SourceError),
}

/// What every case gets.
pub(crate) struct Stage<'a> {
    /// An empty directory of its own.
    pub(crate) dir: &'a Path,
    /// How much of what.
    pub(crate) plan: &'a Plan,
    /// The only clock.
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// One step for each round of each side.
    pub(crate) bar: &'a ProgressBar,
    /// Where the connectors' tasks run.
    pub(crate) runtime: &'a tokio::runtime::Runtime,
}

/// How much of what.
pub(crate) struct Plan {
    /// Rows of the table.
    pub(crate) table_rows: u64,
    /// Rounds of every side.
    pub(crate) rounds: usize,
    /// After how long a side begins no further round.
    pub(crate) time_max: Duration,
}

impl Plan {
    fn of(settings: &Settings) -> Plan {
        if settings.quick {
            Plan {
                table_rows: 300_000,
                rounds: 3,
                time_max: Duration::from_secs(4),
            }
        } else {
            Plan {
                table_rows: 5_000_000,
                rounds: 9,
                time_max: Duration::from_secs(90),
            }
        }
    }
}

impl Case {
    fn measure(self, stage: &Stage<'_>) -> Result<Measured, Failed> {
        match self {
            Case::Mysql => mysql::measure(stage),
            Case::Postgres => postgres::measure(stage),
            Case::Csv | Case::Parquet => files::measure(stage, self),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Case::Mysql => mysql::NAME,
            Case::Postgres => postgres::NAME,
            Case::Csv => "csv",
            Case::Parquet => "parquet",
        }
    }
}

/// Measures these cases, or all if none is named.
pub(crate) fn run(settings: &Settings, cases: &[Case]) -> Result<Measured, Failed> {
    let plan = Plan::of(settings);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = machine::directory(settings.dir.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let cases = if cases.is_empty() {
        Case::value_variants()
    } else {
        cases
    };
    let style = ProgressStyle::with_template("{msg:<10} {pos} rounds {elapsed}")
        .expect("the template is well-formed");
    let bar = ProgressBar::no_length().with_style(style);
    let mut measured = Measured {
        rows: Vec::new(),
        notes: machine::limits(dir.path(), clock.as_ref())?,
    };
    for case in cases {
        let below = dir.path().join(case.name());
        std::fs::create_dir(&below)?;
        bar.set_message(case.name());
        let one = case.measure(&Stage {
            dir: &below,
            plan: &plan,
            clock: &clock,
            bar: &bar,
            runtime: &runtime,
        })?;
        measured.rows.extend(one.rows);
        measured.notes.extend(one.notes);
    }
    bar.finish_and_clear();
    Ok(measured)
}
