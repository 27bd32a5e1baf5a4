//! How the mirror takes the end of one stream and the beginning of the next ([`lingqu_core::succession`]).
//!
//! A stream ends by its own key and by its unit's order, which stands in its last record; from the moment that this record
//! is durable here the mirror knows the stream that follows, for the same node, and takes nothing more of the one that
//! ended. All of it follows from the mirror's own log: a restart finds it there, and no table says it a second time.

use std::sync::Arc;

use lingqu_core::envelope::SignedBy;
use lingqu_core::record::RecordView;
use lingqu_core::succession::{Link, StreamEnd, Succession, next_key};
use lingqu_core::trust::Trust;
use lingqu_core::{PartyId, Timestamp};
use lingqu_proto::order_of;
use lingqu_tlog::{Hash, Intl, VerifierKey, leaf_hash};

use super::streams::Stream;

/// The unit whose node writes a stream, as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) id: PartyId,
    /// The key that signs its orders.
    pub(crate) approval_key: Vec<u8>,
}

/// The stream before, as the first record of the next one must prove it.
#[derive(Clone, Debug)]
pub(crate) struct Predecessor {
    pub(crate) origin: String,
    /// Belief in its key, and in this mirror's, without whose cosignature nothing of the next stream is made.
    trust: Trust<Intl>,
    /// Its last record's leaf.
    end: Hash,
}

/// Why a stream may not end like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndRefused {
    /// The next stream's key is none that may follow.
    #[error("the next stream's key may not follow this one's")]
    Key,
    /// The order is not about this end, or is not the unit's.
    #[error("the unit's order is missing, about something else, or not signed by the unit")]
    Order,
}

/// Whether the stream may end with this record at `time`.
pub(super) fn ends(stream: &Stream, end: &StreamEnd, time: Timestamp) -> Result<(), EndRefused> {
    next_stream_key(stream, end)?;
    let unit = stream.unit.as_ref().ok_or(EndRefused::Order)?;
    let order = order_of(end, &stream.origin, time);
    let (order, envelope) = order.map_err(|_| EndRefused::Order)?;
    let is_its = order.unit == unit.id && order.node.as_str() == stream.owner;
    if is_its && envelope.signed_by(&unit.approval_key) == SignedBy::Yes {
        Ok(())
    } else {
        Err(EndRefused::Order)
    }
}

/// The key that the end names, if it may follow. That the record is the last one is for [`super::streams::Tip`].
fn next_stream_key(stream: &Stream, end: &StreamEnd) -> Result<VerifierKey<Intl>, EndRefused> {
    let key = next_key::<Intl>(&stream.origin, end, (0, 1)).map_err(|_| EndRefused::Key)?;
    let is_units = stream
        .unit
        .as_ref()
        .is_some_and(|unit| unit.approval_key == key.public_key());
    if is_units {
        Err(EndRefused::Key)
    } else {
        Ok(key)
    }
}

/// Whether `entry`, which says this of the succession, is what the stream must begin with: the proof of the end of the
/// one before if it follows one, and nothing of the kind otherwise.
pub(super) fn begins(stream: &Stream, entry: &[u8], said: Option<&Succession>) -> bool {
    match (&stream.follows, said) {
        (None, None | Some(Succession::End(_))) => true,
        (Some(before), Some(Succession::Begin(_))) => Link::prove(&before.trust, entry)
            .is_ok_and(|link| link.next == stream.log_key && link.end_leaf == before.end),
        (None, Some(Succession::Begin(_) | Succession::Forward(_)))
        | (Some(_), None | Some(Succession::End(_) | Succession::Forward(_))) => false,
    }
}

/// The stream that follows `stream`, if this entry ended it. The entry was checked before it was stored.
pub(super) fn follower(
    stream: &Stream,
    entry: &[u8],
    mirror_key: &VerifierKey<Intl>,
) -> Option<Stream> {
    let record = RecordView::read::<Intl>(entry).ok()?;
    let Ok(Some(Succession::End(end))) = Succession::of(&record) else {
        return None;
    };
    let log_key = next_stream_key(stream, &end).ok()?;
    let trust = format!(
        "log {}\nwitness mirror {mirror_key}\nquorum mirror\n",
        stream.log_key
    );
    let before = Predecessor {
        origin: stream.origin.clone(),
        trust: Trust::parse(&trust).expect("two keys of different names and kinds are a policy"),
        end: leaf_hash::<Intl>(entry),
    };
    Some(Stream {
        origin: log_key.name().as_str().to_owned(),
        owner: stream.owner.clone(),
        region: stream.region.clone(),
        log_key,
        unit: stream.unit.clone(),
        follows: Some(Arc::new(before)),
    })
}

#[cfg(test)]
pub(super) mod tests;
