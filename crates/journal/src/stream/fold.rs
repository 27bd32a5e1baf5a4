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
use lingqu_core::record::{Field, Kind, RecordMalformed, RecordReader, RecordView, StreamId};
use lingqu_core::succession::{Succession, SuccessionMalformed};
use lingqu_tlog::{Checkpoint, Growth, Hash, RecentTree, Suite, leaf_hash};

use super::budgets::Budgets;
use super::buffers::Buffers;
use super::calls::{Calls, Remembered};
use super::ledger::{Charged, LastNamed, Ledger, Unchargeable};
use super::life::Life;
use super::options::JournalLimits;
use super::payload::Payload;
use super::subjects::{Asked, Subjects};

/// Frames from one mark to the next.
const MARK_EVERY: u64 = 64;

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
    pub(crate) calls: Calls,
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
    pub(crate) buffers: Buffers,
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
    records: Vec<Effect>,
}

/// What one record changes.
struct Effect {
    time: Timestamp,
    charged: Option<Charged>,
    remembered: Option<Remembered>,
    /// Boxed, since few records have it and every record has an effect.
    rare: Option<Box<Rare>>,
}

/// What few records change.
#[derive(Default)]
struct Rare {
    asked: Option<Asked>,
    debit: Option<Debit>,
    succession: Option<Succession>,
    epoch: u64,
    stop: u64,
}

/// Reads the records of one frame, or of one stream, one after another.
struct Reading<'a, S: Suite> {
    records: RecordReader<'a, S>,
    account: LastNamed<'a>,
}

impl<'a> Frame<'a> {
    /// Reads a frame's payload and every record in it, and whether these stand where and when the payload says.
    pub(crate) fn read<S: Suite>(bytes: &'a [u8]) -> Result<Frame<'a>, FoldRefused> {
        let payload = Payload::read(bytes).ok_or(FoldRefused::Form)?;
        let mut reading = Reading::<S>::new();
        let mut records: Vec<Effect> = Vec::with_capacity(payload.entries.len());
        for (entry, index) in payload.entries.iter().zip(payload.first..) {
            let effect = reading.effect(entry, (payload.stream, index))?;
            let follows = records.last().is_none_or(|last| last.time < effect.time);
            if !follows {
                return Err(FoldRefused::Time);
            }
            records.push(effect);
        }
        Ok(Frame { payload, records })
    }

    /// The leaf hashes of its entries.
    pub(crate) fn leaves<S: Suite>(&self) -> Vec<Hash> {
        let entries = self.payload.entries.iter();
        entries.map(|entry| leaf_hash::<S>(entry)).collect()
    }
}

impl<'a, S: Suite> Reading<'a, S> {
    fn new() -> Reading<'a, S> {
        Reading {
            records: RecordReader::new(),
            account: LastNamed::default(),
        }
    }

    /// What the record changes that must stand at this place.
    fn effect(
        &mut self,
        entry: &'a [u8],
        (stream, index): (StreamId, u64),
    ) -> Result<Effect, FoldRefused> {
        let record = self.records.read(entry)?;
        if record.stream() != stream {
            return Err(FoldRefused::Stream);
        }
        if record.index() != index {
            return Err(FoldRefused::Place);
        }
        Ok(Effect {
            time: record.time(),
            charged: Charged::by(&record, &mut self.account)?,
            remembered: Remembered::of::<S>(&record),
            rare: Rare::of(&record)?,
        })
    }
}

