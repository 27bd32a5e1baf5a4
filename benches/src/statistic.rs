//! Governed statistics beside the same SQL ungoverned.
//!
//! Two questions. What the guard costs: one template in its engine and the same SQL in bare DataFusion, over the same
//! table in memory, on as many threads ([`engine`]). What a caller waits for: a small statistic of the demo network, by
//! our client over gRPC and by ADBC over Flight SQL, and the same SQL over the same files in roapi ([`small`]).
//! Rounds of all sides alternate. Answers are compared first: the speed of a wrong answer is of no interest.
//! Start reading at [`run`], then [`engine`], then [`small`].

pub(crate) mod engine;
mod peers;
pub(crate) mod register;
mod small;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lingqu_core::Clock;
use lingqu_journal::SystemClock;

use crate::Settings;
use crate::filing::FilingFailed;
use crate::machine;
use crate::report::Row;

/// The scenario's name in every row.
const SCENARIO: &str = "statistic";

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
    /// A call was refused or failed.
    #[error("a call was refused or failed: {0}")]
    Call(#[from] lingqu_client::CallFailed),
    /// Bare DataFusion could not answer.
    #[error("bare DataFusion: {0}")]
    DataFusion(#[from] datafusion::error::DataFusionError),
    /// Two sides that must agree do not.
    #[error("{0} answers something else")]
    Differ(&'static str),
    /// The guard's engine could not be started.
    #[error(transparent)]
    Engine(#[from] lingqu_guard::EngineRefused),
    /// There is no product to call.
    #[error("setting up: {0}")]
    Filing(#[from] FilingFailed),
    /// A file, a socket or a process.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// No place for the network's files.
    #[error(transparent)]
    Machine(#[from] machine::Unmeasured),
    /// Something of the network could not be made or run.
    #[error(transparent)]
    Network(#[from] lingqu_demo::network::NetworkFailed),
    /// There is no environment with the peers.
    #[error("there is no `{0}`: run `cargo xtask peers` first, which brings it")]
    NoPeers(String),
    /// The guard could not open the statistic over its tables.
    #[error(transparent)]
    Partition(#[from] lingqu_guard::PartitionRefused),
    /// The Python process said something else than its numbers.
    #[error("the clients' process: {0}")]
    Peers(String),
    /// The guard refused the template.
    #[error("the template: {0}")]
    Refused(#[from] lingqu_guard::TemplateRefused),
    /// The guard's engine could not compute the statistic.
    #[error(transparent)]
    Run(#[from] lingqu_guard::RunFailed),
}

/// How much of what.
struct Plan {
    /// Rows and entities of the generated register.
    register: (usize, usize),
    /// Most runs of each side over it, and after how long no new ones begin.
    runs: (usize, Duration),
    /// Rounds of small queries.
    rounds: usize,
    /// How long one of them goes on at least.
    round: Duration,
}

impl Plan {
    fn of(settings: &Settings) -> Plan {
        if settings.quick {
            Plan {
                register: (200_000, 20_000),
                runs: (7, Duration::from_secs(10)),
                rounds: 3,
                round: Duration::from_millis(1_000),
            }
        } else {
            Plan {
                register: (1_000_000, 100_000),
                runs: (41, Duration::from_secs(90)),
                rounds: 9,
                round: Duration::from_millis(2_500),
            }
        }
    }
}

/// Measures.
pub(crate) fn run(settings: &Settings) -> Result<Measured, Failed> {
    let plan = Plan::of(settings);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = machine::directory(settings.dir.as_deref())?;
    let mut notes = machine::limits(dir.path(), clock.as_ref())?;
    let bar = progress(plan.runs.0 * engine::SIDES + plan.rounds * small::SIDES);

    // Found first, so that nobody waits for half of the numbers to learn that the peers are missing.
    let peers = peers::Tools::find()?;
    bar.set_message("engine");
    let mut rows = engine::measure(plan.register, plan.runs, clock.as_ref(), &bar)?;
    bar.set_message("small");
    let small = small::measure(dir.path(), &peers, (plan.rounds, plan.round, &clock), &bar)?;
    bar.finish_and_clear();
    rows.extend(small.rows);

    let (rows_of, entities) = plan.register;
    notes.push(String::new());
    notes.push(format!(
        "engine: {rows_of} rows of {entities} entities in memory"
    ));
    notes.extend(small.notes);
    Ok(Measured { rows, notes })
}

fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<10} {bar:40} {pos}/{len} {elapsed}")
        .expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}
