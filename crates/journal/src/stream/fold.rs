//! Everything that follows from the durable frames, and from nothing else.
//!
//! [`Fold::apply`] is the one place where a frame takes effect. Recovery runs it over each frame of the log, the
//! committer over each frame that has just become durable: what a restart does is exercised all the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lingqu_core::Timestamp;
use lingqu_core::record::{Field, Kind, Record, RecordMalformed, StreamId};
use lingqu_tlog::{Checkpoint, Hash, RecentTree, Suite, leaf_hash};

use super::calls::Calls;
use super::ledger::{Ledger, Unchargeable};
use super::options::JournalLimits;
use super::payload::Payload;

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
    pub(crate) calls: Calls<S>,
    pub(crate) epoch: u64,
    pub(crate) stop: u64,

    /// Number of frames.
    frames: u64,
    /// First index of each 64th frame.
    marks: Vec<u64>,
    /// The newest frames' payloads, up to a number of bytes.
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// The node's signature on each checkpoint that the tree can still prove to, by size.
    signatures: BTreeMap<u64, Vec<u8>>,
}

struct Recent {
    end: u64,
    payload: Arc<[u8]>,
}

/// What one frame brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Size of the log after it.
    pub(crate) end: u64,
    /// Number of calls in it.
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
            calls: Calls::new(limits.calls_remembered_max),
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
    pub(crate) fn apply(&mut self, bytes: &[u8]) -> Result<Applied, FoldRefused> {
        let payload = Payload::read(bytes).ok_or(FoldRefused::Form)?;
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
        for entry in &payload.entries {
            let record = Record::decode::<S>(entry)?;
            self.apply_record(&record)?;
            if record.draft.kind == Kind::Call {
                applied.calls += 1;
                applied.oldest_call.get_or_insert(record.time);
            }
            self.tree.push(leaf_hash::<S>(entry));
        }
        // The root is computed here from the durable bytes and compared with the one that was signed: a bit that
        // flipped between the two is found before anybody hears of the frame.
        if self.tree.root() != payload.root {
            return Err(FoldRefused::Root);
        }
        self.keep(&payload, bytes);
        Ok(applied)
    }

    fn apply_record(&mut self, record: &Record) -> Result<(), FoldRefused> {
        if record.stream != self.stream {
            return Err(FoldRefused::Stream);
        }
        if record.index != self.tree.size() {
            return Err(FoldRefused::Place);
        }
        if record.time <= self.last_time {
            return Err(FoldRefused::Time);
        }
        self.last_time = record.time;
        self.ledger.fold(record)?;
        self.calls.fold(record);
        if record.draft.kind == Kind::AuthorizationChange {
            let number = |field| record.draft.clear.get_number(field).unwrap_or(0);
            self.epoch = self.epoch.max(number(Field::Epoch));
            self.stop = self.stop.max(number(Field::StopNumber));
        }
        Ok(())
    }

    /// Remembers the frame within bounds.
    fn keep(&mut self, payload: &Payload<'_>, bytes: &[u8]) {
        if self.frames.is_multiple_of(MARK_EVERY) {
            self.marks.push(payload.first);
        }
        self.frames += 1;
        self.recent_bytes += bytes.len();
        self.recent.push_back(Recent {
            end: payload.end(),
            payload: bytes.into(),
        });
        // The newest frame stays, however large.
        while self.recent_bytes > self.limits.recent_bytes_max && self.recent.len() > 1 {
            if let Some(oldest) = self.recent.pop_front() {
                self.recent_bytes -= oldest.payload.len();
            }
        }
        self.signatures
            .insert(payload.end(), payload.signature.to_vec());
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
        let signature = self.signatures.get(&size)?.clone();
        let root = self.tree.root_at(size)?;
        Some((self.checkpoint(size, root), signature))
    }

    pub(crate) fn checkpoint(&self, size: u64, root: Hash) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size,
            root,
        }
    }

    /// The payloads in memory from the frame with entry `from` on, enough for a batch; nothing if that frame is no longer there.
    pub(crate) fn recent(&self, from: u64) -> Option<Vec<Arc<[u8]>>> {
        let oldest = self.recent.front().and_then(|oldest| {
            let payload = Payload::read(&oldest.payload)?;
            Some(payload.first)
        });
        if oldest? > from {
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
