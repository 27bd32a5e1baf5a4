//! From the streams that a reader believes to those that follow them, without a new trust file.
//!
//! What the step rests on is the believed stream's own log key: its last record names the key of the next stream, and the
//! next stream's first record carries the proof of it ([`Link`]). The unit's order stands in that last record. It must be
//! there and be about exactly this step; whoever has the unit's approval key ([`Trust::with_units`]) has its signature
//! checked as well. Somebody who stole a log key can sign an end, but not the order: the mirror, which has the units' keys
//! from the registry, takes no end without it, and it is the mirror's cosignature that a trust file asks for.

mod shown_end;

pub use shown_end::{BadEnd, NoBadEnd, judge_end};

use lingqu_core::envelope::SignedBy;
use lingqu_core::record::RecordView;
use lingqu_core::succession::{Link, LinkRefused, StreamBegin, Succession, SuccessionOrder};
use lingqu_core::trust::Trust;
use lingqu_core::{PartyId, Timestamp};
use lingqu_proto::{FieldInvalid, order_of};
use lingqu_tlog::{Hash, Intl, KeyName, VerifierKey};

/// A step from one stream to the next, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Key of the stream that ended.
    pub previous: VerifierKey<Intl>,
    /// Key of the stream that follows.
    pub next: VerifierKey<Intl>,
    /// Index of the last record of the stream that ended, and the hash of its leaf.
    pub end: (u64, Hash),
    /// Root of that stream, as far as the proof's checkpoint goes: as a whole.
    pub root: Hash,
    /// When it ended.
    pub ended: Timestamp,
    /// The unit's order.
    pub order: SuccessionOrder,
    /// Whether the unit's signature on it was checked.
    pub is_order_checked: bool,
    /// Keys by which the order says that it is signed, for people to compare.
    pub order_keys: Vec<Vec<u8>>,
}

/// Why a step is not taken.
#[derive(Debug, thiserror::Error)]
pub enum StepRefused {
    /// The streams do not follow each other.
    #[error(transparent)]
    Link(#[from] LinkRefused),
    /// There is no order about this step.
    #[error("the unit's order is missing or about something else: {0}")]
    Order(#[from] FieldInvalid),
    /// The unit did not sign it.
    #[error("the order is not signed by `{0}` with the key that was given")]
    OrderSignature(PartyId),
    /// The stream that follows is believed already, under another key.
    #[error("`{0}` is trusted under another key than the stream before names")]
    OtherKey(KeyName),
    /// More streams than a trust file can have.
    #[error("too many streams follow each other")]
    TooMany,
}

/// What the record says of the stream that it begins, if that follows another one.
pub fn begins(first_record: &[u8]) -> Option<StreamBegin> {
    let record = RecordView::read::<Intl>(first_record).ok()?;
    match Succession::of(&record) {
        Ok(Some(Succession::Begin(begin))) => Some(begin),
        Ok(Some(Succession::End(_) | Succession::Forward(_)) | None) | Err(_) => None,
    }
}

/// The origin of the stream before.
pub fn previous_origin(begin: &StreamBegin) -> &str {
    begin.previous_key.split('+').next().unwrap_or_default()
}

/// Takes the step that the first record of a stream proves.
///
/// # Errors
/// [`StepRefused`].
pub fn step(trust: &Trust<Intl>, first_record: &[u8]) -> Result<Step, StepRefused> {
    let link = Link::prove(trust, first_record)?;
    let (order, envelope) = order_of(&link.end, link.previous.name().as_str(), link.ended)?;
    let is_order_checked = match trust.unit_key(&order.unit) {
        Some(key) if envelope.signed_by(key) == SignedBy::Yes => true,
        Some(_) => return Err(StepRefused::OrderSignature(order.unit)),
        None => false,
    };
    let order_keys = envelope.signatures.into_iter().map(|line| line.public_key);
    Ok(Step {
        end: (link.end_index, link.end_leaf),
        root: link.root,
        previous: link.previous,
        next: link.next,
        ended: link.ended,
        order,
        is_order_checked,
        order_keys: order_keys.collect(),
    })
}

/// The same trust with the stream that follows.
///
/// # Errors
/// [`StepRefused::OtherKey`], [`StepRefused::TooMany`].
pub fn trust_in(trust: &Trust<Intl>, step: &Step) -> Result<Trust<Intl>, StepRefused> {
    match trust.log(step.next.name().as_str()) {
        Some(known) if *known == step.next => Ok(trust.clone()),
        Some(known) => Err(StepRefused::OtherKey(known.name().clone())),
        None => trust
            .with_log(step.next.clone())
            .ok_or(StepRefused::TooMany),
    }
}

/// Takes every step that these first records prove, in whatever order they come: the trust with all streams that follow,
/// and the steps. A record that begins nothing, or follows a stream that nobody believes, is passed over: what it begins
/// is then believed only if a trust file says so itself.
///
/// # Errors
/// [`StepRefused`] for a record that says that it follows a believed stream, and does not.
pub fn follow_all(
    trusts: &[Trust<Intl>],
    first_records: &[Vec<u8>],
) -> Result<(Vec<Trust<Intl>>, Vec<Step>), StepRefused> {
    let mut trusts = trusts.to_vec();
    let mut steps = Vec::new();
    let begun = first_records.iter();
    let mut waiting: Vec<(&[u8], StreamBegin)> = begun
        .filter_map(|record| Some((record.as_slice(), begins(record)?)))
        .collect();
    loop {
        let mut left = Vec::new();
        let before = waiting.len();
        for (record, begin) in waiting {
            let origin = previous_origin(&begin);
            let knows = trusts.iter_mut().find(|trust| trust.log(origin).is_some());
            match knows {
                None => left.push((record, begin)),
                Some(trust) => {
                    let step = step(trust, record)?;
                    *trust = trust_in(trust, &step)?;
                    // A record may come twice: in an archive, and as a link.
                    if !steps.contains(&step) {
                        steps.push(step);
                    }
                }
            }
        }
        if left.is_empty() || left.len() == before {
            return Ok((trusts, steps));
        }
        waiting = left;
    }
}

#[cfg(test)]
pub(crate) mod tests;
