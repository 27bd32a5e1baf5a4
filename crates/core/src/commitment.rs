//! Salted commitments to what a record must not show: subjects, parameters, results.
//!
//! Each field is committed as `digest("cal1/f\0" ‖ u16 tag ‖ salt ‖ u32 length ‖ value)` with
//! `salt = digest("cal1/salt\0" ‖ key ‖ u16 tag)`, and the record carries the Merkle tree hash over the fields in tag
//! order. The 32-byte key is random per call and given to the caller alone, so a verdict, which has two values, cannot
//! be guessed from the record; one field can be opened without the others.

use std::fmt;

use lingqu_tlog::{Frontier, Hash, Suite, leaf_hash, node_hash};

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

/// One committed field, opened without the others: whoever has the record can check the value, and learns nothing about
/// the fields that stay closed.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Which field.
    pub tag: Tag,
    /// Its salt. Those of other fields do not follow from it.
    pub salt: Hash,
    /// Its value.
    pub value: Vec<u8>,
    /// The leaf hash of the field beside it.
    pub sibling: Hash,
}

impl Disclosure {
    /// Opens `tag` of a call whose whole opening is known.
    pub fn of<S: Suite>(key: &[u8; 32], request: &[u8], answer: &[u8], tag: Tag) -> Disclosure {
        let (value, (other_tag, other)) = match tag {
            Tag::Request => (request, (Tag::Answer, answer)),
            Tag::Answer => (answer, (Tag::Request, request)),
        };
        Disclosure {
            tag,
            salt: salt::<S>(key, tag),
            value: value.to_vec(),
            sibling: leaf_hash::<S>(&commit::<S>(key, other_tag, other).0),
        }
    }

    /// The root that the record must carry if the value is the committed one.
    pub fn root<S: Suite>(&self) -> Hash {
        let own = leaf_hash::<S>(&commit_salted::<S>(&self.salt, self.tag, &self.value).0);
        match self.tag {
            Tag::Request => node_hash::<S>(&own, &self.sibling),
            Tag::Answer => node_hash::<S>(&self.sibling, &own),
        }
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Disclosure({:?}, {} bytes, redacted)",
            self.tag,
            self.value.len()
        )
    }
}

/// The commitment to one field.
pub fn commit<S: Suite>(key: &[u8; 32], tag: Tag, value: &[u8]) -> Hash {
    commit_salted::<S>(&salt::<S>(key, tag), tag, value)
}

fn salt<S: Suite>(key: &[u8; 32], tag: Tag) -> Hash {
    S::digest(&[b"cal1/salt\0", key, &(tag as u16).to_be_bytes()])
}

fn commit_salted<S: Suite>(salt: &Hash, tag: Tag, value: &[u8]) -> Hash {
    let tag = (tag as u16).to_be_bytes();
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
    fn one_field_opens_without_the_other() {
        let root = body_root::<Intl>(&[1; 32], &[(Tag::Request, b"claim"), (Tag::Answer, &[2])]);
        for tag in [Tag::Request, Tag::Answer] {
            let opened = Disclosure::of::<Intl>(&[1; 32], b"claim", &[2], tag);
            assert_eq!(opened.root::<Intl>(), root);
            let other_value = Disclosure {
                value: vec![3],
                ..opened.clone()
            };
            let other_salt = Disclosure {
                salt: Hash([0; 32]),
                ..opened.clone()
            };
            let other_field = Disclosure {
                tag: if tag == Tag::Answer {
                    Tag::Request
                } else {
                    Tag::Answer
                },
                ..opened.clone()
            };
            for forged in [other_value, other_salt, other_field] {
                assert_ne!(forged.root::<Intl>(), root, "{forged:?}");
            }
        }
        // Neither key nor the other field's salt is in it.
        let opened = Disclosure::of::<Intl>(&[1; 32], b"claim", &[2], Tag::Answer);
        assert_ne!(opened.salt, salt::<Intl>(&[1; 32], Tag::Request));
    }

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
