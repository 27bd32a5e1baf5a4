//! Everything that follows from the durable frames, and from nothing else.
//!
//! [`Fold::apply`] is the one place where a frame takes effect. Recovery runs it over each frame of the log, the
//! committer over each frame that has just become durable: what a restart does is exercised all the time. What depends
//! on the frame's bytes alone is worked out before ([`Frame::read`]), without the lock that callers wait for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lingqu_core::Timestamp;
use lingqu_core::debit::{Debit, DebitMalformed};
use lingqu_core::forward::{CALLS_MAX, Forward};
use lingqu_core::record::{Field, Kind, RecordMalformed, RecordView, StreamId};
use lingqu_core::succession::{Succession, SuccessionMalformed};
use lingqu_tlog::{Checkpoint, Hash, RecentTree, Suite, leaf_hash};

use super::budgets::Budgets;
use super::calls::{Calls, Remembered};
use super::ledger::{Charged, Ledger, Unchargeable};
use super::life::Life;
use super::options::JournalLimits;
use super::payload::Payload;
use super::subjects::{Asked, Subjects};

/// Frames from one mark to the next.
const MARK_EVERY: u64 = 64;
/// How many times as long as a frame the memory may be that it is kept in.
const SPARE_FACTOR_MAX: usize = 2;

/// The state that the log determines.
pub(crate) struct Fold<S: Suite> {
    stream: StreamId,
    origin: String,
    limits: JournalLimits,

    pub(crate) tree: RecentTree<S>,
    /// Time of the newest record.
    pub(crate) last_time: Timestamp,
    pub(crate) ledger: Ledger,
    pub(crate) budgets: Budgets,
    pub(crate) subjects: Subjects,
    pub(crate) calls: Calls<S>,
    pub(crate) life: Life,
    pub(crate) epoch: u64,
    pub(crate) stop: u64,

    /// Number of frames.
    frames: u64,
    /// First index of each 64th frame.
    marks: Vec<u64>,
    /// The newest frames' payloads, up to a number of bytes.
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// Root and signature of each checkpoint that the tree can still prove to, by size.
    signatures: BTreeMap<u64, (Hash, Vec<u8>)>,
}

struct Recent {
    first: u64,
    end: u64,
    payload: Arc<Vec<u8>>,
}

/// A frame of durable bytes, with all that follows from them alone.
pub(crate) struct Frame<'a> {
    pub(crate) payload: Payload<'a>,
    bytes: &'a [u8],
    records: Vec<Effect>,
}

/// What one record changes.
struct Effect {
    stream: StreamId,
    index: u64,
    time: Timestamp,
    leaf: Hash,
    charged: Option<Charged>,
    asked: Option<Box<Asked>>,
    /// Boxed, since few records are debits and every record has an effect.
    debit: Option<Box<Debit>>,
    remembered: Option<Remembered>,
    /// Boxed for the same reason.
    succession: Option<Box<Succession>>,
    epoch: u64,
    stop: u64,
}

impl<'a> Frame<'a> {
    /// Reads a frame's payload and every record in it.
    pub(crate) fn read<S: Suite>(bytes: &'a [u8]) -> Result<Frame<'a>, FoldRefused> {
        let payload = Payload::read(bytes).ok_or(FoldRefused::Form)?;
        let records = payload.entries.iter();
        Ok(Frame {
            records: records
                .map(|entry| Effect::of::<S>(entry))
                .collect::<Result<_, _>>()?,
            payload,
            bytes,
        })
    }
}

impl Effect {
    fn of<S: Suite>(entry: &[u8]) -> Result<Effect, FoldRefused> {
        let record = RecordView::read::<S>(entry)?;
        let changes = |field| match record.kind() {
            Kind::AuthorizationChange => record.number(field).unwrap_or(0),
            _ => 0,
        };
        Ok(Effect {
            stream: record.stream(),
            index: record.index(),
            time: record.time(),
            leaf: leaf_hash::<S>(entry),
            charged: Charged::by(&record)?,
            asked: Asked::named(&record).map(Box::new),
            debit: Debit::of(&record)?.map(Box::new),
            remembered: Remembered::of::<S>(&record),
            succession: Succession::of(&record)?.map(Box::new),
            epoch: changes(Field::Epoch),
            stop: changes(Field::StopNumber),
        })
    }
}

/// What one frame brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Size of the log after it.
    pub(crate) end: u64,
    /// Number of calls in it; not of explanations, which cost nothing.
    pub(crate) calls: u64,
    /// Time of its first call.
    pub(crate) oldest_call: Option<Timestamp>,
}

