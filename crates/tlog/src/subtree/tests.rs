use proptest::prelude::*;

use super::*;
use crate::oracle::{consistency, leaves, mth, path};
use crate::proof::{verify_consistency, verify_inclusion};
use crate::suite::Intl;

/// SUBTREE_SUBPROOF of the draft, word for word.
fn subproof(start: usize, end: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if (start, end) == (0, leaves.len()) {
        return if is_known {
            Vec::new()
        } else {
            vec![mth(leaves)]
        };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if end <= k {
        (subproof(start, end, left, is_known), mth(right))
    } else if k <= start {
        (subproof(start - k, end - k, right, is_known), mth(left))
    } else {
        (subproof(0, end - k, right, false), mth(left))
    };
    proof.push(sibling);
    proof
}

fn planned(subtree: Subtree, leaves: &[Hash]) -> Vec<Hash> {
    plan(subtree, leaves.len() as u64)
        .into_iter()
        .map(|range| mth(&leaves[range.start as usize..range.end as usize]))
        .collect()
}

fn subtrees(size: u64) -> impl Iterator<Item = Subtree> {
    (0..size)
        .flat_map(move |start| (start + 1..=size).filter_map(move |end| Subtree::new(start, end)))
}

#[test]
fn every_subtree_of_small_trees_is_proven_as_the_draft_says() {
    for size in 1..=40 {
        let leaves = leaves(size);
        let root = mth(&leaves);
        for subtree in subtrees(size) {
            let (start, end) = (subtree.start as usize, subtree.end as usize);
            let proof = planned(subtree, &leaves);
            assert_eq!(
                proof,
                subproof(start, end, &leaves, true),
                "{subtree:?} of {size}"
            );
            let hash = mth(&leaves[start..end]);
            let verified = verify_subtree::<Intl>(subtree, hash, size, root, &proof);
            assert_eq!(verified, Ok(()), "{subtree:?} of {size}");
        }
    }
}

#[test]
fn inclusion_and_consistency_are_special_cases() {
    for size in 1..=40_u64 {
        let leaves = leaves(size);
        let root = mth(&leaves);
        for index in 0..size {
            let proof = planned(Subtree::new(index, index + 1).unwrap(), &leaves);
            assert_eq!(proof, path(index as usize, &leaves));
            let leaf = leaves[index as usize];
            assert!(verify_inclusion::<Intl>(leaf, index, size, root, &proof).is_ok());
            let old = index + 1;
            let proof = planned(Subtree::new(0, old).unwrap(), &leaves);
            assert_eq!(proof, consistency(old as usize, &leaves));
            let old_root = mth(&leaves[..old as usize]);
            assert!(verify_consistency::<Intl>(old, size, old_root, root, &proof).is_ok());
        }
    }
}

#[test]
fn only_nodes_of_trees_are_subtrees() {
    for (start, end) in [
        (0, 0),
        (3, 3),
        (1, 3),
        (2, 5),
        (4, 9),
        (6, 10),
        (0, MAX_TREE_SIZE + 1),
    ] {
        assert_eq!(Subtree::new(start, end), None, "{start}..{end}");
    }
    for (start, end) in [
        (0, 1),
        (5, 6),
        (4, 7),
        (8, 13),
        (256, 300),
        (0, MAX_TREE_SIZE),
    ] {
        assert!(Subtree::new(start, end).is_some(), "{start}..{end}");
    }
}

#[test]
fn an_altered_proof_is_refused() {
    for size in 1..=20 {
        let leaves = leaves(size);
        let root = mth(&leaves);
        for subtree in subtrees(size) {
            let hash = mth(&leaves[subtree.start as usize..subtree.end as usize]);
            let proof = planned(subtree, &leaves);
            let check = |hash, root, proof: &[Hash]| {
                verify_subtree::<Intl>(subtree, hash, size, root, proof)
            };
            let other = Hash([9; 32]);
            assert!(check(other, root, &proof).is_err(), "{subtree:?} of {size}");
            assert!(check(hash, other, &proof).is_err(), "{subtree:?} of {size}");
            let longer = [proof.as_slice(), &[other]].concat();
            assert!(check(hash, root, &longer).is_err(), "{subtree:?} of {size}");
            for place in 0..proof.len() {
                let mut altered = proof.clone();
                altered[place] = other;
                assert!(
                    check(hash, root, &altered).is_err(),
                    "{subtree:?} of {size}"
                );
                altered.remove(place);
                assert!(
                    check(hash, root, &altered).is_err(),
                    "{subtree:?} of {size}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn any_proof_is_judged(
        start in 0..1_u64 << 20,
        len in 1..5_u64,
        size in 0..u64::MAX,
        hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let hashes: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        if let Some(subtree) = Subtree::new(start, start + len) {
            let verified =
                verify_subtree::<Intl>(subtree, Hash([1; 32]), size, Hash([2; 32]), &hashes);
            prop_assert!(verified.is_err());
        }
    }
}
