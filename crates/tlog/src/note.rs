//! Signed notes (C2SP signed-note v1.0.0): a text, a blank line and one signature a line.
//!
//! Signatures by unknown keys are ignored; one by a known key that does not verify refuses the
//! whole note. The text must not be used before [`Note::verify`] has returned `Ok`.

use std::fmt;

use crate::cosignature;
use crate::encoding;
use crate::key::{KeyKind, KeyName, VerifierKey, key_id};
use crate::suite::{Signer, Suite};

/// Longest text of a note in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Most signature lines of a note; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;
/// Longest signature of a note in bytes, without its key id; post-quantum ones have nearly 5 kB.
pub const MAX_BLOB_BYTES: usize = 8 * 1024;

/// Longest signature line: dash, name, base64 of key id and signature, and the spaces between.
const MAX_LINE_BYTES: usize = 8 + crate::key::MAX_NAME_BYTES + (MAX_BLOB_BYTES + 4).div_ceil(3) * 4;
const MAX_NOTE_BYTES: usize = MAX_TEXT_BYTES + 1 + MAX_SIGNATURES * MAX_LINE_BYTES;

/// A text with signatures that nobody has verified yet. `Display` gives its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, up to and including its last newline.
    pub text: String,
    /// The signature lines, in their order.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name the signer gives itself.
    pub name: KeyName,
    /// The key id, see [`key_id`].
    pub id: u32,
    /// What the signature type defines; at most [`MAX_BLOB_BYTES`].
    pub blob: Vec<u8>,
}

