//! What is printed: one row per case and metric, as JSON for programs or as a table for people.
//!
//! The fields of a row are part of the stable surface: other programs read them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::measure::{METRICS, Round, median};

/// One metric of one case, ours beside the baseline's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// The scenario, as it is named on the command line.
    pub(crate) scenario: &'static str,
    /// The case within it.
    pub(crate) case: &'static str,
    /// The metric; its unit is the last part of its name.
    pub(crate) metric: &'static str,
    /// The unit for people.
    pub(crate) unit: &'static str,
    /// Ours: the median over the rounds.
    pub(crate) ours: f64,
    /// What it is compared with.
    pub(crate) baseline_name: &'static str,
    /// The baseline's: the median over the rounds.
    pub(crate) baseline: f64,
    /// `ours / baseline`: for throughput more is better, for latency less. 0 when the baseline is.
    pub(crate) ratio: f64,
}

impl Row {
    /// A row from the names of scenario, case and baseline, the metric with its unit, and both numbers.
    pub(crate) fn new(
        (scenario, case, baseline_name): (&'static str, &'static str, &'static str),
        (metric, unit): (&'static str, &'static str),
        ours: f64,
        baseline: f64,
    ) -> Row {
        let ratio = if baseline > 0.0 { ours / baseline } else { 0.0 };
        Row {
            scenario,
            case,
            metric,
            unit,
            ours: rounded(ours, 10.0),
            baseline_name,
            baseline: rounded(baseline, 10.0),
            ratio: rounded(ratio, 1_000.0),
        }
    }
}

/// The rows of one case from its rounds.
pub(crate) fn rows(
    scenario: &'static str,
    case: &'static str,
    baseline_name: &'static str,
    ours: &[Round],
    baseline: &[Round],
) -> Vec<Row> {
    let middle = |rounds: &[Round], of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    METRICS
        .iter()
        .map(|&(metric, unit, of)| {
            Row::new(
                (scenario, case, baseline_name),
                (metric, unit),
                middle(ours, of),
                middle(baseline, of),
            )
        })
        .collect()
}

fn rounded(value: f64, per_one: f64) -> f64 {
    (value * per_one).round() / per_one
}

/// One JSON list of all rows.
pub(crate) fn json(rows: &[Row]) -> String {
    serde_json::to_string_pretty(rows).expect("rows are text and finite numbers")
}

/// The ratio first: it says more than the absolute numbers, which are of one machine on one day.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<13} {:<17} {:>7} {:>12} {:>12}  {:<8} baseline\n",
        "case", "metric", "ratio", "ours", "baseline", "unit"
    );
    for row in rows {
        writeln!(
            text,
            "{:<13} {:<17} {:>7.3} {:>12.1} {:>12.1}  {:<8} {}",
            row.case, row.metric, row.ratio, row.ours, row.baseline, row.unit, row.baseline_name
        )
        .expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests;
