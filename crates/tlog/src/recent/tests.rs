use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;
use crate::oracle::{
    NewSha256, TilesStore, consistency, entry, from_concatenated, from_tiles, leaves, mth, path,
};
use crate::proof::{verify_consistency, verify_inclusion};

fn frontier_of(leaves: &[Hash]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier
}

fn tree_with_base(leaves: &[Hash], base: usize) -> RecentTree {
    let mut tree = RecentTree::from_frontier(frontier_of(&leaves[..base]));
    leaves[base..].iter().for_each(|leaf| tree.push(*leaf));
    tree
}

/// Everything the tree can say, against the recursive definitions.
fn check_all(
    tree: &RecentTree,
    roots: &[Hash],
    paths: &[Vec<Vec<Hash>>],
    proofs: &[Vec<Vec<Hash>>],
) {
    let (base, size) = (tree.base() as usize, tree.size() as usize);
    assert_eq!(tree.root(), roots[size]);
    for known in base..=size {
        assert_eq!(
            tree.root_at(known as u64),
            Some(roots[known]),
            "root at {known}"
        );
        for (index, expected) in paths[known].iter().enumerate().skip(base) {
            let proof = tree.inclusion_proof(index as u64, known as u64).unwrap();
            assert_eq!(proof, *expected, "leaf {index} of {known}, base {base}");
        }
        for (old, expected) in proofs[known].iter().enumerate().skip(base) {
            let proof = tree.consistency_proof(old as u64, known as u64).unwrap();
            assert_eq!(proof, *expected, "{old} to {known}, base {base}");
        }
    }
}

#[test]
fn all_small_trees_with_all_bases_prove_what_the_recursive_definitions_do() {
    const SIZE: usize = 37;
    let leaves = leaves(SIZE as u64);
    let roots: Vec<_> = (0..=SIZE).map(|size| mth(&leaves[..size])).collect();
    let paths: Vec<Vec<_>> = (0..=SIZE)
        .map(|size| {
            (0..size)
                .map(|index| path(index, &leaves[..size]))
                .collect()
        })
        .collect();
    let proofs: Vec<Vec<_>> = (0..=SIZE)
        .map(|size| {
            let old = |old| {
                if old == 0 {
                    vec![]
                } else {
                    consistency(old, &leaves[..size])
                }
            };
            (0..=size).map(old).collect()
        })
        .collect();
    for base in 0..=SIZE {
        let tree = tree_with_base(&leaves, base);
        assert_eq!((tree.base(), tree.size()), (base as u64, SIZE as u64));
        check_all(&tree, &roots, &paths, &proofs);

        // Forgetting down to a base leaves the same tree as starting from it.
        let mut forgetful = tree_with_base(&leaves, base / 2);
        forgetful.forget_before(base as u64);
        assert_eq!(forgetful.base(), base as u64);
        assert_eq!(forgetful.levels, tree.levels);
    }
}

#[test]
fn a_tree_that_grew_by_what_its_frontier_grew_by_is_the_tree_of_the_leaves() {
    let leaves = leaves(70);
    for base in 0..=20 {
        for middle in base..=40 {
            let mut tree = tree_with_base(&leaves[..middle], base);
            let mut frontier = tree.frontier();
            let growth = frontier.grow(leaves[middle..].to_vec());
            assert!(tree.extend(&growth));
            assert_eq!(tree.root(), frontier.root());
            assert_eq!(tree.levels, tree_with_base(&leaves, base).levels);
            // What has been taken in does not fit a second time.
            assert!(middle == leaves.len() || !tree.extend(&growth));
            assert_eq!(tree.size(), leaves.len() as u64);
        }
    }
}

#[test]
fn proofs_that_share_their_rests_are_the_proofs_that_do_not() {
    let leaves = leaves(75);
    let mut tree = tree_with_base(&leaves, 3);
    // More sizes than are remembered, some of them asked for again, and refusals between.
    for size in [75, 70, 3, 64, 13, 75, 31, 70, 4, 75] {
        for index in 0..size + 2 {
            let proven = tree.prove_inclusion(index, size);
            assert_eq!(
                proven,
                tree.inclusion_proof(index, size),
                "{index} of {size}"
            );
        }
    }
    tree.forget_before(70);
    assert_eq!(tree.prove_inclusion(71, 75), tree.inclusion_proof(71, 75));
    assert_eq!(tree.prove_inclusion(69, 75), tree.inclusion_proof(69, 75));
}

#[test]
fn proofs_agree_with_ct_merkle_and_tlog_tiles() {
    let leaves = leaves(100);
    let tree = tree_with_base(&leaves, 0);
    let store = TilesStore::new(&leaves);
    let mut ct = MemoryBackedTree::<NewSha256, Vec<u8>>::new();
    for size in 1..=100_u64 {
        ct.push(entry(size - 1));
        let root = tree.root_at(size).unwrap();
        assert_eq!(ct.root().as_bytes().as_slice(), root.0);
        for index in (0..size).step_by(3) {
            let proof = tree.inclusion_proof(index, size).unwrap();
            let by_ct = ct.prove_inclusion(index as usize);
            assert_eq!(proof, from_concatenated(by_ct.as_bytes()));
            let by_tiles = tlog_tiles::prove_record(size, index, &store).unwrap();
            assert_eq!(proof, from_tiles(by_tiles));
        }
        for old in (1..=size).step_by(3) {
            let proof = tree.consistency_proof(old, size).unwrap();
            let by_ct = ct.prove_consistency((size - old) as usize);
            assert_eq!(proof, from_concatenated(by_ct.as_bytes()));
            let by_tiles = tlog_tiles::prove_tree(size, old, &store).unwrap();
            assert_eq!(proof, from_tiles(by_tiles));
        }
    }
}