/// A known key under which a note's text was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The key's name.
    pub name: KeyName,
    /// The key's id.
    pub id: u32,
    /// For a cosignature, when it was made (Unix time in seconds); the latest one if there are
    /// several. `None` for a note signature.
    pub time_unix_s: Option<u64>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteMalformed`] for whatever [`Note`] would not display, byte for byte.
    pub fn parse(note: impl AsRef<[u8]>) -> Result<Note, NoteMalformed> {
        let bytes = note.as_ref();
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteMalformed::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteMalformed::NotText)?;
        // The text may have blank lines itself; signature lines are never blank, so the last
        // blank line is the separator.
        let separator = note.rfind("\n\n").ok_or(NoteMalformed::NoSignature)?;
        let (text, lines) = (&note[..=separator], &note[separator + 2..]);
        check_text(text)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteMalformed::NoSignature)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if number > MAX_SIGNATURES {
                return Err(NoteMalformed::TooManySignatures);
            }
            let signature =
                NoteSignature::parse(line).ok_or(NoteMalformed::BadSignatureLine { number })?;
            signatures.push(signature);
        }
        Ok(Note {
            text: text.to_owned(),
            signatures,
        })
    }

    /// Verifies the signatures by `keys` and ignores all others. Gives each key that signed once,
    /// at least one.
    ///
    /// # Errors
    /// [`NoteRefused`] when a signature by one of `keys` does not verify, none of them signed, or
    /// two different ones share name and id.
    pub fn verify<S: Suite>(
        &self,
        keys: &[VerifierKey<S>],
    ) -> Result<Vec<VerifiedSignature>, NoteRefused> {
        let mut verified: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = find_key(keys, signature)? else {
                continue;
            };
            let new = self.verify_one(key, signature)?;
            match verified
                .iter_mut()
                .find(|old| old.name == new.name && old.id == new.id)
            {
                Some(old) => old.time_unix_s = old.time_unix_s.max(new.time_unix_s),
                None => verified.push(new),
            }
        }
        if verified.is_empty() {
            return Err(NoteRefused::NoKnownSignature);
        }
        Ok(verified)
    }

    fn verify_one<S: Suite>(
        &self,
        key: &VerifierKey<S>,
        signature: &NoteSignature,
    ) -> Result<VerifiedSignature, NoteRefused> {
        let bad = || NoteRefused::BadSignature {
            name: signature.name.clone(),
            id: signature.id,
        };
        let time_unix_s = match key.kind() {
            KeyKind::Note => {
                let message = self.text.as_bytes();
                if !S::verify(key.public_key(), message, &signature.blob) {
                    return Err(bad());
                }
                None
            }
            KeyKind::Cosignature => {
                let time = cosignature::verify_cosignature(&self.text, key, signature);
                Some(time.map_err(|_| bad())?)
            }
        };
        Ok(VerifiedSignature {
            name: key.name().clone(),
            id: key.id(),
            time_unix_s,
        })
    }
}

/// The key that made `signature` by its own account.
fn find_key<'k, S: Suite>(
    keys: &'k [VerifierKey<S>],
    signature: &NoteSignature,
) -> Result<Option<&'k VerifierKey<S>>, NoteRefused> {
    let mut matching = keys
        .iter()
        .filter(|key| *key.name() == signature.name && key.id() == signature.id);
    let first = matching.next();
    if matching.any(|other| Some(other) != first) {
        let name = signature.name.clone();
        return Err(NoteRefused::AmbiguousKey {
            name,
            id: signature.id,
        });
    }
    Ok(first)
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// Reads one signature line, without its newline, such as a witness returns.
    ///
    /// `None` for whatever [`NoteSignature`] would not display, byte for byte.
    pub fn parse(line: &str) -> Option<NoteSignature> {
        if line.len() > MAX_LINE_BYTES {
            return None;
        }
        let (name, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let name = KeyName::parse(name).ok()?;
        let bytes = encoding::from_base64(blob)?;
        let (id, blob) = bytes.split_first_chunk::<4>()?;
        if blob.is_empty() || blob.len() > MAX_BLOB_BYTES {
            return None;
        }
        Some(NoteSignature {
            name,
            id: u32::from_be_bytes(*id),
            blob: blob.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes(), self.blob.as_slice()].concat();
        write!(f, "\u{2014} {} {}", self.name, encoding::base64(&bytes))
    }
}

/// Signs a note's text, which ends with a newline.
///
/// # Errors
/// [`NoteMalformed`] when `text` cannot be the text of a note: nothing is signed then.
pub fn sign_note<S: Suite>(
    text: &str,
    name: &KeyName,
    signer: &dyn Signer,
) -> Result<NoteSignature, NoteMalformed> {
    check_text(text)?;
    let id = key_id::<S>(name, KeyKind::Note, signer.public_key());
    Ok(NoteSignature {
        name: name.clone(),
        id,
        blob: signer.sign(text.as_bytes()),
    })
}

/// Checks the rules for a note's text.
fn check_text(text: &str) -> Result<(), NoteMalformed> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(NoteMalformed::TooLarge);
    }
    if !text.ends_with('\n') || text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteMalformed::NotText);
    }
    Ok(())
}

/// Why bytes are not a signed note, or a text not the text of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteMalformed {
    /// A signature line has another form than the specification's.
    #[error("signature line {number} is malformed")]
    BadSignatureLine {
        /// The line's number among the signature lines, from 1.
        number: usize,
    },
    /// There is no blank line with signature lines after it, or the last one is cut off.
    #[error("note has no complete signature lines")]
    NoSignature,
    /// Not UTF-8, a control character, or no newline at the end of the text.
    #[error("note is not lines of utf-8 text")]
    NotText,
    /// The text is longer than [`MAX_TEXT_BYTES`], or the whole than it could then be.
    #[error("note is too large")]
    TooLarge,
    /// More than [`MAX_SIGNATURES`].
    #[error("note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
}

/// Why a note is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteRefused {
    /// Two different known keys share a name and an id, so that it is not known whose it is.
    #[error("two known keys share the name `{name}` and the id {id:08x}")]
    AmbiguousKey {
        /// The shared name.
        name: KeyName,
        /// The shared id.
        id: u32,
    },
    /// A known key's signature does not verify.
    #[error("signature by `{name}` with key id {id:08x} does not verify")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: u32,
    },
    /// No known key has signed.
    #[error("note is not signed by a known key")]
    NoKnownSignature,
}

#[cfg(test)]
mod tests;
