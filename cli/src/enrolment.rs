//! Enrolment at the coordinator: a one-time code, and the proof that the newcomer holds the key that it enters.

use lingqu_proto::pb::enrolment_client::EnrolmentClient;
use lingqu_proto::{key_proof_message, pb};
use lingqu_tlog::Signer;
use lingqu_transport::PeerId;
use tonic::transport::Channel;

use crate::failure::Failure;

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
    let message = key_proof_message(code, id.as_str(), purpose, key.public_key());
    pb::KeyProof {
        r#use: purpose.to_owned(),
        public_key: key.public_key().to_vec(),
        signature: key.sign(&message),
    }
}
