//! Enrolment at the coordinator: a one-time code, and the proof that the newcomer holds the key that it enters.

use lingqu_core::envelope::pre_authentication_encoding;
use lingqu_proto::pb;
use lingqu_proto::pb::enrolment_client::EnrolmentClient;
use lingqu_tlog::{Intl, Signer};
use lingqu_transport::PeerId;
use tonic::transport::Channel;

use crate::failure::Failure;

/// Payload type of the proof (`registry.proto`, `KeyProof`).
const PROOF_TYPE: &str = "lingqu.v1.KeyProof";

/// Enrols `id` with its one key; gives the origin of the stream that a node is to write, empty for a party.
pub(crate) async fn enrol(
    channel: Channel,
    code: &str,
    id: &PeerId,
    purpose: &str,
    key: &dyn Signer,
) -> Result<String, Failure> {
    let request = pb::EnrolRequest {
        code: code.to_owned(),
        keys: vec![proof(code, id, purpose, key)],
    };
    let response = EnrolmentClient::new(channel).enrol(request).await;
    let response = response.map_err(|status| Failure::of_status(&status))?;
    Ok(response.into_inner().stream_origin)
}

fn proof(code: &str, id: &PeerId, purpose: &str, key: &dyn Signer) -> pb::KeyProof {
    let mut payload = Vec::new();
    for text in [code, id.as_str(), purpose] {
        payload.extend_from_slice(text.as_bytes());
        payload.push(0);
    }
    payload.extend_from_slice(key.public_key());
    let message = pre_authentication_encoding::<Intl>(PROOF_TYPE, &payload);
    pb::KeyProof {
        r#use: purpose.to_owned(),
        public_key: key.public_key().to_vec(),
        signature: key.sign(&message),
    }
}

#[cfg(test)]
mod tests {
    use lingqu_tlog::{Ed25519Signer, Suite};

    use super::*;

    #[test]
    fn the_proof_is_over_what_the_protocol_says() {
        let key = Ed25519Signer::from_seed([7; 32]);
        let id: PeerId = "party_gx.bank".parse().unwrap();
        let proof = proof("CODE", &id, "approval", &key);
        let mut payload = b"CODE\0party_gx.bank\0approval\0".to_vec();
        payload.extend_from_slice(key.public_key());
        let mut message =
            format!("DSSEv1 29 lingqu.v1.KeyProof;suite=intl {} ", payload.len()).into_bytes();
        message.extend_from_slice(&payload);
        assert!(Intl::verify(key.public_key(), &message, &proof.signature));
        assert_eq!(proof.r#use, "approval");
    }
}
