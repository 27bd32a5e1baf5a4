//! The succession of streams: how one stream of a node ends and the next one begins.
//!
//! A stream covers half a year, so that it can be dropped as a whole when nothing in it has to be kept any more; and its
//! log key must be replaceable. Both are one act, signed by the unit: the last record of a stream names the stream that
//! follows and the key that signs it, the first record of that one proves the last of the one before, and what was spent
//! is brought forward in records that both streams commit to ([`crate::forward`]). Whoever trusts the first key can
//! follow, and nobody else's word is needed. Only a stream's own key can end it.

mod course;
mod link;
mod shown_end;

pub use course::{Course, OutOfCourse};
pub use link::{Link, LinkRefused, is_bare_link, proven_end};
pub use shown_end::{SHOWN_END_HEADER, ShownEnd};

use lingqu_tlog::{Hash, KeyKind, Suite, VerifierKey};

use crate::record::{Clear, Draft, Field, Kind, RecordView};
use crate::{NodeId, PartyId, Timestamp};

/// Payload type of a succession order's envelope.
pub const SUCCESSION_TYPE: &str = "lingqu.v1.SuccessionOrder";

/// Longest order in bytes, as the envelope of one signature: what a record has room for.
pub const ORDER_LEN_MAX: usize = 4_096;
/// Most links that a node hands out and a caller takes at once: half a life of half-years.
pub const LINKS_MAX: usize = 64;
/// Longest proof of a stream's end in bytes: what the next stream's first record has room for.
pub const END_PROOF_LEN_MAX: usize = 16_384;

/// Longest life of an order, in calendar months after it is due: every half-year once and a month to spare.
pub const ORDER_MONTHS_MAX: u16 = 13;

/// The unit's order to its node: end this stream, and begin that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccessionOrder {
    /// The unit.
    pub unit: PartyId,
    /// The node it is for.
    pub node: NodeId,
    /// When it was signed.
    pub issued: Timestamp,
    /// Not to be carried out before.
    pub not_before: Timestamp,
    /// Dead from then on, carried out or not: an order that was replaced does not lie in wait for ever.
    pub not_after: Timestamp,
    /// Origin of the stream that ends. A stream ends once, so an order cannot be replayed.
    pub ends: String,
    /// Verifier key of the stream that begins; its name is that stream's origin.
    pub begins: String,
}

/// Whether a stream of origin `next` may follow one of origin `origin`: the same but for the last part, which is later
/// in the order of bytes and made of `a-z 0-9 . -`. So a stream stays in its network, node and region, and periods written
/// as `2026h2`, `2027h1` follow each other.
pub fn may_follow(origin: &str, next: &str) -> bool {
    let (Some((place, period)), Some((next_place, next_period))) =
        (origin.rsplit_once('/'), next.rsplit_once('/'))
    else {
        return false;
    };
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    place == next_place
        && next_period > period
        && next_period.len() <= PERIOD_LEN_MAX
        && next_period.bytes().all(is_plain)
}

/// The origin of a stream without its period: the same for all streams of one node in one region.
pub fn place(origin: &str) -> &str {
    origin.rsplit_once('/').map_or(origin, |(place, _)| place)
}

/// The last part of a stream's origin: the period that it is of.
pub fn period(origin: &str) -> &str {
    origin.rsplit_once('/').map_or(origin, |(_, period)| period)
}

/// Longest last part of an origin, in bytes.
const PERIOD_LEN_MAX: usize = 32;

/// What a stream's last record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEnd {
    /// The unit's signed order: its envelope's bytes.
    pub order: Vec<u8>,
    /// Verifier key of the stream that follows.
    pub next_key: String,
    /// Records by which the next stream brings forward what was spent.
    pub forward_records: u64,
    /// Digest of what they say.
    pub forward_digest: Hash,
}

/// What the first record of a stream says that follows another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBegin {
    /// Verifier key of the stream before.
    pub previous_key: String,
    /// Receipt of that stream's last record, at the mirrored level, as the text of a tlog-proof.
    pub previous_end: Vec<u8>,
    /// Records after this one by which what was spent is brought forward.
    pub forward_records: u64,
    /// Digest of what they say.
    pub forward_digest: Hash,
}

/// What a record has to do with the succession of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Succession {
    /// It ends its stream.
    End(StreamEnd),
    /// It begins a stream that follows another.
    Begin(StreamBegin),
    /// It brings forward a part of what was spent.
    Forward(Vec<u8>),
}

/// A record of the succession that does not say everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of a stream's end or beginning does not say everything")]
pub struct SuccessionMalformed;

