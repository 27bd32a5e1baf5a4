//! How one file names another object: by its digest, or by the file that the digest is taken from.

use std::path::{Path, PathBuf};

use lingqu_core::envelope::Envelope;
use lingqu_tlog::Hash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::DocumentRefused;
use crate::envelope_file;

/// Either 64 hexadecimal digits, or `@FILE`: the digest of the envelope in FILE, relative to the file it is named in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// The digest itself.
    Digest(Hash),
    /// The envelope's file.
    File(PathBuf),
}

impl Pin {
    /// The digest; a file must hold an envelope of `payload_type` that `fits`.
    pub(crate) fn resolve(
        &self,
        key: &'static str,
        base: &Path,
        payload_type: &str,
        fits: impl FnOnce(&Envelope) -> bool,
    ) -> Result<Hash, DocumentRefused> {
        let path = match self {
            Pin::Digest(digest) => return Ok(*digest),
            Pin::File(path) => base.join(path),
        };
        let envelope = envelope_file::read(&path)
            .map_err(|failure| DocumentRefused::key(key, failure.reason()))?;
        if envelope.payload_type != payload_type || !fits(&envelope) {
            let shown = path.display();
            let reason = format!("`{shown}` is not the object that is named beside it");
            return Err(DocumentRefused::key(key, reason));
        }
        Ok(envelope.digest())
    }
}

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Pin::Digest(digest) => serializer.collect_str(digest),
            Pin::File(path) => serializer.serialize_str(&format!("@{}", path.display())),
        }
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(path) = text.strip_prefix('@') {
            return Ok(Pin::File(path.into()));
        }
        let bytes = hex::decode(&text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let digest = bytes.ok_or(de::Error::custom(
            "expected 64 hexadecimal digits, or `@` and a file",
        ))?;
        Ok(Pin::Digest(Hash(digest)))
    }
}
