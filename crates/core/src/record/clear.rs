//! The clear fields of one record as they are encoded: type u16, length u16 and value of each, big-endian, in ascending
//! order of type.
//!
//! [`Clear`] makes them and [`ClearView`] reads them in place. Whoever reads every record of a stream asks for some ten
//! of its fields, so that one pass over the bytes notes where each stands.

use lingqu_tlog::{Hash, Suite};

use super::field::{Field, FieldRefused, NUMBERS_END, Shape, TEXT_LEN_MAX};

/// Bytes of a field's number and length.
const TAG_LEN: usize = 4;
/// Bytes that the fields of a call take, about: room for them is made at once.
const USUAL_LEN: usize = 448;

/// The clear fields of one record. They are kept as they are encoded: a record is made once and read often, and in few
/// of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clear {
    bytes: Vec<u8>,
    /// The highest number in `bytes`; zero if there is none.
    last: u16,
}

impl Clear {
    /// Adds a text; an empty one is left out. Control characters become `?` and the text is cut at 256 bytes, since a
    /// record must never fail for what a caller put into a name.
    #[must_use]
    pub fn text(mut self, field: Field, value: &str) -> Self {
        debug_assert_eq!(field.shape(), Shape::Text);
        if Shape::Text.fits(value.as_bytes()) {
            self.insert(field, value.as_bytes());
            return self;
        }
        let mut clean: String = value
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        while clean.len() > TEXT_LEN_MAX {
            clean.pop();
        }
        if !clean.is_empty() {
            self.insert(field, clean.as_bytes());
        }
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, field: Field, value: u64) -> Self {
        debug_assert_eq!(field.shape(), Shape::Number);
        self.insert(field, &value.to_be_bytes());
        self
    }

    /// Adds bytes of the field's length.
    #[must_use]
    pub fn bytes(mut self, field: Field, value: &[u8]) -> Self {
        debug_assert!(!matches!(field.shape(), Shape::Number | Shape::Text));
        debug_assert!(field.shape().fits(value));
        self.insert(field, value);
        self
    }

    /// A text field's value.
    pub fn get_text(&self, field: Field) -> Option<&str> {
        std::str::from_utf8(self.get_bytes(field)?).ok()
    }

    /// A number field's value.
    pub fn get_number(&self, field: Field) -> Option<u64> {
        let value = self.get_bytes(field)?.try_into().ok()?;
        Some(u64::from_be_bytes(value))
    }

    /// A field's bytes.
    pub fn get_bytes(&self, field: Field) -> Option<&[u8]> {
        each(&self.bytes)
            .find(|(number, _)| *number == field as u16)
            .map(|(_, value)| value)
    }

    /// The fields that are present, in ascending order.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        each(&self.bytes).filter_map(|(number, _)| Field::numbered(number))
    }

    /// Digest of grant id and version; all zero when the record names no grant.
    pub(super) fn grant_reference<S: Suite>(&self) -> Hash {
        grant_reference::<S>(
            self.get_bytes(Field::Grant),
            self.get_bytes(Field::GrantVersion),
        )
    }

    /// The fields' bytes, in ascending order of number, each once.
    pub(super) fn as_encoded(&self) -> &[u8] {
        &self.bytes
    }

    #[cfg(test)]
    pub(super) fn decode(bytes: &[u8]) -> Result<Clear, FieldRefused> {
        ClearView::read(bytes).map(|view| view.to_clear())
    }

    /// Puts a value into its place, instead of one that is there. Whoever adds fields in their order adds each at the
    /// end.
    fn insert(&mut self, field: Field, value: &[u8]) {
        let number = field as u16;
        let length = u16::try_from(value.len()).expect("every shape is shorter than 64 KiB");
        let mut tag = [0; TAG_LEN];
        tag[..2].copy_from_slice(&number.to_be_bytes());
        tag[2..].copy_from_slice(&length.to_be_bytes());
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(USUAL_LEN);
        }
        if number > self.last {
            self.last = number;
            self.bytes.extend_from_slice(&tag);
            self.bytes.extend_from_slice(value);
        } else {
            let place = self.place_of(number);
            let bytes = tag.iter().chain(value).copied();
            self.bytes.splice(place, bytes);
        }
    }

    /// The bytes that a field takes, or none where it would stand.
    fn place_of(&self, number: u16) -> std::ops::Range<usize> {
        let mut at = 0;
        for (found, there) in each(&self.bytes) {
            let end = at + TAG_LEN + there.len();
            if found == number {
                return at..end;
            }
            if found > number {
                break;
            }
            at = end;
        }
        at..at
    }
}

