//! How far the mirrors are behind, in calls and in time: what terms that let answers go ahead of them are held to.

use std::collections::VecDeque;
use std::time::Duration;

use lingqu_core::Timestamp;

use crate::stream::fold::Applied;

/// Most calls that the lag counts one by one: the ceiling of `AuditTerms::Lagged::entries_max`, and one more.
const CALLS_COUNTED_MAX: u64 = 1_000_001;

/// The calls that not enough mirrors have. Denials and the node's own records never count: nobody could otherwise be
/// kept from closing the node by asking for what is refused.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    runs: VecDeque<Run>,
    calls: u64,
}

/// The calls of one frame.
#[derive(Debug)]
struct Run {
    end: u64,
    calls: u64,
    /// When the first of them was recorded, on the monotonic clock, in µs. Negative if before its beginning.
    recorded_us: i64,
}

impl Lag {
    /// Counts a frame. A call's age is taken from its recorded time once, here, and from the monotonic clock from then
    /// on; so a restart does not make an old record young.
    pub(crate) fn push(&mut self, applied: &Applied, now: (Timestamp, Duration)) {
        let Some(oldest) = applied.oldest_call else {
            return;
        };
        let age_us = now.0.0.saturating_sub(oldest.0).max(0);
        self.runs.push_back(Run {
            end: applied.end,
            calls: applied.calls,
            recorded_us: micros(now.1).saturating_sub(age_us),
        });
        self.calls += applied.calls;
        // What is left after this still exceeds every limit, so that nothing changes but the memory.
        while let Some(run) = self.runs.front()
            && self.calls - run.calls >= CALLS_COUNTED_MAX
        {
            self.calls -= run.calls;
            self.runs.pop_front();
        }
    }

    /// Enough mirrors have everything up to `size`. They cosign whole frames; after a restart of either side they may stand
    /// within one, which then counts until it is covered.
    pub(crate) fn mirrored(&mut self, size: u64) {
        while let Some(run) = self.runs.front()
            && run.end <= size
        {
            self.calls -= run.calls;
            self.runs.pop_front();
        }
    }

    /// Calls that not enough mirrors have.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// Age of the oldest of them.
    pub(crate) fn age(&self, monotonic: Duration) -> Duration {
        // Runs stand in the order of their recording, so that the first is the oldest.
        self.runs.front().map_or(Duration::ZERO, |run| {
            let age_us = micros(monotonic).saturating_sub(run.recorded_us);
            Duration::from_micros(u64::try_from(age_us).unwrap_or(0))
        })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
