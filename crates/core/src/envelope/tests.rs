use lingqu_tlog::Ed25519Signer;

use super::*;

fn key(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

fn signed() -> Envelope {
    let mut envelope = Envelope::new("lingqu.v1.Grant", b"exact bytes".to_vec());
    envelope.sign("party_unit", &key(1));
    envelope
}

#[test]
fn the_encoding_is_that_of_dsse() {
    let encoding = pre_authentication_encoding::<Intl>("t", b"pay");
    assert_eq!(encoding, b"DSSEv1 12 t;suite=intl 3 pay");
}

#[test]
fn a_signature_holds_for_its_key_only() {
    assert_eq!(signed().signed_by(key(1).public_key()), SignedBy::Yes);
    assert_eq!(signed().signed_by(key(2).public_key()), SignedBy::No);
}

#[test]
fn every_altered_byte_is_noticed() {
    let original = signed();
    for position in 0..original.payload.len() {
        let mut altered = original.clone();
        altered.payload[position] ^= 1;
        assert_eq!(altered.signed_by(key(1).public_key()), SignedBy::Altered);
        assert_ne!(altered.digest(), original.digest());
    }
    for position in 0..original.signatures[0].signature.len() {
        let mut altered = original.clone();
        altered.signatures[0].signature[position] ^= 1;
        assert_eq!(altered.signed_by(key(1).public_key()), SignedBy::Altered);
    }
}

#[test]
fn a_signature_does_not_move_to_another_type() {
    let mut moved = signed();
    moved.payload_type = "lingqu.v1.Policy".into();
    assert_eq!(moved.signed_by(key(1).public_key()), SignedBy::Altered);
    // The boundary between type and payload is signed too.
    let mut shifted = signed();
    shifted.payload_type.push(' ');
    assert_eq!(shifted.signed_by(key(1).public_key()), SignedBy::Altered);
}

#[test]
fn a_bad_signature_does_not_hide_a_good_one() {
    let mut envelope = signed();
    let mut bad = envelope.signatures[0].clone();
    bad.signature[0] ^= 1;
    envelope.signatures.insert(0, bad);
    assert_eq!(envelope.signed_by(key(1).public_key()), SignedBy::Yes);
}
