//! What the mirror has: its newest cosignature, who waits for one, and how far it is behind.
//!
//! Everything here is in memory. After a restart the mirror tells again (`stream/reconcile.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use lingqu_core::Timestamp;
use lingqu_tlog::{Checkpoint, NoteSignature};
use tokio::sync::oneshot;

use super::coverage::Coverage;
use super::fold::Applied;
use super::heads::CheckedHead;

/// Most calls that the lag counts one by one: the ceiling of `AuditTerms::Lagged::entries_max`, and one more.
const CALLS_COUNTED_MAX: u64 = 1_000_001;
/// How far the coordinator's clock and the node's may be apart.
const SKEW_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Mirror {
    pub(crate) cosigned: Option<Cosigned>,
    pub(crate) connected: bool,
    /// The coordinator's time in the newest cosignature that was not skewed.
    pub(crate) time_floor: Timestamp,
    pub(crate) skewed: bool,
    pub(crate) lag: Lag,
    /// Where the stream stands in the head log; nothing while none is followed.
    pub(crate) coverage: Option<Coverage>,
    /// Who waits for a cosignature, and who for a head that enough witnesses cosigned.
    cosignatures: Waiters,
    witnesses: Waiters,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The mirror's cosignature.
    Mirrored,
    /// A head log that covers the entry and that the pinned witnesses cosigned.
    Witnessed,
}

/// Those who wait until a number of entries has come somewhere.
#[derive(Default)]
struct Waiters {
    waiting: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    made: u64,
}

impl Waiters {
    fn wait(&mut self, index: u64) -> ((u64, u64), oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let key = (index, self.made);
        self.made += 1;
        self.waiting.insert(key, sender);
        (key, receiver)
    }

    /// Wakes those whose entry is below `size`.
    fn wake(&mut self, size: u64) {
        let waiting = self.waiting.split_off(&(size, 0));
        for (_, waiter) in std::mem::replace(&mut self.waiting, waiting) {
            // A waiter that has given up is gone.
            let _ = waiter.send(());
        }
    }
}

/// A checkpoint of ours with the node's signature and the mirror's.
pub(crate) struct Cosigned {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) signatures: Vec<NoteSignature>,
}

impl Mirror {
    /// Number of entries that the mirror has cosigned.
    pub(crate) fn size(&self) -> u64 {
        self.cosigned
            .as_ref()
            .map_or(0, |cosigned| cosigned.checkpoint.size)
    }

    /// Takes a verified cosignature in, and wakes those whose entry it covers. Never moves back.
    pub(crate) fn advance(&mut self, cosigned: Cosigned, now: Duration) {
        let size = cosigned.checkpoint.size;
        if size < self.size() {
            return;
        }
        self.cosigned = Some(cosigned);
        if let Some(coverage) = &mut self.coverage {
            coverage.cosigned(size, now);
        }
        self.lag.mirrored(size);
        self.cosignatures.wake(size);
    }

    /// Whether supervisors are shown what the mirror cosigned. A node that follows no head log cannot tell, and goes on.
    pub(crate) fn is_headed(&self, now: Duration) -> bool {
        let coverage = self.coverage.as_ref();
        coverage.is_none_or(|coverage| coverage.is_fresh(now))
    }

    /// The same for terms under which the mirror itself may be behind for so long.
    pub(crate) fn is_headed_within(&self, now: Duration, behind: Duration) -> bool {
        let coverage = self.coverage.as_ref();
        coverage.is_none_or(|coverage| coverage.is_within(now, behind))
    }

    /// Compares the clocks, with a cosignature that was made just now.
    pub(crate) fn compare_clocks(&mut self, now: Timestamp, theirs: Timestamp) {
        self.skewed = now.since(theirs).max(theirs.since(now)) > SKEW_MAX;
        if !self.skewed {
            self.time_floor = self.time_floor.max(theirs);
        }
    }

    /// Compares the clocks with a cosignature of some time ago: it can only show that ours is behind.
    pub(crate) fn compare_past(&mut self, now: Timestamp, theirs: Timestamp) {
        if theirs.since(now) > SKEW_MAX {
            self.skewed = true;
        } else {
            self.time_floor = self.time_floor.max(theirs);
        }
    }

    /// Takes a checked head in, and wakes those whose entry witnesses have cosigned with it.
    pub(crate) fn headed(&mut self, head: CheckedHead) {
        if let Some(coverage) = &mut self.coverage {
            coverage.headed(head);
        }
        let size = self.reached(Awaited::Witnessed);
        self.witnesses.wake(size);
    }

    /// The newest head that enough witnesses cosigned.
    pub(crate) fn witnessed(&self) -> Option<&CheckedHead> {
        self.coverage.as_ref()?.witnessed()
    }

    /// Whether the newest head came with enough witnesses. While it did not, no call that needs them is begun.
    pub(crate) fn is_witnessed(&self) -> bool {
        let coverage = self.coverage.as_ref();
        coverage.is_some_and(Coverage::is_witnessed)
    }

    /// Number of entries that have come so far.
    pub(crate) fn reached(&self, awaited: Awaited) -> u64 {
        match awaited {
            Awaited::Mirrored => self.size(),
            Awaited::Witnessed => self.witnessed().map_or(0, CheckedHead::covered),
        }
    }

    /// Registers a waiter for entry `index`.
    pub(crate) fn wait(
        &mut self,
        awaited: Awaited,
        index: u64,
    ) -> ((u64, u64), oneshot::Receiver<()>) {
        self.waiters_of(awaited).wait(index)
    }

    pub(crate) fn stop_waiting(&mut self, awaited: Awaited, key: (u64, u64)) {
        self.waiters_of(awaited).waiting.remove(&key);
    }

    pub(crate) fn drop_waiters(&mut self) {
        self.cosignatures.waiting.clear();
        self.witnesses.waiting.clear();
    }

    fn waiters_of(&mut self, awaited: Awaited) -> &mut Waiters {
        match awaited {
            Awaited::Mirrored => &mut self.cosignatures,
            Awaited::Witnessed => &mut self.witnesses,
        }
    }

    #[cfg(test)]
    pub(crate) fn waiters(&self) -> usize {
        self.cosignatures.waiting.len() + self.witnesses.waiting.len()
    }
}

/// The calls that the mirror does not have. Denials and the node's own records never count: nobody could otherwise be
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

    /// The mirror has everything up to `size`. It cosigns whole frames; after a restart of either side it may stand
    /// within one, which then counts until it is covered.
    pub(crate) fn mirrored(&mut self, size: u64) {
        while let Some(run) = self.runs.front()
            && run.end <= size
        {
            self.calls -= run.calls;
            self.runs.pop_front();
        }
    }

    /// Calls that the mirror does not have.
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
