//! State at rest: frames and files are sealed with keys that lie outside the data directory.
//!
//! A [`StateKey`] comes from outside and seals one small file, the [`StateKeys`]; these seal everything else. So the
//! outer key changes without a byte of the journal being written again, and whoever copies the data directory has
//! nothing. What protects against a changed history is not this seal but root and signature.
//!
//! **Nonces.** AES-256-GCM, and no key ever sees a nonce twice. Each file has a key of its own, derived from 32 random
//! bytes that stand before it, and the nonce zero. Each opening of a log derives a key from 32 random bytes, and the
//! nonce is the frame's number: within one opening a number is written at most once, since nothing is written after a
//! failed write; a torn frame's number comes again only under the next opening's key. Wrapped keys have random nonces;
//! there are a few of them in the life of an outer key.

mod keys;
mod rewriting;

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::frame::LogId;

pub use keys::{StateKey, StateKeyUnreadable, StateKeys, StateKeysRefused};
pub use rewriting::{ResealFailed, reseal};

/// What a sealed file begins with.
const FILE_MAGIC: &[u8; 4] = b"LQS1";
const GENERATION_LEN: usize = 4;
const SALT_LEN: usize = 32;
const TAG_LEN: usize = 16;
/// Bytes that a sealed payload takes besides its own.
pub(crate) const FRAME_OVERHEAD: usize = GENERATION_LEN + SALT_LEN + TAG_LEN;

/// Bytes that these keys did not seal for this place, or not a seal at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not sealed with the state keys for this place")]
pub struct Unsealable;

/// One generation of the key that everything is sealed with.
#[derive(Clone)]
struct DataKey {
    generation: u32,
    secret: zeroize::Zeroizing<[u8; 32]>,
}

/// The use of a derived key: keys of different uses are independent.
#[derive(Clone, Copy)]
enum Use {
    File,
    Frame,
}

impl DataKey {
    fn derive(&self, usage: Use, salt: &[u8; SALT_LEN]) -> LessSafeKey {
        let info: [&[u8]; 1] = [match usage {
            Use::File => b"lingqu/state/file/1",
            Use::Frame => b"lingqu/state/frame/1",
        }];
        let key = Salt::new(HKDF_SHA256, salt).extract(self.secret.as_slice());
        let okm = key
            .expand(&info, &AES_256_GCM)
            .expect("one key is shorter than what HKDF gives");
        LessSafeKey::new(UnboundKey::from(okm))
    }
}

impl StateKeys {
    /// Seals a file's content. `place` says which file it is, so that one cannot stand in for another.
    pub fn seal_file(&self, place: &str, content: &[u8]) -> Vec<u8> {
        let (key, salt) = (self.newest(), random());
        let mut sealed = Vec::with_capacity(FILE_MAGIC.len() + FRAME_OVERHEAD + content.len());
        sealed.extend_from_slice(FILE_MAGIC);
        sealed.extend_from_slice(&key.generation.to_be_bytes());
        sealed.extend_from_slice(&salt);
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        seal_onto(
            &mut sealed,
            &key.derive(Use::File, &salt),
            nonce,
            place.as_bytes(),
            content,
        );
        sealed
    }

    /// The content of a file that [`Self::seal_file`] sealed for `place`.
    ///
    /// # Errors
    /// [`Unsealable`]
    pub fn open_file(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let rest = sealed.strip_prefix(FILE_MAGIC).ok_or(Unsealable)?;
        let (generation, salt, text) = split(rest)?;
        let key = self.generation(generation)?.derive(Use::File, salt);
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        unseal(&key, nonce, place.as_bytes(), text)
    }
}

/// Whether bytes look like a sealed file: for whoever migrates, and for messages. It proves nothing.
pub fn is_sealed_file(bytes: &[u8]) -> bool {
    bytes.starts_with(FILE_MAGIC)
}

/// Seals the frames of one opening of a log.
pub(crate) struct FrameSealer {
    generation: u32,
    salt: [u8; SALT_LEN],
    key: LessSafeKey,
    log: LogId,
}

impl FrameSealer {
    pub(crate) fn new(keys: &StateKeys, log: LogId) -> FrameSealer {
        let (newest, salt) = (keys.newest(), random());
        FrameSealer {
            generation: newest.generation,
            key: newest.derive(Use::Frame, &salt),
            salt,
            log,
        }
    }

    /// Seals the payload of frame `sequence` over whatever `sealed` held. To be called once for each number.
    pub(crate) fn seal(&self, sequence: u64, payload: &[u8], sealed: &mut Vec<u8>) {
        sealed.clear();
        sealed.extend_from_slice(&self.generation.to_be_bytes());
        sealed.extend_from_slice(&self.salt);
        let place = frame_place(self.log, sequence);
        seal_onto(sealed, &self.key, frame_nonce(sequence), &place, payload);
    }
}

/// The payload of frame `sequence` of a sealed log.
pub(crate) fn open_frame(
    keys: &StateKeys,
    log: LogId,
    sequence: u64,
    sealed: &[u8],
) -> Result<Vec<u8>, Unsealable> {
    let (generation, salt, text) = split(sealed)?;
    let key = keys.generation(generation)?.derive(Use::Frame, salt);
    let place = frame_place(log, sequence);
    unseal(&key, frame_nonce(sequence), &place, text)
}

fn frame_nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn frame_place(log: LogId, sequence: u64) -> [u8; 24] {
    let mut place = [0; 24];
    place[..16].copy_from_slice(&log.0);
    place[16..].copy_from_slice(&sequence.to_be_bytes());
    place
}

fn split(sealed: &[u8]) -> Result<(u32, &[u8; SALT_LEN], &[u8]), Unsealable> {
    let (generation, rest) = sealed.split_first_chunk().ok_or(Unsealable)?;
    let (salt, text) = rest.split_first_chunk().ok_or(Unsealable)?;
    Ok((u32::from_be_bytes(*generation), salt, text))
}

/// Appends ciphertext and tag to `sealed`.
fn seal_onto(sealed: &mut Vec<u8>, key: &LessSafeKey, nonce: Nonce, place: &[u8], content: &[u8]) {
    let at = sealed.len();
    sealed.extend_from_slice(content);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(place), &mut sealed[at..])
        .expect("a state file or frame is shorter than what AES-GCM takes");
    sealed.extend_from_slice(tag.as_ref());
}

fn unseal(
    key: &LessSafeKey,
    nonce: Nonce,
    place: &[u8],
    text: &[u8],
) -> Result<Vec<u8>, Unsealable> {
    let mut text = text.to_vec();
    let content = key
        .open_in_place(nonce, Aad::from(place), &mut text)
        .map_err(|_| Unsealable)?;
    let len = content.len();
    text.truncate(len);
    Ok(text)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the supported operating systems never fail to give random bytes");
    bytes
}

impl fmt::Debug for FrameSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameSealer(generation {})", self.generation)
    }
}

#[cfg(test)]
mod tests;
