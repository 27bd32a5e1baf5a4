//! Signed objects: payload bytes in, an object that cannot be wrong out, and back.
//!
//! Decoding is strict: after conversion with all checks the object is encoded again, and bytes that differ are refused.
//! So a field that this version does not know, perhaps a restriction, is never dropped in silence, and an object has
//! exactly one encoding and one digest.

use lingqu_core::envelope::{Envelope, PAYLOAD_LEN_MAX};
use prost::Message;

use super::FieldInvalid;
use super::field::refuse;

/// An object that travels as the payload of an envelope.
pub trait SignedObject: Sized {
    /// The payload type of its envelope.
    const TYPE: &'static str;

    /// Its canonical encoding: proto3, fields in ascending order, defaults left out.
    fn to_payload(&self) -> Vec<u8>;

    /// Reads it back. `from_payload(&o.to_payload()) == Ok(o)` for every object that is valid, and no other bytes
    /// decode to `o`.
    ///
    /// # Errors
    /// [`FieldInvalid`] names the first field that breaks a rule, or `payload` when the bytes are no such message, too
    /// long, not canonical, or have fields that this version does not know.
    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid>;
}

/// An envelope around `object` that nobody has signed yet.
pub fn seal<T: SignedObject>(object: &T) -> Envelope {
    Envelope::new(T::TYPE, object.to_payload())
}

/// The object in an envelope. **Does not check signatures**: whoever relies on the object asks
/// [`Envelope::signed_by`] with the keys that it pinned.
///
/// # Errors
/// [`FieldInvalid`] when the envelope is of another type, or as [`SignedObject::from_payload`].
pub fn open<T: SignedObject>(envelope: &Envelope) -> Result<T, FieldInvalid> {
    if envelope.payload_type != T::TYPE {
        return refuse("payload_type", "is not that of the expected object");
    }
    T::from_payload(&envelope.payload)
}

/// Decodes and converts a payload, and refuses it unless it is what the object encodes to.
pub(super) fn decode_canonical<M: Message + Default, T: SignedObject>(
    payload: &[u8],
    convert: impl FnOnce(M) -> Result<T, FieldInvalid>,
) -> Result<T, FieldInvalid> {
    if payload.len() > PAYLOAD_LEN_MAX {
        return refuse("payload", "is longer than 1 MiB");
    }
    let Ok(message) = M::decode(payload) else {
        return refuse("payload", "is not a message of its type");
    };
    let object = convert(message)?;
    if object.to_payload() != payload {
        return refuse("payload", "is not in canonical form or has unknown fields");
    }
    Ok(object)
}
