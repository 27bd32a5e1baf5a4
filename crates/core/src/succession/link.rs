//! The step from a believed stream to the one that follows it.
//!
//! It rests on the believed stream's own key: the first record of the next stream carries the proof of the last record of
//! the one before, and that record names the key of the next. So the step can be taken with nothing but the next stream's
//! first record, also when the stream before is gone; and by nobody who does not hold the key that is believed already.

use lingqu_tlog::{Hash, Suite, VerifierKey, leaf_hash};

use super::{NotSucceeded, StreamBegin, StreamEnd, Succession, follows, next_key};
use crate::Timestamp;
use crate::receipt::{Receipt, ReceiptRefused};
use crate::record::{RecordView, StreamId};
use crate::trust::Trust;

/// Two streams, the second of which follows the first: proven, but for the unit's order, which the reader of its format
/// checks.
#[derive(Clone, Debug)]
pub struct Link<S: Suite> {
    /// Key of the stream that ended.
    pub previous: VerifierKey<S>,
    /// Key of the stream that follows.
    pub next: VerifierKey<S>,
    /// What the last record says.
    pub end: StreamEnd,
    /// Its index.
    pub end_index: u64,
    /// Its leaf hash.
    pub end_leaf: Hash,
    /// Root of the stream that ended, over all of it.
    pub root: Hash,
    /// Its time.
    pub ended: Timestamp,
    /// What the first record says.
    pub begin: StreamBegin,
}

/// Why a record proves no step from a believed stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefused {
    /// It is not the first record of a stream that follows another.
    #[error("the record is not the beginning of a stream that follows another")]
    NotABeginning,
    /// The stream that it says it follows is not believed, or has another key.
    #[error("it says that it follows `{0}`, which is not trusted under that key")]
    NotTrusted(String),
    /// The proof of the stream before does not hold.
    #[error("the end of the stream before is not proven: {0}")]
    Proof(#[from] ReceiptRefused),
    /// The proof cannot be read.
    #[error("the proof of the stream before cannot be read")]
    ProofMalformed,
    /// What is proven is not this stream's predecessor.
    #[error(transparent)]
    Succession(#[from] NotSucceeded),
    /// The stream began before the one that it follows ended.
    #[error("the stream began before the one before had ended")]
    Time,
}

impl<S: Suite> Link<S> {
    /// Takes the step that the first record of a stream proves, byte for byte as it stands in the log, to whoever holds
    /// `trust`, the demand for cosignatures included.
    ///
    /// # Errors
    /// [`LinkRefused`]. The unit's order is not looked at.
    pub fn prove(trust: &Trust<S>, first_record: &[u8]) -> Result<Link<S>, LinkRefused> {
        let record = RecordView::read::<S>(first_record).map_err(|_| LinkRefused::NotABeginning)?;
        let Ok(Some(Succession::Begin(begin))) = Succession::of(&record) else {
            return Err(LinkRefused::NotABeginning);
        };
        let previous = trusted(trust, &begin)?;
        let receipt = proven_end(&begin)?;
        if receipt.checkpoint.origin != previous.name().as_str() {
            return Err(NotSucceeded::OtherStream.into());
        }
        // A trust file that lets records leave before the mirror has them does not do so for an end: nothing of the next
        // stream is made before the mirror has it.
        let proven = receipt.verify(&trust.with_quorum())?;
        let view = RecordView::read::<S>(&receipt.entry).map_err(|_| NotSucceeded::NotTheEnd)?;
        let Ok(Some(Succession::End(end))) = Succession::of(&view) else {
            return Err(NotSucceeded::NotTheEnd.into());
        };
        let place = (receipt.index, receipt.checkpoint.size);
        let next = next_key::<S>(previous.name().as_str(), &end, place)?;
        let is_first =
            record.index() == 0 && record.stream() == StreamId::of::<S>(next.name().as_str());
        if !is_first {
            return Err(NotSucceeded::OtherStream.into());
        }
        follows(&previous.to_string(), &end, &begin)?;
        if record.time() <= proven.record.time {
            return Err(LinkRefused::Time);
        }
        Ok(Link {
            previous,
            next,
            end,
            end_index: receipt.index,
            end_leaf: leaf_hash::<S>(&receipt.entry),
            root: receipt.checkpoint.root,
            ended: proven.record.time,
            begin,
        })
    }
}

/// The key of the stream before, if it is believed under exactly the key that the record names.
fn trusted<S: Suite>(trust: &Trust<S>, begin: &StreamBegin) -> Result<VerifierKey<S>, LinkRefused> {
    let named: Option<VerifierKey<S>> = begin.previous_key.parse().ok();
    let known = named
        .as_ref()
        .and_then(|key| trust.log(key.name().as_str()));
    match (&named, known) {
        (Some(named), Some(known)) if named == known => Ok(known.clone()),
        _ => {
            let origin = begin.previous_key.split('+').next().unwrap_or_default();
            Err(LinkRefused::NotTrusted(origin.to_owned()))
        }
    }
}

/// Whether the bytes are the first record of a stream that follows another and nothing more: what it says of the
/// succession, byte for byte, and within it the end of the stream before in the same way. Such a record says nothing of any
/// call, so anybody may have it. Nothing is verified.
pub fn is_bare_link<S: Suite>(first_record: &[u8]) -> bool {
    let again = |entry: &[u8]| {
        let view = RecordView::read::<S>(entry).ok()?;
        let said = Succession::of(&view).ok()??;
        let place = (view.stream(), view.index(), view.time());
        let made = said.draft().at(place.0, place.1, place.2).encode::<S>();
        (made == entry).then_some(said)
    };
    let Some(Succession::Begin(begin)) = again(first_record) else {
        return false;
    };
    let Ok(receipt) = proven_end(&begin) else {
        return false;
    };
    let is_whole = receipt.tlog_proof().to_string().into_bytes() == begin.previous_end;
    is_whole && matches!(again(&receipt.entry), Some(Succession::End(_)))
}

/// The receipt of the last record of the stream before, unverified.
///
/// # Errors
/// [`LinkRefused::ProofMalformed`].
pub fn proven_end(begin: &StreamBegin) -> Result<Receipt, LinkRefused> {
    let text = std::str::from_utf8(&begin.previous_end).ok();
    let receipt = text.and_then(|text| Receipt::from_tlog_proof(text).ok());
    receipt.ok_or(LinkRefused::ProofMalformed)
}

#[cfg(test)]
mod tests;
