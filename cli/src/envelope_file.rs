//! Signed objects as files: `X.env` is an object with its signatures, `X.filing` its filing by a coordinator.

use std::path::{Path, PathBuf};

use lingqu_core::envelope::{Envelope, Signature, SignedBy};
use lingqu_proto::{decode_envelope, encode_envelope};
use lingqu_tlog::{Intl, Suite};

use crate::failure::Failure;
use crate::written;

/// Reads an envelope. Nothing is verified.
pub(crate) fn read(path: &Path) -> Result<Envelope, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::unreadable(path, error))?;
    decode_envelope(&bytes).map_err(|error| Failure::file(path, error))
}

/// Writes a new one.
pub(crate) fn create(path: &Path, envelope: &Envelope) -> Result<(), Failure> {
    written::create(path, &encode_envelope(envelope), written::Access::Everybody)
}

/// Replaces one.
pub(crate) fn replace(path: &Path, envelope: &Envelope) -> Result<(), Failure> {
    written::replace(path, &encode_envelope(envelope))
}

/// Where the filing of `X.env` lies: `X.filing`.
pub(crate) fn filing_of(path: &Path) -> PathBuf {
    path.with_extension("filing")
}

/// The filing of `X.env`, if it lies there.
pub(crate) fn filing_beside(path: &Path) -> Result<Option<Envelope>, Failure> {
    let filing = filing_of(path);
    if filing.exists() {
        read(&filing).map(Some)
    } else {
        Ok(None)
    }
}

/// Whether a signature fits the bytes and the key that stands beside it. It says nothing about whose key that is.
pub(crate) fn fits(envelope: &Envelope, signature: &Signature) -> bool {
    Intl::admit(&signature.public_key).is_ok()
        && Intl::verify(
            &signature.public_key,
            &envelope.pre_authentication_encoding(),
            &signature.signature,
        )
}

/// What `key` says about an envelope, in one word.
pub(crate) fn word(signed: SignedBy) -> &'static str {
    match signed {
        SignedBy::Altered => "altered",
        SignedBy::No => "missing",
        SignedBy::Yes => "valid",
    }
}
