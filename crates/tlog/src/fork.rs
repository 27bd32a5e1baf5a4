//! Evidence that a log shows two histories: two checkpoints of one size, both signed by the log,
//! with different roots.
//!
//! This is the only contradiction that two notes prove by themselves. Two checkpoints of different
//! sizes need the entries too: then the larger tree's proof does not exist, which only its log, or
//! an archive of it, can show.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointMalformed};
use crate::key::{KeyKind, VerifierKey};
use crate::note::{Note, NoteMalformed, NoteRefused};
use crate::suite::Suite;

const HEADER: &str = "lingqu/fork/v1\n";
/// Stands alone on a line between the two notes. Of a signed checkpoint's lines only the first could
/// look like it, and no newline is before that one.
const BETWEEN: &str = "\n----\n";

/// Two signed checkpoints that nobody has compared yet. `Display` gives the exact bytes of the
/// evidence file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// One signed checkpoint.
    pub one: String,
    /// The other.
    pub other: String,
}

impl Fork {
    /// Reads an evidence file; nothing is verified.
    ///
    /// `None` for whatever [`Fork`] would not display, byte for byte.
    pub fn parse(text: &str) -> Option<Fork> {
        let (one, other) = text.strip_prefix(HEADER)?.split_once(BETWEEN)?;
        let fork = Fork {
            one: format!("{one}\n"),
            other: other.to_owned(),
        };
        let are_notes = Note::parse(&fork.one).is_ok() && Note::parse(other).is_ok();
        are_notes.then_some(fork)
    }

    /// Verifies that `log_key` has signed both checkpoints, and that they contradict each other.
    /// Gives the size at which they do.
    ///
    /// # Errors
    /// [`NoFork`] says why this is no evidence.
    pub fn verify<S: Suite>(&self, log_key: &VerifierKey<S>) -> Result<u64, NoFork> {
        let one = signed(&self.one, log_key)?;
        let other = signed(&self.other, log_key)?;
        if one.size != other.size {
            return Err(NoFork::OtherSize);
        }
        if one.root == other.root {
            return Err(NoFork::SameRoot);
        }
        Ok(one.size)
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A note ends with the newline that the separator begins with.
        let one = self.one.strip_suffix('\n').unwrap_or(&self.one);
        write!(f, "{HEADER}{one}{BETWEEN}{}", self.other)
    }
}

fn signed<S: Suite>(note: &str, log_key: &VerifierKey<S>) -> Result<Checkpoint, NoFork> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    if log_key.kind() != KeyKind::Note || checkpoint.origin != log_key.name().as_str() {
        return Err(NoFork::OtherLog);
    }
    note.verify(std::slice::from_ref(log_key))?;
    Ok(checkpoint)
}

/// Why two notes are no evidence of a fork.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFork {
    /// A note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// One is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteMalformed),
    /// One is about another log.
    #[error("a checkpoint is about another log")]
    OtherLog,
    /// The sizes differ, which two notes alone say nothing about.
    #[error("the checkpoints are of different sizes")]
    OtherSize,
    /// Both say the same.
    #[error("both checkpoints have the same root")]
    SameRoot,
    /// One is not signed by the log.
    #[error(transparent)]
    Signature(#[from] NoteRefused),
}

#[cfg(test)]
mod tests;
