//! Receipts. Only their form is checked here; what they prove, `Receipt::verify` says.

use lingqu_core::Timestamp;
use lingqu_core::receipt::{HeadProof, Level, Receipt};
use lingqu_core::record::RECORD_LEN_MAX;
use lingqu_tlog::{Checkpoint, Hash, KeyName, MAX_PROOF_HASHES, MAX_SIGNATURES, MAX_TREE_SIZE};

use super::FieldInvalid;
use super::field::{digest, parse, refuse};
use super::head::HEAD_CHECKPOINT_LEN_MAX;
use super::note::{note_signature_from_pb, note_signature_to_pb};
use crate::pb;

/// The level with this number.
///
/// # Errors
/// [`FieldInvalid`] for `AUDIT_LEVEL_UNSPECIFIED` and unknown numbers.
pub fn level_from_pb(number: i32) -> Result<Level, FieldInvalid> {
    match pb::AuditLevel::try_from(number) {
        Ok(pb::AuditLevel::Local) => Ok(Level::Local),
        Ok(pb::AuditLevel::Mirrored) => Ok(Level::Mirrored),
        Ok(pb::AuditLevel::Witnessed) => Ok(Level::Witnessed),
        Ok(pb::AuditLevel::Unspecified) | Err(_) => refuse("level", "is unspecified or unknown"),
    }
}

/// The level for the wire.
pub fn level_to_pb(level: Level) -> pb::AuditLevel {
    match level {
        Level::Local => pb::AuditLevel::Local,
        Level::Mirrored => pb::AuditLevel::Mirrored,
        Level::Witnessed => pb::AuditLevel::Witnessed,
    }
}

/// A receipt and the level that the node says it has; believe the level that `Receipt::verify` finds.
///
/// # Errors
/// [`FieldInvalid`] names the field.
pub fn receipt_from_pb(receipt: &pb::Receipt) -> Result<(Receipt, Level), FieldInvalid> {
    let level = level_from_pb(receipt.level)?;
    if !(1..=RECORD_LEN_MAX).contains(&receipt.entry.len()) {
        return refuse("entry", "is empty or longer than a record can be");
    }
    if receipt.tree_size > MAX_TREE_SIZE || receipt.index >= receipt.tree_size {
        return refuse("tree_size", "is too large or not above `index`");
    }
    if receipt.signatures.len() > MAX_SIGNATURES {
        return refuse("signatures", "has more than 64 entries");
    }
    let checkpoint = Checkpoint {
        origin: parse::<KeyName>("origin", &receipt.origin)?.to_string(),
        size: receipt.tree_size,
        root: digest("root", &receipt.root)?,
    };
    let read = Receipt {
        entry: receipt.entry.clone(),
        index: receipt.index,
        proof: proof("proof", &receipt.proof)?,
        checkpoint,
        signatures: receipt
            .signatures
            .iter()
            .map(note_signature_from_pb)
            .collect::<Result<_, _>>()?,
        head: receipt.head.as_ref().map(head_from_pb).transpose()?,
    };
    Ok((read, level))
}

/// The receipt for the wire.
pub fn receipt_to_pb(receipt: &Receipt, level: Level) -> pb::Receipt {
    pb::Receipt {
        level: level_to_pb(level).into(),
        origin: receipt.checkpoint.origin.clone(),
        index: receipt.index,
        entry: receipt.entry.clone(),
        proof: receipt.proof.iter().flat_map(|hash| hash.0).collect(),
        tree_size: receipt.checkpoint.size,
        root: receipt.checkpoint.root.0.to_vec(),
        signatures: receipt
            .signatures
            .iter()
            .map(note_signature_to_pb)
            .collect(),
        head: receipt.head.as_ref().map(head_to_pb),
    }
}

fn head_from_pb(head: &pb::HeadProof) -> Result<HeadProof, FieldInvalid> {
    if head.index >= MAX_TREE_SIZE {
        return refuse("head.index", "is larger than any index of a log");
    }
    if head.checkpoint.len() > HEAD_CHECKPOINT_LEN_MAX {
        return refuse("head.checkpoint", "is longer than 64 KiB");
    }
    Ok(HeadProof {
        received: Timestamp(head.received_us),
        index: head.index,
        proof: proof("head.proof", &head.proof)?,
        checkpoint: head.checkpoint.clone(),
    })
}

fn head_to_pb(head: &HeadProof) -> pb::HeadProof {
    pb::HeadProof {
        received_us: head.received.0,
        index: head.index,
        proof: head.proof.iter().flat_map(|hash| hash.0).collect(),
        checkpoint: head.checkpoint.clone(),
    }
}

pub(super) fn proof(field: &'static str, bytes: &[u8]) -> Result<Vec<Hash>, FieldInvalid> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() > MAX_PROOF_HASHES {
        return refuse(field, "is not a sequence of at most 64 hashes of 32 bytes");
    }
    Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
}
