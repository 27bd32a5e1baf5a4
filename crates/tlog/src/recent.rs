//! A tree that remembers its recent leaves and can prove about them in bounded memory.
//!
//! Everything left of `base` is kept only as the frontier of the tree of `base` leaves. Level `k`
//! holds the roots of complete subtrees of `2^k` leaves, from node number `(base >> k) & !1` on:
//! that is exactly what any proof for leaves at or after `base` can need, because the one node it
//! adds on the left, where bit `k` of `base` is set, is the frontier's subtree of that size.

use std::collections::VecDeque;
use std::marker::PhantomData;

use crate::frontier::{Frontier, Growth};
use crate::merkle::{node_hash, root_of_peaks};
use crate::suite::{Hash, Intl, Suite};

/// A tree with its leaves from [`RecentTree::base`] on; about two hashes of memory for each.
#[derive(Clone, Debug)]
pub struct RecentTree<S: Suite = Intl> {
    base: u64,
    size: u64,
    /// `levels[k]` starts at node number `first_node(base, k)`; levels that hold nothing yet may
    /// be missing at the end.
    levels: Vec<VecDeque<Hash>>,
    /// What proofs in the trees that were asked for last share.
    rests: VecDeque<Rests>,
    suite: PhantomData<S>,
}

/// The roots of what follows the last complete subtree of each level in the tree of `size` leaves, once they were asked
/// for: all proofs of one size have them in common.
#[derive(Clone, Debug)]
struct Rests {
    size: u64,
    roots: [Option<Hash>; 64],
}

/// Sizes whose rests are remembered: a log proves to its newest checkpoint and to the newest cosigned one.
const RESTS_MAX: usize = 4;

impl<S: Suite> RecentTree<S> {
    /// The tree of which `frontier` is the right edge; nothing before it can be proved.
    pub fn from_frontier(frontier: Frontier<S>) -> RecentTree<S> {
        let base = frontier.size();
        let mut levels = vec![VecDeque::new(); bit_length(base)];
        for (level, hash) in peak_levels(base).zip(frontier.hashes()) {
            levels[level].push_back(*hash);
        }
        RecentTree {
            base,
            size: base,
            levels,
            rests: VecDeque::new(),
            suite: PhantomData,
        }
    }

    /// Grows by what a frontier of the same tree grew by, which was hashed there. `false` and no change if it is not the
    /// growth of a tree of this size. The hashes themselves are not checked: compare [`RecentTree::root`] with a root
    /// you trust.
    #[must_use]
    pub fn extend(&mut self, growth: &Growth<S>) -> bool {
        if growth.from() != self.size {
            return false;
        }
        for (level, nodes) in growth.levels().iter().enumerate() {
            self.level(level).extend(nodes);
        }
        self.size += growth.leaves().len() as u64;
        true
    }

    /// Appends one leaf, given as its leaf hash.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        let completed = self.size.trailing_ones() as usize;
        for level in 0..completed {
            let left = *self
                .level(level)
                .back()
                .expect("an odd node's left sibling is kept");
            self.level(level).push_back(hash);
            hash = node_hash::<S>(&left, &hash);
        }
        self.level(completed).push_back(hash);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The first leaf that can be proved, and the smallest size whose root is known.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Hash {
        root_of_peaks::<S>(&self.peaks(self.size))
    }

