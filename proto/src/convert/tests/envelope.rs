//! Envelopes: there and back, limits, one encoding.

use lingqu_core::envelope::{Envelope, PAYLOAD_LEN_MAX, SIGNATURES_MAX, SignedBy};
use lingqu_tlog::{Ed25519Signer, Signer};
use proptest::prelude::*;

use super::objects;
use crate::{decode_envelope, encode_envelope, envelope_from_pb, envelope_to_pb, open, pb, seal};

fn signed() -> Envelope {
    let mut envelope = seal(&objects::grant());
    envelope.sign("party_bank", &Ed25519Signer::from_seed([3; 32]));
    envelope.sign("node_civil", &Ed25519Signer::from_seed([4; 32]));
    envelope.sign("coord_gx", &Ed25519Signer::from_seed([5; 32]));
    envelope
}

fn refused(change: impl FnOnce(&mut pb::Envelope)) -> &'static str {
    let mut envelope = envelope_to_pb(&signed());
    change(&mut envelope);
    envelope_from_pb(envelope).unwrap_err().field
}

#[test]
fn an_envelope_goes_there_and_back_with_its_signatures() {
    let envelope = signed();
    let read = decode_envelope(&encode_envelope(&envelope)).unwrap();
    assert_eq!(read, envelope);
    assert_eq!(
        envelope_from_pb(envelope_to_pb(&envelope)).unwrap(),
        envelope
    );
    let key = Ed25519Signer::from_seed([3; 32]);
    assert_eq!(read.signed_by(key.public_key()), SignedBy::Yes);
    assert_eq!(read.digest(), envelope.digest());
    assert_eq!(open(&read), Ok(objects::grant()));
}

#[test]
fn limits_hold() {
    assert_eq!(refused(|envelope| envelope.suite.clear()), "suite");
    assert_eq!(
        refused(|envelope| envelope.suite = "sm".to_owned()),
        "suite"
    );
    assert_eq!(
        refused(|envelope| envelope.payload_type.clear()),
        "payload_type"
    );
    assert_eq!(
        refused(|envelope| envelope.payload_type = "a".repeat(65)),
        "payload_type"
    );
    // Inside the signed encoding this would read as a type of another suite.
    assert_eq!(
        refused(|envelope| envelope.payload_type.push_str(";suite=sm")),
        "payload_type"
    );
    assert_eq!(
        refused(|envelope| envelope.payload = vec![0; PAYLOAD_LEN_MAX + 1]),
        "payload"
    );
    assert_eq!(
        refused(|envelope| {
            let signature = envelope.signatures[0].clone();
            envelope.signatures = vec![signature; SIGNATURES_MAX + 1];
        }),
        "signatures"
    );
    for signer in ["", "grant_1", "party_", "party_Ä", "party_a\nb"] {
        assert_eq!(
            refused(|envelope| envelope.signatures[0].signer = signer.to_owned()),
            "signatures.signer"
        );
    }
    for length in [0, 31, 33] {
        assert_eq!(
            refused(|envelope| envelope.signatures[0].public_key = vec![1; length]),
            "signatures.public_key"
        );
    }
    for length in [0, 63, 65] {
        assert_eq!(
            refused(|envelope| envelope.signatures[0].signature = vec![1; length]),
            "signatures.signature"
        );
    }
}

#[test]
fn what_is_within_the_limits_is_stored_and_read() {
    let mut envelope = Envelope::new("a".repeat(64), vec![7; PAYLOAD_LEN_MAX]);
    let longest = format!("party_{}", "x".repeat(64));
    envelope.sign(longest, &Ed25519Signer::from_seed([3; 32]));
    envelope.signatures = vec![envelope.signatures[0].clone(); SIGNATURES_MAX];
    assert_eq!(decode_envelope(&encode_envelope(&envelope)), Ok(envelope));
}

#[test]
fn stored_envelopes_have_one_encoding() {
    let bytes = encode_envelope(&signed());
    let unknown = [bytes.as_slice(), &[0xc0, 0x0c, 0x01]].concat();
    assert_eq!(decode_envelope(&unknown).unwrap_err().field, "envelope");
    let twice = [&bytes[..8], &bytes].concat();
    assert_eq!(decode_envelope(&twice).unwrap_err().field, "envelope");
    assert_eq!(
        decode_envelope(&vec![0; 2 << 20]).unwrap_err().reason,
        "is too long"
    );
    assert_eq!(
        decode_envelope(b"not an envelope").unwrap_err().field,
        "envelope"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(envelope) = decode_envelope(&bytes) {
            prop_assert_eq!(encode_envelope(&envelope), bytes);
        }
    }
}
