//! A tree in tiles: made by [`TileBuilder`] while leaves arrive, read by [`TileTree`].
//!
//! Neither knows where tiles lie. The builder hands out each full tile once and the partial ones
//! when asked; the reader asks for the tiles that a root or proof needs, at most a few for each
//! level. A reader believes nothing: what it computes from wrong tiles does not verify.

use std::collections::HashMap;
use std::marker::PhantomData;

use crate::merkle::{empty_root, node_hash, root_of_peaks};
use crate::recent::ProofError;
use crate::subtree::{Node, Subtree, plan};
use crate::suite::{Hash, Intl, Suite};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileKind};

/// Makes the hash tiles of a growing tree. Keeps less than 256 hashes for each of eight levels.
#[derive(Clone, Debug)]
pub struct TileBuilder<S: Suite = Intl> {
    size: u64,
    /// The hashes of each level's last tile, which is not full.
    levels: Vec<Vec<Hash>>,
    suite: PhantomData<S>,
}

impl<S: Suite> TileBuilder<S> {
    /// The empty tree.
    pub fn new() -> TileBuilder<S> {
        TileBuilder {
            size: 0,
            levels: Vec::new(),
            suite: PhantomData,
        }
    }

    /// Appends a leaf, given as its leaf hash, and gives the tiles that it completes, from level 0
    /// upwards.
    pub fn push(&mut self, leaf_hash: Hash) -> Vec<(Tile, Vec<Hash>)> {
        let mut completed = Vec::new();
        let mut hash = leaf_hash;
        self.size += 1;
        for level in 0..8_u8 {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(hashes);
            hash = complete_root::<S>(hashes.clone());
            let index = (self.size >> (TILE_HEIGHT * (u32::from(level) + 1))) - 1;
            let tile = Tile::new(TileKind::Hashes { level }, index, TILE_WIDTH)
                .expect("a tree of this size has the tile that its last leaf completed");
            completed.push((tile, hashes));
        }
        completed
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The partial tiles of the tree as it is now, from level 0 upwards.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        self.levels.iter().zip(0..).filter_map(|(hashes, level)| {
            let index = self.size >> (TILE_HEIGHT * (u32::from(level) + 1));
            let width = hashes.len() as u64;
            let tile = Tile::new(TileKind::Hashes { level }, index, width)?;
            Some((tile, hashes.as_slice()))
        })
    }

    /// The root of the tree as it is now.
    pub fn root(&self) -> Hash {
        // The partial tiles are the tree's right edge: each consists of complete subtrees.
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let (first, after) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(complete_root::<S>(first.to_vec()));
                rest = after;
            }
        }
        root_of_peaks::<S>(&peaks)
    }
}

impl<S: Suite> Default for TileBuilder<S> {
    fn default() -> Self {
        TileBuilder::new()
    }
}

/// The tree of `size` leaves, read through `read`, which gives the hashes of one tile, exactly as
/// many as the tile is wide.
pub struct TileTree<R, S: Suite = Intl> {
    size: u64,
    read: R,
    /// The tiles that this proof or root has read so far.
    seen: HashMap<Tile, Vec<Hash>>,
    suite: PhantomData<S>,
}

/// Why something was not computed from tiles.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileTreeError<E> {
    /// Nothing of this kind is in the tree.
    #[error(transparent)]
    Proof(ProofError),
    /// A tile could not be read.
    #[error("{0}")]
    Read(E),
    /// A tile does not have as many hashes as it is wide.
    #[error("`{0}` has another width than it must")]
    Width(Tile),
}

impl<S: Suite, E, R: FnMut(Tile) -> Result<Vec<Hash>, E>> TileTree<R, S> {
    /// The tree of `size` leaves; tiles are asked for as wide as this tree has them.
    pub fn new(size: u64, read: R) -> TileTree<R, S> {
        TileTree {
            size,
            read,
            seen: HashMap::new(),
            suite: PhantomData,
        }
    }

