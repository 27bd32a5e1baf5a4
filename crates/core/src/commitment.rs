//! Salted commitments to what a record must not show: subjects, parameters, results.
//!
//! Each field is committed as `digest("cal1/f\0" ‖ u16 tag ‖ salt ‖ u32 length ‖ value)` with
//! `salt = digest("cal1/salt\0" ‖ key ‖ u16 tag)`, and the record carries the Merkle tree hash over the fields in tag
//! order. The 32-byte key is random per call and given to the caller alone, so a verdict, which has two values, cannot
//! be guessed from the record; one field can be opened without the others.

use lingqu_tlog::{Frontier, Hash, Suite, leaf_hash};

/// What a committed field is. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Tag {
    /// The canonical encoding of the claims or parameters.
    Request = 1,
    /// The answer: for a verification one byte, the verdict's number on the wire.
    Answer = 2,
}

/// The root over the commitments to `fields`, which must be in tag order.
pub fn body_root<S: Suite>(key: &[u8; 32], fields: &[(Tag, &[u8])]) -> Hash {
    debug_assert!(
        fields.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "fields stand in tag order"
    );
    let mut tree = Frontier::<S>::new();
    for (tag, value) in fields {
        tree.push(leaf_hash::<S>(&commit::<S>(key, *tag, value).0));
    }
    tree.root()
}

/// The commitment to one field.
pub fn commit<S: Suite>(key: &[u8; 32], tag: Tag, value: &[u8]) -> Hash {
    let tag = (tag as u16).to_be_bytes();
    let salt = S::digest(&[b"cal1/salt\0", key, &tag]);
    let length = u32::try_from(value.len())
        .expect("a field is bounded by the message size")
        .to_be_bytes();
    S::digest(&[b"cal1/f\0", &tag, &salt.0, &length, value])
}

#[cfg(test)]
mod tests {
    use lingqu_tlog::Intl;

    use super::*;

    #[test]
    fn each_part_changes_the_root() {
        let root = |key: u8, request: &[u8], answer: &[u8]| {
            body_root::<Intl>(
                &[key; 32],
                &[(Tag::Request, request), (Tag::Answer, answer)],
            )
        };
        let original = root(1, b"claim", b"\x01");
        assert_eq!(original, root(1, b"claim", b"\x01"));
        assert_ne!(original, root(2, b"claim", b"\x01"));
        assert_ne!(original, root(1, b"claim", b"\x02"));
        assert_ne!(original, root(1, b"claims", b"\x01"));
        assert_ne!(original, root(1, b"clai", b"m\x01"));
    }
}
