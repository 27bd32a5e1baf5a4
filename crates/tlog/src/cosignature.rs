//! Cosignatures v1 (C2SP tlog-cosignature v1.0.1): a cosigner's statement about a checkpoint.
//!
//! "As of this time, this is the largest consistent tree I have seen under this origin." The signed
//! message does not name the cosigner, so each cosigner, and each role of one operator, needs a key
//! of its own. Judging the time is the caller's task: this crate has no clock.

use crate::checkpoint::{Checkpoint, CheckpointMalformed};
use crate::key::{KeyKind, KeyName, VerifierKey, key_id};
use crate::note::NoteSignature;
use crate::suite::{Signer, Suite};

/// The latest time a cosignature can state: 2^63 - 1.
const MAX_TIME_UNIX_S: u64 = i64::MAX as u64;

/// Cosigns a checkpoint as of `time_unix_s` (Unix time in seconds).
///
/// The caller must have verified that the checkpoint is the log's own and consistent with what it
/// cosigned before, and must have stored that durably.
///
/// # Errors
/// [`CosignError`] when the text is not a checkpoint or the time cannot be stated: nothing is
/// signed then.
pub fn sign_cosignature<S: Suite>(
    checkpoint_text: &str,
    name: &KeyName,
    time_unix_s: u64,
    signer: &dyn Signer,
) -> Result<NoteSignature, CosignError> {
    Checkpoint::parse(checkpoint_text)?;
    if time_unix_s > MAX_TIME_UNIX_S {
        return Err(CosignError::Time);
    }
    let signature = signer.sign(message(checkpoint_text, time_unix_s).as_bytes());
    let id = key_id::<S>(name, KeyKind::Cosignature, signer.public_key());
    let blob = [&time_unix_s.to_be_bytes(), signature.as_slice()].concat();
    Ok(NoteSignature {
        name: name.clone(),
        id,
        blob,
    })
}

/// Verifies one cosignature of a checkpoint and gives its time (Unix time in seconds).
///
/// # Errors
/// [`CosignatureRefused`] when the signature is not this key's or does not verify.
pub fn verify_cosignature<S: Suite>(
    checkpoint_text: &str,
    key: &VerifierKey<S>,
    signature: &NoteSignature,
) -> Result<u64, CosignatureRefused> {
    let is_by_key = signature.name == *key.name() && signature.id == key.id();
    if key.kind() != KeyKind::Cosignature || !is_by_key {
        return Err(CosignatureRefused::OtherKey);
    }
    let (time, signature) = split::<S>(&signature.blob).ok_or(CosignatureRefused::Malformed)?;
    if !S::verify(
        key.public_key(),
        message(checkpoint_text, time).as_bytes(),
        signature,
    ) {
        return Err(CosignatureRefused::BadSignature);
    }
    Ok(time)
}

/// The time a cosignature states (Unix time in seconds), **not verified**: for a cosigner that
/// reads back its own, or for display. `None` when the blob does not have a cosignature's shape.
pub fn cosignature_time<S: Suite>(signature: &NoteSignature) -> Option<u64> {
    split::<S>(&signature.blob).map(|(time, _)| time)
}

/// The signed message of tlog-cosignature, "Ed25519 signed message". Its header keeps it apart
/// from every checkpoint, whose second line is a number.
fn message(checkpoint_text: &str, time_unix_s: u64) -> String {
    format!("cosignature/v1\ntime {time_unix_s}\n{checkpoint_text}")
}

/// `timestamped_signature`: a big-endian time, then the signature.
fn split<S: Suite>(blob: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = blob.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    (time <= MAX_TIME_UNIX_S && signature.len() == S::SIGNATURE_LEN).then_some((time, signature))
}

/// Why nothing was cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// The time is after 2^63 - 1.
    #[error("time is too large for a cosignature")]
    Time,
}

/// Why a cosignature is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureRefused {
    /// The signature does not verify.
    #[error("cosignature does not verify")]
    BadSignature,
    /// The blob is not a time and a signature.
    #[error("cosignature is not a time and a signature")]
    Malformed,
    /// Name, id or kind are not the key's.
    #[error("cosignature is not by this key")]
    OtherKey,
}

#[cfg(test)]
mod tests;
