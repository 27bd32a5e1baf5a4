//! One stream as the mirror verifies it: which batches fit, and what is held of it.
//!
//! Verification has two halves. What a batch says for itself ([`verify`]: signature, place, well-formed records) runs
//! before the queue, on the connection's own task. Whether it continues what is held ([`Tip::take`]) runs in the
//! committer's thread, in the same step as the append, so that nothing can come between check and effect.

use std::sync::Arc;

use lingqu_core::receipt::Receipt;
use lingqu_core::record::{RecordReader, RecordView, StreamId};
use lingqu_core::succession::{Course, OutOfCourse, Succession};
use lingqu_core::{Region, Timestamp};
use lingqu_proto::EndRefused;
use lingqu_tlog::{
    Checkpoint, Frontier, Hash, Intl, Note, NoteSignature, RecentTree, VerifierKey, leaf_hash,
};

use super::archive::Location;
use super::base;
use super::kept::Kept;
use super::succession::{Judge, Predecessor, Unit, begins};
use crate::keys::stream_key;

/// A stream that the registry knows, or that follows one.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// Its origin.
    pub(crate) origin: String,
    /// The typed id of the node, or of the coordinator, that writes it.
    pub(crate) owner: String,
    /// The region in whose head log its heads stand.
    pub(crate) region: Region,
    /// The key that signs its checkpoints; named by the origin.
    pub(crate) log_key: VerifierKey<Intl>,
    /// The unit whose node writes it; the coordinator's own stream has none, and so nobody who could order its end.
    pub(crate) unit: Option<Unit>,
    /// The stream that it follows, if it does.
    pub(crate) follows: Option<Arc<Predecessor>>,
    /// Whether another coordinator has enrolled its node: then it may follow a stream that is not known here.
    pub(crate) is_anothers: bool,
}

impl Stream {
    /// A stream whose checkpoints `public_key` signs; nothing if origin or key cannot be those of a stream.
    pub(crate) fn new(
        origin: &str,
        owner: &str,
        region: &Region,
        public_key: &[u8],
    ) -> Option<Stream> {
        Some(Stream {
            origin: origin.to_owned(),
            owner: owner.to_owned(),
            region: region.clone(),
            log_key: stream_key(origin, public_key)?,
            unit: None,
            follows: None,
            is_anothers: false,
        })
    }

    /// The same stream of a unit's node.
    pub(crate) fn of_unit(self, unit: Unit) -> Stream {
        Stream {
            unit: Some(unit),
            ..self
        }
    }

    /// The same stream, of a node that another coordinator has enrolled.
    pub(crate) fn of_another_coordinator(self) -> Stream {
        Stream {
            is_anothers: true,
            ..self
        }
    }
}

/// A batch that is right in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) first: u64,
    pub(crate) entries: Vec<Vec<u8>>,
    leaf_hashes: Vec<Hash>,
    /// What its records have to do with the succession of streams, in order: where, and what.
    succession: Vec<(u64, Succession)>,
    first_time: Timestamp,
    last_time: Timestamp,
    pub(crate) checkpoint: Checkpoint,
    /// The checkpoint with the stream's own signature and no other.
    pub(crate) note: Note,
}

impl Verified {
    /// Where the stream ends, if it does in this batch: the first such record.
    fn ends_at(&self) -> Option<u64> {
        let mut steps = self.succession.iter();
        steps.find_map(|(at, step)| matches!(step, Succession::End(_)).then_some(*at))
    }

    /// The entry of this index.
    fn entry(&self, index: u64) -> Option<&[u8]> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(at).map(Vec::as_slice)
    }

    /// The index after the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.checkpoint.size
    }
}

/// Why a batch is not right in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchRefused {
    /// The checkpoint is not signed by the stream's key.
    #[error("the checkpoint is not signed by the enrolled log key")]
    BadSignature,
    /// Entries or checkpoint are malformed or not in their place.
    #[error("the batch is malformed")]
    Malformed,
    /// The checkpoint is another stream's.
    #[error("the checkpoint is another stream's")]
    OtherStream,
    /// A record begins the stream without the proof of the one before.
    #[error("the stream may not begin like this")]
    Succession,
}

