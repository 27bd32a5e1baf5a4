//! Counts, in tests only, what a lookup does: the work must not depend on the answer.

use std::cell::Cell;

/// Steps counted on this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) hmacs: usize,
    pub(crate) probes: usize,
    pub(crate) rows: usize,
}

thread_local! {
    static WORK: Cell<Work> = const { Cell::new(Work { hmacs: 0, probes: 0, rows: 0 }) };
}

/// What `work` did, and its result.
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (Work, T) {
    WORK.set(Work::default());
    let result = work();
    (WORK.get(), result)
}

pub(crate) fn count_hmac() {
    WORK.set(Work {
        hmacs: WORK.get().hmacs + 1,
        ..WORK.get()
    });
}

pub(crate) fn count_probe() {
    WORK.set(Work {
        probes: WORK.get().probes + 1,
        ..WORK.get()
    });
}

pub(crate) fn count_row() {
    WORK.set(Work {
        rows: WORK.get().rows + 1,
        ..WORK.get()
    });
}
