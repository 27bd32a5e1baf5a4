//! How a stream ends and the next one begins ([`lingqu_core::succession`]).
//!
//! The order of steps is what makes it safe: the end is the last record of the old stream, and is cosigned by the mirror,
//! before the first record of the new one is made. So at every moment, and after any crash, one of the two takes records
//! and the other does not; and what was spent is counted in exactly one of them.

use std::sync::mpsc;

use lingqu_core::Timestamp;
use lingqu_core::forward::Forward;
use lingqu_core::record::{RECORD_LEN_MAX, Unplaced};
use lingqu_core::succession::{
    END_PROOF_LEN_MAX, Link, ORDER_LEN_MAX, StreamBegin, Succession, may_follow,
};
use lingqu_core::trust::Trust;
use lingqu_tlog::{KeyKind, Suite, VerifierKey};
use tokio::sync::oneshot;

use super::Journal;
use super::stage::{Done, Ending, Item, Work};
use super::state::{AppendFailed, Phase};

/// Parts of the balances that are made durable together: a frame of them is no larger than a batch for the mirror.
const PARTS_AT_ONCE_MAX: usize = 8;

/// What a stream leaves to the one that follows it. Holds no secrets, but all balances of the node.
#[derive(Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Its verifier key.
    pub key: String,
    /// Receipt of its last record at the mirrored level, as the text of a tlog-proof.
    pub end: String,
    /// The balances ([`Forward`]), encoded.
    pub forward: Vec<u8>,
}

impl std::fmt::Debug for Predecessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predecessor")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Judges the finished last record, before it becomes durable: its bytes, and the time of the record before it. The
/// reason why it may not stand is for people.
pub type EndCheck = Box<dyn Fn(&[u8], Timestamp) -> Result<(), String> + Send>;

/// The unit's order to end a stream.
pub struct EndOrder<S: Suite> {
    /// The bytes of its envelope.
    pub order: Vec<u8>,
    /// Verifier key of the stream that follows.
    pub next: VerifierKey<S>,
    /// The order is not carried out before.
    pub not_before: Timestamp,
    /// Whether the record that comes of it is one that the mirror takes.
    pub check: EndCheck,
}

/// Why a stream did not end. It goes on then, unless it is an [`EndFailed::Append`] that ends all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndFailed {
    /// The journal takes no such record.
    #[error(transparent)]
    Append(#[from] AppendFailed),
    /// The check refused the finished record.
    #[error("the end would not hold: {0}")]
    Refused(String),
}

/// Why a stream does not begin. Nothing was recorded then, unless it is [`BeginRefused::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginRefused {
    /// The journal is not waiting for it.
    #[error("the journal does not wait for the beginning of its stream")]
    NotAwaited,
    /// The balances cannot be read, or the stream has begun with others.
    #[error("the stream before is not the one that this stream began with")]
    Other,
    /// A record is not known to be durable.
    #[error("the beginning of the stream could not be recorded")]
    Failed,
}

impl<S: Suite> Journal<S> {
    /// Records the end of the stream by the unit's order, after everything that is queued and the counts of coalesced
    /// denials. Nothing is recorded after it. Blocks until it is durable.
    ///
    /// # Errors
    /// [`EndFailed`]; [`AppendFailed::Kind`] if a stream with the next key cannot follow this one, or a record has no room
    /// for the order or the key. After [`EndFailed::Refused`] nothing has ended.
    pub fn end_stream(&self, end: EndOrder<S>) -> Result<u64, EndFailed> {
        let shared = &self.inner.shared;
        let EndOrder {
            order,
            next,
            not_before,
            check,
        } = end;
        let origin = next.name().as_str();
        let fits = (1..=ORDER_LEN_MAX).contains(&order.len()) && next.to_string().len() <= 256;
        if next.kind() != KeyKind::Note || !may_follow(&shared.origin, origin) || !fits {
            return Err(AppendFailed::Kind.into());
        }
        {
            let mut state = shared.lock();
            state.phase.check()?;
            state.phase = Phase::Ended;
        }
        self.write_denials_at_close();
        let (refused, why) = mpsc::channel();
        let ending = Ending {
            order,
            next_key: next.to_string(),
            not_before,
            check,
            refused,
            record: None,
        };
        let (sender, receiver) = oneshot::channel();
        let item = Item::new(Work::End(Box::new(ending)), Done::Record(sender), None);
        let queued = self.inner.committer.submit_waiting(item);
        queued.map_err(|_| AppendFailed::Failed)?;
        if let Ok(place) = receiver.blocking_recv() {
            return Ok(place.index);
        }
        let why = why.try_recv().map_err(|_| AppendFailed::Failed)?;
        // Nothing was made, and nothing else was taken since: the stream goes on where it stood.
        let mut state = shared.lock();
        if state.phase == Phase::Ended {
            state.phase = Phase::Ready;
        }
        Err(EndFailed::Refused(why))
    }

    /// Whether the stream has ended, or is about to.
    pub fn has_ended(&self) -> bool {
        self.inner.shared.lock().phase == Phase::Ended
    }

    /// Whether the stream follows another, whose balances it has not taken over yet: [`Journal::begin`] it.
    pub fn awaits_beginning(&self) -> bool {
        self.inner.shared.lock().phase == Phase::Beginning
    }

    /// Calls that hold a reservation: none of them is lost if the stream ends when there are none.
    pub fn calls_under_way(&self) -> usize {
        self.inner.shared.lock().calls_under_way
    }