/// Reads a checkpoint that the stream signed, and strips every signature but the stream's own: what strangers append
/// to a note is not stored.
pub(crate) fn signed_checkpoint(
    stream: &Stream,
    note: &str,
) -> Result<(Checkpoint, Note), BatchRefused> {
    let note = Note::parse(note).map_err(|_| BatchRefused::Malformed)?;
    let key = &stream.log_key;
    note.verify(std::slice::from_ref(key))
        .map_err(|_| BatchRefused::BadSignature)?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| BatchRefused::Malformed)?;
    if checkpoint.origin != stream.origin {
        return Err(BatchRefused::OtherStream);
    }
    let is_own = |line: &NoteSignature| line.name == *key.name() && line.id == key.id();
    let own = note.signatures.into_iter().find(is_own);
    let note = Note {
        text: note.text,
        // `verify` found at least one signature by the key.
        signatures: own.into_iter().collect(),
    };
    Ok((checkpoint, note))
}

/// Checks a batch as far as it can be without what came before it.
pub(crate) fn verify(
    stream: &Stream,
    first: u64,
    entries: Vec<Vec<u8>>,
    checkpoint: &str,
) -> Result<Verified, BatchRefused> {
    let (checkpoint, note) = signed_checkpoint(stream, checkpoint)?;
    place(stream, first, entries, checkpoint, note)
}

/// Checks a batch that was read back from the mirror's own log: all but the signature, which was checked before it was
/// stored. The newest checkpoint of each stream is checked again when the replay is over.
pub(crate) fn reread(
    stream: &Stream,
    first: u64,
    entries: Vec<Vec<u8>>,
    checkpoint: &str,
) -> Result<Verified, BatchRefused> {
    let note = Note::parse(checkpoint).map_err(|_| BatchRefused::Malformed)?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| BatchRefused::Malformed)?;
    place(stream, first, entries, checkpoint, note)
}

fn place(
    stream: &Stream,
    first: u64,
    entries: Vec<Vec<u8>>,
    checkpoint: Checkpoint,
    note: Note,
) -> Result<Verified, BatchRefused> {
    let id = StreamId::of::<Intl>(&stream.origin);
    let end = first.checked_add(entries.len() as u64);
    if entries.is_empty() || end != Some(checkpoint.size) {
        return Err(BatchRefused::Malformed);
    }
    let mut times = Vec::with_capacity(entries.len());
    let mut succession = Vec::new();
    let mut records = RecordReader::<Intl>::new();
    for (entry, index) in entries.iter().zip(first..) {
        let record = records.read(entry).map_err(|_| BatchRefused::Malformed)?;
        if record.stream() != id || record.index() != index {
            return Err(BatchRefused::Malformed);
        }
        let step = Succession::of(&record).map_err(|_| BatchRefused::Malformed)?;
        let begun = (index == 0).then_some(step.as_ref());
        if begun.is_some_and(|step| !begins(stream, entry, step)) {
            return Err(BatchRefused::Succession);
        }
        succession.extend(step.map(|step| (index, step)));
        times.push(record.time());
    }
    if !times.is_sorted_by(|earlier, later| earlier < later) {
        return Err(BatchRefused::Malformed);
    }
    Ok(Verified {
        first,
        leaf_hashes: entries
            .iter()
            .map(|entry| leaf_hash::<Intl>(entry))
            .collect(),
        succession,
        first_time: times[0],
        last_time: times[times.len() - 1],
        entries,
        checkpoint,
        note,
    })
}

/// Why a batch does not continue what is held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TakeRefused {
    /// It begins after the end of what is held.
    #[error("the batch leaves a gap")]
    Gap,
    /// It begins before the end of what is held: whoever asked compares it with what is stored.
    #[error("the batch overlaps what is held")]
    Overlap,
    /// Time goes back, or the entries do not lead to the checkpoint's root.
    #[error("the batch does not lead to its checkpoint")]
    Contradiction,
    /// The stream does not begin with the balances that it must bring forward, and with them alone.
    #[error("the batch has a record that no stream has there")]
    Course,
    /// The stream has ended, in this batch or before.
    #[error("the stream has ended")]
    Ended,
    /// The batch ends the stream as it may not end. The receipt of the record under the node's signature proves that it
    /// was signed.
    #[error("the stream may not end like this: {0}")]
    End(EndRefused, Box<Receipt>),
}

