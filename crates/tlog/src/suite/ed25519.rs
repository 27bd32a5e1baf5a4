//! The suite `intl`: SHA-256 and Ed25519, both by `ring`.
//!
//! `ring` verifies under any 32 bytes that decompress to a point, also under points of small order
//! and under non-canonical encodings. Under a point of small order one fixed signature verifies for
//! every message, so such a key would let anybody speak in its name: [`Intl::admit`] refuses both.

use std::fmt;

use ring::digest::{Context, SHA256};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::{Digest, Hash, KeyRefused, Signer, SignerRefused, Suite};

const KEY_LEN: usize = 32;

/// SHA-256 and Ed25519 (RFC 8032).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intl;

impl Suite for Intl {
    const NAME: &'static str = "intl";
    const NOTE_TYPE: &'static [u8] = &[0x01];
    const COSIGNATURE_TYPE: &'static [u8] = &[0x04];
    const SIGNATURE_LEN: usize = 64;

    type Digest = Sha256;

    fn begin_digest() -> Sha256 {
        Sha256(Context::new(&SHA256))
    }

    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(message, signature)
            .is_ok()
    }

    /// Refuses wrong lengths, y-coordinates of p or more, and the points of order 1, 2, 4 and 8
    /// under either sign bit (which covers "minus zero" too). Bytes that are no point at all are
    /// let through: nothing verifies under them.
    fn admit(public_key: &[u8]) -> Result<(), KeyRefused> {
        let Ok(key) = <[u8; KEY_LEN]>::try_from(public_key) else {
            return Err(KeyRefused::WrongLength {
                expected: KEY_LEN,
                got: public_key.len(),
            });
        };
        let mut y = key;
        y[31] &= 0x7f;
        if !is_below_p(&y) {
            return Err(KeyRefused::NonCanonical);
        }
        if SMALL_ORDER_Y.contains(&y) {
            return Err(KeyRefused::SmallOrder);
        }
        Ok(())
    }
}

/// SHA-256 in progress.
#[derive(Clone)]
pub struct Sha256(Context);

impl Digest for Sha256 {
    fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> Hash {
        let digest = self.0.finish();
        Hash(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256")
    }
}

/// Whether the little-endian `y`, its sign bit already cleared, is less than p = 2^255 - 19.
fn is_below_p(y: &[u8; KEY_LEN]) -> bool {
    let top_is_full = y[31] == 0x7f && y[1..31].iter().all(|&byte| byte == 0xff);
    !(top_is_full && y[0] >= 0xed)
}

/// The y-coordinates of the eight points of small order, little-endian. Two points share a y, and
/// the sign bit tells them apart, so comparing y alone refuses all of them.
const SMALL_ORDER_Y: [[u8; KEY_LEN]; 5] = [
    // y = 0, order 4
    [0; KEY_LEN],
    // y = 1, the neutral element
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    // y = -1, order 2
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    // order 8
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    // order 8
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// An Ed25519 private key in memory. `Debug` prints the public key only.
pub struct Ed25519Signer {
    pair: Ed25519KeyPair,
}

impl Ed25519Signer {
    /// The key pair of a 32-byte seed (RFC 8032 §5.1.5, "private key"). The seed must come from a
    /// secure random source, or be a fixed one in a test.
    pub fn from_seed(seed: [u8; 32]) -> Ed25519Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .expect("every 32-byte seed is a valid Ed25519 private key");
        Ed25519Signer { pair }
    }

    /// Reads a private key in PKCS#8 DER, version 1 (RFC 5208, as OpenSSL writes it) or version 2
    /// (RFC 5958, as [`Ed25519Signer::generate_pkcs8`] writes it). In version 2 the public key
    /// must belong to the private one.
    ///
    /// # Errors
    /// [`SignerRefused`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Ed25519Signer, SignerRefused> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| SignerRefused)?;
        Ok(Ed25519Signer { pair })
    }

    /// Makes a new private key from the operating system's random source, in PKCS#8 DER v2.
    ///
    /// # Panics
    /// If the operating system has no random bytes: no key may be made then, and there is nothing
    /// a caller could do instead.
    pub fn generate_pkcs8() -> Vec<u8> {
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .expect("the supported operating systems never fail to give random bytes")
            .as_ref()
            .to_vec()
    }
}

impl Signer for Ed25519Signer {
    fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Signer(public key ")?;
        self.public_key()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ")")
    }
}
