use super::*;
use crate::key::KeyName;
use crate::note::sign_note;
use crate::oracle::signer;
use crate::suite::{Hash, Intl, Signer};
use crate::{Frontier, RecentTree, leaf_hash};

fn key(origin: &str) -> VerifierKey<Intl> {
    VerifierKey::note(KeyName::parse(origin).unwrap(), signer(1).public_key()).unwrap()
}

fn signed(origin: &str, size: u64, root: u8, by: u8) -> String {
    let root = Hash([root; 32]);
    let text = Checkpoint {
        origin: origin.to_owned(),
        size,
        root,
    }
    .to_text();
    let name = KeyName::parse(origin).unwrap();
    let signature = sign_note::<Intl>(&text, &name, &signer(by)).unwrap();
    Note {
        text,
        signatures: vec![signature],
    }
    .to_string()
}

fn fork(one: String, other: String) -> Fork {
    Fork {
        one,
        other,
        branch: None,
    }
}

#[test]
fn two_roots_of_one_size_are_evidence_that_reads_back() {
    for origin in ["log.example/h/45", "----", "x----"] {
        let fork = fork(signed(origin, 7, 1, 1), signed(origin, 7, 2, 1));
        let text = fork.to_string();
        assert_eq!(Fork::parse(&text), Some(fork.clone()));
        assert_eq!(fork.verify(&key(origin)), Ok(7));
        assert_eq!(Fork::parse(&text[..text.len() - 1]), None);
        assert_eq!(Fork::parse(&format!("{text}\n")), None);
    }
}

#[test]
fn nobody_can_be_accused_with_less() {
    let origin = "log.example/h/45";
    let (one, other) = (signed(origin, 7, 1, 1), signed(origin, 7, 2, 1));
    let refused = |one: &str, other: &str| {
        fork(one.to_owned(), other.to_owned())
            .verify(&key(origin))
            .unwrap_err()
    };
    assert_eq!(refused(&one, &one), NoFork::SameRoot);
    assert_eq!(refused(&one, &signed(origin, 8, 2, 1)), NoFork::OtherSize);
    assert!(matches!(
        refused(&one, &signed(origin, 7, 2, 9)),
        NoFork::Signature(_)
    ));
    assert_eq!(
        refused(&one, &signed("log.example/h/46", 7, 2, 1)),
        NoFork::OtherLog
    );
    let altered = other.replacen("\n7\n", "\n8\n", 1);
    assert!(matches!(refused(&altered, &altered), NoFork::Signature(_)));
    let cosigner =
        VerifierKey::<Intl>::cosignature(KeyName::parse(origin).unwrap(), signer(1).public_key());
    let by_cosigner = fork(one, other).verify(&cosigner.unwrap());
    assert_eq!(by_cosigner, Err(NoFork::OtherLog));
}

/// Checkpoints of two trees that differ in their fourth leaf, and the larger one's proof from `from` on.
fn branched(from: u64) -> Fork {
    let origin = "log.example/s/n/45/2026h2";
    let tree = |fourth: &[u8], size: u64| {
        let mut tree = RecentTree::<Intl>::from_frontier(Frontier::new());
        for index in 0..size {
            let leaf: &[u8] = if index == 3 { fourth } else { b"leaf" };
            tree.push(leaf_hash::<Intl>(leaf));
        }
        tree
    };
    let sign = |tree: &RecentTree<Intl>| {
        let text = Checkpoint {
            origin: origin.to_owned(),
            size: tree.size(),
            root: tree.root(),
        }
        .to_text();
        let name = KeyName::parse(origin).unwrap();
        let signatures = vec![sign_note::<Intl>(&text, &name, &signer(1)).unwrap()];
        Note { text, signatures }.to_string()
    };
    let (told, shown) = (tree(b"a call", from), tree(b"another", 11));
    Fork {
        one: sign(&told),
        other: sign(&shown),
        branch: Some(Branch {
            root: shown.root_at(from).unwrap(),
            proof: shown.consistency_proof(from, 11).unwrap(),
        }),
    }
}

#[test]
fn a_larger_history_that_drops_what_was_signed_is_evidence_with_its_own_proof() {
    let key = key("log.example/s/n/45/2026h2");
    for from in 4..=10 {
        let fork = branched(from);
        assert_eq!(Fork::parse(&fork.to_string()), Some(fork.clone()));
        assert_eq!(fork.verify(&key), Ok(from));
    }
    // Before they differ one is a prefix of the other, and nobody is accused.
    for from in 1..=3 {
        assert_eq!(branched(from).verify(&key), Err(NoFork::SameRoot));
    }
}

#[test]
fn nobody_is_accused_with_a_branch_that_is_not_the_larger_trees() {
    let key = key("log.example/s/n/45/2026h2");
    let refused = |change: fn(&mut Fork)| {
        let mut fork = branched(6);
        change(&mut fork);
        fork.verify(&key).unwrap_err()
    };
    let made_up: fn(&mut Fork) = |fork| fork.branch.as_mut().unwrap().root = Hash([7; 32]);
    assert_eq!(refused(made_up), NoFork::Branch);
    let cut: fn(&mut Fork) = |fork| fork.branch.as_mut().unwrap().proof.truncate(1);
    assert_eq!(refused(cut), NoFork::Branch);
    assert_eq!(refused(|fork| fork.branch = None), NoFork::OtherSize);
    let swapped = |fork: &mut Fork| std::mem::swap(&mut fork.one, &mut fork.other);
    assert_eq!(refused(swapped), NoFork::OtherSize);
    let text = branched(6).to_string();
    for wrong in [text.replacen("\n\n", "\n", 1), format!("{text}\n")] {
        assert_eq!(Fork::parse(&wrong), None);
    }
}
