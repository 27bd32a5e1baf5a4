//! The balances that a stream's records lead to, for whoever has the records and no journal.
//!
//! It is the journal's own fold over the records alone: who holds an archive adds up what the node added up, and compares
//! it with what the node brought forward. The records must have been verified before; nothing of a tree is checked here.

use lingqu_core::Timestamp;
use lingqu_core::forward::Forward;
use lingqu_core::succession::{StreamBegin, StreamEnd};
use lingqu_tlog::{Intl, Suite};

use super::fold::{Fold, FoldRefused};
use super::options::JournalLimits;

/// See the module.
pub struct Refold<S: Suite = Intl> {
    fold: Fold<S>,
    differs: bool,
}

/// Records that no journal would have written one after the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the records are not a stream: {0}")]
pub struct RefoldRefused(String);

impl<S: Suite> Refold<S> {
    /// For the stream `origin`.
    pub fn new(origin: &str) -> Refold<S> {
        Refold {
            fold: Fold::new(origin, &JournalLimits::default()),
            differs: false,
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`RefoldRefused`]; nothing more is to be taken then.
    pub fn take(&mut self, entry: &[u8]) -> Result<(), RefoldRefused> {
        match self.fold.apply_entry(entry) {
            Ok(()) => Ok(()),
            // The end commits to other balances. What they are can still be compared.
            Err(FoldRefused::Forward) if self.end().is_some() => {
                self.differs = true;
                Ok(())
            }
            Err(refused) => Err(RefoldRefused(refused.to_string())),
        }
    }

    /// What the records lead to, as of the last of them.
    pub fn balances(&self) -> Forward {
        self.fold.forward(self.time())
    }

    /// Time of the last record.
    pub fn time(&self) -> Timestamp {
        self.fold.last_time
    }

    /// The first record, if the stream follows another one.
    pub fn begin(&self) -> Option<&StreamBegin> {
        self.fold.life.begin()
    }

    /// The last record, if the stream has ended.
    pub fn end(&self) -> Option<&StreamEnd> {
        self.fold.life.end()
    }

    /// Whether the stream's end commits to other balances than its records lead to.
    pub fn differs(&self) -> bool {
        self.differs
    }
}

#[cfg(test)]
mod tests;
