//! Evidence that a log shows two histories: two checkpoints, both signed by the log, of which the
//! smaller is no prefix of the larger.
//!
//! Of one size, two notes prove it by themselves. Of different sizes, the larger tree's owner, or
//! whoever has an archive of it, says which root that tree has at the smaller size, and proves it
//! (`lingqu/fork/v2`); that root is another one than the log signed.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointMalformed};
use crate::key::{KeyKind, VerifierKey};
use crate::note::{Note, NoteMalformed, NoteRefused};
use crate::proof::verify_consistency;
use crate::suite::{Hash, Suite};

const HEADER: &str = "lingqu/fork/v1\n";
const HEADER_OF_BRANCH: &str = "lingqu/fork/v2\n";
/// Stands alone on a line between the two notes. Of a signed checkpoint's lines only the first could
/// look like it, and no newline is before that one.
const BETWEEN: &str = "\n----\n";
/// Most hashes of a proof: a tree has fewer than 2^63 leaves.
const PROOF_MAX: usize = 64;

/// Two signed checkpoints that nobody has compared yet. `Display` gives the exact bytes of the
/// evidence file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// One signed checkpoint; the smaller, if their sizes differ.
    pub one: String,
    /// The other.
    pub other: String,
    /// If their sizes differ: what the larger tree has at the smaller size.
    pub branch: Option<Branch>,
}

/// What a tree was at a smaller size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its root then.
    pub root: Hash,
    /// The consistency proof from then on.
    pub proof: Vec<Hash>,
}

impl Fork {
    /// Reads an evidence file; nothing is verified.
    ///
    /// `None` for whatever [`Fork`] would not display, byte for byte.
    pub fn parse(text: &str) -> Option<Fork> {
        let (branch, notes) = match text.strip_prefix(HEADER) {
            Some(notes) => (None, notes),
            None => {
                let (branch, notes) = Branch::parse(text.strip_prefix(HEADER_OF_BRANCH)?)?;
                (Some(branch), notes)
            }
        };
        let (one, other) = notes.split_once(BETWEEN)?;
        let fork = Fork {
            one: format!("{one}\n"),
            other: other.to_owned(),
            branch,
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
        let there = match &self.branch {
            None if one.size == other.size => other.root,
            Some(branch) if 0 < one.size && one.size < other.size => {
                let (sizes, roots) = ((one.size, other.size), (branch.root, other.root));
                verify_consistency::<S>(sizes.0, sizes.1, roots.0, roots.1, &branch.proof)
                    .map_err(|_| NoFork::Branch)?;
                branch.root
            }
            None | Some(_) => return Err(NoFork::OtherSize),
        };
        if one.root == there {
            return Err(NoFork::SameRoot);
        }
        Ok(one.size)
    }
}

impl Branch {
    /// The lines before the notes: the root, the proof, and an empty one.
    fn parse(text: &str) -> Option<(Branch, &str)> {
        let (lines, notes) = text.split_once("\n\n")?;
        let hashes = lines.split('\n').map(Hash::from_base64);
        let mut hashes = hashes.collect::<Result<Vec<Hash>, _>>().ok()?;
        if hashes.len() > PROOF_MAX {
            return None;
        }
        let root = hashes.remove(0);
        let proof = hashes;
        Some((Branch { root, proof }, notes))
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branch {
            None => f.write_str(HEADER)?,
            Some(branch) => {
                f.write_str(HEADER_OF_BRANCH)?;
                for hash in std::iter::once(&branch.root).chain(&branch.proof) {
                    writeln!(f, "{}", hash.to_base64())?;
                }
                f.write_str("\n")?;
            }
        }
        // A note ends with the newline that the separator begins with.
        let one = self.one.strip_suffix('\n').unwrap_or(&self.one);
        write!(f, "{one}{BETWEEN}{}", self.other)
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
    /// The larger tree is not proven to have that root at the smaller size.
    #[error("the larger tree is not proven to have that root at the smaller size")]
    Branch,
    /// A note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// One is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteMalformed),
    /// One is about another log.
    #[error("a checkpoint is about another log")]
    OtherLog,
    /// The sizes differ, which two notes alone say nothing about; or they do not fit what is said of them.
    #[error("the checkpoints are of different sizes, or not in their order")]
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
