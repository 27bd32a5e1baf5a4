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
use lingqu_core::receipt::Receipt;
use lingqu_core::record::RecordView;
use lingqu_core::succession::{
    LINKS_MAX, Link, LinkRefused, NotSucceeded, StreamBegin, StreamEnd, Succession,
    SuccessionOrder, next_key, period, place,
};
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

/// The stream of which two of these steps tell two ends, whoever showed them: its key has signed two histories.
#[must_use]
pub fn forked(steps: &[Step]) -> Option<&KeyName> {
    let said = |step: &Step| (step.end, step.root, step.next.to_string());
    let is_fork = |(place, step): (usize, &Step)| {
        let mut before = steps[..place].iter();
        before.any(|other| other.previous == step.previous && said(other) != said(step))
    };
    let place = (0..steps.len()).find(|place| is_fork((*place, &steps[*place])))?;
    Some(steps[place].previous.name())
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
    /// One stream is said to be followed by two: two ends of it are signed with its key.
    #[error("`{0}` has two ends, each signed with its own key: the stream is forked")]
    Forked(KeyName),
    /// The reader has keys of units, and the order is by a unit that is none of them.
    #[error("the order is by `{0}`, whose key was not given")]
    OtherUnit(PartyId),
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
    trust_of(trust, step.next.clone())
}

/// The same trust with the stream that this key signs.
///
/// # Errors
/// [`StepRefused::OtherKey`], [`StepRefused::TooMany`].
pub(crate) fn trust_of(
    trust: &Trust<Intl>,
    next: VerifierKey<Intl>,
) -> Result<Trust<Intl>, StepRefused> {
    match trust.log(next.name().as_str()) {
        Some(known) if *known == next => Ok(trust.clone()),
        Some(known) => Err(StepRefused::OtherKey(known.name().clone())),
        None => trust.with_log(next).ok_or(StepRefused::TooMany),
    }
}

/// The end of a stream whose records were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedEnd {
    /// The stream that ended.
    pub origin: String,
    /// Key of the stream that follows.
    pub next: VerifierKey<Intl>,
    /// Records that it had.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// When it ended: when its mirror cosigned the last record, or that record's own time if it is later. A record can be
    /// dated back; a cosignature that a trust file demands cannot be by whoever wrote it.
    pub ended: Timestamp,
    /// The unit that ordered it, if an order says so that is about this end.
    pub unit: Option<PartyId>,
}

impl DroppedEnd {
    /// The first instant at which anything of it may have been dropped.
    pub fn droppable_from(&self) -> Timestamp {
        lingqu_core::body::keep_until(self.ended, DROPPABLE_MONTHS)
    }
}

/// Fewest calendar months from a stream's end on for which it must be kept.
const DROPPABLE_MONTHS: u16 = 6;

/// The end that a receipt of a stream's last record proves, as it is given in the place of dropped records.
///
/// # Errors
/// [`StepRefused`] when it is not the end of a believed stream by its unit's order.
pub fn dropped_end(trust: &Trust<Intl>, receipt: &Receipt) -> Result<DroppedEnd, StepRefused> {
    let origin = &receipt.checkpoint.origin;
    // As at the beginning of the next stream: nothing is dropped that the mirror did not cosign.
    let proven = receipt.verify(&trust.with_quorum());
    let proven = proven.map_err(LinkRefused::Proof)?;
    let (end, next) = end_in(receipt)?;
    let (order, envelope) = order_of(&end, origin, proven.record.time)?;
    if let Some(key) = trust.unit_key(&order.unit)
        && envelope.signed_by(key) != SignedBy::Yes
    {
        return Err(StepRefused::OrderSignature(order.unit));
    }
    Ok(DroppedEnd {
        origin: origin.clone(),
        next,
        size: receipt.checkpoint.size,
        root: receipt.checkpoint.root,
        ended: proven
            .record
            .time
            .max(proven.mirrored_at.unwrap_or_default()),
        unit: Some(order.unit),
    })
}

/// The same, consistent in itself, to whoever believes nobody.
///
/// # Errors
/// [`StepRefused::Link`].
pub fn consistent_end(receipt: &Receipt) -> Result<DroppedEnd, StepRefused> {
    let record = receipt.check_consistency::<Intl>();
    let record = record.map_err(LinkRefused::Proof)?;
    let (end, next) = end_in(receipt)?;
    let order = order_of(&end, &receipt.checkpoint.origin, record.time).ok();
    Ok(DroppedEnd {
        origin: receipt.checkpoint.origin.clone(),
        next,
        size: receipt.checkpoint.size,
        root: receipt.checkpoint.root,
        ended: record.time,
        unit: order.map(|(order, _)| order.unit),
    })
}

