//! Envelopes on the wire, in files and in stored state. Nothing here verifies a signature.

use lingqu_core::envelope::{Envelope, PAYLOAD_LEN_MAX, SIGNATURES_MAX, Signature};
use lingqu_core::{CoordinatorId, NodeId, PartyId};
use lingqu_tlog::{Intl, Suite};
use prost::Message;

use super::FieldInvalid;
use super::field::refuse;
use crate::pb;

/// Length of a public key of the suite `intl`, in bytes.
const PUBLIC_KEY_LEN: usize = 32;
/// Longest payload type, in bytes.
const PAYLOAD_TYPE_LEN_MAX: usize = 64;
/// Longest encoded envelope, in bytes: the payload, its type, and signatures of at most 256 bytes with their signer.
const ENVELOPE_LEN_MAX: usize = PAYLOAD_LEN_MAX + 256 + SIGNATURES_MAX * 256;

/// An envelope as it came over the wire.
///
/// # Errors
/// [`FieldInvalid`] for another suite than `intl`, a payload type that is not a dotted name, a signer that is no id of
/// a party, node or coordinator, keys or signatures of another length than the suite's, and anything above the limits
/// of `lingqu_core::envelope`.
pub fn envelope_from_pb(envelope: pb::Envelope) -> Result<Envelope<Intl>, FieldInvalid> {
    if envelope.suite != Intl::NAME {
        return refuse("suite", "is not `intl`");
    }
    // A type with `;` in it could pretend to be another suite's inside the signed encoding.
    let dotted = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    let payload_type = envelope.payload_type;
    if !(1..=PAYLOAD_TYPE_LEN_MAX).contains(&payload_type.len())
        || !payload_type.bytes().all(dotted)
    {
        return refuse("payload_type", "is not 1 to 64 of `A-Z a-z 0-9 .`");
    }
    if envelope.payload.len() > PAYLOAD_LEN_MAX {
        return refuse("payload", "is longer than 1 MiB");
    }
    if envelope.signatures.len() > SIGNATURES_MAX {
        return refuse("signatures", "has more than 64 entries");
    }
    let mut read = Envelope::new(payload_type, envelope.payload);
    read.signatures = envelope
        .signatures
        .into_iter()
        .map(signature_from_pb)
        .collect::<Result<_, _>>()?;
    Ok(read)
}

/// The envelope for the wire.
pub fn envelope_to_pb(envelope: &Envelope) -> pb::Envelope {
    pb::Envelope {
        suite: Intl::NAME.to_owned(),
        payload_type: envelope.payload_type.clone(),
        payload: envelope.payload.clone(),
        signatures: envelope.signatures.iter().map(signature_to_pb).collect(),
    }
}

/// The bytes of an envelope in a file or in stored state: canonical proto3.
pub fn encode_envelope(envelope: &Envelope) -> Vec<u8> {
    envelope_to_pb(envelope).encode_to_vec()
}

/// Reads what [`encode_envelope`] writes, and nothing else.
///
/// # Errors
/// [`FieldInvalid`] as [`envelope_from_pb`], or `envelope` when the bytes are no envelope in canonical form.
pub fn decode_envelope(bytes: &[u8]) -> Result<Envelope, FieldInvalid> {
    if bytes.len() > ENVELOPE_LEN_MAX {
        return refuse("envelope", "is too long");
    }
    let Ok(message) = pb::Envelope::decode(bytes) else {
        return refuse("envelope", "is not an envelope");
    };
    let envelope = envelope_from_pb(message)?;
    if encode_envelope(&envelope) != bytes {
        return refuse("envelope", "is not in canonical form or has unknown fields");
    }
    Ok(envelope)
}

fn signature_from_pb(signature: pb::EnvelopeSignature) -> Result<Signature, FieldInvalid> {
    let signer = signature.signer;
    let known = signer.parse::<PartyId>().is_ok()
        || signer.parse::<NodeId>().is_ok()
        || signer.parse::<CoordinatorId>().is_ok();
    if !known {
        return refuse(
            "signatures.signer",
            "is not the id of a party, node or coordinator",
        );
    }
    if signature.public_key.len() != PUBLIC_KEY_LEN {
        return refuse("signatures.public_key", "does not have 32 bytes");
    }
    if signature.signature.len() != Intl::SIGNATURE_LEN {
        return refuse("signatures.signature", "does not have 64 bytes");
    }
    Ok(Signature {
        signer,
        public_key: signature.public_key,
        signature: signature.signature,
    })
}

fn signature_to_pb(signature: &Signature) -> pb::EnvelopeSignature {
    pb::EnvelopeSignature {
        signer: signature.signer.clone(),
        public_key: signature.public_key.clone(),
        signature: signature.signature.clone(),
    }
}
