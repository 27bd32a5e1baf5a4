//! Receipts, loads and note signatures.

use lingqu_core::Timestamp;
use lingqu_core::head::HeadShown;
use lingqu_core::product::Load;
use lingqu_core::receipt::{HeadProof, Level, Receipt};
use lingqu_core::record::RECORD_LEN_MAX;
use lingqu_tlog::{Checkpoint, Hash, KeyName, MAX_BLOB_BYTES, MAX_TREE_SIZE, NoteSignature};

use crate::{
    head_shown_from_pb, head_shown_to_pb, load_from_pb, load_to_pb, note_signature_from_pb,
    note_signature_to_pb, pb, receipt_from_pb, receipt_to_pb,
};

fn receipt() -> Receipt {
    let signature = |name: &str, id| NoteSignature {
        name: KeyName::parse(name).unwrap(),
        id,
        blob: vec![9; 64],
    };
    Receipt {
        entry: b"record".to_vec(),
        index: 6,
        proof: vec![Hash([1; 32]), Hash([2; 32]), Hash([3; 32])],
        checkpoint: Checkpoint {
            origin: "node.example/2026h1".to_owned(),
            size: 8,
            root: Hash([4; 32]),
        },
        signatures: vec![
            signature("node.example/2026h1", u32::MAX),
            signature("mirror.example", 0),
        ],
        head: None,
    }
}

fn headed() -> Receipt {
    Receipt {
        head: Some(HeadProof {
            received: Timestamp(-3),
            index: 5,
            proof: vec![Hash([8; 32]); 3],
            checkpoint: "a note".to_owned(),
        }),
        ..receipt()
    }
}

fn refused(change: impl FnOnce(&mut pb::Receipt)) -> &'static str {
    let mut receipt = receipt_to_pb(&receipt(), Level::Local);
    change(&mut receipt);
    receipt_from_pb(&receipt).unwrap_err().field
}

#[test]
fn a_receipt_goes_there_and_back() {
    for level in [Level::Local, Level::Mirrored, Level::Witnessed] {
        for receipt in [receipt(), headed()] {
            let wire = receipt_to_pb(&receipt, level);
            assert_eq!(receipt_from_pb(&wire), Ok((receipt, level)));
        }
    }
    for hashes in [0, 64] {
        let long = Receipt {
            proof: vec![Hash([7; 32]); hashes],
            ..receipt()
        };
        let wire = receipt_to_pb(&long, Level::Local);
        assert_eq!(receipt_from_pb(&wire), Ok((long, Level::Local)));
    }
}

/// What stands in no receipt of before takes no byte of it.
#[test]
fn a_receipt_without_a_head_has_the_bytes_that_it_always_had() {
    use prost::Message;
    let without = receipt_to_pb(&receipt(), Level::Mirrored).encode_to_vec();
    let with = receipt_to_pb(&headed(), Level::Mirrored).encode_to_vec();
    assert_eq!(with[..without.len()], without);
    // Field 9 comes after them, and nowhere before.
    assert_eq!(with[without.len()], 9 << 3 | 2);
}

#[test]
fn limits_of_a_head_hold() {
    let refused = |change: fn(&mut pb::HeadProof)| {
        let mut receipt = receipt_to_pb(&headed(), Level::Witnessed);
        change(receipt.head.as_mut().unwrap());
        receipt_from_pb(&receipt).unwrap_err().field
    };
    assert_eq!(refused(|head| head.index = MAX_TREE_SIZE), "head.index");
    assert_eq!(refused(|head| head.proof.push(0)), "head.proof");
    assert_eq!(refused(|head| head.proof = vec![0; 65 * 32]), "head.proof");
    assert_eq!(
        refused(|head| head.checkpoint = "x".repeat((64 << 10) + 1)),
        "head.checkpoint"
    );
}

