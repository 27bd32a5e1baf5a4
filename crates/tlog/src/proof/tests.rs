use proptest::prelude::*;

use super::*;
use crate::oracle::{consistency, leaves, mth, path, to_tiles};
use crate::suite::Intl;

#[derive(Clone, Debug)]
struct Inclusion {
    leaf: Hash,
    index: u64,
    size: u64,
    root: Hash,
    proof: Vec<Hash>,
}

impl Inclusion {
    fn of(index: usize, leaves: &[Hash]) -> Inclusion {
        Inclusion {
            leaf: leaves[index],
            index: index as u64,
            size: leaves.len() as u64,
            root: mth(leaves),
            proof: path(index, leaves),
        }
    }

    fn check(&self) -> Result<(), ProofInvalid> {
        verify_inclusion::<Intl>(self.leaf, self.index, self.size, self.root, &self.proof)
    }
}

#[derive(Clone, Debug)]
struct Consistency {
    old: u64,
    new: u64,
    old_root: Hash,
    new_root: Hash,
    proof: Vec<Hash>,
}

impl Consistency {
    fn of(old: usize, leaves: &[Hash]) -> Consistency {
        Consistency {
            old: old as u64,
            new: leaves.len() as u64,
            old_root: mth(&leaves[..old]),
            new_root: mth(leaves),
            proof: consistency(old, leaves),
        }
    }

    fn check(&self) -> Result<(), ProofInvalid> {
        verify_consistency::<Intl>(
            self.old,
            self.new,
            self.old_root,
            self.new_root,
            &self.proof,
        )
    }
}

