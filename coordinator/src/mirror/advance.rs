//! Bringing the base forward, so that a start replays the tail of the log alone and memory holds the index of the tail.
//!
//! The next base is the base with the frames since it replayed, by the same code and with the same checks as a start, from
//! the disk, apart from what goes on. Then it becomes durable: the indices of the segments, what is kept apart of head logs
//! and the own stream, and last the base itself. A crash before that leaves the old base, and everything else is written
//! again over what is there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use lingqu_core::{Clock, Region, Timestamp};
use lingqu_journal::{LogId, ReadError, Sealed, Start, StoreError};

use tokio_util::task::TaskTracker;

use super::Mirror;
use super::archive::{Archive, ArchiveError};
use super::base::{Base, BaseRefused, OfCourse, OfRegion, OfStream};
use super::batches::Batches;
use super::files::Files;
use super::frame::{self, Fact};
use super::kept::{Appended, Kept, KeptError};
use super::replay::ReplayError;
use super::restore::{OWN, RestoreRefused, heads_name};
use super::store::MirrorStage;
use super::streams::{Held, Stream};
use super::view::Shared;
use crate::keys::{Keys, Names};

/// A base is brought forward when the log has grown by so many times its own length: writing it is never more than a
/// small part of what is written.
const GROWTH: u64 = 16;

