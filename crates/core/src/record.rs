//! The record of a call: one leaf of the node's stream, "CAL1".
//!
//! A fixed header of 160 bytes, then clear fields as type-length-value in ascending order of type. What a supervisor
//! needs and what is not personal stands in clear; subjects, parameters and results are commitments
//! ([`crate::commitment`]). Parsing is strict: a record has exactly one encoding.

mod clear;
mod field;
mod view;
mod visibility;

use lingqu_tlog::{Hash, Suite};

pub use clear::Clear;
pub use field::{Field, FieldRefused, Shape};
pub use view::{RecordReader, RecordView, Unplaced};
pub use visibility::{Reader, visibility_table};

use crate::{CallId, Timestamp};

/// Largest record in bytes: what an entry bundle of tlog-tiles can hold.
pub const RECORD_LEN_MAX: usize = 65_535;
/// Length of the fixed header.
const HEADER_LEN: usize = 160;
const MAGIC: &[u8; 4] = b"CAL1";
const NO_REFERENCE: u64 = u64::MAX;

/// What a record is about. Numbers 1, 2 and 3 are reserved for intents, outcomes and abandoned calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The node opened its stream for writing.
    NodeStart = 4,
    /// The node closed it in order.
    NodeStop = 5,
    /// Nothing was recorded for a while, and the node is there: a stream that falls silent is one that was cut off.
    Heartbeat = 6,
    /// The stream ends here, by the unit's order, and another one follows: the last record.
    StreamEnd = 7,
    /// What the node may do has changed: an epoch, a grant, a stop order was adopted.
    AuthorizationChange = 8,
    /// One call, its charge and its outcome in one entry: nothing left before it.
    Call = 9,
    /// Refused calls of one party with one code within one minute.
    Denials = 10,
    /// An act of the coordinator.
    Control = 11,
    /// A resource was read: row count, digest and date.
    Load = 12,
    /// Privacy budget was spent, before anything was evaluated.
    Debit = 13,
    /// The stream follows another one, whose end this proves: the first record.
    StreamBegin = 14,
    /// A part of what is brought forward from the stream before.
    Forward = 15,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 12] = [
        Kind::NodeStart,
        Kind::NodeStop,
        Kind::Heartbeat,
        Kind::StreamEnd,
        Kind::AuthorizationChange,
        Kind::Call,
        Kind::Denials,
        Kind::Control,
        Kind::Load,
        Kind::Debit,
        Kind::StreamBegin,
        Kind::Forward,
    ];

    /// The name in documents, JSON and pages.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::NodeStart => "NODE_START",
            Kind::NodeStop => "NODE_STOP",
            Kind::Heartbeat => "HEARTBEAT",
            Kind::StreamEnd => "STREAM_END",
            Kind::AuthorizationChange => "AUTHORIZATION_CHANGE",
            Kind::Call => "CALL",
            Kind::Denials => "DENIALS",
            Kind::Control => "CONTROL",
            Kind::Load => "LOAD",
            Kind::Debit => "DEBIT",
            Kind::StreamBegin => "STREAM_BEGIN",
            Kind::Forward => "FORWARD",
        }
    }
}

/// Bits of [`Draft::flags`].
pub mod flag {
    /// The call was refused.
    pub const REFUSED: u16 = 1 << 0;
    /// The call failed after data was touched.
    pub const ERROR: u16 = 1 << 1;
    /// The unit's terms allow the answer to leave before the mirror has the record.
    pub const LAGGED: u16 = 1 << 2;
    /// Request and answer are kept at the node, sealed to regulators.
    pub const BODY_KEPT: u16 = 1 << 3;
    /// The unit's terms let the answer leave only when witnesses have cosigned a head log that covers the record.
    pub const WITNESSED: u16 = 1 << 4;
    /// All bits with a meaning.
    pub(super) const KNOWN: u16 = REFUSED | ERROR | LAGGED | BODY_KEPT | WITNESSED;
}

/// The first 16 bytes of the digest of a stream's origin: an entry cannot be moved to another stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(pub [u8; 16]);

impl StreamId {
    /// The id of the stream with this origin.
    pub fn of<S: Suite>(origin: &str) -> StreamId {
        let digest = S::digest(&[origin.as_bytes()]);
        StreamId(digest.0[..16].try_into().expect("a digest has 32 bytes"))
    }
}

/// A record before the journal has given it its place and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is about.
    pub kind: Kind,
    /// Bits of [`flag`].
    pub flags: u16,
    /// The call, or [`CallId::NONE`].
    pub call: CallId,
    /// An earlier record that this one refers to.
    pub refers_to: Option<u64>,
    /// Root over the salted commitments; all zero when there are none.
    pub body_root: Hash,
    /// The clear fields.
    pub clear: Clear,
}

impl Draft {
    /// A draft of this kind without call, commitments or fields.
    pub fn new(kind: Kind) -> Draft {
        Draft {
            kind,
            flags: 0,
            call: CallId::NONE,
            refers_to: None,
            body_root: Hash([0; 32]),
            clear: Clear::default(),
        }
    }

    /// Gives the draft its place.
    pub fn at(self, stream: StreamId, index: u64, time: Timestamp) -> Record {
        Record {
            stream,
            index,
            time,
            draft: self,
        }
    }
}

/// A record in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The stream it stands in.
    pub stream: StreamId,
    /// Its index there.
    pub index: u64,
    /// The node's time, strictly increasing within the stream.
    pub time: Timestamp,
    /// What it says.
    pub draft: Draft,
}

/// Why bytes are not a record. Texts name fields, never content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordMalformed {
    /// Too short, too long, or not beginning with "CAL1".
    #[error("not a record of version CAL1")]
    Frame,
    /// A number that has no meaning in this version.
    #[error("unknown value in `{0}`")]
    Unknown(&'static str),
    /// A clear field is wrong.
    #[error(transparent)]
    Field(#[from] FieldRefused),
}

impl Record {
    /// The exact bytes of the log entry.
    ///
    /// Layout, big-endian: magic 4, kind 1, reserved 1, flags 2, stream 16, index 8, time 8 (µs), call 16, refers-to 8,
    /// grant reference 32 (digest of grant id and version, zero if none), body root 32, peer 32 (zero), fields.
    pub fn encode<S: Suite>(&self) -> Vec<u8> {
        let fields = self.draft.clear.as_encoded();
        let mut bytes = Vec::with_capacity(HEADER_LEN + fields.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(self.draft.kind as u8);
        bytes.push(0);
        bytes.extend_from_slice(&self.draft.flags.to_be_bytes());
        bytes.extend_from_slice(&self.stream.0);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(&self.time.0.to_be_bytes());
        bytes.extend_from_slice(&self.draft.call.0);
        bytes.extend_from_slice(&self.draft.refers_to.unwrap_or(NO_REFERENCE).to_be_bytes());
        bytes.extend_from_slice(&self.draft.clear.grant_reference::<S>().0);
        bytes.extend_from_slice(&self.draft.body_root.0);
        bytes.extend_from_slice(&[0; 32]);
        debug_assert_eq!(bytes.len(), HEADER_LEN);
        bytes.extend_from_slice(fields);
        bytes
    }

    /// Reads a record back. `decode(encode(r)) == r`, and nothing else decodes to `r`.
    pub fn decode<S: Suite>(bytes: &[u8]) -> Result<Record, RecordMalformed> {
        RecordView::read::<S>(bytes).map(|view| view.to_record())
    }
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes[offset..offset + N]
        .try_into()
        .expect("the slice has the array's length")
}

#[cfg(test)]
mod tests;
