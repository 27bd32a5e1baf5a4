//! Checking inclusion and consistency proofs: the loops of RFC 9162 §2.1.3.2 and §2.1.4.2.
//!
//! Everything that reaches these functions may come from an adversary. They accept exactly one
//! proof for each statement: a hash too many, too few or in another place is refused.

use crate::merkle::{empty_root, node_hash};
use crate::suite::{Hash, Suite};

/// The most hashes a proof can have in a tree of up to 2^63 - 1 leaves: one for each level, and in
/// a consistency proof one more.
pub const MAX_PROOF_HASHES: usize = 64;

/// Checks that a leaf with hash `leaf_hash` is at `index` in the tree of `size` leaves with `root`.
///
/// `size` and `root` must come from one signed checkpoint: a root alone does not fix its size, and
/// some proofs hold for neighbouring sizes too.
///
/// # Errors
/// [`ProofInvalid`] names the first thing that does not hold.
pub fn verify_inclusion<S: Suite>(
    leaf_hash: Hash,
    index: u64,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofInvalid> {
    if index >= size {
        return Err(ProofInvalid::OutsideTree);
    }
    let mut node = index;
    let mut last = size - 1;
    let mut hash = leaf_hash;
    for sibling in proof {
        if last == 0 {
            return Err(ProofInvalid::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash::<S>(sibling, &hash);
            (node, last) = skip_levels_without_sibling(node, last);
        } else {
            hash = node_hash::<S>(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofInvalid::WrongLength);
    }
    if hash != root {
        return Err(ProofInvalid::RootMismatch);
    }
    Ok(())
}

/// Checks that the tree of `old` leaves with `old_root` is a prefix of the tree of `new` leaves
/// with `new_root`.
///
/// Every tree extends the empty one: with `old` zero the proof must be empty and `old_root` the
/// empty tree's; nothing is then said about `new_root` (unless `new` is zero as well).
///
/// # Errors
/// [`ProofInvalid`] names the first thing that does not hold.
pub fn verify_consistency<S: Suite>(
    old: u64,
    new: u64,
    old_root: Hash,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofInvalid> {
    if old > new {
        return Err(ProofInvalid::OutsideTree);
    }
    if old == 0 && old_root != empty_root::<S>() {
        return Err(ProofInvalid::OldRootMismatch);
    }
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofInvalid::WrongLength);
        }
        if old == new && old_root != new_root {
            return Err(ProofInvalid::RootMismatch);
        }
        return Ok(());
    }
    // The old tree's smallest complete subtree comes first; when it is the whole old tree, the
    // proof leaves it out, since the verifier has it.
    let (first, siblings) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((first, siblings)) => (*first, siblings),
        None => return Err(ProofInvalid::WrongLength),
    };
    climb::<S>(old, new, old_root, new_root, first, siblings)
}

/// Climbs from the old tree's smallest complete subtree to both roots at once.
fn climb<S: Suite>(
    old: u64,
    new: u64,
    old_root: Hash,
    new_root: Hash,
    first: Hash,
    siblings: &[Hash],
) -> Result<(), ProofInvalid> {
    let level = old.trailing_zeros();
    let mut node = (old - 1) >> level;
    let mut last = (new - 1) >> level;
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in siblings {
        if last == 0 {
            return Err(ProofInvalid::WrongLength);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash::<S>(sibling, &old_hash);
            new_hash = node_hash::<S>(sibling, &new_hash);
            (node, last) = skip_levels_without_sibling(node, last);
        } else {
            new_hash = node_hash::<S>(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofInvalid::WrongLength);
    }
    if old_hash != old_root {
        return Err(ProofInvalid::OldRootMismatch);
    }
    if new_hash != new_root {
        return Err(ProofInvalid::RootMismatch);
    }
    Ok(())
}

/// The last node of a level has no sibling while its number is even: its parent has its hash. An
/// odd node is left where it is. `node` is not zero: it is odd, or equals `last`, which is not.
fn skip_levels_without_sibling(node: u64, last: u64) -> (u64, u64) {
    let levels = node.trailing_zeros();
    (node >> levels, last >> levels)
}

/// Why a proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofInvalid {
    /// The proof does not lead to the old root.
    #[error("proof does not lead to the old root")]
    OldRootMismatch,
    /// The leaf index, or the old size, is outside the tree.
    #[error("index or old size is outside the tree")]
    OutsideTree,
    /// The proof does not lead to the root.
    #[error("proof does not lead to the root")]
    RootMismatch,
    /// The proof has more or fewer hashes than the sizes call for.
    #[error("proof has another number of hashes than its tree calls for")]
    WrongLength,
}

#[cfg(test)]
mod tests;
