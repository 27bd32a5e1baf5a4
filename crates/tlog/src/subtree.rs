//! Subtrees and their proofs (draft-ietf-plants-merkle-tree-certs, "Subtrees"), as tlog-mirror
//! uses them; inclusion and consistency proofs are their two special cases.
//!
//! A subtree `[start, end)` is one node of some tree with that prefix: `start` is a multiple of
//! the smallest power of two that is at least `end - start`. Making a proof is planned here in
//! terms of complete nodes, so that a tree in tiles and one in memory follow the same plan.

use crate::checkpoint::MAX_TREE_SIZE;
use crate::merkle::node_hash;
use crate::proof::ProofInvalid;
use crate::suite::{Hash, Suite};

/// A complete node: the root of the `2^level` leaves from `number * 2^level` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) level: u32,
    pub(crate) number: u64,
}

/// A range of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    start: u64,
    end: u64,
}

impl Subtree {
    /// The subtree of the leaves `[start, end)`; `None` unless it is a node of some tree of at
    /// most [`MAX_TREE_SIZE`] leaves. An empty range is no subtree.
    pub fn new(start: u64, end: u64) -> Option<Subtree> {
        if start >= end || end > MAX_TREE_SIZE {
            return None;
        }
        let span = (end - start).next_power_of_two();
        start.is_multiple_of(span).then_some(Subtree { start, end })
    }

    /// The first leaf.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The leaf after the last.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The complete nodes that it consists of, the largest first.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let size = self.end - self.start;
        (0..u64::BITS)
            .rev()
            .filter(|level| size >> level & 1 == 1)
            .map(|level| Node {
                level,
                // What is right of the largest subtrees before this one.
                number: (self.start >> level) + ((size >> level) - 1),
            })
            .collect()
    }
}

/// The ranges whose roots make the proof that `subtree` is in the tree of `size` leaves, in the
/// proof's order. `subtree.end() <= size`.
///
/// This is SUBTREE_PROOF of the draft, from the root down, turned around at the end.
pub(crate) fn plan(subtree: Subtree, size: u64) -> Vec<Subtree> {
    let mut plan = Vec::new();
    let (mut start, mut end) = (0, size);
    // Whether the verifier has the root of what is left: only while the subtree itself is whole.
    let mut is_known = true;
    let mut target = subtree;
    while (target.start, target.end) != (start, end) {
        let middle = start + (end - start).next_power_of_two() / 2;
        let left = Subtree { start, end: middle };
        let right = Subtree { start: middle, end };
        if target.end <= middle {
            plan.push(right);
            end = middle;
        } else {
            plan.push(left);
            if target.start < middle {
                // The subtree is cut in two here: its left half is whole, the rest is not known.
                is_known = false;
                target.start = middle;
            }
            start = middle;
        }
    }
    if !is_known {
        plan.push(target);
    }
    plan.reverse();
    plan
}

/// Checks that `subtree` with root `hash` is part of the tree of `size` leaves with `root`.
///
/// # Errors
/// [`ProofInvalid`] names the first thing that does not hold; [`ProofInvalid::OldRootMismatch`]
/// when the proof does not lead to `hash`.
pub fn verify_subtree<S: Suite>(
    subtree: Subtree,
    hash: Hash,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofInvalid> {
    if subtree.end > size {
        return Err(ProofInvalid::OutsideTree);
    }
    let (mut first, mut second, mut last) = (subtree.start, subtree.end - 1, size - 1);
    // Up to the subtree's lowest complete piece that the proof begins with: all of the subtree
    // when it is complete, or when both end at the same leaf.
    while first != second && (second == last || second & 1 == 1) {
        (first, second, last) = (first >> 1, second >> 1, last >> 1);
    }
    let (begin, siblings) = match proof.split_first() {
        _ if first == second => (hash, proof),
        Some((begin, siblings)) => (*begin, siblings),
        None => return Err(ProofInvalid::WrongLength),
    };
    let (mut subtree_hash, mut tree_hash) = (begin, begin);
    for sibling in siblings {
        if last == 0 {
            return Err(ProofInvalid::WrongLength);
        }
        if second & 1 == 1 || second == last {
            if first < second {
                subtree_hash = node_hash::<S>(sibling, &subtree_hash);
            }
            tree_hash = node_hash::<S>(sibling, &tree_hash);
            // An even last node has no sibling on its level: its parent has its hash.
            let levels = second.trailing_zeros();
            (first, second, last) = (first >> levels, second >> levels, last >> levels);
        } else {
            tree_hash = node_hash::<S>(&tree_hash, sibling);
        }
        (first, second, last) = (first >> 1, second >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofInvalid::WrongLength);
    }
    if subtree_hash != hash {
        return Err(ProofInvalid::OldRootMismatch);
    }
    if tree_hash != root {
        return Err(ProofInvalid::RootMismatch);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