/// The clear fields of one record, read in place. Made only of bytes that are exactly what [`Clear`] holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClearView<'a> {
    bytes: &'a [u8],
    /// Where each field's value begins, by number; zero, where a length stands at the least, if it is not there.
    values_at: [u16; NUMBERS_END],
    /// The highest number there; zero if there is none.
    last: u16,
}

impl<'a> ClearView<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<ClearView<'a>, FieldRefused> {
        let mut values_at = [0; NUMBERS_END];
        let (mut at, mut last) = (0, 0);
        while at < bytes.len() {
            let (number, value) = first(&bytes[at..]).ok_or(FieldRefused::Truncated)?;
            let field = Field::numbered(number).ok_or(FieldRefused::Unknown(number))?;
            if number <= last {
                return Err(FieldRefused::Order);
            }
            if !field.shape().fits(value) {
                return Err(FieldRefused::Shape(field.name()));
            }
            last = number;
            // A record is shorter than 64 KiB, so that this refuses none that its length did not refuse.
            let value_at = u16::try_from(at + TAG_LEN).map_err(|_| FieldRefused::Truncated)?;
            values_at[usize::from(number)] = value_at;
            at += TAG_LEN + value.len();
        }
        Ok(ClearView {
            bytes,
            values_at,
            last,
        })
    }

    pub(super) fn get(&self, field: Field) -> Option<&'a [u8]> {
        let at = usize::from(self.values_at[field as usize]);
        let (_, value) = first(self.bytes.get(at.checked_sub(TAG_LEN)?..)?)?;
        Some(value)
    }

    pub(super) fn grant_reference<S: Suite>(&self) -> Hash {
        grant_reference::<S>(self.get(Field::Grant), self.get(Field::GrantVersion))
    }

    /// The bytes that the grant reference follows from: grant and version as they are encoded, one behind the other.
    /// Nothing when one of them is missing.
    pub(super) fn stated_grant(&self) -> Option<&'a [u8]> {
        let version = self.get(Field::GrantVersion)?;
        self.get(Field::Grant)?;
        let from = usize::from(self.values_at[Field::Grant as usize]);
        let version_at = usize::from(self.values_at[Field::GrantVersion as usize]);
        self.bytes.get(from..version_at + version.len())
    }

    pub(super) fn to_clear(self) -> Clear {
        Clear {
            bytes: self.bytes.to_vec(),
            last: self.last,
        }
    }
}

/// Number and value of each field, up to the first that is cut off.
fn each(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (number, value) = first(rest)?;
        rest = &rest[TAG_LEN + value.len()..];
        Some((number, value))
    })
}

/// The first field's number and value.
fn first(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (tag, rest) = bytes.split_first_chunk::<TAG_LEN>()?;
    let length = usize::from(u16::from_be_bytes([tag[2], tag[3]]));
    let value = rest.get(..length)?;
    Some((u16::from_be_bytes([tag[0], tag[1]]), value))
}

/// Digest of grant id and version; all zero when one of them is missing.
fn grant_reference<S: Suite>(grant: Option<&[u8]>, version: Option<&[u8]>) -> Hash {
    match (grant, version) {
        (Some(grant), Some(version)) => S::digest(&[b"cal1/authz\0", grant, b"\0", version]),
        _ => Hash([0; 32]),
    }
}
