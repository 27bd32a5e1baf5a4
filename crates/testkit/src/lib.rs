//! What tests of several crates need: a clock that a test sets, and streams that a test writes by hand.
//!
//! In scope: stand-ins for what the world does, without any behaviour of the product. Out of scope: builders of one
//! crate's own types; they stand in that crate's tests. Start reading at [`ManualClock`] and [`HandWritten`].

mod bad_ends;
mod hand_written;

pub use bad_ends::{BadEnd, EndPlace, EndSeeds, bad_ends};
pub use hand_written::HandWritten;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lingqu_core::{Clock, Timestamp};

/// A clock that stands where a test puts it.
#[derive(Debug)]
pub struct ManualClock {
    now_us: AtomicI64,
    monotonic_us: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `now`; its monotonic time begins at zero.
    pub fn at(now: Timestamp) -> Arc<ManualClock> {
        Arc::new(ManualClock {
            now_us: AtomicI64::new(now.0),
            monotonic_us: AtomicI64::new(0),
        })
    }

    /// Sets the wall clock, also backwards. Monotonic time does not notice.
    pub fn set(&self, now: Timestamp) {
        self.now_us.store(now.0, Ordering::SeqCst);
    }

    /// Lets time pass, on both clocks.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).expect("tests pass less than 292,000 years");
        self.now_us.fetch_add(by, Ordering::SeqCst);
        self.monotonic_us.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_us.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        let us = self.monotonic_us.load(Ordering::SeqCst);
        Duration::from_micros(us.try_into().expect("it only advances"))
    }
}