    /// The root of the tree of the first `size` leaves; `None` before the base or beyond the end.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        let known = self.base <= size && size <= self.size;
        known.then(|| root_of_peaks::<S>(&self.peaks(size)))
    }

    /// The right edge of the whole tree, from which another tree can continue.
    pub fn frontier(&self) -> Frontier<S> {
        Frontier::from_parts(self.size, self.peaks(self.size))
            .expect("a tree grown from a frontier has one peak for each bit of its size")
    }

    /// The inclusion proof of leaf `index` in the tree of the first `size` leaves (RFC 6962
    /// §2.1.1), the leaf's sibling first.
    ///
    /// # Errors
    /// [`ProofError`] when the leaf is not in that tree, is before the base, or the tree has not
    /// grown to `size`.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        self.provable(index, size)?;
        Ok(self.path(0, index, size, |level| self.rest_root(size, level)))
    }

    /// As [`RecentTree::inclusion_proof`], for whoever asks for many proofs in trees of few sizes: what they share is
    /// hashed once.
    ///
    /// # Errors
    /// As [`RecentTree::inclusion_proof`].
    pub fn prove_inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        self.provable(index, size)?;
        // Taken out, so that the tree can be read while what it remembers is filled in.
        let mut rests = std::mem::take(&mut self.rests);
        let at = rests.iter().position(|rests| rests.size == size);
        let at = at.unwrap_or_else(|| {
            rests.truncate(RESTS_MAX - 1);
            let roots = [None; 64];
            rests.push_front(Rests { size, roots });
            0
        });
        let roots = &mut rests[at].roots;
        let proof = self.path(0, index, size, |level| {
            *roots[level].get_or_insert_with(|| self.rest_root(size, level))
        });
        self.rests = rests;
        Ok(proof)
    }

    fn provable(&self, index: u64, size: u64) -> Result<(), ProofError> {
        if size > self.size {
            return Err(ProofError::BeyondEnd {
                wanted: size,
                size: self.size,
            });
        }
        if index >= size {
            return Err(ProofError::OutsideTree { index, size });
        }
        if index < self.base {
            return Err(ProofError::Forgotten {
                wanted: index,
                base: self.base,
            });
        }
        Ok(())
    }

    /// The consistency proof between the trees of the first `old` and the first `new` leaves
    /// (RFC 6962 §2.1.2). It is empty when the two are equal or `old` is zero.
    ///
    /// # Errors
    /// [`ProofError`] when `old` exceeds `new` or is before the base, or the tree has not grown
    /// to `new`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
        if new > self.size {
            return Err(ProofError::BeyondEnd {
                wanted: new,
                size: self.size,
            });
        }
        if old > new {
            return Err(ProofError::Shrinks { old, new });
        }
        if old < self.base {
            return Err(ProofError::Forgotten {
                wanted: old,
                base: self.base,
            });
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        // The proof leads from the old tree's smallest complete subtree up to the new root. The
        // verifier knows that subtree's hash only when it is the whole old tree.
        let level = old.trailing_zeros() as usize;
        let node = (old >> level) - 1;
        let mut proof = Vec::new();
        if node != 0 {
            proof.push(self.node(level, node));
        }
        proof.extend(self.path(level, node, new, |level| self.rest_root(new, level)));
        Ok(proof)
    }

    /// Gives up what only proofs before leaf `index` (or before the end, if that comes first)
    /// need. The base never moves back.
    pub fn forget_before(&mut self, index: u64) {
        let base = index.min(self.size);
        if base <= self.base {
            return;
        }
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            let dropped = first_node(base, level) - first_node(self.base, level);
            let dropped = usize::try_from(dropped)
                .expect("the base is at most the size, so that the dropped nodes are in memory");
            nodes.drain(..dropped);
            nodes.shrink_to(4 * nodes.len());
        }
        self.base = base;
    }

    /// The siblings on the way from a complete node up to the root of the tree of `size` leaves.
    /// `rest_root` gives what [`Self::rest_root`] gives.
    fn path(
        &self,
        start_level: usize,
        start_node: u64,
        size: u64,
        mut rest_root: impl FnMut(usize) -> Hash,
    ) -> Vec<Hash> {
        let mut proof = Vec::with_capacity(bit_length(size));
        let mut node = start_node;
        for level in start_level..bit_length(size) {
            let complete = size >> level;
            let sibling = node ^ 1;
            if sibling < complete {
                proof.push(self.node(level, sibling));
            } else if sibling == complete && has_rest(size, level) {
                // The right sibling is cut off by the end of the tree: its hash is the root of
                // the complete subtrees it consists of.
                proof.push(rest_root(level));
            }
            node >>= 1;
        }
        proof
    }

    /// The root of what follows the last complete subtree at `level` in the tree of `size` leaves.
    fn rest_root(&self, size: u64, level: usize) -> Hash {
        root_of_peaks::<S>(&self.rest_peaks(size, level))
    }

    /// The roots of the complete subtrees of the tree of `size` leaves, the largest first.
    fn peaks(&self, size: u64) -> Vec<Hash> {
        self.rest_peaks(size, 64)
    }

    /// Those of [`Self::peaks`] that have less than `2^below` leaves.
    fn rest_peaks(&self, size: u64, below: usize) -> Vec<Hash> {
        peak_levels(size)
            .filter(|&level| level < below)
            .map(|level| self.node(level, (size >> level) - 1))
            .collect()
    }

    /// A node that the invariant on `levels` says is there.
    fn node(&self, level: usize, number: u64) -> Hash {
        let offset = usize::try_from(number - first_node(self.base, level))
            .expect("the nodes of a level are in memory");
        self.levels[level][offset]
    }

    fn level(&mut self, level: usize) -> &mut VecDeque<Hash> {
        if level == self.levels.len() {
            self.levels.push(VecDeque::new());
        }
        &mut self.levels[level]
    }
}

/// The number of the first node that is kept at `level`.
fn first_node(base: u64, level: usize) -> u64 {
    (base >> level) & !1
}

/// Whether the tree of `size` leaves has leaves after its last complete subtree at `level`.
fn has_rest(size: u64, level: usize) -> bool {
    size & ((1 << level) - 1) != 0
}

/// The levels of the complete subtrees of a tree of `size` leaves, the largest first.
fn peak_levels(size: u64) -> impl Iterator<Item = usize> {
    (0..64).rev().filter(move |level| size >> level & 1 == 1)
}

/// The number of levels below the root, counting the leaves' own; zero for the empty tree.
fn bit_length(size: u64) -> usize {
    (u64::BITS - size.leading_zeros()) as usize
}

/// Why a proof was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has fewer leaves than the proof was asked for.
    #[error("tree has {size} leaves, not {wanted}")]
    BeyondEnd {
        /// The size the proof was asked for.
        wanted: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The tree no longer holds what the proof needs.
    #[error("leaf or size {wanted} is before the base {base}")]
    Forgotten {
        /// The leaf index or the old size the proof was asked for.
        wanted: u64,
        /// The first leaf, and the smallest size, the tree can still prove.
        base: u64,
    },
    /// The leaf is not among the first `size` leaves.
    #[error("leaf {index} is outside a tree of {size} leaves")]
    OutsideTree {
        /// The leaf's index.
        index: u64,
        /// The size of the tree the proof was asked for.
        size: u64,
    },
    /// The old size is larger than the new one.
    #[error("old size {old} is larger than new size {new}")]
    Shrinks {
        /// The old size.
        old: u64,
        /// The new size.
        new: u64,
    },
}

#[cfg(test)]
mod tests;
