//! Recorded calls through group commit, beside a bare group commit of the same bytes by the same callers.
//!
//! The callers are tasks of this process and evaluate nothing: what is measured is the way from the decision to the
//! released answer. `node-…` stands alone and answers at R1; `mirrored-…` is a node and a coordinator as they run in
//! production, mutual TLS on loopback, and an answer leaves at R2. The baseline writes and syncs, and has no tree, no
//! signature, no ledger and no mirror. Rounds of both alternate; a refused call or a receipt that proves nothing ends
//! the run. Start reading at [`run`], then [`load`].

mod alone;
mod bare;
mod decided;
mod load;
mod mirrored;
pub(crate) mod soak;

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lingqu_core::Clock;
use lingqu_journal::{Figures, SystemClock};

use self::alone::Alone;
use self::bare::Bare;
use self::load::{Recording, Target};
use self::mirrored::Mirrored;
use crate::Settings;
use crate::filing::FilingFailed;
use crate::machine;
use crate::measure::{Round, median};
use crate::processor::Usages;
use crate::report::{self, Row};
use crate::verify::network::runtime;

/// The scenario's name in every row.
const SCENARIO: &str = "log";
/// The baseline's name in every row.
const BASELINE: &str = "bare-group-commit";
/// Names of the cases, and how many callers call at once.
const CASES: [(&str, Place, usize); 6] = [
    ("node-c1", Place::Alone, 1),
    ("node-c64", Place::Alone, 64),
    ("node-c512", Place::Alone, 512),
    ("mirrored-c1", Place::Mirrored, 1),
    ("mirrored-c64", Place::Mirrored, 64),
    ("mirrored-c512", Place::Mirrored, 512),
];

