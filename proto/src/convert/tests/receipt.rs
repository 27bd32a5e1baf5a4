//! Receipts, loads and note signatures.

use lingqu_core::Timestamp;
use lingqu_core::product::Load;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::RECORD_LEN_MAX;
use lingqu_tlog::{Checkpoint, Hash, KeyName, MAX_BLOB_BYTES, MAX_TREE_SIZE, NoteSignature};

use crate::{
    load_from_pb, load_to_pb, note_signature_from_pb, note_signature_to_pb, pb, receipt_from_pb,
    receipt_to_pb,
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
    }
}

fn refused(change: impl FnOnce(&mut pb::Receipt)) -> &'static str {
    let mut receipt = receipt_to_pb(&receipt(), Level::Local);
    change(&mut receipt);
    receipt_from_pb(&receipt).unwrap_err().field
}

#[test]
fn a_receipt_goes_there_and_back() {
    for level in [Level::Local, Level::Mirrored] {
        let wire = receipt_to_pb(&receipt(), level);
        assert_eq!(receipt_from_pb(&wire), Ok((receipt(), level)));
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
