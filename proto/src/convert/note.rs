//! Signature lines of signed notes.

use lingqu_tlog::{MAX_BLOB_BYTES, NoteSignature};

use super::FieldInvalid;
use super::field::{parse, refuse};
use crate::pb;

/// A signature line. Whose it is and whether it fits, only a key can say.
///
/// # Errors
/// [`FieldInvalid`] for a name that no key can have, and for an empty or too long signature.
pub fn note_signature_from_pb(
    signature: &pb::NoteSignature,
) -> Result<NoteSignature, FieldInvalid> {
    if !(1..=MAX_BLOB_BYTES).contains(&signature.blob.len()) {
        return refuse("signatures.blob", "is empty or longer than 8 KiB");
    }
    Ok(NoteSignature {
        name: parse("signatures.name", &signature.name)?,
        id: signature.key_id,
        blob: signature.blob.clone(),
    })
}

/// The signature line for the wire.
pub fn note_signature_to_pb(signature: &NoteSignature) -> pb::NoteSignature {
    pb::NoteSignature {
        name: signature.name.to_string(),
        key_id: signature.id,
        blob: signature.blob.clone(),
    }
}
