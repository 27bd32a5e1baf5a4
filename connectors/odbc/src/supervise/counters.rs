//! What happened at a source since the process began, for the action `lingqu.odbc.counters` and for the log.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use super::WorkError;

/// Counts. None of them says anything about a row.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counters {
    /// Workers started.
    workers_started: AtomicU64,
    /// Pieces of work that ended well.
    done: AtomicU64,
    /// … that the source or its driver reported as failed.
    failed: AtomicU64,
    /// … whose worker was gone before it was done.
    crashed: AtomicU64,
    /// … whose worker broke its protocol.
    garbage: AtomicU64,
    /// … that were killed for their time.
    timed_out: AtomicU64,
    /// … whose caller hung up or cancelled.
    cancelled: AtomicU64,
    /// … that were not begun: busy, pausing, no secret, no process.
    refused: AtomicU64,
    /// Rows handed on.
    rows: AtomicU64,
    /// Bytes of Arrow buffers handed on.
    bytes: AtomicU64,
}

impl Counters {
    pub(super) fn started(&self) {
        self.workers_started.fetch_add(1, Relaxed);
    }

    pub(super) fn handed_on(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn ended(&self, error: Option<&WorkError>) {
        let counter = match error {
            None => &self.done,
            Some(WorkError::Failed(_)) => &self.failed,
            Some(WorkError::Crashed) => &self.crashed,
            Some(WorkError::Garbage) => &self.garbage,
            Some(WorkError::TimedOut) => &self.timed_out,
            Some(WorkError::Cancelled) => &self.cancelled,
            Some(
                WorkError::BackOff
                | WorkError::Busy
                | WorkError::Connection(_)
                | WorkError::Start(_),
            ) => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
    }
}
