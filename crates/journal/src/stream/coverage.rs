//! How far the head log is known to cover what the mirror cosigned, and since when it does not.
//!
//! A mirror that cosigns and leaves the stream out of what supervisors are shown would keep every promise but one. So
//! each cosigned size is remembered with the moment at which it was cosigned, on the monotonic clock, until a verified
//! head covers it. Everything here is in memory and bounded; what the node accepted of the head log survives in its
//! state directory and comes back through [`super::heads`].

use std::collections::VecDeque;
use std::time::Duration;

use lingqu_tlog::Checkpoint;

use super::heads::CheckedHead;

/// Cosigned sizes that are remembered one by one; later ones count as old as the last of these.
const RUNS_MAX: usize = 256;
/// Sizes that are cosigned within this part of the bound count as one, with the age of the first.
const RUNS_PER_LAG: u32 = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Coverage {
    /// Longest that a cosigned record may be missing in the head log.
    lag: Duration,
    /// The newest checkpoint of the head log that was accepted, as it was shown.
    accepted: Option<(Checkpoint, String)>,
    /// Entries of the stream that a head covers which this run was shown.
    covered: u64,
    /// Whether the present conversation has shown one.
    seen: bool,
    /// Whether any conversation of this run has.
    was_seen: bool,
    /// Whether the newest head came with the cosignatures of the pinned quorum of witnesses.
    is_witnessed: bool,
    /// The newest head that did.
    witnessed: Option<CheckedHead>,
    runs: VecDeque<Run>,
}

/// Sizes that were cosigned at about one time and that no head covers.
#[derive(Debug)]
struct Run {
    end: u64,
    since: Duration,
}

impl Coverage {
    pub(crate) fn new(lag: Duration, accepted: Option<(Checkpoint, String)>) -> Coverage {
        Coverage {
            lag,
            accepted,
            covered: 0,
            seen: false,
            was_seen: false,
            is_witnessed: false,
            witnessed: None,
            runs: VecDeque::new(),
        }
    }

    /// The mirror has cosigned `size` entries.
    pub(crate) fn cosigned(&mut self, size: u64, now: Duration) {
        if size <= self.covered {
            return;
        }
        let is_full = self.runs.len() >= RUNS_MAX;
        match self.runs.back_mut() {
            Some(run) if size <= run.end => {}
            Some(run) if is_full || now.saturating_sub(run.since) < self.lag / RUNS_PER_LAG => {
                // Older than it is, never younger.
                run.end = size;
            }
            _ => self.runs.push_back(Run {
                end: size,
                since: now,
            }),
        }
    }

    /// A checked head, under a checkpoint of the head log that extends the accepted one.
    pub(crate) fn headed(&mut self, head: CheckedHead) {
        self.accepted = Some((head.head_log().clone(), head.checkpoint().to_owned()));
        self.seen = true;
        self.was_seen = true;
        self.covered = self.covered.max(head.covered());
        self.is_witnessed = head.is_witnessed();
        if head.is_witnessed() {
            self.witnessed = Some(head);
        }
        while let Some(run) = self.runs.front()
            && run.end <= self.covered
        {
            self.runs.pop_front();
        }
    }

    /// The newest head that enough witnesses cosigned.
    pub(crate) fn witnessed(&self) -> Option<&CheckedHead> {
        self.witnessed.as_ref()
    }

    /// Whether the newest head is one of those.
    pub(crate) fn is_witnessed(&self) -> bool {
        self.is_witnessed
    }

    /// The conversation with the mirror has ended.
    pub(crate) fn interrupted(&mut self) {
        self.seen = false;
    }

    /// The newest checkpoint of the head log that was accepted, and the note that it came in.
    pub(crate) fn accepted(&self) -> Option<&(Checkpoint, String)> {
        self.accepted.as_ref()
    }

    /// Entries of the stream that the head log covers, as far as it was shown in this run.
    pub(crate) fn covered(&self) -> u64 {
        self.covered
    }

    /// For how long the oldest cosigned record that the head log does not cover has been cosigned.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        let oldest = self.runs.front();
        oldest.map_or(Duration::ZERO, |run| now.saturating_sub(run.since))
    }

    /// Whether the present conversation with the mirror has shown the stream in the head log, and nothing cosigned is
    /// missing there for too long. What an earlier one showed does not count: restarts must not add up to a blind node,
    /// and a mirror that was restored from a backup has to say so or to show what it has.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        self.seen && self.age(now) <= self.lag
    }

    /// The same while there is no conversation, for a node whose other mirrors are enough: an earlier one of this run
    /// counts, and what was cosigned since is missing for no longer than the bound.
    pub(crate) fn was_fresh(&self, now: Duration) -> bool {
        self.was_seen && self.age(now) <= self.lag
    }

    /// Whether this run was shown the stream in the head log.
    pub(crate) fn was_seen(&self) -> bool {
        self.was_seen
    }

    /// Whether nothing cosigned is missing in the head log for more than the bound and `longer`.
    pub(crate) fn is_within(&self, now: Duration, longer: Duration) -> bool {
        self.age(now) <= self.lag.saturating_add(longer)
    }
}

#[cfg(test)]
mod tests;
