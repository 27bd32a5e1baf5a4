use super::*;
use crate::oracle::signer;
use crate::suite::{Ed25519Signer, Hash, Intl};

const TIME: u64 = 1_767_225_600;

fn name() -> KeyName {
    KeyName::parse("regulator.example/w1").unwrap()
}

fn text(size: u64) -> String {
    Checkpoint {
        origin: "log.example".to_owned(),
        size,
        root: Hash([3; 32]),
    }
    .to_text()
}

fn key(signer: &Ed25519Signer) -> VerifierKey {
    VerifierKey::cosignature(name(), signer.public_key()).unwrap()
}

fn cosigned() -> NoteSignature {
    sign_cosignature::<Intl>(&text(5), &name(), TIME, &signer(1)).unwrap()
}

#[test]
fn a_cosignature_gives_its_time() {
    let signature = cosigned();
    assert_eq!(
        verify_cosignature(&text(5), &key(&signer(1)), &signature),
        Ok(TIME)
    );
    assert_eq!(cosignature_time::<Intl>(&signature), Some(TIME));
    assert_eq!(signature.blob.len(), 72);
}

#[test]
fn another_implementation_signs_and_verifies_the_same_bytes() {
    use ed25519_dalek::{Signer as _, Verifier as _};
    let theirs = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let message = format!("cosignature/v1\ntime {TIME}\n{}", text(5));
    let signature = cosigned();
    let parsed = ed25519_dalek::Signature::from_slice(&signature.blob[8..]).unwrap();
    assert!(
        theirs
            .verifying_key()
            .verify(message.as_bytes(), &parsed)
            .is_ok()
    );
    let by_them = theirs.sign(message.as_bytes()).to_bytes();
    let blob = [TIME.to_be_bytes().as_slice(), &by_them].concat();
    assert_eq!(blob, signature.blob);
    let id = signed_note::key_id(
        "regulator.example/w1",
        &[&[4], theirs.verifying_key().as_bytes().as_slice()].concat(),
    );
    assert_eq!(signature.id, id);
}

#[test]
fn every_changed_bit_is_noticed() {
    let (good, key) = (cosigned(), key(&signer(1)));
    for bit in 0..good.blob.len() * 8 {
        let mut bad = good.clone();
        bad.blob[bit / 8] ^= 1 << (bit % 8);
        assert!(
            verify_cosignature(&text(5), &key, &bad).is_err(),
            "bit {bit}"
        );
    }
    let other_text = verify_cosignature(&text(6), &key, &good);
    assert_eq!(other_text, Err(CosignatureRefused::BadSignature));
}

#[test]
fn a_cosignature_is_checked_under_its_own_key_only() {
    let good = cosigned();
    let refused = Err(CosignatureRefused::OtherKey);
    assert_eq!(
        verify_cosignature(&text(5), &key(&signer(2)), &good),
        refused
    );
    let note_key: VerifierKey = VerifierKey::note(name(), signer(1).public_key()).unwrap();
    assert_eq!(verify_cosignature(&text(5), &note_key, &good), refused);
    let as_note = NoteSignature {
        id: note_key.id(),
        ..good.clone()
    };
    assert_eq!(verify_cosignature(&text(5), &note_key, &as_note), refused);
    let mut renamed = good.clone();
    renamed.name = KeyName::parse("regulator.example/w2").unwrap();
    assert_eq!(
        verify_cosignature(&text(5), &key(&signer(1)), &renamed),
        refused
    );
    // A signature by another key that claims this key's id.
    let mut claimed = sign_cosignature::<Intl>(&text(5), &name(), TIME, &signer(2)).unwrap();
    claimed.id = good.id;
    let forged = verify_cosignature(&text(5), &key(&signer(1)), &claimed);
    assert_eq!(forged, Err(CosignatureRefused::BadSignature));
}

#[test]
fn blobs_of_another_shape_are_refused() {
    let key = key(&signer(1));
    let mut bad = cosigned();
    for length in [0, 7, 8, 64, 71, 73] {
        bad.blob.resize(length, 0);
        let refused = verify_cosignature(&text(5), &key, &bad);
        assert_eq!(
            refused,
            Err(CosignatureRefused::Malformed),
            "{length} bytes"
        );
        assert_eq!(cosignature_time::<Intl>(&bad), None);
    }
    let mut late = cosigned();
    late.blob[0] = 0x80;
    let refused = verify_cosignature(&text(5), &key, &late);
    assert_eq!(refused, Err(CosignatureRefused::Malformed));
}

#[test]
fn nothing_but_a_checkpoint_is_cosigned() {
    let sign = |text: &str, time| sign_cosignature::<Intl>(text, &name(), time, &signer(1));
    assert_eq!(
        sign("hello\n", TIME),
        Err(CosignError::Checkpoint(CheckpointMalformed::Lines))
    );
    let extended = format!("{}extension\n", text(5));
    assert_eq!(
        sign(&extended, TIME),
        Err(CosignError::Checkpoint(CheckpointMalformed::Lines))
    );
    assert_eq!(sign(&text(5), 1 << 63), Err(CosignError::Time));
    assert!(sign(&text(5), (1 << 63) - 1).is_ok());
}
