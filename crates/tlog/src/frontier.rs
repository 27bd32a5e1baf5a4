//! The right edge of a tree: all an append needs, in at most 64 hashes.
//!
//! A tree of `size` leaves consists of one complete subtree for each bit set in `size`; their
//! roots, the largest first, are the frontier (elsewhere "compact range"). It can grow and give the
//! root, but proves nothing about single leaves: that is [`crate::RecentTree`].

use std::marker::PhantomData;

use crate::checkpoint::MAX_TREE_SIZE;
use crate::merkle::{node_hash, root_of_peaks};
use crate::suite::{Hash, Intl, Suite};

/// The complete subtrees of a tree, which determine its root and every later root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier<S: Suite = Intl> {
    size: u64,
    hashes: Vec<Hash>,
    suite: PhantomData<S>,
}

impl<S: Suite> Frontier<S> {
    /// The frontier of the empty tree.
    pub fn new() -> Frontier<S> {
        Frontier {
            size: 0,
            hashes: Vec::new(),
            suite: PhantomData,
        }
    }

    /// Restores a frontier from what [`Frontier::size`] and [`Frontier::hashes`] gave.
    ///
    /// The hashes themselves cannot be checked here: compare [`Frontier::root`] with a root you
    /// trust.
    ///
    /// # Errors
    /// [`FrontierRefused`] when the number of hashes does not belong to `size`.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Frontier<S>, FrontierRefused> {
        if size > MAX_TREE_SIZE {
            return Err(FrontierRefused::TooLarge { size });
        }
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(FrontierRefused::WrongLength {
                expected,
                got: hashes.len(),
            });
        }
        Ok(Frontier {
            size,
            hashes,
            suite: PhantomData,
        })
    }

    /// Appends one leaf, given as its leaf hash.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        // Each trailing one bit of the size is a complete subtree that the new leaf completes to
        // one of twice its size.
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .hashes
                .pop()
                .expect("one hash stands for each bit set in the size");
            hash = node_hash::<S>(&left, &hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree; for the empty tree the hash of no bytes.
    pub fn root(&self) -> Hash {
        root_of_peaks::<S>(&self.hashes)
    }

    /// The roots of the complete subtrees, the largest (leftmost) first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
}

impl<S: Suite> Default for Frontier<S> {
    fn default() -> Self {
        Frontier::new()
    }
}

/// Why a stored frontier cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierRefused {
    /// The size exceeds [`MAX_TREE_SIZE`].
    #[error("tree size {size} is larger than any tree's")]
    TooLarge {
        /// The size that was offered.
        size: u64,
    },
    /// Not one hash for each bit set in the size.
    #[error("frontier has {got} hashes instead of {expected}")]
    WrongLength {
        /// The number of bits set in the size.
        expected: usize,
        /// The number of hashes that were offered.
        got: usize,
    },
}

#[cfg(test)]
mod tests;
