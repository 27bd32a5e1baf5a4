//! Pauses after failed workers: a driver that crashes at once must not be started a thousand times a second.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);

/// How many workers failed in a row, and until when none is started.
#[derive(Debug)]
pub(super) struct BackOff {
    longest: Duration,
    failed: u32,
    until: Option<Instant>,
}

impl BackOff {
    pub(super) fn new(seconds_max: u64) -> BackOff {
        BackOff {
            longest: Duration::from_secs(seconds_max),
            failed: 0,
            until: None,
        }
    }

    /// Whether nothing may be started now.
    pub(super) fn pauses(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Another worker failed.
    pub(super) fn failed(&mut self, now: Instant) {
        let pause = FIRST * 2_u32.saturating_pow(self.failed.min(16));
        self.failed = self.failed.saturating_add(1);
        self.until = Some(now + pause.min(self.longest));
    }

    /// A worker did its work.
    pub(super) fn clear(&mut self) {
        self.failed = 0;
        self.until = None;
    }
}
