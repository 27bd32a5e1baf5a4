//! Unary verifications with a mirrored receipt, beside a bare gRPC echo over the same transport.
//!
//! Node, coordinator and echo run in this process as they run in production: from their files, on loopback, mutual TLS,
//! each on runtime threads of its own; the callers have theirs. Every answer's record is on two disks and cosigned
//! before it leaves. Rounds of both alternate. A refused or failed call, or a receipt that proves nothing, ends the run.
//! Start reading at [`run`], then [`network`], then [`load`].

mod echo;
mod load;
pub(crate) mod network;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lingqu_core::Clock;
use lingqu_journal::SystemClock;

use self::echo::Echo;
use self::network::Running;
use self::verification::Verification;
use crate::Settings;
use crate::filing::FilingFailed;
use crate::machine;
use crate::measure::Round;
use crate::processor::Usages;
use crate::report::{self, Row};

/// The scenario's name in every row.
const SCENARIO: &str = "verify";
/// The baseline's name in every row.
const BASELINE: &str = "tonic-echo-mtls";
/// Connections of the callers; fewer when there are fewer callers.
const CONNECTIONS: usize = 8;
/// Names of the cases, and how many callers call at once.
const CASES: [(&str, usize); 3] = [("unary-c1", 1), ("unary-c8", 8), ("unary-c64", 64)];

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The numbers.
    pub(crate) rows: Vec<Row>,
    /// Lines for people: the machine's limits, and where the processor time went.
    pub(crate) notes: Vec<String>,
}

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// A call was refused or its connection failed: numbers of the rest would say nothing.
    #[error("a call was refused or failed: {0}")]
    Call(String),
    /// There is no product to call.
    #[error("setting up: {0}")]
    Filing(#[from] FilingFailed),
    /// The machine's limits could not be measured.
    #[error(transparent)]
    Machine(#[from] machine::Unmeasured),
    /// Something of the network could not be made or run.
    #[error(transparent)]
    Network(#[from] lingqu_demo::network::NetworkFailed),
    /// A file or a socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A receipt does not prove a mirrored record of the call that it answers.
    #[error("a receipt proves nothing: {0}")]
    Receipt(String),
    /// Something of the network was refused that must not be.
    #[error("setting up: {0}")]
    SettingUp(String),
}

/// How long what takes.
struct Plan {
    rounds: usize,
    round: Duration,
    warm_up: Duration,
}

impl Plan {
    fn of(settings: &Settings) -> Plan {
        let (rounds, round_ms, warm_up_ms) = if settings.quick {
            (3, 1_500, 500)
        } else {
            (9, 2_500, 2_000)
        };
        Plan {
            rounds,
            round: Duration::from_millis(round_ms),
            warm_up: Duration::from_millis(warm_up_ms),
        }
    }
}

/// One case's rounds.
struct Case {
    name: &'static str,
    callers: usize,
    ours: Vec<Round>,
    baseline: Vec<Round>,
    ours_used: Usages,
    baseline_used: Usages,
}

/// Measures.
pub(crate) fn run(settings: &Settings) -> Result<Measured, Failed> {
    let plan = Plan::of(settings);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = machine::directory(settings.dir.as_deref())?;
    let mut notes = machine::limits(dir.path(), clock.as_ref())?;

    let running = Running::start(dir.path())?;
    let ours = running.verifications(CONNECTIONS)?;
    let baseline = running.echoes(CONNECTIONS)?;
    let mut cases = CASES.map(|(name, callers)| Case {
        name,
        callers,
        ours: Vec::new(),
        baseline: Vec::new(),
        ours_used: Usages::default(),
        baseline_used: Usages::default(),
    });
    let bar = progress(plan.rounds * cases.len() * 2);
    running.load(&ours, (CONNECTIONS, plan.warm_up, &clock))?;
    running.load(&baseline, (CONNECTIONS, plan.warm_up, &clock))?;
    for round in 0..plan.rounds {
        for case in &mut cases {
            bar.set_message(case.name);
            let load = (case.callers, plan.round, &clock);
            // Whoever is second finds the other's writes still on their way to the disk; so they take turns.
            for turn in [round % 2, 1 - round % 2] {
                let before = Usages::now();
                if turn == 0 {
                    case.ours.push(running.load(&ours, load)?);
                    case.ours_used.add(&before, &Usages::now());
                } else {
                    case.baseline.push(running.load(&baseline, load)?);
                    case.baseline_used.add(&before, &Usages::now());
                }
                bar.inc(1);
            }
        }
    }
    notes.push(checked(&running, &ours, plan.round, &clock)?);
    bar.finish_and_clear();
    running.stop()?;

    notes.push(String::new());
    notes
        .push("per call, by group of threads: processor time/times that a thread slept".to_owned());
    notes.extend(cases.iter().flat_map(Case::used));
    let rows = cases.iter().flat_map(Case::rows).collect();
    Ok(Measured { rows, notes })
}

impl Case {
    fn rows(&self) -> Vec<Row> {
        report::rows(SCENARIO, self.name, BASELINE, &self.ours, &self.baseline)
    }

    fn used(&self) -> [String; 2] {
        let line = |what: &str, rounds: &[Round], used: &Usages| {
            let calls = rounds.iter().map(Round::calls).sum();
            format!("{:<10} {what:<8} {}", self.name, used.per_call(calls))
        };
        [
            line("ours", &self.ours, &self.ours_used),
            line("baseline", &self.baseline, &self.baseline_used),
        ]
    }
}

/// The callers of the cases check a sample of their receipts outside the measured time, since they share the
/// processors with the servers; this says what is left when they check every one at once.
fn checked(
    running: &Running,
    ours: &[Verification],
    time: Duration,
    clock: &Arc<dyn Clock>,
) -> Result<String, Failed> {
    let callers = CASES[CASES.len() - 1].1;
    let checking: Vec<_> = ours.iter().map(Verification::checking).collect();
    let round = running.load(&checking, (callers, time, clock))?;
    Ok(format!(
        "{callers} callers that check every receipt on these same processors: {:.0} calls/s",
        round.throughput_per_s()
    ))
}

fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<10} {bar:40} {pos}/{len} {elapsed}")
        .expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}

impl Running {
    /// One round.
    fn load<T: load::Target>(
        &self,
        targets: &[T],
        (callers, time, clock): (usize, Duration, &Arc<dyn Clock>),
    ) -> Result<Round, Failed> {
        self.callers()
            .block_on(load::round(targets, callers, time, clock))
    }

    fn echoes(&self, connections: usize) -> Result<Vec<Echo>, Failed> {
        // As large as a real call and its answer.
        let sizes = self.callers().block_on(async {
            let one = self.dial_node().await?;
            Verification::new(one, self.trust()?).sizes().await
        })?;
        self.callers().block_on(async {
            let mut echoes = Vec::new();
            for _ in 0..connections {
                let channel = self.dial_echo().await?;
                echoes.push(Echo::new(channel, sizes));
            }
            Ok(echoes)
        })
    }

    fn verifications(&self, connections: usize) -> Result<Vec<Verification>, Failed> {
        let trust = self.trust()?;
        self.callers().block_on(async {
            let mut verifications = Vec::new();
            for _ in 0..connections {
                let channel = self.dial_node().await?;
                verifications.push(Verification::new(channel, Arc::clone(&trust)));
            }
            Ok(verifications)
        })
    }
}
