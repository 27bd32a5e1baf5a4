//! The keys: one from outside the data directory, and the generations that it wraps in a file inside.
//!
//! The file, big-endian: `"LQSK"`, version u32, number of generations u32, then for each its number u32, a nonce of 12
//! bytes and the wrapped key of 48. Number and count stand in the authenticated data, so that no generation can be left
//! out, exchanged or taken from another file unnoticed.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{DataKey, TAG_LEN, Unsealable, random};

const MAGIC: &[u8; 4] = b"LQSK";
const VERSION: u32 = 1;
const HEAD_LEN: usize = 12;
const WRAPPED_LEN: usize = 4 + NONCE_LEN + 32 + TAG_LEN;
/// Most generations in one file; a rotation a month for eighty years.
const GENERATIONS_MAX: usize = 1_000;
/// A key in hexadecimal, and a newline.
const TEXT_LEN_MAX: u64 = 66;

/// The key from outside: 32 bytes, written as 64 hexadecimal digits. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct StateKey(Zeroizing<[u8; 32]>);

/// Why there is no outer key. Says nothing of its content.
#[derive(Debug, thiserror::Error)]
pub enum StateKeyUnreadable {
    /// The file cannot be read.
    #[error("the state key `{path}` cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner may read it.
    #[error("the state key `{0}` can be read by others than its owner: `chmod 600` it")]
    Exposed(PathBuf),
    /// It is not 64 hexadecimal digits.
    #[error("the state key is not 64 hexadecimal digits")]
    Form,
}

impl StateKey {
    /// A new key from the operating system's random source.
    pub fn generate() -> StateKey {
        StateKey(Zeroizing::new(random()))
    }

    /// Reads a key file, which only its owner may read.
    ///
    /// # Errors
    /// [`StateKeyUnreadable`]
    pub fn read(path: &Path) -> Result<StateKey, StateKeyUnreadable> {
        let io = |source| StateKeyUnreadable::Io {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(io)?;
        // Asked of the open file: what is checked is what is read.
        if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
            return Err(StateKeyUnreadable::Exposed(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(TEXT_LEN_MAX + 1)
            .read_to_string(&mut text)
            .map_err(io)?;
        StateKey::parse(&text)
    }

    /// Reads 64 hexadecimal digits, with a newline or without.
    ///
    /// # Errors
    /// [`StateKeyUnreadable::Form`]
    pub fn parse(text: &str) -> Result<StateKey, StateKeyUnreadable> {
        let digits = text.strip_suffix('\n').unwrap_or(text).as_bytes();
        if digits.len() != 64 {
            return Err(StateKeyUnreadable::Form);
        }
        let mut key = Zeroizing::new([0; 32]);
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let high = digit(pair[0]).ok_or(StateKeyUnreadable::Form)?;
            let low = digit(pair[1]).ok_or(StateKeyUnreadable::Form)?;
            *byte = high << 4 | low;
        }
        Ok(StateKey(key))
    }

    /// What [`Self::parse`] reads: for the one moment when the key's file is written.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in self.0.iter() {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(half.into(), 16).expect("four bits are one digit"));
            }
        }
        text.push('\n');
        text
    }

    fn aead(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.0.as_slice());
        LessSafeKey::new(key.expect("the key has the algorithm's length"))
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKey")
    }
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The keys that seal the state, oldest first. New things are sealed with the newest; what older ones sealed stays
/// readable. `Debug` shows their numbers only.
#[derive(Clone)]
pub struct StateKeys {
    /// Never empty, in ascending order of number.
    keys: Vec<DataKey>,
}

/// Why a file of state keys is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateKeysRefused {
    /// Not a file of state keys, or of a version that is not known here.
    #[error("not a file of state keys of version {VERSION}")]
    Form,
    /// It holds as many generations as it can.
    #[error("there are {GENERATIONS_MAX} generations of the state keys already")]
    Full,
    /// The outer key did not wrap it, or it was changed.
    #[error("the state keys do not open with this state key, or were changed")]
    Key,
}

impl StateKeys {
    /// The first generation, from the operating system's random source.
    pub fn generate() -> StateKeys {
        StateKeys {
            keys: vec![DataKey {
                generation: 1,
                secret: Zeroizing::new(random()),
            }],
        }
    }