impl Rare {
    fn of(record: &RecordView<'_>) -> Result<Option<Box<Rare>>, FoldRefused> {
        let rare = match record.kind() {
            Kind::Call => {
                let Some(asked) = Asked::named(record) else {
                    return Ok(None);
                };
                Rare {
                    asked: Some(asked),
                    ..Rare::default()
                }
            }
            Kind::AuthorizationChange => Rare {
                epoch: record.number(Field::Epoch).unwrap_or(0),
                stop: record.number(Field::StopNumber).unwrap_or(0),
                ..Rare::default()
            },
            Kind::Control
            | Kind::Debit
            | Kind::Denials
            | Kind::Forward
            | Kind::Heartbeat
            | Kind::Load
            | Kind::NodeStart
            | Kind::NodeStop
            | Kind::StreamBegin
            | Kind::StreamEnd => Rare {
                debit: Debit::of(record)?,
                succession: Succession::of(record)?,
                ..Rare::default()
            },
        };
        Ok(Some(Box::new(rare)))
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
            buffers: Buffers::default(),
            signatures: BTreeMap::new(),
        }
    }

    /// Lets one durable frame take effect. `growth` is what its leaves do to the tree, and `bytes` are the frame's, to be
    /// kept.
    pub(crate) fn apply(
        &mut self,
        frame: &Frame<'_>,
        growth: &Growth<S>,
        bytes: Arc<Vec<u8>>,
    ) -> Result<Applied, FoldRefused> {
        let payload = &frame.payload;
        if payload.stream != self.stream {
            return Err(FoldRefused::Stream);
        }
        let is_whole = growth.leaves().len() == payload.entries.len();
        if payload.first != self.tree.size() || payload.entries.is_empty() || !is_whole {
            return Err(FoldRefused::Place);
        }
        let mut applied = Applied {
            end: payload.end(),
            calls: 0,
            oldest_call: None,
        };
        for (record, index) in frame.records.iter().zip(payload.first..) {
            self.apply_record(index, record)?;
            if record.charged.as_ref().is_some_and(Charged::costs) {
                applied.calls += 1;
                applied.oldest_call.get_or_insert(record.time);
            }
        }
        // The root is computed here from the tree that answers are proved in and compared with the one that was signed,
        // before anybody hears of the frame. Where the leaves come from is for the caller of this: recovery hashes what
        // it read, operation compares what it hashed with what it wrote.
        if !self.tree.extend(growth) || self.tree.root() != payload.root {
            return Err(FoldRefused::Root);
        }
        self.keep(payload, bytes);
        Ok(applied)
    }

    /// Lets one record take effect that is in no frame here, for whoever has the records of a stream alone. After a
    /// refusal it is only known what the records led to before, and after a [`FoldRefused::Forward`] with them.
    pub(crate) fn apply_entry(&mut self, entry: &[u8]) -> Result<(), FoldRefused> {
        let index = self.tree.size();
        let record = Reading::<S>::new().effect(entry, (self.stream, index))?;
        let applied = self.apply_record(index, &record);
        self.tree.push(leaf_hash::<S>(entry));
        self.tree.forget_before(self.tree.size());
        applied
    }

    fn apply_record(&mut self, index: u64, record: &Effect) -> Result<(), FoldRefused> {
        if record.time <= self.last_time {
            return Err(FoldRefused::Time);
        }
        let rare = record.rare.as_deref();
        let succession = rare.and_then(|rare| rare.succession.as_ref());
        let brought = self.life.take::<S>((index, record.time), succession)?;
        self.last_time = record.time;
        self.ledger.fold(record.time, record.charged.as_ref());
        let asked = rare.and_then(|rare| rare.asked.as_ref());
        self.subjects.fold(record.time, asked);
        if let Some(call) = &record.remembered {
            self.calls.fold(call);
        }
        if let Some(rare) = rare {
            rare.debit.iter().for_each(|debit| self.budgets.fold(debit));
            self.epoch = self.epoch.max(rare.epoch);
            self.stop = self.stop.max(rare.stop);
        }
        if let Some(forward) = brought {
            self.bring(forward);
        }
        // Whoever signs the end signs the balances: they are what the records lead to, here and at every reading.
        if let Some(Succession::End(end)) = succession
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

    /// A frame's bytes in memory of their own, to be kept.
    pub(crate) fn copied(&mut self, bytes: &[u8]) -> Arc<Vec<u8>> {
        let mut copy = self.buffers.take(bytes.len());
        copy.extend_from_slice(bytes);
        Arc::new(copy)
    }

    /// Remembers the frame within bounds.
    fn keep(&mut self, payload: &Payload<'_>, bytes: Arc<Vec<u8>>) {
        if self.frames.is_multiple_of(MARK_EVERY) {
            self.marks.push(payload.first);
        }
        self.frames += 1;
        while self.recent_bytes + bytes.capacity() > self.limits.recent_bytes_max
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.payload.capacity();
            // Whoever makes a batch of it drops it.
            self.buffers
                .give(Arc::try_unwrap(oldest.payload).unwrap_or_default());
        }
        self.recent_bytes += bytes.capacity();
        // The newest frame stays, however large.
        self.recent.push_back(Recent {
            first: payload.first,
            end: payload.end(),
            payload: bytes,
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
