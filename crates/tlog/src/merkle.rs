//! The three hashes of an RFC 6962 §2.1 Merkle tree.
//!
//! Leaves and interior nodes are hashed under different prefixes, so that neither can be passed
//! off as the other.

use crate::suite::{Hash, Suite};

/// The hash of a leaf that holds `entry`: `H(0x00 || entry)`.
pub fn leaf_hash<S: Suite>(entry: &[u8]) -> Hash {
    S::digest(&[&[0x00], entry])
}

/// The hash of an interior node: `H(0x01 || left || right)`.
pub fn node_hash<S: Suite>(left: &Hash, right: &Hash) -> Hash {
    // In one piece: most of a tree's hashes are these, and handing over each part costs about as much as hashing it.
    let mut node = [0x01; 65];
    node[1..33].copy_from_slice(&left.0);
    node[33..].copy_from_slice(&right.0);
    S::digest(&[&node])
}

/// The root of the tree without leaves: the hash of no bytes.
pub fn empty_root<S: Suite>() -> Hash {
    S::digest(&[])
}

/// The root of a tree whose complete subtrees are `peaks`, the largest (leftmost) first.
pub(crate) fn root_of_peaks<S: Suite>(peaks: &[Hash]) -> Hash {
    let Some((last, rest)) = peaks.split_last() else {
        return empty_root::<S>();
    };
    rest.iter()
        .rev()
        .fold(*last, |right, left| node_hash::<S>(left, &right))
}

#[cfg(test)]
mod tests;
