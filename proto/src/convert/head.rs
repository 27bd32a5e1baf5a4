//! What a node is shown of the head log. Only its form is checked here; the node believes what it verifies.

use lingqu_core::head::HeadShown;
use lingqu_tlog::{Hash, MAX_TREE_SIZE};

use super::FieldInvalid;
use super::field::refuse;
use super::receipt::proof;
use crate::pb;

/// Longest leaf of a head log, in bytes: a checkpoint with two signatures takes less than a quarter of it.
const LEAF_LEN_MAX: usize = 8 << 10;
/// Longest signed checkpoint of a head log, in bytes: sixteen cosignatures of ML-DSA's size, or hundreds of Ed25519's.
pub(super) const HEAD_CHECKPOINT_LEN_MAX: usize = 64 << 10;

/// What the mirror shows of the head log.
///
/// # Errors
/// [`FieldInvalid`] names the field that is too long or has no form of its kind.
pub fn head_shown_from_pb(headed: pb::MirrorHeaded) -> Result<HeadShown, FieldInvalid> {
    if !(1..=LEAF_LEN_MAX).contains(&headed.leaf.len()) {
        return refuse("leaf", "is empty or longer than 8 KiB");
    }
    if headed.index >= MAX_TREE_SIZE {
        return refuse("index", "is larger than any index of a log");
    }
    if headed.checkpoint.len() > HEAD_CHECKPOINT_LEN_MAX {
        return refuse("checkpoint", "is longer than 64 KiB");
    }
    Ok(HeadShown {
        index: headed.index,
        proof: proof("proof", &headed.proof)?,
        consistency: proof("consistency", &headed.consistency)?,
        leaf: headed.leaf,
        checkpoint: headed.checkpoint,
    })
}

/// The same for the wire.
pub fn head_shown_to_pb(shown: HeadShown) -> pb::MirrorHeaded {
    let bytes = |hashes: Vec<Hash>| hashes.into_iter().flat_map(|hash| hash.0).collect();
    pb::MirrorHeaded {
        leaf: shown.leaf,
        index: shown.index,
        proof: bytes(shown.proof),
        checkpoint: shown.checkpoint,
        consistency: bytes(shown.consistency),
    }
}