impl From<OutOfCourse> for TakeRefused {
    fn from(refused: OutOfCourse) -> TakeRefused {
        match refused {
            OutOfCourse::AfterEnd => TakeRefused::Ended,
            OutOfCourse::Beginning | OutOfCourse::Forward => TakeRefused::Course,
        }
    }
}

/// The end of a stream: what the next batch must continue. Owned by the committer's thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tip {
    frontier: Frontier<Intl>,
    last_time: Option<Timestamp>,
    /// Time of the last cosignature: the next one is never earlier.
    taken: Timestamp,
    course: Course<Intl>,
    /// Its last record and the proof that it is, if it has ended.
    end: Option<(Vec<u8>, Vec<Hash>)>,
}

impl Tip {
    /// The tip of a stream as a base has it; nothing for an opening that is none.
    pub(crate) fn of_base(of: &base::OfStream) -> Option<Tip> {
        let mut course = Course::default();
        let mut end = None;
        match &of.course {
            base::OfCourse::Open => {}
            base::OfCourse::Ended(entry, proof) => {
                course = Course::ended();
                end = Some((entry.clone(), proof.clone()));
            }
            base::OfCourse::Opening(entries) => {
                for (entry, index) in entries.iter().zip(0..) {
                    let record = RecordView::read::<Intl>(entry).ok()?;
                    let step = Succession::of(&record).ok()?;
                    course.take(index, step.as_ref()).ok()?;
                }
            }
        }
        Some(Tip {
            frontier: of.frontier.clone(),
            last_time: (of.frontier.size() > 0).then_some(of.last_time),
            taken: of.taken,
            course,
            end,
        })
    }

    pub(crate) fn frontier(&self) -> &Frontier<Intl> {
        &self.frontier
    }

    /// Time of the last cosignature.
    pub(crate) fn taken(&self) -> Timestamp {
        self.taken
    }

    /// Its last record and the proof that it is, if it has ended.
    pub(crate) fn end(&self) -> Option<&(Vec<u8>, Vec<Hash>)> {
        self.end.as_ref()
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Whether the stream is bringing balances forward, and not all of them have come.
    pub(crate) fn is_opening(&self) -> bool {
        self.course.is_opening()
    }

    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// The checkpoint after `entries` were added.
    pub(crate) fn checkpoint_after(&self, origin: &str, entries: &[Vec<u8>]) -> Checkpoint {
        let mut longer = self.frontier.clone();
        entries
            .iter()
            .for_each(|entry| longer.push(leaf_hash::<Intl>(entry)));
        Checkpoint {
            origin: origin.to_owned(),
            size: longer.size(),
            root: longer.root(),
        }
    }

    /// Continues the stream with the batch, or leaves it as it is. Gives the time of the cosignature: `now`, or the
    /// last one's time when the clock was set back.
    pub(super) fn take(
        &mut self,
        batch: &Verified,
        now: Timestamp,
        judge: &Judge<'_>,
    ) -> Result<Timestamp, TakeRefused> {
        if batch.first > self.size() {
            return Err(TakeRefused::Gap);
        }
        if batch.first < self.size() {
            return Err(TakeRefused::Overlap);
        }
        let mut course = self.course.clone();
        let mut steps = batch.succession.iter().peekable();
        for index in batch.first..batch.end() {
            let step = steps.next_if(|(at, _)| *at == index);
            course.take(index, step.map(|(_, step)| step))?;
        }
        let mut longer = self.frontier.clone();
        batch.leaf_hashes.iter().for_each(|leaf| longer.push(*leaf));
        let goes_back = self.last_time.is_some_and(|last| last >= batch.first_time);
        if goes_back || longer.root() != batch.checkpoint.root {
            return Err(TakeRefused::Contradiction);
        }
        if let Some(at) = batch.ends_at() {
            self.judge_end(batch, at, judge)?;
        }
        if course.has_ended() {
            self.end = proven_last(&self.frontier, batch);
        }
        (self.frontier, self.course) = (longer, course);
        self.last_time = Some(batch.last_time);
        self.taken = self.taken.max(now);
        Ok(self.taken)
    }

    /// Whether the stream may end with the entry `at` of the batch, whose root was compared.
    fn judge_end(&self, batch: &Verified, at: u64, judge: &Judge<'_>) -> Result<(), TakeRefused> {
        let before = at.checked_sub(1).and_then(|before| batch.entry(before));
        let after = match before {
            Some(entry) => RecordView::read::<Intl>(entry).ok().map(|view| view.time()),
            None => self.last_time,
        };
        let entry = batch.entry(at).ok_or(TakeRefused::Contradiction)?;
        let Err(refused) = judge.end(entry, after) else {
            return Ok(());
        };
        let mut tree = RecentTree::from_frontier(self.frontier.clone());
        batch.leaf_hashes.iter().for_each(|leaf| tree.push(*leaf));
        let proof = tree.inclusion_proof(at, batch.end());
        let shown = Receipt {
            entry: entry.to_vec(),
            index: at,
            proof: proof.map_err(|_| TakeRefused::Contradiction)?,
            checkpoint: batch.checkpoint.clone(),
            signatures: batch.note.signatures.clone(),
            head: None,
        };
        Err(TakeRefused::End(refused, Box::new(shown)))
    }
}

/// The last entry of a batch, and the proof that it is the last one of the tree that the batch makes of `before`.
fn proven_last(before: &Frontier<Intl>, batch: &Verified) -> Option<(Vec<u8>, Vec<Hash>)> {
    let mut tree = RecentTree::from_frontier(before.clone());
    batch.leaf_hashes.iter().for_each(|leaf| tree.push(*leaf));
    let size = tree.size();
    let proof = tree.inclusion_proof(size.checked_sub(1)?, size).ok()?;
    Some((batch.entries.last()?.clone(), proof))
}

/// A stream's newest cosigned state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cosigned {
    pub(crate) size: u64,
    /// When the mirror took the batch that made it.
    pub(crate) taken: Timestamp,
    /// The checkpoint with the stream's signature and the mirror's cosignature.
    pub(crate) note: Note,
    pub(crate) cosignature: NoteSignature,
}

