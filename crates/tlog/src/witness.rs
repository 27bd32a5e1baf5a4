//! The witness protocol's bodies and its decision (C2SP tlog-witness v1.0.0), without HTTP.
//!
//! [`AddCheckpoint`] is the request, signature lines are the answer. [`judge`] says what a witness
//! must answer, given what it cosigned last; whoever serves it must call it and store its result in
//! one atomic, durable step, or two requests at once could make a witness go back.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointMalformed, MAX_TREE_SIZE};
use crate::encoding;
use crate::key::{KeyKind, VerifierKey};
use crate::merkle::empty_root;
use crate::note::{MAX_SIGNATURES, Note, NoteMalformed, NoteRefused, NoteSignature};
use crate::proof::{ProofInvalid, verify_consistency};
use crate::suite::{Hash, Suite};

/// Most proof lines of a request.
pub const MAX_WITNESS_PROOF: usize = 63;

/// Largest request that a witness needs to read, in bytes: a proof of 63 lines, and a checkpoint
/// with 64 signatures of ML-DSA's size.
pub const MAX_ADD_CHECKPOINT_BYTES: usize = 512 * 1024;

/// The content type of the size in an answer with status 409.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// A request to cosign a checkpoint. `Display` gives its exact bytes.
///
/// The same text is the proof, for people, that two checkpoints of one log are consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last, as the client believes.
    pub old_size: u64,
    /// The consistency proof from that size to the checkpoint's.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, byte for byte.
    pub checkpoint: String,
}

