//! Names and public keys of signers: signed-note's key names, key ids and verifier keys ("vkeys").
//!
//! A [`VerifierKey`] exists only if its suite admitted the key, so that no later step needs to ask
//! again whether a signature under it can mean anything.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use crate::encoding;
use crate::suite::{Intl, KeyRefused, Suite};

/// Longest key name in bytes. ML-DSA cosignatures (tlog-cosignature) cannot carry a longer one.
pub const MAX_NAME_BYTES: usize = 255;

/// Longest vkey that is looked at, in bytes; the keys of all known suites are far shorter.
const MAX_VKEY_BYTES: usize = 8 * 1024;

/// The name of a signer, as in `node.example/2026h2`: not empty, no Unicode space, no `+`, no
/// control character, at most [`MAX_NAME_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`NameRefused`] says which rule it breaks.
    pub fn parse(name: &str) -> Result<KeyName, NameRefused> {
        if name.is_empty() {
            return Err(NameRefused::Empty);
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(NameRefused::TooLong);
        }
        if name
            .chars()
            .any(|c| c == '+' || c.is_whitespace() || c.is_control())
        {
            return Err(NameRefused::ForbiddenCharacter);
        }
        Ok(KeyName(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = NameRefused;

    fn from_str(name: &str) -> Result<KeyName, NameRefused> {
        KeyName::parse(name)
    }
}

/// Why a text is not a key name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameRefused {
    /// The name is empty.
    #[error("key name is empty")]
    Empty,
    /// The name has a space, a control character or a `+`.
    #[error("key name has a space, a control character or a plus sign")]
    ForbiddenCharacter,
    /// The name is longer than [`MAX_NAME_BYTES`].
    #[error("key name is longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
}

/// What a key signs: plain notes, or timestamped cosignatures of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Timestamped cosignatures of checkpoints (tlog-cosignature v1).
    Cosignature,
    /// The text of a note (signed-note).
    Note,
}

impl KeyKind {
    /// The signature type identifier that `S` gives this kind.
    fn type_bytes<S: Suite>(self) -> &'static [u8] {
        match self {
            KeyKind::Cosignature => S::COSIGNATURE_TYPE,
            KeyKind::Note => S::NOTE_TYPE,
        }
    }
}

/// The key id of signed-note: the first four bytes of
/// `H(name || 0x0A || signature type || public key)`, big-endian.
///
/// An id only finds the key of a signature; it is too short to stand for the key.
pub fn key_id<S: Suite>(name: &KeyName, kind: KeyKind, public_key: &[u8]) -> u32 {
    let hash = S::digest(&[name.0.as_bytes(), b"\n", kind.type_bytes::<S>(), public_key]);
    let [a, b, c, d, ..] = hash.0;
    u32::from_be_bytes([a, b, c, d])
}

/// A public key that its suite has admitted, with the name it signs under.
///
/// Its text form is the vkey `name+id+base64(type || key)`, the id in eight lower-case hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifierKey<S: Suite = Intl> {
    name: KeyName,
    id: u32,
    kind: KeyKind,
    public_key: Vec<u8>,
    suite: PhantomData<S>,
}

impl<S: Suite> VerifierKey<S> {
    /// A key that signs notes.
    ///
    /// # Errors
    /// [`KeyRefused`] when the suite does not admit the key.
    pub fn note(name: KeyName, public_key: &[u8]) -> Result<VerifierKey<S>, KeyRefused> {
        VerifierKey::admitted(name, KeyKind::Note, public_key)
    }

    /// A key that cosigns checkpoints.
    ///
    /// # Errors
    /// [`KeyRefused`] when the suite does not admit the key.
    pub fn cosignature(name: KeyName, public_key: &[u8]) -> Result<VerifierKey<S>, KeyRefused> {
        VerifierKey::admitted(name, KeyKind::Cosignature, public_key)
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`VkeyRefused`] when the text is not the one that [`VerifierKey`] displays, or the suite
    /// does not admit the key.
    pub fn parse(vkey: &str) -> Result<VerifierKey<S>, VkeyRefused> {
        if vkey.len() > MAX_VKEY_BYTES {
            return Err(VkeyRefused::Malformed);
        }
        // Names and ids have no plus sign, but base64 may have one.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyRefused::Malformed);
        };
        let name = KeyName::parse(name)?;
        let key = encoding::from_base64(key).ok_or(VkeyRefused::Malformed)?;
        let (kind, public_key) = [KeyKind::Note, KeyKind::Cosignature]
            .into_iter()
            .find_map(|kind| Some((kind, key.strip_prefix(kind.type_bytes::<S>())?)))
            .ok_or(VkeyRefused::UnknownType)?;
        let key = VerifierKey::admitted(name, kind, public_key)?;
        // Comparing with the text form also refuses other spellings of the same id.
        if id != hex_id(key.id) {
            return Err(VkeyRefused::IdMismatch);
        }
        Ok(key)
    }

    /// The name the key signs under.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key id of signed-note.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key, in the suite's encoding.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn admitted(
        name: KeyName,
        kind: KeyKind,
        public_key: &[u8],
    ) -> Result<VerifierKey<S>, KeyRefused> {
        S::admit(public_key)?;
        let id = key_id::<S>(&name, kind, public_key);
        Ok(VerifierKey {
            name,
            id,
            kind,
            public_key: public_key.to_vec(),
            suite: PhantomData,
        })
    }
}

impl<S: Suite> fmt::Display for VerifierKey<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed_key = [self.kind.type_bytes::<S>(), &self.public_key].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex_id(self.id),
            encoding::base64(&typed_key)
        )
    }
}

impl<S: Suite> FromStr for VerifierKey<S> {
    type Err = VkeyRefused;

    fn from_str(vkey: &str) -> Result<VerifierKey<S>, VkeyRefused> {
        VerifierKey::parse(vkey)
    }
}

fn hex_id(id: u32) -> String {
    format!("{id:08x}")
}

/// Why a text is not a verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyRefused {
    /// The id is not the one that belongs to name, type and key.
    #[error("key id does not belong to the key")]
    IdMismatch,
    /// The suite does not admit the key.
    #[error(transparent)]
    Key(#[from] KeyRefused),
    /// The text does not have the form `name+id+base64`.
    #[error("verifier key does not have the form name+id+base64")]
    Malformed,
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] NameRefused),
    /// The signature type is none of the suite's.
    #[error("signature type is not one of the suite's")]
    UnknownType,
}

#[cfg(test)]
mod tests;
