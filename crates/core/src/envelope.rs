//! Signed envelopes: signatures over the exact bytes received, separated by type as in DSSE.
//!
//! Trust comes from keys that the reader pinned; the key in the
//! envelope selects, it never convinces. Nothing is re-serialised to be verified.

use std::marker::PhantomData;

use lingqu_tlog::{Hash, Intl, Signer, Suite};

/// Largest payload, in bytes.
pub const PAYLOAD_LEN_MAX: usize = 1 << 20;
/// Most signatures on one envelope.
pub const SIGNATURES_MAX: usize = 64;

/// A payload, what it is, and who signed it. Unverified until [`Envelope::signed_by`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<S: Suite = Intl> {
    /// What the payload is, for example `lingqu.v1.Grant`.
    pub payload_type: String,
    /// The exact bytes that were signed.
    pub payload: Vec<u8>,
    /// Signatures, in no particular order.
    pub signatures: Vec<Signature>,
    suite: PhantomData<S>,
}

/// One signature and the key it claims to be by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Typed id of the signer, for people; trust comes from the key alone.
    pub signer: String,
    /// The public key that selects which pinned key to check with.
    pub public_key: Vec<u8>,
    /// The signature bytes.
    pub signature: Vec<u8>,
}

/// What a pinned key says about an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// A signature by the key fits the bytes.
    Yes,
    /// The envelope claims a signature by the key, but it does not fit: the bytes or the signature were altered.
    Altered,
    /// The envelope has no signature by the key.
    No,
}

impl<S: Suite> Envelope<S> {
    /// An envelope without signatures.
    pub fn new(payload_type: impl Into<String>, payload: Vec<u8>) -> Self {
        Envelope {
            payload_type: payload_type.into(),
            payload,
            signatures: Vec::new(),
            suite: PhantomData,
        }
    }

    /// Adds a signature by `signer`.
    pub fn sign(&mut self, signer: impl Into<String>, key: &dyn Signer) {
        let signature = key.sign(&self.pre_authentication_encoding());
        self.signatures.push(Signature {
            signer: signer.into(),
            public_key: key.public_key().to_vec(),
            signature,
        });
    }

    /// Whether the holder of `pinned_key` signed these bytes as this type.
    pub fn signed_by(&self, pinned_key: &[u8]) -> SignedBy {
        let message = self.pre_authentication_encoding();
        let mut verdict = SignedBy::No;
        for candidate in self
            .signatures
            .iter()
            .filter(|candidate| candidate.public_key == pinned_key)
        {
            if S::verify(pinned_key, &message, &candidate.signature) {
                return SignedBy::Yes;
            }
            verdict = SignedBy::Altered;
        }
        verdict
    }

    /// The digest by which other objects name this one: over type, suite and payload, not over the signatures.
    pub fn digest(&self) -> Hash {
        S::digest(&[&self.pre_authentication_encoding()])
    }

    /// What is signed: DSSE's pre-authentication encoding, with the suite as part of the type.
    pub fn pre_authentication_encoding(&self) -> Vec<u8> {
        pre_authentication_encoding::<S>(&self.payload_type, &self.payload)
    }
}

/// `"DSSEv1" SP len(type) SP type SP len(payload) SP payload` with type = `payload_type;suite=NAME`.
pub fn pre_authentication_encoding<S: Suite>(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let full_type = format!("{payload_type};suite={}", S::NAME);
    let mut encoding =
        format!("DSSEv1 {} {full_type} {} ", full_type.len(), payload.len()).into_bytes();
    encoding.extend_from_slice(payload);
    encoding
}

#[cfg(test)]
mod tests;
