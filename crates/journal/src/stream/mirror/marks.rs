//! Where batches end, so that several mirrors cosign the same checkpoints.
//!
//! A mirror cosigns the checkpoint at the end of each batch, and a receipt has one checkpoint: left to their own pace, two
//! mirrors could cosign for ever without once agreeing on a size. So the ends of batches are common property. The mirror
//! that is first to ask for more makes a mark there; the others end at the same marks, one after another, or, if they are
//! far behind, at marks of round numbers, which every mirror that is far behind comes to.

use std::collections::VecDeque;

/// Marks that are remembered. A mirror that is further behind goes by the limits of a batch until it comes near.
const MARKS_MAX: usize = 4_096;
/// Marks that a mirror may be behind and still come to each of them.
const NEAR: u64 = 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Sizes, ascending.
    ends: VecDeque<u64>,
    /// The number of the first of them.
    first: u64,
}

impl Marks {
    /// The size that a batch which begins with entry `from` should lead to, when there are `newest` entries. Never more
    /// than `newest`, and never `from` or less if there is more.
    pub(crate) fn next(&mut self, from: u64, newest: u64) -> u64 {
        let passed = self.ends.partition_point(|end| *end <= from);
        let ahead = (self.ends.len() - passed) as u64;
        if ahead == 0 {
            self.mark(newest);
            return newest;
        }
        let next = self.first + passed as u64;
        let last = next + ahead - 1;
        let chosen = if ahead <= NEAR {
            next
        } else {
            roundest(next, last)
        };
        let place = usize::try_from(chosen - self.first).unwrap_or(passed);
        self.ends.get(place).copied().unwrap_or(newest)
    }

    fn mark(&mut self, size: u64) {
        if self.ends.back().is_none_or(|last| *last < size) {
            self.ends.push_back(size);
        }
        if self.ends.len() > MARKS_MAX {
            self.ends.pop_front();
            self.first += 1;
        }
    }
}

/// The number from `first` to `last` that has most zero bits at its end.
fn roundest(first: u64, last: u64) -> u64 {
    let Some(before) = first.checked_sub(1) else {
        return 0;
    };
    // Above the highest bit in which they differ both are alike; `last` has it, and `before` does not.
    match (before ^ last).checked_ilog2() {
        Some(bit) => last >> bit << bit,
        None => last,
    }
}

#[cfg(test)]
mod tests;