#[test]
fn what_cannot_be_proved_is_refused() {
    let tree = tree_with_base(&leaves(20), 8);
    assert_eq!(
        tree.inclusion_proof(10, 21),
        Err(ProofError::BeyondEnd {
            wanted: 21,
            size: 20
        })
    );
    assert_eq!(
        tree.inclusion_proof(15, 15),
        Err(ProofError::OutsideTree {
            index: 15,
            size: 15
        })
    );
    assert_eq!(
        tree.inclusion_proof(7, 20),
        Err(ProofError::Forgotten { wanted: 7, base: 8 })
    );
    assert_eq!(
        tree.inclusion_proof(2, 5),
        Err(ProofError::Forgotten { wanted: 2, base: 8 })
    );
    assert_eq!(
        tree.consistency_proof(9, 21),
        Err(ProofError::BeyondEnd {
            wanted: 21,
            size: 20
        })
    );
    assert_eq!(
        tree.consistency_proof(19, 18),
        Err(ProofError::Shrinks { old: 19, new: 18 })
    );
    assert_eq!(
        tree.consistency_proof(7, 18),
        Err(ProofError::Forgotten { wanted: 7, base: 8 })
    );
    assert_eq!(
        tree.consistency_proof(0, 18),
        Err(ProofError::Forgotten { wanted: 0, base: 8 })
    );
    assert_eq!((tree.root_at(7), tree.root_at(21)), (None, None));
}

#[test]
fn memory_is_bounded_by_what_is_not_forgotten() {
    let leaves = leaves(2000);
    let mut tree: RecentTree = RecentTree::from_frontier(Frontier::new());
    for (leaf, count) in leaves.iter().zip(1_u64..) {
        tree.push(*leaf);
        tree.forget_before(count.saturating_sub(16));
        let kept: usize = tree.levels.iter().map(VecDeque::len).sum();
        assert!(
            kept <= 2 * 16 + 2 * tree.levels.len(),
            "{kept} hashes at size {count}"
        );
    }
    assert_eq!(tree.root(), mth(&leaves));
    tree.forget_before(u64::MAX);
    assert_eq!((tree.base(), tree.root()), (2000, mth(&leaves)));
    tree.forget_before(0);
    assert_eq!(tree.base(), 2000);
}

#[test]
fn a_tree_near_the_largest_size_proves() {
    let base = crate::MAX_TREE_SIZE - 3;
    let peaks = vec![Hash([7; 32]); base.count_ones() as usize];
    let frontier: Frontier = Frontier::from_parts(base, peaks).unwrap();
    let mut tree = RecentTree::from_frontier(frontier);
    let old_root = tree.root();
    let added = leaves(4);
    added.iter().for_each(|leaf| tree.push(*leaf));
    let (size, root) = (tree.size(), tree.root());
    for (leaf, index) in added.iter().zip(base..) {
        let proof = tree.inclusion_proof(index, size).unwrap();
        verify_inclusion::<Intl>(*leaf, index, size, root, &proof).unwrap();
    }
    let proof = tree.consistency_proof(base, size).unwrap();
    assert!(proof.len() <= crate::MAX_PROOF_HASHES);
    verify_consistency::<Intl>(base, size, old_root, root, &proof).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Forget(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..60_usize).prop_map(Step::Push),
        2 => (0..60_u64).prop_map(Step::Forget),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_life_of_a_tree_keeps_its_proofs(
        steps in prop::collection::vec(step(), 1..12),
        picks in prop::collection::vec(any::<[u16; 2]>(), 8),
    ) {
        let all = leaves(600);
        let mut tree: RecentTree = RecentTree::from_frontier(Frontier::new());
        for step in steps {
            match step {
                Step::Push(count) => {
                    let from = tree.size() as usize;
                    let to = (from + count).min(all.len());
                    all[from..to].iter().for_each(|leaf| tree.push(*leaf));
                }
                Step::Forget(back) => tree.forget_before(tree.size().saturating_sub(back)),
                Step::Restart => tree = RecentTree::from_frontier(tree.frontier()),
            }
        }
        let leaves = &all[..tree.size() as usize];
        prop_assert_eq!(tree.root(), mth(leaves));
        prop_assert_eq!(tree.frontier(), frontier_of(leaves));
        for [a, b] in picks {
            let span = tree.size() - tree.base();
            let low = tree.base() + u64::from(a.min(b)) % (span + 1);
            let high = low + u64::from(a.max(b)) % (tree.size() - low + 1);
            let sized = &leaves[..high as usize];
            prop_assert_eq!(tree.root_at(high), Some(mth(sized)));
            if low < high {
                prop_assert_eq!(tree.inclusion_proof(low, high).unwrap(), path(low as usize, sized));
            }
            if low > 0 {
                let expected = consistency(low as usize, sized);
                prop_assert_eq!(tree.consistency_proof(low, high).unwrap(), expected);
            }
        }
    }
}
