//! The journal in numbers, for whoever watches it. Nothing is decided by them.

use std::time::Duration;

use lingqu_tlog::Suite;

use super::Journal;
use super::coverage::Coverage;
use super::heads::CheckedHead;
use super::state::Phase;

/// Numbers of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Whether records can be made, or could be once journal and mirror were compared.
    pub open: bool,
    /// Durable records.
    pub records: u64,
    /// Records that not enough mirrors have cosigned, as far as this process knows.
    pub records_unmirrored: u64,
    /// Of these, calls: what the limits of lagging terms count.
    pub calls_unmirrored: u64,
    /// Age of the oldest of these calls; zero if there is none.
    pub oldest_unmirrored: Duration,
    /// Whether enough mirrors can be reached.
    pub mirror_connected: bool,
    /// Where the stream stands in the head log; nothing if none is followed.
    pub heads: Option<HeadFigures>,
    /// Durable frames: one write, one sync and one signature each.
    pub frames: u64,
    /// Bytes that frames take, their padding included.
    pub used_bytes: u64,
    /// Bytes that the journal takes of the disk, room for further records included.
    pub disk_bytes: u64,
}

/// How one mirror stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorFigures {
    /// Records that it has not cosigned, as far as this process knows.
    pub records_missing: u64,
    /// Whether it can be reached.
    pub connected: bool,
}

/// Where the stream stands in the head log, as far as this run was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadFigures {
    /// Records that the head log covers.
    pub covered: u64,
    /// Of these, covered by a head log that the pinned quorum of witnesses cosigned.
    pub witnessed: u64,
    /// Heads in the head log that was accepted last, in this run or an earlier one.
    pub log_size: u64,
    /// For how long the oldest cosigned record that the head log does not cover has been cosigned; zero if there is none.
    pub oldest_uncovered: Duration,
    /// Whether the present conversation has shown the stream (while there is none, an earlier one) and nothing is missing
    /// beyond the bound: calls under `Mirrored` terms may begin.
    pub fresh: bool,
}

impl HeadFigures {
    fn of(coverage: &Coverage, now: Duration, fresh: bool) -> HeadFigures {
        HeadFigures {
            covered: coverage.covered(),
            witnessed: coverage.witnessed().map_or(0, CheckedHead::covered),
            log_size: coverage.accepted().map_or(0, |(accepted, _)| accepted.size),
            oldest_uncovered: coverage.age(now),
            fresh,
        }
    }
}

impl<S: Suite> Journal<S> {
    /// The journal in numbers, now.
    pub fn figures(&self) -> Figures {
        let reader = &self.inner.reader;
        let shared = &self.inner.shared;
        let monotonic = shared.clock.monotonic();
        let state = shared.lock();
        let records = state.fold.tree.size();
        let fresh = state.mirror.is_headed(monotonic);
        Figures {
            open: matches!(state.phase, Phase::Ready | Phase::Unreconciled { .. }),
            records,
            records_unmirrored: records.saturating_sub(state.mirror.size()),
            calls_unmirrored: state.mirror.lag.calls(),
            oldest_unmirrored: state.mirror.lag.age(monotonic),
            mirror_connected: state.mirror.is_connected(),
            heads: state
                .mirror
                .coverage
                .as_ref()
                .map(|coverage| HeadFigures::of(coverage, monotonic, fresh)),
            frames: reader.frames(),
            used_bytes: reader.used_bytes(),
            disk_bytes: reader.disk_bytes(),
        }
    }

    /// The mirrors in numbers, by their places.
    pub fn mirror_figures(&self) -> Vec<MirrorFigures> {
        let state = self.inner.shared.lock();
        let records = state.fold.tree.size();
        let of = |mirror| MirrorFigures {
            records_missing: records.saturating_sub(state.mirror.size_of(mirror)),
            connected: state.mirror.reaches(mirror),
        };
        (0..state.mirror.count()).map(of).collect()
    }
}
