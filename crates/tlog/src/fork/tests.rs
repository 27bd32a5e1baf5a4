use super::*;
use crate::key::KeyName;
use crate::note::sign_note;
use crate::oracle::signer;
use crate::suite::{Hash, Intl, Signer};

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
    Fork { one, other }
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