    /// The verifier key of the stream that follows, once this one has ended.
    pub fn next_key(&self) -> Option<String> {
        let state = self.inner.shared.lock();
        state.fold.life.end().map(|end| end.next_key.clone())
    }

    /// The bytes of the first record of this stream, if it follows another one and has begun.
    pub fn first_record(&self) -> Option<Vec<u8>> {
        if !self.inner.shared.lock().fold.life.has_begun() {
            return None;
        }
        let batch = self.inner.shared.batch(&self.inner.reader, 0).ok()??;
        batch.entries.into_iter().next()
    }

    /// What the first record of this stream says, if it follows another one and has begun.
    pub fn begins(&self) -> Option<StreamBegin> {
        self.inner.shared.lock().fold.life.begin().cloned()
    }

    /// What this stream leaves to the next one: there once the stream has ended and every mirror has cosigned its end, so
    /// that each of them finds its own word in the proof.
    pub fn predecessor(&self) -> Option<Predecessor> {
        let shared = &self.inner.shared;
        let index = {
            let state = shared.lock();
            let size = state.fold.tree.size();
            let is_whole = state.fold.life.end().is_some() && state.mirror.is_everywhere(size);
            is_whole.then(|| size.checked_sub(1))??
        };
        let batch = shared.batch(&self.inner.reader, index).ok()??;
        let entry = batch.entries.last()?.clone();
        let mut state = shared.lock();
        let (receipt, _) = state.mirrored(index, entry)?;
        Some(Predecessor {
            key: shared.log_key.to_string(),
            end: receipt.tlog_proof().to_string(),
            forward: state.fold.forward(state.fold.last_time).encode(),
        })
    }

    /// Records the beginning of a stream that follows another: proof of that one's end, and its balances. What is on
    /// record already of the same beginning is not recorded again, so that a crash within it is no harm. Blocks until
    /// all of it is durable; then records can be made.
    ///
    /// # Errors
    /// [`BeginRefused`]
    pub fn begin(&self, predecessor: &Predecessor) -> Result<(), BeginRefused> {
        let shared = &self.inner.shared;
        if !self.awaits_beginning() {
            return Err(BeginRefused::NotAwaited);
        }
        let has_proof = (1..=END_PROOF_LEN_MAX).contains(&predecessor.end.len());
        if !has_proof || predecessor.key.len() > 256 {
            return Err(BeginRefused::Other);
        }
        let balances = Forward::decode(&predecessor.forward).map_err(|_| BeginRefused::Other)?;
        let parts = Forward::parts(&predecessor.forward);
        let parts = parts.map(|part| Succession::Forward(part.to_vec()));
        let begin = StreamBegin {
            previous_key: predecessor.key.clone(),
            previous_end: predecessor.end.clone().into_bytes(),
            forward_records: parts.len() as u64,
            forward_digest: Forward::digest::<S>(&predecessor.forward),
        };
        let not_before = Timestamp(balances.time.0.saturating_add(1));
        self.prove(&begin, not_before)?;
        let recorded = {
            let state = shared.lock();
            if state.phase != Phase::Beginning {
                return Err(BeginRefused::NotAwaited);
            }
            let known = state.fold.life.begin();
            let is_other = |known: &StreamBegin| {
                (&known.previous_key, known.forward_digest)
                    != (&begin.previous_key, begin.forward_digest)
            };
            if known.is_some_and(is_other) {
                return Err(BeginRefused::Other);
            }
            usize::try_from(state.fold.tree.size()).map_err(|_| BeginRefused::Other)?
        };
        let whole: Vec<Succession> = std::iter::once(Succession::Begin(begin))
            .chain(parts)
            .collect();
        let room = shared.limits.frame_room() / RECORD_LEN_MAX;
        let at_once = room.clamp(1, PARTS_AT_ONCE_MAX);
        for few in whole.get(recorded..).unwrap_or_default().chunks(at_once) {
            self.record_beginning(few, not_before)?;
        }
        let mut state = shared.lock();
        if state.phase == Phase::Beginning {
            state.phase = state.compared(shared.follows);
        }
        Ok(())
    }

    /// Whether the stream before, as this one's key and the mirror's prove it, ended for this one and with these balances:
    /// what is written down between two streams is believed no more than what comes over a wire.
    fn prove(&self, begin: &StreamBegin, at: Timestamp) -> Result<(), BeginRefused> {
        let shared = &self.inner.shared;
        let trust = shared.mirrors.coordinators(&begin.previous_key);
        let trust = Trust::<S>::parse(&trust).map_err(|_| BeginRefused::Other)?;
        let first = Succession::Begin(begin.clone()).draft();
        let first = first.at(shared.stream, 0, at).encode::<S>();
        let link = Link::prove(&trust, &first).map_err(|_| BeginRefused::Other)?;
        if link.next == shared.log_key {
            Ok(())
        } else {
            Err(BeginRefused::Other)
        }
    }

    fn record_beginning(
        &self,
        few: &[Succession],
        not_before: Timestamp,
    ) -> Result<(), BeginRefused> {
        let stream = self.inner.shared.stream;
        let records = few
            .iter()
            .map(|one| Unplaced::new::<S>(one.draft(), stream));
        let (sender, receiver) = oneshot::channel();
        let work = Work::Records(records.collect());
        let mut item = Item::new(work, Done::Record(sender), None);
        item.not_before = not_before;
        let queued = self.inner.committer.submit_waiting(item);
        queued.map_err(|_| BeginRefused::Failed)?;
        receiver
            .blocking_recv()
            .map(drop)
            .map_err(|_| BeginRefused::Failed)
    }
}

#[cfg(test)]
mod tests;
