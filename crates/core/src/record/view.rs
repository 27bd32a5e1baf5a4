//! A record read in place: the one strict parser of records, which allocates nothing.
//!
//! [`Record::decode`] is built on it. Whoever reads every record of a stream as it passes (the journal's fold, the
//! mirror) uses it directly, since a record has some twenty fields and few of them are asked for.

use std::marker::PhantomData;

use lingqu_tlog::{Hash, Suite};

use super::clear::ClearView;
use super::{
    Draft, Field, HEADER_LEN, Kind, MAGIC, NO_REFERENCE, RECORD_LEN_MAX, Record, RecordMalformed,
    StreamId, array, flag,
};
use crate::{CallId, Timestamp};

/// Where the index stands in a record's bytes; the time follows it.
const INDEX_AT: usize = 24;
const TIME_AT: usize = 32;

/// A record, read in place.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    header: &'a [u8],
    kind: Kind,
    flags: u16,
    clear: ClearView<'a>,
}

impl<'a> RecordView<'a> {
    /// Reads a record with every check of [`Record::decode`].
    ///
    /// # Errors
    /// [`RecordMalformed`]
    pub fn read<S: Suite>(bytes: &'a [u8]) -> Result<RecordView<'a>, RecordMalformed> {
        RecordView::parse(bytes, |clear| clear.grant_reference::<S>())
    }

    /// Reads a record whose grant reference must be what `reference` gives for its fields.
    fn parse(
        bytes: &'a [u8],
        reference: impl FnOnce(&ClearView<'a>) -> Hash,
    ) -> Result<RecordView<'a>, RecordMalformed> {
        if bytes.len() < HEADER_LEN || bytes.len() > RECORD_LEN_MAX || &bytes[..4] != MAGIC {
            return Err(RecordMalformed::Frame);
        }
        let (header, fields) = bytes.split_at(HEADER_LEN);
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| *kind as u8 == header[4])
            .ok_or(RecordMalformed::Unknown("kind"))?;
        let flags = u16::from_be_bytes([header[6], header[7]]);
        if flags & !flag::KNOWN != 0 || header[5] != 0 {
            return Err(RecordMalformed::Unknown("flags"));
        }
        let clear = ClearView::read(fields)?;
        if header[64..96] != reference(&clear).0 {
            return Err(RecordMalformed::Unknown("grant reference"));
        }
        if header[128..160] != [0; 32] {
            return Err(RecordMalformed::Unknown("peer"));
        }
        Ok(RecordView {
            header,
            kind,
            flags,
            clear,
        })
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether this bit of [`flag`] is set.
    pub fn has(&self, bit: u16) -> bool {
        self.flags & bit != 0
    }

    /// The stream it stands in.
    pub fn stream(&self) -> StreamId {
        StreamId(array(self.header, 8))
    }

    /// Its index there.
    pub fn index(&self) -> u64 {
        u64::from_be_bytes(array(self.header, INDEX_AT))
    }

    /// The node's time.
    pub fn time(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(array(self.header, TIME_AT)))
    }

    /// The call, or [`CallId::NONE`].
    pub fn call(&self) -> CallId {
        CallId(array(self.header, 40))
    }

    /// A text field's value.
    pub fn text(&self, field: Field) -> Option<&'a str> {
        std::str::from_utf8(self.clear.get(field)?).ok()
    }

    /// A number field's value.
    pub fn number(&self, field: Field) -> Option<u64> {
        let value = self.clear.get(field)?.try_into().ok()?;
        Some(u64::from_be_bytes(value))
    }

    /// A field's bytes.
    pub fn bytes(&self, field: Field) -> Option<&'a [u8]> {
        self.clear.get(field)
    }

    /// The record with everything in it.
    pub fn to_record(&self) -> Record {
        let reference = u64::from_be_bytes(array(self.header, 56));
        Record {
            stream: self.stream(),
            index: self.index(),
            time: self.time(),
            draft: Draft {
                kind: self.kind,
                flags: self.flags,
                call: self.call(),
                refers_to: (reference != NO_REFERENCE).then_some(reference),
                body_root: Hash(array(self.header, 96)),
                clear: self.clear.to_clear(),
            },
        }
    }
}

/// Reads many records, one after another, with every check of [`RecordView::read`]. The records of a stream name few
/// grants: the references of those that came last are remembered, so that they are not hashed again for each record.
#[derive(Debug)]
pub struct RecordReader<'a, S: Suite> {
    /// What a record states of its grant, and the reference that follows from it.
    known: Vec<(&'a [u8], Hash)>,
    /// The one that makes room next.
    oldest: usize,
    suite: PhantomData<S>,
}

/// Most references that a reader remembers: few enough that looking through all of them is cheaper than a hash.
const KNOWN_MAX: usize = 8;

impl<'a, S: Suite> RecordReader<'a, S> {
    /// A reader that knows nothing yet.
    pub fn new() -> RecordReader<'a, S> {
        RecordReader {
            known: Vec::new(),
            oldest: 0,
            suite: PhantomData,
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordMalformed`]
    pub fn read(&mut self, bytes: &'a [u8]) -> Result<RecordView<'a>, RecordMalformed> {
        RecordView::parse(bytes, |clear| self.reference(clear))
    }

    fn reference(&mut self, clear: &ClearView<'a>) -> Hash {
        let Some(stated) = clear.stated_grant() else {
            return clear.grant_reference::<S>();
        };
        if let Some((_, reference)) = self.known.iter().find(|(known, _)| *known == stated) {
            return *reference;
        }
        let reference = clear.grant_reference::<S>();
        if self.known.len() < KNOWN_MAX {
            self.known.push((stated, reference));
        } else {
            self.known[self.oldest] = (stated, reference);
            self.oldest = (self.oldest + 1) % KNOWN_MAX;
        }
        reference
    }
}

impl<S: Suite> Default for RecordReader<'_, S> {
    fn default() -> Self {
        RecordReader::new()
    }
}

/// The bytes of a record that has no place yet. Most of the work of a record is in its fields: it is done before the
/// one thread that gives out places sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced(Vec<u8>);

impl Unplaced {
    /// The draft's bytes in a stream, without index and time.
    pub fn new<S: Suite>(draft: Draft, stream: StreamId) -> Unplaced {
        Unplaced(draft.at(stream, 0, Timestamp(0)).encode::<S>())
    }

    /// Length of the record in bytes, which its place does not change.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a record has a header.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its bytes at this place: what [`Record::encode`] gives for it.
    pub fn at(&mut self, index: u64, time: Timestamp) -> &[u8] {
        self.0[INDEX_AT..TIME_AT].copy_from_slice(&index.to_be_bytes());
        self.0[TIME_AT..TIME_AT + 8].copy_from_slice(&time.0.to_be_bytes());
        &self.0
    }

    /// The bytes as they were placed last.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same bytes, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
