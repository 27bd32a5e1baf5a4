//! Signed objects as people write them: TOML, one schema for each kind, unknown keys refused.
//!
//! What is written becomes a typed object, the object its one canonical payload, and only that is signed. The schema
//! structs are the manual of the files; `samples/` has one of each, which a test reads.

mod agreement;
mod application;
mod approval;
mod destruction;
mod grant;
mod pinned;
mod policy;
mod product;
mod succession;
mod text;

use std::path::Path;

use lingqu_core::envelope::Envelope;
use lingqu_proto::{FieldInvalid, SignedObject, seal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// An object that people write as TOML.
pub(crate) trait Document: SignedObject {
    /// The schema of the file.
    type Written: Serialize + DeserializeOwned;

    /// The object that a file says. `base` is the directory that its paths are relative to.
    fn from_written(written: Self::Written, base: &Path) -> Result<Self, DocumentRefused>;

    /// The file that says this object, digests spelt out.
    fn to_written(&self) -> Self::Written;
}

/// Why a file does not become an object.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentRefused {
    /// A value breaks a rule of the format.
    #[error(transparent)]
    Field(#[from] FieldInvalid),
    /// A key's value cannot be read.
    #[error("`{key}`: {reason}")]
    Key {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// Not TOML, a key is missing, unknown or of the wrong type.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
}

impl DocumentRefused {
    fn key(key: &'static str, reason: impl std::fmt::Display) -> DocumentRefused {
        DocumentRefused::Key {
            key,
            reason: reason.to_string(),
        }
    }
}

/// The unsigned envelope of what `text` says.
pub(crate) fn author<T: Document>(text: &str, base: &Path) -> Result<Envelope, DocumentRefused> {
    let object = T::from_written(toml::from_str(text)?, base)?;
    let envelope = seal(&object);
    // The reader's rules are the ones that count: what no node would read is not worth signing.
    T::from_payload(&envelope.payload)?;
    Ok(envelope)
}

/// The object in an envelope file, of a kind that nobody writes by hand.
pub(crate) fn open_object<T: SignedObject>(path: &Path, envelope: &Envelope) -> Result<T, Failure> {
    lingqu_proto::open(envelope).map_err(|error| Failure::file(path, error))
}

/// The object that a file says, be it TOML or an envelope, signed or not.
pub(crate) fn read<T: Document>(path: &Path) -> Result<T, Failure> {
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        let text = crate::written::text(path)?;
        let base = path.parent().unwrap_or(Path::new("."));
        let envelope = author::<T>(&text, base).map_err(|error| Failure::file(path, error))?;
        return open(path, &envelope);
    }
    open(path, &crate::envelope_file::read(path)?)
}

/// The object in an envelope file of this kind.
pub(crate) fn open<T: Document>(path: &Path, envelope: &Envelope) -> Result<T, Failure> {
    lingqu_proto::open(envelope).map_err(|error| Failure::file(path, error))
}

#[cfg(test)]
mod tests;
