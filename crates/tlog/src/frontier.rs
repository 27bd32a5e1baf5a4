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

    /// Appends leaves, given as their leaf hashes, and gives all the nodes that they complete: what a
    /// [`crate::RecentTree`] of the same leaves needs to grow by them without hashing anything again.
    pub fn grow(&mut self, leaf_hashes: Vec<Hash>) -> Growth<S> {
        let from = self.size;
        let size = from + leaf_hashes.len() as u64;
        let mut peaks = std::mem::take(&mut self.hashes);
        let mut levels = vec![leaf_hashes];
        let mut edge = Vec::new();
        loop {
            let level = levels.len() - 1;
            let new = &levels[level];
            // A subtree of this size that is there already is the left sibling of the first new one.
            let left = (from >> level & 1 == 1).then(|| {
                peaks
                    .pop()
                    .expect("one hash stands for each bit set in the size")
            });
            if new.is_empty() {
                edge.extend(left);
                break;
            }
            let mut next = Vec::with_capacity(new.len() / 2 + 1);
            let mut rest = new.as_slice();
            if let (Some(left), Some((first, after))) = (left, new.split_first()) {
                next.push(node_hash::<S>(&left, first));
                rest = after;
            }
            let pairs = rest.chunks_exact(2);
            edge.extend(pairs.remainder());
            next.extend(pairs.map(|pair| node_hash::<S>(&pair[0], &pair[1])));
            levels.push(next);
        }
        levels.pop();
        peaks.extend(edge.into_iter().rev());
        self.hashes = peaks;
        self.size = size;
        Growth {
            from,
            levels,
            suite: PhantomData,
        }
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

/// The nodes by which a tree has grown, see [`Frontier::grow`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth<S: Suite = Intl> {
    from: u64,
    /// The new complete subtrees of `2^k` leaves at `levels[k]`, from left to right.
    levels: Vec<Vec<Hash>>,
    suite: PhantomData<S>,
}

impl<S: Suite> Growth<S> {
    /// Size of the tree before.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The leaf hashes that came.
    pub fn leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn levels(&self) -> &[Vec<Hash>] {
        &self.levels
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