    /// The root of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`TileTreeError`].
    pub fn root_at(&mut self, size: u64) -> Result<Hash, TileTreeError<E>> {
        self.check_size(size)?;
        self.seen.clear();
        match Subtree::new(0, size) {
            Some(whole) => self.subtree_root(whole),
            None => Ok(empty_root::<S>()),
        }
    }

    /// The inclusion proof of leaf `index` in the tree of the first `size` leaves (RFC 6962
    /// §2.1.1), the leaf's sibling first.
    ///
    /// # Errors
    /// [`TileTreeError`].
    pub fn inclusion_proof(
        &mut self,
        index: u64,
        size: u64,
    ) -> Result<Vec<Hash>, TileTreeError<E>> {
        let outside = ProofError::OutsideTree { index, size };
        if index >= size {
            return Err(TileTreeError::Proof(outside));
        }
        let leaf = Subtree::new(index, index + 1).ok_or(TileTreeError::Proof(outside))?;
        self.subtree_proof(leaf, size)
    }

    /// The consistency proof between the trees of the first `old` and the first `new` leaves (RFC
    /// 6962 §2.1.2). It is empty when the two are equal or `old` is zero.
    ///
    /// # Errors
    /// [`TileTreeError`].
    pub fn consistency_proof(&mut self, old: u64, new: u64) -> Result<Vec<Hash>, TileTreeError<E>> {
        self.check_size(new)?;
        if old > new {
            return Err(TileTreeError::Proof(ProofError::Shrinks { old, new }));
        }
        match Subtree::new(0, old) {
            Some(whole) => self.subtree_proof(whole, new),
            None => Ok(Vec::new()),
        }
    }

    /// The proof that `subtree` is part of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`TileTreeError`].
    pub fn subtree_proof(
        &mut self,
        subtree: Subtree,
        size: u64,
    ) -> Result<Vec<Hash>, TileTreeError<E>> {
        self.check_size(size)?;
        if subtree.end() > size {
            let index = subtree.end() - 1;
            return Err(TileTreeError::Proof(ProofError::OutsideTree {
                index,
                size,
            }));
        }
        self.seen.clear();
        plan(subtree, size)
            .into_iter()
            .map(|range| self.subtree_root(range))
            .collect()
    }

    fn check_size(&self, wanted: u64) -> Result<(), TileTreeError<E>> {
        let size = self.size;
        if wanted > size {
            return Err(TileTreeError::Proof(ProofError::BeyondEnd { wanted, size }));
        }
        Ok(())
    }

    fn subtree_root(&mut self, subtree: Subtree) -> Result<Hash, TileTreeError<E>> {
        let nodes = subtree.nodes().into_iter().map(|node| self.node(node));
        let peaks = nodes.collect::<Result<Vec<_>, _>>()?;
        Ok(root_of_peaks::<S>(&peaks))
    }

    /// A complete node, from the tile level at or just below it.
    fn node(&mut self, node: Node) -> Result<Hash, TileTreeError<E>> {
        let level = u8::try_from(node.level / TILE_HEIGHT).expect("a tree has at most 63 levels");
        let below = node.level % TILE_HEIGHT;
        let first = node.number << below;
        let (index, offset) = (first / TILE_WIDTH, first % TILE_WIDTH);
        let tile = Tile::of_tree(TileKind::Hashes { level }, index, self.size)
            .expect("a complete node of the tree lies in one of its tiles");
        let offset = usize::try_from(offset).expect("an offset is below 256");
        if !self.seen.contains_key(&tile) {
            let hashes = (self.read)(tile).map_err(TileTreeError::Read)?;
            if hashes.len() as u64 != tile.width() {
                return Err(TileTreeError::Width(tile));
            }
            self.seen.insert(tile, hashes);
        }
        let hashes = &self.seen[&tile][offset..offset + (1 << below)];
        Ok(complete_root::<S>(hashes.to_vec()))
    }
}

/// The root over a power of two of hashes.
fn complete_root<S: Suite>(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        hashes = hashes
            .chunks(2)
            .map(|pair| node_hash::<S>(&pair[0], &pair[1]))
            .collect();
    }
    hashes[0]
}

#[cfg(test)]
mod tests;
