//! The clock of the operating system: the one place of the workspace that reads it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lingqu_core::{Clock, Timestamp};

/// The operating system's wall clock and monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The fixed point that [`SystemClock::monotonic`] counts from: its first use in this process.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the world's time comes in; everything else takes a `Clock`"
    )]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as 1970, which is behind every recorded time and so refuses every call.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the world's time comes in; everything else takes a `Clock`"
    )]
    fn monotonic(&self) -> Duration {
        ORIGIN.get_or_init(Instant::now).elapsed()
    }
}