/// What a stream's last record says, and the key of the stream that follows. Nothing is verified.
///
/// # Errors
/// [`StepRefused::Link`] when the record is no end, or not the last one.
pub fn end_in(receipt: &Receipt) -> Result<(StreamEnd, VerifierKey<Intl>), StepRefused> {
    let not_the_end = LinkRefused::Succession(NotSucceeded::NotTheEnd);
    let view = RecordView::read::<Intl>(&receipt.entry);
    let said = view.ok().and_then(|view| Succession::of(&view).ok());
    let Some(Some(Succession::End(end))) = said else {
        return Err(not_the_end.into());
    };
    let place = (receipt.index, receipt.checkpoint.size);
    let next = next_key::<Intl>(&receipt.checkpoint.origin, &end, place);
    Ok((end, next.map_err(LinkRefused::Succession)?))
}

/// As [`follow_all`], over streams too whose records were dropped: `ends` are the receipts of their last records. One
/// that does not hold is passed over: what follows it is then not believed.
///
/// # Errors
/// See [`follow_all`].
pub fn follow_all_over(
    trusts: &[Trust<Intl>],
    first_records: &[Vec<u8>],
    ends: &[Receipt],
) -> Result<(Vec<Trust<Intl>>, Vec<Step>), StepRefused> {
    let (mut trusts, mut steps) = follow_all(trusts, first_records)?;
    let mut ends: Vec<&Receipt> = ends.iter().collect();
    loop {
        let before = ends.len();
        let mut left = Vec::new();
        for receipt in ends {
            let origin = &receipt.checkpoint.origin;
            match trusts.iter_mut().find(|trust| trust.log(origin).is_some()) {
                None => left.push(receipt),
                Some(trust) => {
                    if let Ok(end) = dropped_end(trust, receipt) {
                        *trust = trust_of(trust, end.next)?;
                    }
                }
            }
        }
        if left.len() == before {
            return Ok((trusts, steps));
        }
        ends = left;
        let (further, more) = follow_all(&trusts, first_records)?;
        trusts = further;
        let is_new = |step: &Step| !steps.contains(step);
        let more: Vec<Step> = more.into_iter().filter(is_new).collect();
        steps.extend(more);
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
                    alone(trust, &steps, &step)?;
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

/// Whether the step contradicts no other: a stream has one end, and so one that follows it.
fn alone(trust: &Trust<Intl>, steps: &[Step], step: &Step) -> Result<(), StepRefused> {
    let ended = &step.previous;
    let is_other = |known: &&Step| {
        known.previous == *ended && (known.end != step.end || known.root != step.root)
    };
    // Between a stream and the one that its end names there is none. Where there is one more that is believed, another end
    // of the same stream, or of one after it, has named it.
    let (from, to) = (ended.name().as_str(), step.next.name().as_str());
    let is_between = |log: &&VerifierKey<Intl>| {
        let name = log.name().as_str();
        place(name) == place(from) && period(name) > period(from) && period(name) < period(to)
    };
    if steps.iter().any(|known| is_other(&known)) || trust.keys().any(|log| is_between(&log)) {
        return Err(StepRefused::Forked(ended.name().clone()));
    }
    Ok(())
}

/// Takes the steps that a node itself hands out, of whose records nothing is believed but what they prove. Whoever has keys
/// of units wants each order checked by one of them: another unit's name in it would otherwise be a way around.
///
/// # Errors
/// [`StepRefused`]
pub fn follow_links(
    trust: &Trust<Intl>,
    first_records: &[Vec<u8>],
) -> Result<(Trust<Intl>, Vec<Step>), StepRefused> {
    if first_records.len() > LINKS_MAX {
        return Err(StepRefused::TooMany);
    }
    let (trusts, steps) = follow_all(std::slice::from_ref(trust), first_records)?;
    let unchecked = steps.iter().find(|step| !step.is_order_checked);
    if let Some(step) = unchecked.filter(|_| trust.has_units()) {
        return Err(StepRefused::OtherUnit(step.order.unit.clone()));
    }
    let [followed] = <[Trust<Intl>; 1]>::try_from(trusts).map_err(|_| StepRefused::TooMany)?;
    Ok((followed, steps))
}

/// The lines of a trust file for the streams that it does not have and these steps prove, and those steps.
pub fn trust_lines(trust: &Trust<Intl>, steps: &[Step]) -> (Vec<Step>, String) {
    let mut added: Vec<Step> = Vec::new();
    let mut more = String::new();
    for step in steps {
        let is_known = trust.log(step.next.name().as_str()).is_some()
            || added.iter().any(|known| known.next == step.next);
        if is_known {
            continue;
        }
        let (next, previous, ended) = (&step.next, step.previous.name(), step.ended);
        more.push_str(&format!(
            "# follows {previous}, ended {ended} · 承接前序日志流\nlog {next}\n"
        ));
        added.push(step.clone());
    }
    (added, more)
}

#[cfg(test)]
pub(crate) mod tests;