/// All ways to spoil a list of hashes by one bit, one hash too many or too few, or one swap.
fn spoiled(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for bit in 0..proof.len() * 256 {
        let mut flipped = proof.to_vec();
        flipped[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        all.push(flipped);
    }
    for position in 0..proof.len() {
        let mut dropped = proof.to_vec();
        dropped.remove(position);
        all.push(dropped);
    }
    for position in 0..=proof.len() {
        for hash in proof.iter().copied().chain([Hash([0; 32]), mth(&[])]) {
            let mut added = proof.to_vec();
            added.insert(position, hash);
            all.push(added);
        }
    }
    for first in 0..proof.len() {
        for second in first + 1..proof.len() {
            let mut swapped = proof.to_vec();
            swapped.swap(first, second);
            all.push(swapped);
        }
    }
    all
}

fn flipped_bits(hash: Hash) -> impl Iterator<Item = Hash> {
    (0..256).map(move |bit| {
        let mut flipped = hash;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn all_proofs_of_small_trees_verify() {
    let leaves = leaves(40);
    for size in 1..=leaves.len() {
        for index in 0..size {
            assert_eq!(Inclusion::of(index, &leaves[..size]).check(), Ok(()));
        }
        for old in 1..=size {
            assert_eq!(Consistency::of(old, &leaves[..size]).check(), Ok(()));
        }
    }
}

#[test]
fn every_small_change_to_an_inclusion_proof_fails() {
    let leaves = leaves(13);
    for index in [0, 3, 7, 8, 11, 12] {
        let good = Inclusion::of(index, &leaves);
        for proof in spoiled(&good.proof) {
            assert!(
                Inclusion {
                    proof,
                    ..good.clone()
                }
                .check()
                .is_err()
            );
        }
        for leaf in flipped_bits(good.leaf) {
            assert!(
                Inclusion {
                    leaf,
                    ..good.clone()
                }
                .check()
                .is_err()
            );
        }
        for root in flipped_bits(good.root) {
            assert_eq!(
                Inclusion {
                    root,
                    ..good.clone()
                }
                .check(),
                Err(ProofInvalid::RootMismatch)
            );
        }
        for other in (0..40).filter(|&other| other != good.index) {
            assert!(
                Inclusion {
                    index: other,
                    ..good.clone()
                }
                .check()
                .is_err()
            );
        }
    }
}

#[test]
fn every_small_change_to_a_consistency_proof_fails() {
    let leaves = leaves(13);
    for old in [1, 2, 4, 6, 7, 8, 12] {
        let good = Consistency::of(old, &leaves);
        for proof in spoiled(&good.proof) {
            assert!(
                Consistency {
                    proof,
                    ..good.clone()
                }
                .check()
                .is_err()
            );
        }
        for old_root in flipped_bits(good.old_root) {
            assert!(
                Consistency {
                    old_root,
                    ..good.clone()
                }
                .check()
                .is_err()
            );
        }
        for new_root in flipped_bits(good.new_root) {
            assert_eq!(
                Consistency {
                    new_root,
                    ..good.clone()
                }
                .check(),
                Err(ProofInvalid::RootMismatch)
            );
        }
        for other in (0..=14).filter(|&other| other != good.old) {
            assert!(
                Consistency {
                    old: other,
                    ..good.clone()
                }
                .check()
                .is_err(),
                "{old} {other}"
            );
        }
    }
}

#[test]
fn a_fork_has_no_consistency_proof() {
    let honest = leaves(9);
    let mut forked = honest.clone();
    forked[2] = Hash([9; 32]);
    let mut claim = Consistency::of(5, &honest);
    claim.new_root = mth(&forked);
    for proof in [consistency(5, &honest), consistency(5, &forked)] {
        claim.proof = proof;
        assert!(claim.check().is_err());
    }
}

#[test]
fn trivial_statements_have_exactly_the_empty_proof() {
    let leaves = leaves(5);
    let (root, empty, some) = (mth(&leaves), mth(&[]), vec![Hash([1; 32])]);
    let check = |old, new, old_root, new_root, proof: &[Hash]| {
        verify_consistency::<Intl>(old, new, old_root, new_root, proof)
    };
    assert_eq!(check(5, 5, root, root, &[]), Ok(()));
    assert_eq!(
        check(5, 5, root, root, &some),
        Err(ProofInvalid::WrongLength)
    );
    assert_eq!(
        check(5, 5, root, empty, &[]),
        Err(ProofInvalid::RootMismatch)
    );
    assert_eq!(check(0, 5, empty, root, &[]), Ok(()));
    assert_eq!(
        check(0, 5, empty, root, &some),
        Err(ProofInvalid::WrongLength)
    );
    assert_eq!(
        check(0, 5, root, root, &[]),
        Err(ProofInvalid::OldRootMismatch)
    );
    assert_eq!(check(0, 0, empty, empty, &[]), Ok(()));
    assert_eq!(
        check(0, 0, empty, root, &[]),
        Err(ProofInvalid::RootMismatch)
    );
    assert_eq!(check(6, 5, root, root, &[]), Err(ProofInvalid::OutsideTree));
    assert_eq!(check(3, 5, root, root, &[]), Err(ProofInvalid::WrongLength));
    let in_empty = verify_inclusion::<Intl>(root, 0, 0, empty, &[]);
    assert_eq!(in_empty, Err(ProofInvalid::OutsideTree));
}

#[test]
fn the_verdict_on_any_size_and_index_is_another_implementations() {
    let leaves = leaves(20);
    for from in 1..=20 {
        for index in 0..from {
            let mut claim = Inclusion::of(index, &leaves[..from]);
            for size in claim.index + 1..=24 {
                claim.size = size;
                let theirs = tlog_tiles::check_record(
                    &to_tiles(&claim.proof),
                    size,
                    tlog_tiles::Hash(claim.root.0),
                    claim.index,
                    tlog_tiles::Hash(claim.leaf.0),
                );
                assert_eq!(
                    claim.check().is_ok(),
                    theirs.is_ok(),
                    "{index} of {from} as of {size}"
                );
            }
        }
        for old in 1..=from {
            let mut claim = Consistency::of(old, &leaves[..from]);
            for new in claim.old..=24 {
                claim.new = new;
                let theirs = tlog_tiles::check_tree(
                    &to_tiles(&claim.proof),
                    new,
                    tlog_tiles::Hash(claim.new_root.0),
                    claim.old,
                    tlog_tiles::Hash(claim.old_root.0),
                );
                assert_eq!(
                    claim.check().is_ok(),
                    theirs.is_ok(),
                    "{old} to {from} as of {new}"
                );
            }
        }
    }
}

fn any_hashes() -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70)
}

fn any_size() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, any::<u64>(), Just(u64::MAX), Just(1 << 63)]
}

proptest! {
    #[test]
    fn made_up_proofs_never_hold_and_never_panic(
        (first, second) in (any_size(), any_size()),
        hashes in any_hashes(),
        (a, b) in (any::<[u8; 32]>(), any::<[u8; 32]>()),
    ) {
        prop_assert!(verify_inclusion::<Intl>(Hash(a), first, second, Hash(b), &hashes).is_err());
        let consistent = verify_consistency::<Intl>(first, second, Hash(a), Hash(b), &hashes);
        prop_assert!(consistent.is_err());
    }
}
