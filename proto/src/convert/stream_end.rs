//! What the last record of a node's stream must be, for whoever knows the node's unit.
//!
//! One function, so that nothing differs between who writes and who takes: the node runs it on the finished record before
//! that becomes durable, the mirror on what it gets, and a reader on what is shown as evidence. A record that the mirror
//! refuses but the node has written would close the node for good.

use lingqu_core::envelope::SignedBy;
use lingqu_core::record::{RecordView, StreamId};
use lingqu_core::succession::{StreamEnd, Succession, next_key};
use lingqu_core::{PartyId, Timestamp};
use lingqu_tlog::{Intl, VerifierKey};

use super::FieldInvalid;
use super::succession::order_of;

/// What a stream's end is held against.
#[derive(Clone, Copy)]
pub struct EndTerms<'a> {
    /// Origin of the stream.
    pub origin: &'a str,
    /// Typed id of the node that writes it.
    pub node: &'a str,
    /// The unit whose node that is.
    pub unit: &'a PartyId,
    /// The key that signs the unit's orders.
    pub unit_key: &'a [u8],
    /// Whether somebody else is known to sign with this public key, or it is known to play another role.
    pub is_taken: &'a dyn Fn(&[u8]) -> bool,
}

/// Why a stream may not end with this record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndRefused {
    /// The next stream's key is none that may follow, or is the unit's own.
    #[error("the next stream's key may not follow this one's")]
    Key,
    /// The next stream's key is known in another role.
    #[error("the next stream's key plays another role already")]
    KeyTaken,
    /// The order cannot be read, is about something else, or was not to be carried out then.
    #[error("the unit's order is missing or about something else: {0}")]
    Order(#[from] FieldInvalid),
    /// The order is for another node.
    #[error("the order is for another node")]
    OtherNode,
    /// The order is another unit's.
    #[error("the order is another unit's")]
    OtherUnit,
    /// The entry is no end of a stream, or not of this one.
    #[error("the entry is not an end of this stream")]
    Record,
    /// The unit did not sign the order.
    #[error("the order is not signed with the unit's key")]
    Signature,
    /// The end is not later than the record before it.
    #[error("the end is not later than the record before it")]
    Time,
}

/// Whether the stream may end with `entry`, the record before which is of the time `after`: the key of the stream that
/// follows. That nothing stands behind it is for whoever has the log.
///
/// # Errors
/// [`EndRefused`]
pub fn check_end(
    terms: &EndTerms<'_>,
    entry: &[u8],
    after: Option<Timestamp>,
) -> Result<VerifierKey<Intl>, EndRefused> {
    let record = RecordView::read::<Intl>(entry).map_err(|_| EndRefused::Record)?;
    let Ok(Some(Succession::End(end))) = Succession::of(&record) else {
        return Err(EndRefused::Record);
    };
    if record.stream() != StreamId::of::<Intl>(terms.origin) {
        return Err(EndRefused::Record);
    }
    if after.is_some_and(|after| record.time() <= after) {
        return Err(EndRefused::Time);
    }
    let key = named_key(terms.origin, terms.unit_key, &end).ok_or(EndRefused::Key)?;
    if (terms.is_taken)(key.public_key()) {
        return Err(EndRefused::KeyTaken);
    }
    let (order, envelope) = order_of(&end, terms.origin, record.time())?;
    if order.unit != *terms.unit {
        return Err(EndRefused::OtherUnit);
    }
    if order.node.as_str() != terms.node {
        return Err(EndRefused::OtherNode);
    }
    match envelope.signed_by(terms.unit_key) {
        SignedBy::Yes => Ok(key),
        SignedBy::Altered | SignedBy::No => Err(EndRefused::Signature),
    }
}

/// The key that an end of the stream `origin` names, if a stream under it may follow: not under the key that signs the
/// unit's orders, since whoever has a log key could then give them.
pub fn named_key(origin: &str, unit_key: &[u8], end: &StreamEnd) -> Option<VerifierKey<Intl>> {
    // That the record is the last one is for whoever has the log.
    let key = next_key::<Intl>(origin, end, (0, 1)).ok()?;
    (key.public_key() != unit_key).then_some(key)
}