impl Succession {
    /// What a record says; nothing if it is of another kind.
    ///
    /// # Errors
    /// [`SuccessionMalformed`]: whoever counts must not go on as if nothing had been brought forward.
    pub fn of(record: &RecordView<'_>) -> Result<Option<Succession>, SuccessionMalformed> {
        let bytes = |field| record.bytes(field).ok_or(SuccessionMalformed);
        let text = |field| record.text(field).ok_or(SuccessionMalformed);
        let forward = || -> Result<(u64, Hash), SuccessionMalformed> {
            let records = record.number(Field::Count).ok_or(SuccessionMalformed)?;
            let digest = bytes(Field::ForwardDigest)?.try_into();
            Ok((records, Hash(digest.map_err(|_| SuccessionMalformed)?)))
        };
        Ok(Some(match record.kind() {
            Kind::StreamEnd => {
                let (forward_records, forward_digest) = forward()?;
                Succession::End(StreamEnd {
                    order: bytes(Field::Order)?.to_vec(),
                    next_key: text(Field::NextKey)?.to_owned(),
                    forward_records,
                    forward_digest,
                })
            }
            Kind::StreamBegin => {
                let (forward_records, forward_digest) = forward()?;
                Succession::Begin(StreamBegin {
                    previous_key: text(Field::PreviousKey)?.to_owned(),
                    previous_end: bytes(Field::PreviousEnd)?.to_vec(),
                    forward_records,
                    forward_digest,
                })
            }
            Kind::Forward => Succession::Forward(bytes(Field::Forward)?.to_vec()),
            Kind::AuthorizationChange
            | Kind::Call
            | Kind::Control
            | Kind::Debit
            | Kind::Denials
            | Kind::Heartbeat
            | Kind::Load
            | Kind::NodeStart
            | Kind::NodeStop => return Ok(None),
        }))
    }

    /// The record that says it.
    pub fn draft(&self) -> Draft {
        let (kind, clear) = match self {
            Succession::End(end) => (
                Kind::StreamEnd,
                Clear::default()
                    .number(Field::Count, end.forward_records)
                    .bytes(Field::Order, &end.order)
                    .text(Field::NextKey, &end.next_key)
                    .bytes(Field::ForwardDigest, &end.forward_digest.0),
            ),
            Succession::Begin(begin) => (
                Kind::StreamBegin,
                Clear::default()
                    .number(Field::Count, begin.forward_records)
                    .text(Field::PreviousKey, &begin.previous_key)
                    .bytes(Field::PreviousEnd, &begin.previous_end)
                    .bytes(Field::ForwardDigest, &begin.forward_digest.0),
            ),
            Succession::Forward(part) => {
                (Kind::Forward, Clear::default().bytes(Field::Forward, part))
            }
        };
        let mut draft = Draft::new(kind);
        draft.clear = clear;
        draft
    }
}

/// Why a stream's beginning does not follow from the end of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSucceeded {
    /// The record is not a stream's end, or the proof is not of its stream's last record.
    #[error("the proven record is not the end of its stream")]
    NotTheEnd,
    /// The end names another stream or key.
    #[error("the end names another stream or key than this one")]
    OtherStream,
    /// The key is none, is refused, or its origin may not follow.
    #[error("the next stream's key cannot follow this one's")]
    Key,
    /// What is brought forward is not what the end says.
    #[error("what is brought forward is not what the stream before ended with")]
    Forward,
}

/// The key of the stream that follows `origin`, as the record of its end names it. `index` and `size` are the record's
/// place and the size of the proven checkpoint.
///
/// # Errors
/// [`NotSucceeded`]. The signatures, of the checkpoint and of the unit's order, are for the caller of this to check.
pub fn next_key<S: Suite>(
    origin: &str,
    end: &StreamEnd,
    (index, size): (u64, u64),
) -> Result<VerifierKey<S>, NotSucceeded> {
    if index.checked_add(1) != Some(size) {
        return Err(NotSucceeded::NotTheEnd);
    }
    let key: VerifierKey<S> = end.next_key.parse().map_err(|_| NotSucceeded::Key)?;
    if key.kind() == KeyKind::Note && may_follow(origin, key.name().as_str()) {
        Ok(key)
    } else {
        Err(NotSucceeded::Key)
    }
}

/// Whether a stream's beginning brings forward what the end of the one before says, and that stream is the one it names.
///
/// # Errors
/// [`NotSucceeded`]
pub fn follows(
    previous_key: &str,
    end: &StreamEnd,
    begin: &StreamBegin,
) -> Result<(), NotSucceeded> {
    if begin.previous_key != previous_key {
        return Err(NotSucceeded::OtherStream);
    }
    let (ended, begun) = (
        (end.forward_records, end.forward_digest),
        (begin.forward_records, begin.forward_digest),
    );
    if ended == begun {
        Ok(())
    } else {
        Err(NotSucceeded::Forward)
    }
}

#[cfg(test)]
mod tests;
