//! How the mirror takes the end of one stream and the beginning of the next ([`lingqu_core::succession`]).
//!
//! A stream ends by its own key and by its unit's order, which stands in its last record; from the moment that this record
//! is durable here the mirror knows the stream that follows, for the same node, and takes nothing more of the one that
//! ended. All of it follows from the mirror's own log: a restart finds it there, and no table says it a second time.

use std::sync::Arc;

use lingqu_core::receipt::Receipt;
use lingqu_core::record::RecordView;
use lingqu_core::succession::{Link, StreamEnd, Succession, proven_end};
use lingqu_core::trust::Trust;
use lingqu_core::{PartyId, Timestamp};
use lingqu_proto::{EndRefused, EndTerms, check_end, named_key};
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

/// What a stream's last record must be, as the registry and the mirror's own log have it.
pub(crate) struct Judge<'a> {
    pub(crate) stream: &'a Stream,
    /// Whether the key of a stream that follows plays another role. Not asked of what is in the log already: who came
    /// later had to take another one.
    pub(crate) is_taken: &'a dyn Fn(&[u8]) -> bool,
}

impl Judge<'_> {
    /// Whether the stream may end with `entry` after a record of that time: what the node checks before it writes it.
    pub(super) fn end(&self, entry: &[u8], after: Option<Timestamp>) -> Result<(), EndRefused> {
        // Nobody could order the end of the coordinator's own stream.
        let unit = self.stream.unit.as_ref().ok_or(EndRefused::OtherUnit)?;
        let terms = EndTerms {
            origin: &self.stream.origin,
            node: &self.stream.owner,
            unit: &unit.id,
            unit_key: &unit.approval_key,
            is_taken: self.is_taken,
        };
        check_end(&terms, entry, after).map(drop)
    }

    /// Whether the stream before, which was never mirrored here, ended by the order of this one's unit.
    fn before(&self, end: &Receipt) -> bool {
        let before = Stream {
            origin: end.checkpoint.origin.clone(),
            ..self.stream.clone()
        };
        let judge = Judge {
            stream: &before,
            is_taken: self.is_taken,
        };
        judge.end(&end.entry, None).is_ok()
    }
}

/// The key that the end names, if it may follow. That the record is the last one is for [`super::streams::Tip`].
fn next_stream_key(stream: &Stream, end: &StreamEnd) -> Option<VerifierKey<Intl>> {
    let unit = stream.unit.as_ref()?;
    named_key(&stream.origin, &unit.approval_key, end)
}

/// Whether `entry`, which says this of the succession, is what the stream must begin with: the proof of the end of the
/// one before if it follows one, and nothing of the kind otherwise. A stream of another coordinator's node may follow one
/// that was never mirrored here: then that one's own key must prove its end.
pub(super) fn begins(stream: &Stream, entry: &[u8], said: Option<&Succession>) -> bool {
    match (&stream.follows, said) {
        (None, None | Some(Succession::End(_))) => true,
        (Some(before), Some(Succession::Begin(_))) => Link::prove(&before.trust, entry)
            .is_ok_and(|link| link.next == stream.log_key && link.end_leaf == before.end),
        (None, Some(Succession::Begin(begin))) if stream.is_anothers => {
            let trust = format!("log {}\nquorum none\n", begin.previous_key);
            let link = Trust::parse(&trust).map(|trust| Link::prove(&trust, entry));
            let judge = Judge {
                stream,
                is_taken: &|_| false,
            };
            matches!(link, Ok(Ok(link)) if link.next == stream.log_key)
                && proven_end(begin).is_ok_and(|end| judge.before(&end))
        }
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
    let log_key = next_stream_key(stream, &end)?;
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
        is_anothers: stream.is_anothers,
    })
}

#[cfg(test)]
pub(super) mod tests;