/// Why the base was not brought forward. The old one holds.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceFailed {
    /// The log cannot be read back.
    #[error("the log cannot be read back: {0}")]
    Archive(String),
    /// The old base cannot be read any more.
    #[error(transparent)]
    Base(#[from] BaseRefused),
    /// The process is about to end.
    #[error("the process is about to end")]
    Ended,
    /// A file cannot be written.
    #[error("cannot write: {0}")]
    Io(#[from] std::io::Error),
    /// What is kept apart cannot be written.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The log is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log contradicts itself.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Segments cannot be removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The old base does not hold any more.
    #[error(transparent)]
    Restore(#[from] RestoreRefused),
}

impl From<ArchiveError> for AdvanceFailed {
    fn from(error: ArchiveError) -> AdvanceFailed {
        AdvanceFailed::Archive(error.to_string())
    }
}

/// What brings the base forward. One at a time does.
pub(super) struct Keeping {
    pub(super) archive: Archive,
    pub(super) files: Arc<Files>,
    pub(super) log: LogId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Keys,
    pub(super) names: Names,
    pub(super) own: Arc<Stream>,
    /// Closed when the process is about to end: nobody waits for a base then.
    pub(super) tasks: TaskTracker,
    /// The first segment after the base.
    pub(super) segment: u64,
    /// The base's length in bytes.
    pub(super) base_len: u64,
}

impl Mirror {
    /// Brings the base forward if the log has grown enough since it, or in any case if it must; whether it did. Blocking.
    ///
    /// # Errors
    /// [`AdvanceFailed`]; the old base holds then.
    pub(crate) fn advance(&self, must: bool) -> Result<bool, AdvanceFailed> {
        let mut keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        keeping.advance(&self.shared, must)
    }
}

impl Keeping {
    pub(super) fn advance(&mut self, live: &Shared, must: bool) -> Result<bool, AdvanceFailed> {
        let segments = self.archive.reader.segments();
        let grown: u64 = segments
            .iter()
            .filter(|sealed| sealed.segment >= self.segment)
            .map(|sealed| sealed.used_bytes)
            .sum();
        let is_due = must || grown >= GROWTH.saturating_mul(self.base_len);
        match segments.last() {
            Some(last) if last.segment > self.segment && is_due => {
                self.advance_to(live, &segments, *last)?;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    fn advance_to(
        &mut self,
        live: &Shared,
        segments: &[Sealed],
        last: Sealed,
    ) -> Result<(), AdvanceFailed> {
        let (mut apart, before) = self.apart(live)?;
        let start = Start {
            segment: last.segment,
            frame: last.first_frame,
            sealed: segments[..segments.len() - 1].to_vec(),
        };
        let firsts = apart.read(&before.start, &start)?;
        let kept = apart.finish()?;
        let base = apart.base(start, &before, firsts, &kept)?;
        self.make_durable(live, &base, &kept)
    }

    /// What the old base says, apart from what goes on.
    pub(super) fn apart(&self, live: &Shared) -> Result<(Apart, Base), AdvanceFailed> {
        let based = Base::load(&self.files, self.log, &self.own.log_key)?;
        let (base, _) = based.unwrap_or_default();
        let shared = Arc::new(Shared::default());
        // A stream that follows another is made known by that one's end.
        let known = live.streams().into_iter();
        for stream in known.filter(|stream| stream.follows.is_none()) {
            shared.register(Stream::clone(&stream));
        }
        let mut stage = MirrorStage::new(
            Arc::clone(&self.clock),
            self.keys.clone(),
            self.names.clone(),
            (Arc::clone(&shared), Arc::clone(&self.own)),
        );
        stage.restore(&base, &self.files)?;
        let archive = Archive {
            shared,
            ..self.archive.clone()
        };
        let mut apart = Apart {
            stage,
            archive,
            files: Arc::clone(&self.files),
            log: self.log,
            tasks: self.tasks.clone(),
            heads: BTreeMap::new(),
            own: Kept::new(&self.files, OWN).append()?,
        };
        apart.open_kept(&base)?;
        Ok((apart, base))
    }

    /// Makes a base durable, whose indices and kept items are, and lets go of what it makes superfluous.
    pub(super) fn make_durable(
        &mut self,
        live: &Shared,
        base: &Base,
        kept: &AllKept,
    ) -> Result<(), AdvanceFailed> {
        let signer = self.keys.log.as_ref();
        self.base_len = base.store(&self.files, self.log, &self.own.log_key, signer)?;
        // From here on a start begins at this base. What follows is memory alone.
        self.segment = base.start.segment;
        let mut state = live.state_mut();
        for of in &base.streams {
            if let Some(held) = state.held.get_mut(&of.origin) {
                held.let_go(of, base.start.frame);
            }
        }
        for (region, kept) in &kept.heads {
            if let Some(log) = state.logs.get_mut(region) {
                log.keep(kept.clone());
            }
        }
        if let Some(held) = state.held.get_mut(&self.own.origin) {
            held.kept = Some(kept.own.clone());
        }
        drop(state);
        self.archive.reader.forget_marks(self.segment);
        Ok(())
    }
}

impl Held {
    /// Gives up what the base of `frame` knows.
    fn let_go(&mut self, of: &OfStream, frame: u64) {
        self.is_dropped = of.is_dropped;
        if let OfCourse::Ended(entry, proof) = &of.course {
            self.end = Some(Arc::new((entry.clone(), proof.clone())));
        }
        self.sealed.clone_from(&of.sealed);
        self.batches.retain(|(_, location)| *location >= frame);
        self.batches.shrink_to_fit();
        let last = of.last_head.unwrap_or(0);
        self.heads.retain(|index| *index >= last);
        self.heads.shrink_to_fit();
    }
}

/// What is kept apart for good, once it is durable.
pub(super) struct AllKept {
    pub(super) heads: BTreeMap<Region, Kept>,
    pub(super) own: Kept,
}

/// A mirror beside the one that goes on, which knows as much of the log as was read of it.
pub(super) struct Apart {
    pub(super) stage: MirrorStage,
    archive: Archive,
    files: Arc<Files>,
    log: LogId,
    tasks: TaskTracker,
    heads: BTreeMap<Region, Appended>,
    own: Appended,
}

impl Apart {
    fn open_kept(&mut self, base: &Base) -> Result<(), KeptError> {
        for of in &base.regions {
            let size = (of.frontier.size(), of.bytes);
            let kept = Kept::open(
                &self.files,
                &heads_name(&of.region),
                size,
                of.frontier.root(),
            )?;
            self.heads.insert(of.region.clone(), kept.append()?);
        }
        if let Some(of) = base.stream(&self.stage.own.origin) {
            let size = (of.frontier.size(), base.own_bytes);
            self.own = Kept::open(&self.files, OWN, size, of.frontier.root())?.append()?;
        }
        Ok(())
    }

    /// Replays the segments between two bases and writes an index for each. Gives, by stream, the first entry in each of
    /// them.
    fn read(
        &mut self,
        from: &Start,
        to: &Start,
    ) -> Result<BTreeMap<String, Vec<(u64, u64)>>, AdvanceFailed> {
        let mut firsts: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        let new = to
            .sealed
            .iter()
            .filter(|sealed| sealed.segment >= from.segment);
        for (at, sealed) in new.clone().enumerate() {
            let next = new.clone().nth(at + 1);
            let end = next.map_or(to.frame, |next| next.first_frame);
            let batches = self.read_segment(*sealed, end)?;
            let bytes = batches.encode(self.log);
            self.files.replace(&Batches::name(sealed.segment), &bytes)?;
            for (origin, first) in batches.firsts() {
                let of = firsts.entry(origin.to_owned()).or_default();
                of.push((first, sealed.segment));
            }
        }
        self.stage.finish()?;
        Ok(firsts)
    }

    fn read_segment(&mut self, sealed: Sealed, end: u64) -> Result<Batches, AdvanceFailed> {
        let mut batches = Batches::new(sealed.segment, sealed.first_frame);
        let mut frame = sealed.first_frame;
        let mut failed = None;
        let reader = self.archive.reader.clone();
        reader.read(sealed.first_frame, |payload| {
            if let Err(error) = self.take(payload, frame, &mut batches) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            frame += 1;
            if frame == end {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None if frame == end => Ok(batches),
            None => Err(ReadError::Damaged(frame).into()),
        }
    }

    fn take(
        &mut self,
        payload: &[u8],
        frame: u64,
        batches: &mut Batches,
    ) -> Result<(), AdvanceFailed> {
        if self.tasks.is_closed() {
            return Err(AdvanceFailed::Ended);
        }
        let facts = frame::decode(payload).map_err(ReplayError::from)?;
        batches.take(frame, &facts);
        self.stage.frame = frame;
        for fact in &facts {
            match fact {
                Fact::Batch(batch) if batch.origin == self.stage.own.origin => {
                    for entry in &batch.entries {
                        self.own.push(0, entry)?;
                    }
                }
                Fact::Head(head) => {
                    let first = self.headed(&head.leaf);
                    let log = self.heads.entry(head.region.clone());
                    let log = match log {
                        std::collections::btree_map::Entry::Occupied(log) => log.into_mut(),
                        std::collections::btree_map::Entry::Vacant(place) => {
                            let name = heads_name(&head.region);
                            place.insert(Kept::new(&self.files, &name).append()?)
                        }
                    };
                    log.push(first, &head.leaf)?;
                }
                Fact::Batch(_) | Fact::HeadLog(_) => {}
            }
            // One after the other: a head's first entry is the one after the head before it.
            self.stage.replay_facts(vec![fact.clone()])?;
        }
        Ok(())
    }

    /// The first entry that a head stands for.
    fn headed(&self, leaf: &[u8]) -> u64 {
        let leaf = super::headlog::Leaf::decode(leaf);
        let state = self.archive.shared.state();
        let held = leaf.and_then(|leaf| state.held.get(&leaf.checkpoint.origin));
        held.map_or(0, |held| held.headed)
    }

    fn finish(&mut self) -> Result<AllKept, KeptError> {
        let heads = std::mem::take(&mut self.heads);
        let heads = heads
            .into_iter()
            .map(|(region, log)| Ok((region, log.finish()?)));
        let empty = Kept::new(&self.files, OWN).append()?;
        Ok(AllKept {
            heads: heads.collect::<Result<_, KeptError>>()?,
            own: std::mem::replace(&mut self.own, empty).finish()?,
        })
    }

    fn base(
        &self,
        start: Start,
        before: &Base,
        mut firsts: BTreeMap<String, Vec<(u64, u64)>>,
        kept: &AllKept,
    ) -> Result<Base, AdvanceFailed> {
        let shared = Arc::clone(&self.archive.shared);
        let origins: Vec<String> = shared.state().held.keys().cloned().collect();
        let mut streams = Vec::new();
        for origin in origins {
            let old = before.stream(&origin);
            let mut sealed = old.map(|old| old.sealed.clone()).unwrap_or_default();
            sealed.append(&mut firsts.remove(&origin).unwrap_or_default());
            let is_own = origin == self.stage.own.origin;
            let sealed = if is_own { Vec::new() } else { sealed };
            streams.extend(self.stream(&origin, sealed)?);
        }
        let regions = kept.heads.iter().map(|(region, kept)| {
            let frontier = self
                .stage
                .head_tips
                .get(region)
                .map(|tip| tip.frontier().clone());
            let checkpoint = shared.state().logs.get(region)?.checkpoint.clone();
            Some(OfRegion {
                region: region.clone(),
                frontier: frontier?,
                checkpoint,
                bytes: kept.bytes(),
            })
        });
        Ok(Base {
            start,
            streams,
            regions: regions.flatten().collect(),
            own_bytes: kept.own.bytes(),
        })
    }

    fn stream(
        &self,
        origin: &str,
        sealed: Vec<(u64, u64)>,
    ) -> Result<Option<OfStream>, AdvanceFailed> {
        let Some(tip) = self.stage.tips.get(origin) else {
            return Ok(None);
        };
        let (note, headed, last_head, is_dropped) = {
            let state = self.archive.shared.state();
            let Some(held) = state.held.get(origin) else {
                return Ok(None);
            };
            let note = held.cosigned.as_ref().map(|one| one.note.to_string());
            let last_head = held.heads.last().copied();
            (
                note.unwrap_or_default(),
                held.headed,
                last_head,
                held.is_dropped,
            )
        };
        let course = match tip.end() {
            Some((entry, proof)) => OfCourse::Ended(entry.clone(), proof.clone()),
            None if tip.is_opening() => OfCourse::Opening(self.all_entries(origin, tip.size())?),
            None => OfCourse::Open,
        };
        Ok(Some(OfStream {
            origin: origin.to_owned(),
            frontier: tip.frontier().clone(),
            last_time: tip.last_time().unwrap_or(Timestamp(0)),
            taken: tip.taken(),
            note,
            headed,
            last_head,
            sealed,
            course,
            is_dropped,
        }))
    }

    /// The entries of a stream that is bringing its balances forward: they are few, and needed until it has.
    fn all_entries(&self, origin: &str, size: u64) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let mut entries = Vec::new();
        while (entries.len() as u64) < size {
            let next = entries.len() as u64;
            entries.extend(self.archive.entries(origin, next, size, 1 << 20)?);
        }
        Ok(entries)
    }
}

#[cfg(test)]
pub(super) mod tests;