/// The last record of a stream, and the proof that it is.
pub(crate) type ProvenLast = (Vec<u8>, Vec<Hash>);

/// What is durable of a stream, as readers see it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) region: Region,
    pub(crate) cosigned: Option<Cosigned>,
    /// Its entries that are kept apart from the log, from the first on: the own stream's, up to the base.
    pub(crate) kept: Option<Kept>,
    /// The segments before the base with entries of it: the index of the first of them there, and the segment's number.
    pub(crate) sealed: Vec<(u64, u64)>,
    /// Where each batch since the base lies: its first index and its frame, in ascending order.
    pub(crate) batches: Vec<(u64, Location)>,
    /// Entries that the region's head log covers.
    pub(crate) headed: u64,
    /// The indices of its heads in the region's head log, in ascending order: the last one before the base, and all since.
    pub(crate) heads: Vec<u64>,
    /// Its last record and the proof that it is, if it has ended before the base.
    pub(crate) end: Option<Arc<ProvenLast>>,
    /// Whether its entries were dropped. What stays is its end ([`Tip::end`]) and its newest checkpoint.
    pub(crate) is_dropped: bool,
}

/// Where an entry is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this frame, with all entries before the given index.
    Frame(Location, u64),
    /// In this segment, whose index says where.
    Segment(u64),
}

impl Held {
    pub(crate) fn new(region: Region) -> Held {
        Held {
            region,
            cosigned: None,
            kept: None,
            sealed: Vec::new(),
            batches: Vec::new(),
            headed: 0,
            heads: Vec::new(),
            end: None,
            is_dropped: false,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.cosigned.as_ref().map_or(0, |cosigned| cosigned.size)
    }

    /// Where entry `index` is to be looked for.
    pub(crate) fn place_of(&self, index: u64) -> Option<Place> {
        if index >= self.size() {
            return None;
        }
        let after = self.batches.partition_point(|(first, _)| *first <= index);
        let Some(at) = after.checked_sub(1) else {
            let after = self.sealed.partition_point(|(first, _)| *first <= index);
            let (_, segment) = self.sealed.get(after.checked_sub(1)?)?;
            return Some(Place::Segment(*segment));
        };
        let (_, location) = self.batches.get(at)?;
        let end = self
            .batches
            .get(after)
            .map_or(self.size(), |(first, _)| *first);
        Some(Place::Frame(*location, end))
    }
}