impl AddCheckpoint {
    /// Reads a request body.
    ///
    /// # Errors
    /// [`AddCheckpointMalformed`] for whatever [`AddCheckpoint`] would not display, byte for byte.
    pub fn parse(body: &[u8]) -> Result<AddCheckpoint, AddCheckpointMalformed> {
        if body.len() > MAX_ADD_CHECKPOINT_BYTES {
            return Err(AddCheckpointMalformed::TooLarge);
        }
        let body = std::str::from_utf8(body).map_err(|_| AddCheckpointMalformed::OldSize)?;
        let (line, mut rest) = body
            .split_once('\n')
            .ok_or(AddCheckpointMalformed::OldSize)?;
        let old_size = line
            .strip_prefix("old ")
            .and_then(encoding::from_decimal)
            .filter(|&size| size <= MAX_TREE_SIZE)
            .ok_or(AddCheckpointMalformed::OldSize)?;
        let mut proof = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(AddCheckpointMalformed::Proof)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() == MAX_WITNESS_PROOF {
                return Err(AddCheckpointMalformed::Proof);
            }
            proof.push(Hash::from_base64(line).map_err(|_| AddCheckpointMalformed::Proof)?);
        }
        Checkpoint::parse(&Note::parse(rest)?.text)?;
        Ok(AddCheckpoint {
            old_size,
            proof,
            checkpoint: rest.to_owned(),
        })
    }

    /// Verifies that the checkpoint is signed by `log_key` and extends the tree of
    /// [`AddCheckpoint::old_size`] leaves with `old_root`.
    ///
    /// # Errors
    /// [`WitnessRefused`] names the first thing that does not hold.
    pub fn verify<S: Suite>(
        &self,
        log_key: &VerifierKey<S>,
        old_root: Hash,
    ) -> Result<Checkpoint, WitnessRefused> {
        let latest = Checkpoint {
            origin: log_key.name().to_string(),
            size: self.old_size,
            root: old_root,
        };
        judge(self, std::slice::from_ref(log_key), Some(&latest))
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What a witness must do with a request, given the log's trusted keys (those whose name is the
/// origin) and the checkpoint that it cosigned last, if any.
///
/// `Ok` is the checkpoint to store and then to cosign. The order of the checks is that of the
/// specification: nothing about the log's state is told to whoever has no checkpoint signed by it.
///
/// # Errors
/// [`WitnessRefused`], with the status to answer.
pub fn judge<S: Suite>(
    request: &AddCheckpoint,
    keys: &[VerifierKey<S>],
    latest: Option<&Checkpoint>,
) -> Result<Checkpoint, WitnessRefused> {
    let note = Note::parse(&request.checkpoint)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    let of_log: Vec<VerifierKey<S>> = keys
        .iter()
        .filter(|key| key.kind() == KeyKind::Note && key.name().as_str() == checkpoint.origin)
        .cloned()
        .collect();
    if of_log.is_empty() {
        return Err(WitnessRefused::UnknownOrigin);
    }
    note.verify(&of_log)?;
    // At this point the text is the log's own.
    if request.old_size > checkpoint.size {
        return Err(WitnessRefused::OldLarger);
    }
    let (size, root) = latest.map_or((0, empty_root::<S>()), |latest| (latest.size, latest.root));
    if request.old_size != size {
        return Err(WitnessRefused::OtherSize { size });
    }
    if checkpoint.size == 0 && checkpoint.root != empty_root::<S>() {
        return Err(WitnessRefused::Inconsistent(ProofInvalid::RootMismatch));
    }
    verify_consistency::<S>(size, checkpoint.size, root, checkpoint.root, &request.proof)
        .map_err(WitnessRefused::Inconsistent)?;
    Ok(checkpoint)
}

/// The body of an answer with status 200.
pub fn encode_cosignatures(cosignatures: &[NoteSignature]) -> String {
    cosignatures
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Reads the body of an answer with status 200: signature lines, unverified.
///
/// `None` without any, or for whatever [`encode_cosignatures`] would not write.
pub fn parse_cosignatures(body: &str) -> Option<Vec<NoteSignature>> {
    let lines = body.strip_suffix('\n')?;
    let mut cosignatures = Vec::new();
    for line in lines.split('\n') {
        if cosignatures.len() == MAX_SIGNATURES {
            return None;
        }
        cosignatures.push(NoteSignature::parse(line)?);
    }
    Some(cosignatures)
}

/// The body of an answer with status 409.
pub fn encode_size(size: u64) -> String {
    format!("{size}\n")
}

/// Reads the body of an answer with status 409: the size that the witness cosigned last.
pub fn parse_size(body: &str) -> Option<u64> {
    encoding::from_decimal(body.strip_suffix('\n')?).filter(|&size| size <= MAX_TREE_SIZE)
}

/// Why bytes are not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointMalformed {
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// The checkpoint is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteMalformed),
    /// The first line is not `old` and a size.
    #[error("request does not begin with an old size")]
    OldSize,
    /// A proof line is malformed, there are more than [`MAX_WITNESS_PROOF`], or no blank line
    /// follows.
    #[error("request's proof is malformed or too long")]
    Proof,
    /// Larger than [`MAX_ADD_CHECKPOINT_BYTES`].
    #[error("request is too large")]
    TooLarge,
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefused {
    /// The checkpoint does not extend what was cosigned last. If the proof was made in earnest,
    /// the log shows two histories: both checkpoints are then the evidence.
    #[error("the checkpoint is not consistent with the one cosigned last: {0}")]
    Inconsistent(ProofInvalid),
    /// Something in the request is malformed.
    #[error("the request is malformed")]
    Malformed,
    /// The old size is larger than the checkpoint's.
    #[error("the old size is larger than the checkpoint's")]
    OldLarger,
    /// The client believes that another size was cosigned last.
    #[error("size {size} was cosigned last")]
    OtherSize {
        /// The size that was.
        size: u64,
    },
    /// No trusted key of the log has signed, or one's signature does not verify.
    #[error(transparent)]
    Signature(#[from] NoteRefused),
    /// No trusted log has this origin.
    #[error("the checkpoint's origin is not known here")]
    UnknownOrigin,
}

impl WitnessRefused {
    /// The HTTP status to answer.
    pub fn status(&self) -> u16 {
        match self {
            WitnessRefused::Inconsistent(_) => 422,
            WitnessRefused::Malformed | WitnessRefused::OldLarger => 400,
            WitnessRefused::OtherSize { .. } => 409,
            WitnessRefused::Signature(_) => 403,
            WitnessRefused::UnknownOrigin => 404,
        }
    }
}

impl From<NoteMalformed> for WitnessRefused {
    fn from(_: NoteMalformed) -> WitnessRefused {
        WitnessRefused::Malformed
    }
}

impl From<CheckpointMalformed> for WitnessRefused {
    fn from(_: CheckpointMalformed) -> WitnessRefused {
        WitnessRefused::Malformed
    }
}

#[cfg(test)]
mod tests;