#[test]
fn what_is_shown_of_the_head_log_goes_there_and_back_within_limits() {
    let shown = HeadShown {
        leaf: b"a leaf".to_vec(),
        index: 4,
        proof: vec![Hash([1; 32]); 2],
        checkpoint: "a note".to_owned(),
        consistency: vec![Hash([2; 32])],
    };
    let wire = head_shown_to_pb(shown.clone());
    assert_eq!(head_shown_from_pb(wire.clone()), Ok(shown));
    let refused = |change: fn(&mut pb::MirrorHeaded)| {
        let mut headed = wire.clone();
        change(&mut headed);
        head_shown_from_pb(headed).unwrap_err().field
    };
    assert_eq!(refused(|headed| headed.leaf.clear()), "leaf");
    assert_eq!(
        refused(|headed| headed.leaf = vec![0; (8 << 10) + 1]),
        "leaf"
    );
    assert_eq!(refused(|headed| headed.index = MAX_TREE_SIZE), "index");
    assert_eq!(refused(|headed| headed.proof.push(0)), "proof");
    assert_eq!(
        refused(|headed| headed.consistency = vec![0; 65 * 32]),
        "consistency"
    );
    assert_eq!(
        refused(|headed| headed.checkpoint = "x".repeat((64 << 10) + 1)),
        "checkpoint"
    );
}

#[test]
fn limits_of_a_receipt_hold() {
    assert_eq!(refused(|receipt| receipt.level = 0), "level");
    assert_eq!(refused(|receipt| receipt.entry.clear()), "entry");
    assert_eq!(
        refused(|receipt| receipt.entry = vec![0; RECORD_LEN_MAX + 1]),
        "entry"
    );
    assert_eq!(refused(|receipt| receipt.tree_size = 6), "tree_size");
    assert_eq!(
        refused(|receipt| receipt.tree_size = MAX_TREE_SIZE + 1),
        "tree_size"
    );
    assert_eq!(refused(|receipt| receipt.proof.push(0)), "proof");
    assert_eq!(refused(|receipt| receipt.proof = vec![0; 65 * 32]), "proof");
    assert_eq!(refused(|receipt| receipt.root.push(0)), "root");
    // A newline would add lines to the checkpoint's text.
    for origin in ["", "two lines\n8", "a+b", "a b"] {
        assert_eq!(
            refused(|receipt| receipt.origin = origin.to_owned()),
            "origin"
        );
    }
    assert_eq!(
        refused(|receipt| receipt.signatures = vec![receipt.signatures[0].clone(); 65]),
        "signatures"
    );
    assert_eq!(
        refused(|receipt| receipt.signatures[1].name = "a\nb".into()),
        "signatures.name"
    );
    assert_eq!(
        refused(|receipt| receipt.signatures[1].blob.clear()),
        "signatures.blob"
    );
}

#[test]
fn a_note_signature_goes_there_and_back() {
    let mut signature = receipt().signatures.remove(0);
    signature.blob = vec![1; MAX_BLOB_BYTES];
    let mut wire = note_signature_to_pb(&signature);
    assert_eq!(note_signature_from_pb(&wire), Ok(signature));
    wire.blob.push(1);
    assert_eq!(
        note_signature_from_pb(&wire).unwrap_err().field,
        "signatures.blob"
    );
}

#[test]
fn a_load_goes_there_and_back() {
    let load = Load {
        id: "load_2026-01-01".parse().unwrap(),
        resource: "persons".to_owned(),
        as_of: Timestamp(1_767_225_600_000_000),
    };
    let wire = load_to_pb(&load);
    assert_eq!(load_from_pb(&wire).as_ref(), Ok(&load));
    // Callers learn name and date. A further field must be argued for here: an exact number of rows tells who came in.
    let pb::LoadRef {
        id: _,
        resource: _,
        as_of_us: _,
    } = &wire;
    let refused = |change: fn(&mut pb::LoadRef)| {
        let mut changed = wire.clone();
        change(&mut changed);
        load_from_pb(&changed).unwrap_err().field
    };
    assert_eq!(refused(|load| load.id = "grant_1".to_owned()), "load.id");
    assert_eq!(
        refused(|load| load.resource = "a b".to_owned()),
        "load.resource"
    );
    assert_eq!(refused(|load| load.as_of_us = -1), "load.as_of_us");
}
