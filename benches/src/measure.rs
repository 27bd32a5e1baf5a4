//! Samples and what is told of them: every latency is kept and sorted, nothing is put into buckets.
//!
//! A case is measured in rounds that alternate with its baseline's, so that a machine that slows down or is used by
//! somebody else does so for both. What is reported is the median over the rounds.

use std::time::Duration;

/// What one round of one case saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Latency of each call, in microseconds; sorted.
    latencies_us: Vec<f64>,
    /// From the first call's beginning to the last one's end.
    elapsed: Duration,
}

impl Round {
    /// A round of these calls, in any order.
    pub(crate) fn new(mut latencies_us: Vec<f64>, elapsed: Duration) -> Round {
        latencies_us.sort_by(f64::total_cmp);
        Round {
            latencies_us,
            elapsed,
        }
    }

    /// Number of calls.
    pub(crate) fn calls(&self) -> usize {
        self.latencies_us.len()
    }

    /// Calls per second; 0 for a round without calls.
    pub(crate) fn throughput_per_s(&self) -> f64 {
        if self.calls() == 0 {
            return 0.0;
        }
        self.calls() as f64 / self.elapsed.as_secs_f64()
    }

    /// The smallest latency that `percent` per cent of the calls did not exceed (nearest rank), in microseconds; 0
    /// without calls.
    pub(crate) fn percentile_us(&self, percent: u32) -> f64 {
        let rank = (self.calls() * percent as usize).div_ceil(100).max(1);
        self.latencies_us.get(rank - 1).copied().unwrap_or_default()
    }
}

/// The metrics of a case, each with its name, its unit, and how it follows from a round.
pub(crate) type Metric = (&'static str, &'static str, fn(&Round) -> f64);

/// What is reported of every case.
pub(crate) const METRICS: [Metric; 3] = [
    ("throughput_per_s", "calls/s", Round::throughput_per_s),
    ("p50_us", "us", |round| round.percentile_us(50)),
    ("p99_us", "us", |round| round.percentile_us(99)),
];

/// The middle value, or the mean of the two in the middle; 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (None, _) => 0.0,
        (Some(value), 1) => *value,
        (Some(value), _) => (values[middle - 1] + value) / 2.0,
    }
}

#[cfg(test)]
mod tests;
