//! The sums over all `test result:` lines of a run.
//!
//! Each test binary reports for itself, and in a long output a number in the middle is not seen.

#[cfg(test)]
mod tests;

use std::fmt;

/// How many tests ended how.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    pub(crate) binaries: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Totals {
    /// Adds up what the test binaries in this output of `cargo test` report.
    pub(crate) fn of(output: &str) -> Self {
        let mut totals = Self::default();
        let results = output
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "));
        for result in results {
            totals.binaries += 1;
            // "ok. 3 passed; 0 failed; 1 ignored; …": a number, and what it counts.
            let counts = result.split(['.', ';']).filter_map(|part| {
                let (number, what) = part.trim().split_once(' ')?;
                Some((number.parse::<u64>().ok()?, what))
            });
            for (number, what) in counts {
                match what {
                    "passed" => totals.passed += number,
                    "failed" => totals.failed += number,
                    "ignored" => totals.ignored += number,
                    _ => {}
                }
            }
        }
        totals
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "all tests: {} passed; {} failed; {} ignored; in {} test binaries",
            self.passed, self.failed, self.ignored, self.binaries
        )
    }
}