/// Why a frame does not continue the log. The state is of no use after that.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldRefused {
    #[error("a frame's payload has another form")]
    Form,
    #[error("a frame belongs to another stream")]
    Stream,
    #[error("a frame is not in its place")]
    Place,
    #[error("a record's time does not follow the one before")]
    Time,
    #[error("an entry is no record: {0}")]
    Record(#[from] RecordMalformed),
    #[error(transparent)]
    Unchargeable(#[from] Unchargeable),
    #[error(transparent)]
    Debit(#[from] DebitMalformed),
    #[error(transparent)]
    Succession(#[from] SuccessionMalformed),
    #[error("a record stands behind the end of the stream")]
    Ended,
    #[error("the stream does not begin with the balances of the one before, and with them alone")]
    Beginning,
    #[error("the balances brought forward are not what the records lead to")]
    Forward,
    #[error("the entries do not lead to the frame's root")]
    Root,
    #[error("a frame's checkpoint is not signed by the log's key")]
    Signature,
}

impl<S: Suite> Fold<S> {
    pub(crate) fn new(origin: &str, limits: &JournalLimits) -> Fold<S> {
        Fold {
            stream: StreamId::of::<S>(origin),
            origin: origin.to_owned(),
            limits: limits.clone(),
            tree: RecentTree::from_frontier(lingqu_tlog::Frontier::new()),
            last_time: Timestamp::default(),
            ledger: Ledger::default(),
            budgets: Budgets::default(),
            subjects: Subjects::new(limits.subjects_max),
            calls: Calls::new(CALLS_MAX),
            life: Life::default(),
            epoch: 0,
            stop: 0,
            frames: 0,
            marks: Vec::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            signatures: BTreeMap::new(),
        }
    }

    /// Lets one durable frame take effect.
    pub(crate) fn apply(&mut self, frame: &Frame<'_>) -> Result<Applied, FoldRefused> {
        let payload = &frame.payload;
        if payload.stream != self.stream {
            return Err(FoldRefused::Stream);
        }
        if payload.first != self.tree.size() || payload.entries.is_empty() {
            return Err(FoldRefused::Place);
        }
        let mut applied = Applied {
            end: payload.end(),
            calls: 0,
            oldest_call: None,
        };
        for record in &frame.records {
            self.apply_record(record)?;
            if record.charged.as_ref().is_some_and(Charged::costs) {
                applied.calls += 1;
                applied.oldest_call.get_or_insert(record.time);
            }
            self.tree.push(record.leaf);
        }
        // The root is computed here from the durable bytes and compared with the one that was signed: a bit that
        // flipped between the two is found before anybody hears of the frame.
        if self.tree.root() != payload.root {
            return Err(FoldRefused::Root);
        }
        self.keep(frame);
        Ok(applied)
    }

    /// Lets one record take effect that is in no frame here, for whoever has the records of a stream alone. After a
    /// refusal it is only known what the records led to before, and after a [`FoldRefused::Forward`] with them.
    pub(crate) fn apply_entry(&mut self, entry: &[u8]) -> Result<(), FoldRefused> {
        let record = Effect::of::<S>(entry)?;
        let applied = self.apply_record(&record);
        self.tree.push(record.leaf);
        self.tree.forget_before(self.tree.size());
        applied
    }

    fn apply_record(&mut self, record: &Effect) -> Result<(), FoldRefused> {
        if record.stream != self.stream {
            return Err(FoldRefused::Stream);
        }
        if record.index != self.tree.size() {
            return Err(FoldRefused::Place);
        }
        if record.time <= self.last_time {
            return Err(FoldRefused::Time);
        }
        let place = (record.index, record.time);
        let brought = self.life.take::<S>(place, record.succession.as_deref())?;
        self.last_time = record.time;
        self.ledger.fold(record.time, record.charged.as_ref());
        self.subjects.fold(record.time, record.asked.as_deref());
        if let Some(debit) = &record.debit {
            self.budgets.fold(debit);
        }
        if let Some(call) = &record.remembered {
            self.calls.fold(call);
        }
        self.epoch = self.epoch.max(record.epoch);
        self.stop = self.stop.max(record.stop);
        if let Some(forward) = brought {
            self.bring(forward);
        }
        // Whoever signs the end signs the balances: they are what the records lead to, here and at every reading.
        if let Some(Succession::End(end)) = record.succession.as_deref()
            && Forward::digest::<S>(&self.forward(record.time).encode()) != end.forward_digest
        {
            return Err(FoldRefused::Forward);
        }
        Ok(())
    }

    /// What the next stream takes over if this one ends at `time`.
    pub(crate) fn forward(&self, time: Timestamp) -> Forward {
        let (spaces, budgets) = self.budgets.forward();
        Forward {
            time,
            epoch: self.epoch,
            stop: self.stop,
            grants: self.ledger.forward(),
            spaces,
            budgets,
            subjects: self.subjects.forward(time),
            calls: self.calls.forward(),
        }
    }

    /// Takes over what another stream brings forward.
    fn bring(&mut self, forward: Forward) {
        self.ledger.bring(forward.time, forward.grants);
        self.budgets.bring(forward.spaces, forward.budgets);
        self.subjects.bring(forward.subjects);
        self.calls.bring(forward.calls);
        self.epoch = self.epoch.max(forward.epoch);
        self.stop = self.stop.max(forward.stop);
    }

    /// Remembers the frame within bounds.
    fn keep(&mut self, frame: &Frame<'_>) {
        let Frame { payload, bytes, .. } = frame;
        if self.frames.is_multiple_of(MARK_EVERY) {
            self.marks.push(payload.first);
        }
        self.frames += 1;
        // What the oldest frames leave is used again: memory that is fresh from the system costs more than the copy.
        let mut spare = Vec::new();
        while self.recent_bytes + bytes.len() > self.limits.recent_bytes_max
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.payload.capacity();
            spare = Arc::try_unwrap(oldest.payload).unwrap_or_default();
        }
        // A small frame must not hold the memory of a large one.
        if spare.capacity() > SPARE_FACTOR_MAX * bytes.len() {
            spare = Vec::new();
        }
        spare.clear();
        spare.extend_from_slice(bytes);
        self.recent_bytes += spare.capacity();
        // The newest frame stays, however large.
        self.recent.push_back(Recent {
            first: payload.first,
            end: payload.end(),
            payload: Arc::new(spare),
        });
        self.signatures
            .insert(payload.end(), (payload.root, payload.signature.to_vec()));
        let size = self.tree.size();
        self.tree
            .forget_before(size.saturating_sub(self.limits.recent_entries_max));
        let base = self.tree.base();
        while let Some(oldest) = self.signatures.first_entry()
            && *oldest.key() < base
        {
            oldest.remove();
        }
    }

    /// The checkpoint of this size and the node's signature on it; nothing if the node never signed that size or it
    /// is too long ago.
    pub(crate) fn signed(&self, size: u64) -> Option<(Checkpoint, Vec<u8>)> {
        let (root, signature) = self.signatures.get(&size)?;
        Some((self.checkpoint(size, *root), signature.clone()))
    }

    pub(crate) fn checkpoint(&self, size: u64, root: Hash) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size,
            root,
        }
    }

    /// The payloads in memory from the frame with entry `from` on, enough for a batch; nothing if that frame is no longer there.
    pub(crate) fn recent(&self, from: u64) -> Option<Vec<Arc<Vec<u8>>>> {
        if self.recent.front()?.first > from {
            return None;
        }
        let start = self.recent.partition_point(|frame| frame.end <= from);
        let mut bytes = 0;
        let frames = self.recent.iter().skip(start).take_while(|frame| {
            let is_wanted = bytes < self.limits.batch_bytes_max;
            bytes += frame.payload.len();
            is_wanted
        });
        Some(frames.map(|frame| Arc::clone(&frame.payload)).collect())
    }

    /// Number of a frame at or before the one with entry `from`, at most 64 frames before it.
    pub(crate) fn frame_before(&self, from: u64) -> u64 {
        let marks = self.marks.partition_point(|first| *first <= from) as u64;
        marks.saturating_sub(1) * MARK_EVERY
    }
}

#[cfg(test)]
mod tests;