/// The names of the cases, as the command line takes them.
pub(crate) fn case_names() -> [&'static str; CASES.len()] {
    CASES.map(|(name, ..)| name)
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The numbers.
    pub(crate) rows: Vec<Row>,
    /// Lines for people: the machine's limits, sizes, recovery, catching up, and where the processor time went.
    pub(crate) notes: Vec<String>,
}

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// A call was not recorded or not released: numbers of the rest would say nothing.
    #[error("a call was not recorded or not released: {0}")]
    Call(String),
    /// The feed broke while it was read from the beginning.
    #[error(transparent)]
    Feed(#[from] lingqu_client::FeedBroken),
    /// Something of the network was refused.
    #[error("setting up: {0}")]
    Filing(#[from] FilingFailed),
    /// A file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The machine's limits could not be measured.
    #[error(transparent)]
    Machine(#[from] machine::Unmeasured),
    /// Something of the network could not be made or run.
    #[error(transparent)]
    Network(#[from] lingqu_demo::network::NetworkFailed),
    /// The journal does not open.
    #[error(transparent)]
    Open(#[from] lingqu_journal::OpenError),
    /// A receipt does not prove the record of the call that it answers.
    #[error("a receipt proves nothing: {0}")]
    Receipt(String),
    /// The journal's files.
    #[error(transparent)]
    Store(#[from] lingqu_journal::StoreError),
}

/// Where a case's calls are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Alone,
    Mirrored,
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
            (3, 700, 300)
        } else {
            (9, 2_000, 1_500)
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
    place: Place,
    callers: usize,
    ours: Vec<Round>,
    baseline: Vec<Round>,
    used: Usages,
    baseline_used: Usages,
    entries: u64,
    frames: u64,
    bytes: u64,
}

/// What is measured, and the threads that the callers run on.
struct Bench {
    plan: Plan,
    clock: Arc<dyn Clock>,
    callers: tokio::runtime::Runtime,
    alone: Alone,
    /// Nothing if no case asks for it.
    mirrored: Option<Mirrored>,
    bare: Bare,
}

/// Measures these cases, or all of them if none is named.
pub(crate) fn run(settings: &Settings, names: &[String]) -> Result<Measured, Failed> {
    let is_named = |name: &str| names.is_empty() || names.iter().any(|named| named == name);
    let mut cases: Vec<Case> = CASES
        .into_iter()
        .filter(|(name, ..)| is_named(name))
        .map(Case::new)
        .collect();
    let is_mirrored = cases.iter().any(|case| case.place == Place::Mirrored);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = machine::directory(settings.dir.as_deref())?;
    let mut notes = machine::limits(dir.path(), clock.as_ref())?;
    let alone = Alone::open(&dir.path().join("alone"), Arc::clone(&clock))?;
    let mirrored = is_mirrored
        .then(|| Mirrored::start(&dir.path().join("network"), Arc::clone(&clock)))
        .transpose()?;
    let callers = runtime("callers")?;
    let entry_len = callers.block_on(alone.entry_len())?;
    let bench = Bench {
        plan: Plan::of(settings),
        bare: Bare::start(&dir.path().join("bare"), entry_len)?,
        clock,
        callers,
        alone,
        mirrored,
    };
    bench.rounds(&mut cases)?;
    notes.push(String::new());
    notes.extend(cases.iter().map(Case::used));
    notes.push(String::new());
    let Bench {
        callers,
        alone,
        mirrored,
        clock,
        ..
    } = bench;
    let Recovered { entries, took, .. } = alone.recovered()?;
    notes.push(rate("recovery of a journal", entries, took));
    if let Some(mirrored) = mirrored {
        let (entries, took) = mirrored.catch_up(&callers, clock.as_ref())?;
        notes.push(rate("catching up over the feed, verified", entries, took));
        notes.push(mirrored.restarted(clock.as_ref())?.told());
    }
    let rows = cases.iter().flat_map(Case::rows).collect();
    Ok(Measured { rows, notes })
}

/// What reading a journal back took.
struct Recovered {
    entries: u64,
    took: Duration,
}

impl Bench {
    fn rounds(&self, cases: &mut [Case]) -> Result<(), Failed> {
        let bar = progress(self.plan.rounds * cases.len() * 2);
        self.ours(Place::Alone, 64, self.plan.warm_up)?;
        if self.mirrored.is_some() {
            self.ours(Place::Mirrored, 64, self.plan.warm_up)?;
        }
        self.round(&self.bare, 64, self.plan.warm_up)?;
        for round in 0..self.plan.rounds {
            for case in cases.iter_mut() {
                bar.set_message(case.name);
                // Whoever is second finds the other's writes still on their way to the disk; so they take turns.
                for turn in [round % 2, 1 - round % 2] {
                    if turn == 0 {
                        self.measure(case)?;
                    } else {
                        let used = Usages::now();
                        let baseline = self.round(&self.bare, case.callers, self.plan.round)?;
                        case.baseline_used.add(&used, &Usages::now());
                        case.baseline.push(baseline);
                    }
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn measure(&self, case: &mut Case) -> Result<(), Failed> {
        let recording = self.recording(case.place);
        let figures = || recording.journal().figures();
        let (used, stood) = (Usages::now(), figures());
        let round = self.ours(case.place, case.callers, self.plan.round)?;
        let stands = figures();
        case.used.add(&used, &Usages::now());
        case.count(&stood, &stands);
        case.ours.push(round);
        Ok(())
    }

    fn recording(&self, place: Place) -> &Recording {
        match (place, &self.mirrored) {
            (Place::Mirrored, Some(mirrored)) => mirrored.recording(),
            (Place::Mirrored, None) => unreachable!("the network runs when a case asks for it"),
            (Place::Alone, _) => self.alone.recording(),
        }
    }

    fn ours(&self, place: Place, callers: usize, time: Duration) -> Result<Round, Failed> {
        let recording = self.recording(place);
        let round = self.round(recording, callers, time)?;
        recording.check_samples()?;
        if place == Place::Alone {
            self.alone.cosign()?;
        }
        Ok(round)
    }

    fn round<T: Target>(
        &self,
        target: &T,
        callers: usize,
        time: Duration,
    ) -> Result<Round, Failed> {
        self.callers
            .block_on(load::round(target, callers, time, &self.clock))
    }
}

impl Case {
    fn new((name, place, callers): (&'static str, Place, usize)) -> Case {
        Case {
            name,
            place,
            callers,
            ours: Vec::new(),
            baseline: Vec::new(),
            used: Usages::default(),
            baseline_used: Usages::default(),
            entries: 0,
            frames: 0,
            bytes: 0,
        }
    }

    fn count(&mut self, stood: &Figures, stands: &Figures) {
        self.entries += stands.records - stood.records;
        self.frames += stands.frames - stood.frames;
        self.bytes += stands.used_bytes - stood.used_bytes;
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = report::rows(SCENARIO, self.name, BASELINE, &self.ours, &self.baseline);
        let middle =
            |of: fn(&Round) -> f64, rounds: &[Round]| median(rounds.iter().map(of).collect());
        // What the log costs a caller on top of the disk itself.
        let p50 = |round: &Round| round.percentile_us(50);
        let added = middle(p50, &self.ours) - middle(p50, &self.baseline);
        rows.push(Row::new(
            (SCENARIO, self.name, BASELINE),
            ("p50_added_us", "us"),
            added,
            0.0,
        ));
        rows.push(Row::new(
            (SCENARIO, self.name, BASELINE),
            ("bytes_per_entry", "bytes"),
            self.bytes as f64 / self.entries.max(1) as f64,
            0.0,
        ));
        rows
    }

    fn used(&self) -> String {
        let calls = |rounds: &[Round]| rounds.iter().map(Round::calls).sum();
        let per_frame = self.entries as f64 / self.frames.max(1) as f64;
        let line = format!(
            "{:<14} {per_frame:.1} entries per commit, {} bytes each; per call: {} (baseline: {})",
            self.name,
            self.bytes / self.entries.max(1),
            self.used.per_call(calls(&self.ours)),
            self.baseline_used.per_call(calls(&self.baseline))
        );
        if self.place == Place::Alone {
            return line;
        }
        let frames = usize::try_from(self.frames).unwrap_or(usize::MAX);
        format!(
            "{line}; per commit: {}",
            self.used.of(&["coordinator", "mirror"]).per_call(frames)
        )
    }
}

fn rate(what: &str, entries: u64, took: Duration) -> String {
    format!(
        "{what}: {entries} entries in {:.2} s, {:.0}/s",
        took.as_secs_f64(),
        entries as f64 / took.as_secs_f64()
    )
}

fn progress(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<14} {bar:40} {pos}/{len} {elapsed}")
        .expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}
