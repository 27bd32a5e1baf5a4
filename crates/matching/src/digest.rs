//! The keyed digests an index consists of.
//!
//! One key per purpose and field is derived from the [`IndexKey`] and the schema, so a digest of
//! one field, schema or register means nothing in another. Digests are HMAC-SHA-256 cut to 128
//! bits: at 2³² rows two different keys collide with a probability of about 2⁻⁶⁴.

use std::fmt;

use ring::{hmac, rand::SecureRandom};
use zeroize::Zeroizing;

use crate::{
    Field, Schema,
    comparator::{CANONICAL_NULL, rank},
};

#[cfg(test)]
mod tests;

/// A stored digest. Big-endian, so that numbers sort as their bytes do.
pub(crate) type Digest = u128;

/// 32 random bytes under which the digests of one index are made; wiped when dropped.
///
/// Draw a new one for every load: digests of two loads then cannot be compared.
pub struct IndexKey(Zeroizing<[u8; 32]>);

/// The source of randomness gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness for the index key")]
pub struct RandomnessUnavailable;

impl IndexKey {
    /// Draws a key.
    ///
    /// # Errors
    ///
    /// If `random` fails.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, RandomnessUnavailable> {
        let mut bytes = Zeroizing::new([0; 32]);
        random
            .fill(bytes.as_mut_slice())
            .map_err(|_| RandomnessUnavailable)?;
        Ok(IndexKey(bytes))
    }

    /// A key of given bytes. They must be uniformly random, and wiping the caller's copy is the
    /// caller's business.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        IndexKey(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexKey(..)")
    }
}

/// The digest of a key tuple: whole where other digests are bound to it, cut where it is stored.
#[derive(Clone, Copy)]
pub(crate) struct KeyDigest([u8; 32]);

impl KeyDigest {
    pub(crate) fn stored(&self) -> Digest {
        cut(&self.0)
    }
}

/// The derived keys of one index. They live as long as the index and, being prepared inside the
/// cryptographic library, are not wiped when dropped.
pub(crate) struct DigestKeys {
    key_tuple: hmac::Key,
    /// In the order of the compared fields.
    compared: Vec<hmac::Key>,
    /// Likewise; used where a field is compared by order.
    ordering: Vec<hmac::Key>,
}

impl DigestKeys {
    pub(crate) fn derive(key: &IndexKey, schema: &Schema) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key.0.as_slice());
        let derive = |purpose: &[u8], field: Option<&Field>| {
            let mut context = hmac::Context::with_key(&root);
            // Every part before the last has a fixed length, so the parts cannot run together.
            context.update(purpose);
            context.update(schema.digest());
            context.update(field.map_or("", |field| &field.name).as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref())
        };
        let each = |purpose: &[u8]| {
            let fields = schema.compared().iter();
            fields.map(|field| derive(purpose, Some(field))).collect()
        };
        DigestKeys {
            key_tuple: derive(b"lingqu key tuple", None),
            compared: each(b"lingqu compared "),
            ordering: each(b"lingqu ordering "),
        }
    }

    /// The digest of an encoded key tuple (see [`crate::claim::push_key_part`]).
    pub(crate) fn key_tuple(&self, encoded: &[u8]) -> KeyDigest {
        #[cfg(test)]
        crate::work::count_hmac();
        let tag = hmac::sign(&self.key_tuple, encoded);
        KeyDigest(tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes"))
    }

    /// The digest of a compared field's canonical value in a row with this key. It is bound to the
    /// key, so the same value under another key has another digest.
    pub(crate) fn compared(&self, field: usize, key: &KeyDigest, canonical: &[u8]) -> Digest {
        #[cfg(test)]
        crate::work::count_hmac();
        let mut context = hmac::Context::with_key(&self.compared[field]);
        context.update(&key.0);
        context.update(canonical);
        cut(context.sign().as_ref())
    }

    /// What [`Self::compared`] gives for a NULL. It looks like any other digest, so the table does
    /// not show without the key which values are unknown.
    pub(crate) fn null(&self, field: usize, key: &KeyDigest) -> Digest {
        self.compared(field, key, &CANONICAL_NULL)
    }
}

impl DigestKeys {
    /// What is stored for a field that is compared by order: half a digest of the value, and its
    /// rank under a pad that is made from that half. Equal values of one key look equal, as with
    /// [`Self::compared`]; which of two is greater, nobody sees without the key.
    pub(crate) fn sealed(&self, field: usize, key: &KeyDigest, canonical: &[u8]) -> Digest {
        let half = self.compared(field, key, canonical) & !u128::from(u64::MAX);
        half | u128::from(rank(canonical) ^ self.pad(field, key, half))
    }

    /// The rank in what [`Self::sealed`] gave; a meaningless number for anything else.
    pub(crate) fn unsealed(&self, field: usize, key: &KeyDigest, stored: Digest) -> u64 {
        let half = stored & !u128::from(u64::MAX);
        low_half(stored) ^ self.pad(field, key, half)
    }

    fn pad(&self, field: usize, key: &KeyDigest, half: Digest) -> u64 {
        #[cfg(test)]
        crate::work::count_hmac();
        let mut context = hmac::Context::with_key(&self.ordering[field]);
        context.update(&key.0);
        context.update(&half.to_be_bytes());
        low_half(cut(context.sign().as_ref()))
    }
}

fn low_half(digest: Digest) -> u64 {
    u64::try_from(digest & u128::from(u64::MAX)).expect("half the bits")
}

fn cut(tag: &[u8]) -> Digest {
    let first = tag.first_chunk().expect("HMAC-SHA-256 has 32 bytes");
    Digest::from_be_bytes(*first)
}
