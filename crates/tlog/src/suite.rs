//! The algorithms of a log: one hash and one signature scheme, chosen together as a [`Suite`].
//!
//! Everything else in this crate is generic over it. [`Intl`] (SHA-256, Ed25519) is built; a suite
//! of SM3 and SM2 fits the same trait, since both hashes have 32 bytes and a note names its
//! signature type with any number of bytes.

mod ed25519;

use std::fmt;

pub use ed25519::{Ed25519Signer, Intl, Sha256};

use crate::encoding;

/// The 32 bytes of a hash: a leaf, an interior node or a root. Shown as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Standard base64 with padding, 44 characters: the form used in checkpoints and proofs.
    pub fn to_base64(&self) -> String {
        encoding::base64(&self.0)
    }

    /// Reads what [`Hash::to_base64`] writes and nothing else: no other alphabet, no missing
    /// padding, no stray trailing bits, so that a hash has exactly one text form.
    ///
    /// # Errors
    /// [`HashMalformed`] for any other text.
    pub fn from_base64(text: &str) -> Result<Hash, HashMalformed> {
        // 44 characters are 32 bytes; the check also bounds the work on hostile input.
        if text.len() != 44 {
            return Err(HashMalformed);
        }
        let bytes = encoding::from_base64(text).ok_or(HashMalformed)?;
        bytes.try_into().map(Hash).map_err(|_| HashMalformed)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the canonical base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical base64 of 32 bytes")]
pub struct HashMalformed;

/// One choice of hash and signature scheme, with the identifiers signed-note gives its keys.
pub trait Suite: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// The suite's name in envelopes and configuration, as in `intl`.
    const NAME: &'static str;
    /// Signature type of a plain note signature (signed-note, "Signature types").
    const NOTE_TYPE: &'static [u8];
    /// Signature type of a timestamped cosignature (tlog-cosignature).
    const COSIGNATURE_TYPE: &'static [u8];
    /// Length of a signature in bytes.
    const SIGNATURE_LEN: usize;

    /// A digest that is not over yet.
    type Digest: Digest;

    /// Begins a digest over what comes in parts: `digest` of all of them at once gives the same.
    fn begin_digest() -> Self::Digest;

    /// Hashes the concatenation of `parts`.
    fn digest(parts: &[&[u8]]) -> Hash {
        let mut digest = Self::begin_digest();
        parts.iter().for_each(|part| digest.take(part));
        digest.finish()
    }

    /// Whether `signature` over `message` is by `public_key`. Only meaningful for a key that
    /// [`Suite::admit`] has admitted; malformed input is `false`, never a panic.
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool;

    /// Decides once, when a key is entered, whether its signatures can mean anything.
    ///
    /// # Errors
    /// [`KeyRefused`] for encodings under which somebody other than a key's owner could produce
    /// an accepted signature, or under which one key would have two names.
    fn admit(public_key: &[u8]) -> Result<(), KeyRefused>;
}

/// A digest over bytes that come in parts, so that nobody has to hold all of them.
pub trait Digest: Clone + Send + Sync + 'static {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]);
    /// The hash of everything that was taken.
    fn finish(self) -> Hash;
}

/// Why a public key was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// The encoding is not the one its curve defines for this point.
    #[error("public key is not canonically encoded")]
    NonCanonical,
    /// The point has small order: one signature would verify for (nearly) every message.
    #[error("public key is a point of small order")]
    SmallOrder,
    /// The key has another length than the suite's keys.
    #[error("public key has {got} bytes instead of {expected}")]
    WrongLength {
        /// Bytes of a key of this suite.
        expected: usize,
        /// Bytes of the key that was offered.
        got: usize,
    },
}

/// Somebody who can sign: a key in memory here, a device or a service elsewhere.
///
/// The signer must belong to the suite it is used with; the signature must be valid under
/// [`Signer::public_key`], which never changes during the signer's life.
pub trait Signer: Send + Sync {
    /// The public key, in the suite's encoding.
    fn public_key(&self) -> &[u8];
    /// Signs exactly the bytes of `message`.
    fn sign(&self, message: &[u8]) -> Vec<u8>;
}

/// Why private key material was not accepted. Says nothing about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid ed25519 private key in pkcs#8 form")]
pub struct SignerRefused;

#[cfg(test)]
mod tests;