    /// The same keys and a new one that everything from now on is sealed with.
    ///
    /// # Errors
    /// [`StateKeysRefused::Full`]: which old generation nothing needs any more is not known here.
    pub fn rotated(&self) -> Result<StateKeys, StateKeysRefused> {
        let mut keys = self.keys.clone();
        if keys.len() == GENERATIONS_MAX {
            return Err(StateKeysRefused::Full);
        }
        keys.push(DataKey {
            generation: self.newest().generation.saturating_add(1),
            secret: Zeroizing::new(random()),
        });
        Ok(StateKeys { keys })
    }

    /// Number of the newest generation.
    pub fn newest_generation(&self) -> u32 {
        self.newest().generation
    }

    /// The file's content, wrapped by `outer`.
    pub fn wrap(&self, outer: &StateKey) -> Vec<u8> {
        let aead = outer.aead();
        let count = u32::try_from(self.keys.len()).expect("generations are bounded");
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.keys.len() * WRAPPED_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        for key in &self.keys {
            let nonce: [u8; NONCE_LEN] = random();
            let mut secret = key.secret.to_vec();
            let tag = aead
                .seal_in_place_separate_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(place(count, key.generation)),
                    &mut secret,
                )
                .expect("a key is shorter than what AES-GCM takes");
            bytes.extend_from_slice(&key.generation.to_be_bytes());
            bytes.extend_from_slice(&nonce);
            bytes.extend_from_slice(&secret);
            bytes.extend_from_slice(tag.as_ref());
        }
        bytes
    }

    /// Reads what [`Self::wrap`] wrote.
    ///
    /// # Errors
    /// [`StateKeysRefused`]
    pub fn unwrap_with(bytes: &[u8], outer: &StateKey) -> Result<StateKeys, StateKeysRefused> {
        let (head, rest) = bytes
            .split_at_checked(HEAD_LEN)
            .ok_or(StateKeysRefused::Form)?;
        let number = |at: usize| {
            let word = head[at..at + 4].try_into().expect("a word has four bytes");
            u32::from_be_bytes(word)
        };
        let count = number(8);
        let is_ours = head[..4] == *MAGIC && number(4) == VERSION;
        let fits = (1..=GENERATIONS_MAX).contains(&(count as usize))
            && rest.len() == count as usize * WRAPPED_LEN;
        if !is_ours || !fits {
            return Err(StateKeysRefused::Form);
        }
        let aead = outer.aead();
        let wrapped = rest.chunks_exact(WRAPPED_LEN);
        let keys = wrapped
            .map(|wrapped| unwrap(&aead, count, wrapped))
            .collect::<Result<Vec<_>, _>>()?;
        let in_order = keys.is_sorted_by(|before, after| before.generation < after.generation);
        if !in_order {
            return Err(StateKeysRefused::Form);
        }
        Ok(StateKeys { keys })
    }

    pub(super) fn newest(&self) -> &DataKey {
        self.keys.last().expect("there is always a generation")
    }

    pub(super) fn generation(&self, generation: u32) -> Result<&DataKey, Unsealable> {
        let at = self
            .keys
            .binary_search_by_key(&generation, |key| key.generation);
        at.map(|at| &self.keys[at]).map_err(|_| Unsealable)
    }
}

impl fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = self.keys.iter().map(|key| key.generation);
        f.write_str("StateKeys")?;
        f.debug_list().entries(generations).finish()
    }
}

fn unwrap(aead: &LessSafeKey, count: u32, wrapped: &[u8]) -> Result<DataKey, StateKeysRefused> {
    let (generation, rest) = wrapped
        .split_first_chunk::<4>()
        .ok_or(StateKeysRefused::Form)?;
    let (nonce, text) = rest
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(StateKeysRefused::Form)?;
    let generation = u32::from_be_bytes(*generation);
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let secret = aead
        .open_in_place(nonce, Aad::from(place(count, generation)), &mut text)
        .map_err(|_| StateKeysRefused::Key)?;
    let secret = <[u8; 32]>::try_from(&*secret).map_err(|_| StateKeysRefused::Form)?;
    Ok(DataKey {
        generation,
        secret: Zeroizing::new(secret),
    })
}

fn place(count: u32, generation: u32) -> Vec<u8> {
    let mut place = b"lingqu/state/keys/1".to_vec();
    place.extend_from_slice(&count.to_be_bytes());
    place.extend_from_slice(&generation.to_be_bytes());
    place
}
