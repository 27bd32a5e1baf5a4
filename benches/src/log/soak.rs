//! Calls without a pause for a while, window by window: does the log get slower, larger in memory, or lose any?
//!
//! A batcher can work well for a minute and badly for the rest of the day, so what is compared is the end with the
//! beginning: the middle of the last quarter of the windows beside that of the first. Between windows the bare group commit
//! of the same bytes runs for a moment; what it loses is the machine's, not ours. A call that is refused ends the run, and
//! at the end the feed is read from its beginning and verified: it must have every record.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::Clock;
use lingqu_journal::SystemClock;

use super::alone::Alone;
use super::bare::Bare;
use super::mirrored::Mirrored;
use super::{Failed, Measured, load, progress, rate};
use crate::Settings;
use crate::machine;
use crate::measure::{METRICS, median};
use crate::report::Row;
use crate::verify::network::runtime;

const SCENARIO: &str = "soak";
const CASE: &str = "mirrored-c512";
/// What the end is compared with.
const BASELINE: &str = "its-own-beginning";
const CALLERS: usize = 512;

/// How long what takes. About 6 million calls, which take 6 GB of the disk.
struct Plan {
    windows: usize,
    window: Duration,
    bare: Duration,
}

impl Plan {
    fn of(settings: &Settings) -> Plan {
        let (windows, window_ms) = if settings.quick {
            (8, 1_000)
        } else {
            (32, 3_000)
        };
        Plan {
            windows,
            window: Duration::from_millis(window_ms),
            bare: Duration::from_millis(window_ms / 6),
        }
    }
}

/// One window, and how the process and the machine stood.
struct Window {
    /// By the order of [`METRICS`]. The calls themselves are not kept: their number would be taken for memory of the log.
    ours: Vec<f64>,
    bare_per_s: f64,
    resident_mb: f64,
    records: u64,
}

/// Runs it.
pub(crate) fn run(settings: &Settings) -> Result<Measured, Failed> {
    let plan = Plan::of(settings);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dir = machine::directory(settings.dir.as_deref())?;
    let callers = runtime("callers")?;
    let entry_len = {
        let alone = Alone::open(&dir.path().join("alone"), Arc::clone(&clock))?;
        callers.block_on(alone.entry_len())?
    };
    let mirrored = Mirrored::start(&dir.path().join("network"), Arc::clone(&clock))?;
    let bare = Bare::start(&dir.path().join("bare"), entry_len)?;
    let bar = progress(plan.windows);
    bar.set_message(CASE);
    let mut windows = Vec::new();
    for _ in 0..plan.windows {
        let recording = mirrored.recording();
        let ours = load::round(recording, CALLERS, plan.window, &clock);
        let ours = callers.block_on(ours)?;
        recording.check_samples()?;
        let bare = callers.block_on(load::round(&bare, CALLERS, plan.bare, &clock))?;
        windows.push(Window {
            ours: METRICS.iter().map(|(.., of)| of(&ours)).collect(),
            bare_per_s: bare.throughput_per_s(),
            resident_mb: machine::resident_mb()?,
            records: recording.journal().size(),
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let records = mirrored.recording().journal().size();
    let (entries, took) = mirrored.catch_up(&callers, clock.as_ref())?;
    let restarts = mirrored.restarted(clock.as_ref())?;
    // The coordinator's own stream is in the feed too.
    if entries < records {
        return Err(Failed::Call(format!("{entries} of {records} records")));
    }
    let mut notes = told(&windows);
    notes.push(String::new());
    notes.push(rate("catching up over the feed, verified", entries, took));
    notes.push(restarts.told());
    Ok(Measured {
        rows: rows(&windows),
        notes,
    })
}

/// The last quarter beside the first.
fn rows(windows: &[Window]) -> Vec<Row> {
    let quarter = (windows.len() / 4).max(1);
    let (first, last) = (&windows[..quarter], &windows[windows.len() - quarter..]);
    let middle =
        |of: &dyn Fn(&Window) -> f64, part: &[Window]| median(part.iter().map(of).collect());
    let row = |metric, of: &dyn Fn(&Window) -> f64| {
        let names = (SCENARIO, CASE, BASELINE);
        Row::new(names, metric, middle(of, last), middle(of, first))
    };
    let mut rows: Vec<Row> = METRICS
        .iter()
        .enumerate()
        .map(|(place, (name, unit, _))| row((*name, *unit), &|window| window.ours[place]))
        .collect();
    rows.push(row(("bare_throughput_per_s", "calls/s"), &|window| {
        window.bare_per_s
    }));
    rows.push(row(("resident_mb", "MB"), &|window| window.resident_mb));
    rows
}

/// A line for each window.
fn told(windows: &[Window]) -> Vec<String> {
    let mut lines = vec!["  records   calls/s   p50 us   p99 us   bare/s   MB".to_owned()];
    lines.extend(windows.iter().map(|window| {
        let ours = &window.ours;
        format!(
            "{:>9} {:>9.0} {:>8.0} {:>8.0} {:>8.0} {:>4.0}",
            window.records, ours[0], ours[1], ours[2], window.bare_per_s, window.resident_mb
        )
    }));
    lines
}
