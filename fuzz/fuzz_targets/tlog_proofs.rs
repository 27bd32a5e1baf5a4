//! Proofs over small trees: a proof that is not the right one is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lingqu_tlog::{
    Frontier, Hash, Intl, RecentTree, leaf_hash, verify_consistency, verify_inclusion,
};

/// A tree of up to 64 leaves.
fn tree(size: u64) -> RecentTree<Intl> {
    let mut tree = RecentTree::from_frontier(Frontier::new());
    (0..size).for_each(|index| tree.push(leaf_hash::<Intl>(&index.to_be_bytes())));
    tree
}

fuzz_target!(|data: &[u8]| {
    let [size, index, hashes @ ..] = data else {
        return;
    };
    let (size, index) = (u64::from(size % 64) + 1, u64::from(*index));
    let tree = tree(size);
    // Hashes of the tree itself, in any order, are the best forgery there is.
    let honest: Vec<Hash> = (0..size)
        .flat_map(|leaf| tree.inclusion_proof(leaf, size).unwrap())
        .collect();
    let proof: Vec<Hash> = hashes
        .iter()
        .map(|pick| *honest.get(usize::from(*pick) % honest.len().max(1)).unwrap_or(&Hash([*pick; 32])))
        .collect();
    let leaf = leaf_hash::<Intl>(&index.to_be_bytes());
    if verify_inclusion::<Intl>(leaf, index, size, tree.root(), &proof).is_ok() {
        assert_eq!(proof, tree.inclusion_proof(index, size).unwrap());
    }
    if let Some(old_root) = tree.root_at(index.min(size)) {
        let old = index.min(size);
        if verify_consistency::<Intl>(old, size, old_root, tree.root(), &proof).is_ok() {
            assert_eq!(proof, tree.consistency_proof(old, size).unwrap());
        }
    }
});
