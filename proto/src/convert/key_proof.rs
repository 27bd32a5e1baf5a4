//! What a newcomer signs to prove that it holds a key.

use lingqu_core::envelope::pre_authentication_encoding;
use lingqu_tlog::Intl;

/// The message of a `KeyProof`: the pre-authentication encoding of the type `lingqu.v1.KeyProof` over code, id and use,
/// each followed by a zero byte, then the public key. The parts cannot run into each other: none holds a zero byte.
pub fn key_proof_message(code: &str, id: &str, usage: &str, public_key: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for part in [code, id, usage] {
        payload.extend_from_slice(part.as_bytes());
        payload.push(0);
    }
    payload.extend_from_slice(public_key);
    pre_authentication_encoding::<Intl>("lingqu.v1.KeyProof", &payload)
}
