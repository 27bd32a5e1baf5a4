//! Reads back what the mirror holds, in pages of bounded size. Blocking: async callers use a blocking task.
//!
//! The index in memory says in which frame an entry or a head lies, or in which segment, whose own index says the rest;
//! bytes come from the log, or from what is kept apart from it. Reading never looks at a frame that is not durable.

use std::ops::ControlFlow;
use std::sync::Arc;

use lingqu_core::Region;
use lingqu_journal::{ReadError, WalReader};

use super::batches::Indices;
use super::frame::{self, Fact, FrameMalformed};
use super::headlog::{Head, HeadPlace, Leaf};
use super::kept::{Kept, KeptError};
use super::streams::Place;
use super::view::Shared;

/// The number of a frame in the mirror's log.
pub(crate) type Location = u64;

/// How many frames of other streams are read over before the index is asked again.
const STRIDE_MAX: u64 = 64;

/// Why something could not be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// A frame is not one of a mirror's log.
    #[error(transparent)]
    Frame(#[from] FrameMalformed),
    /// The entries were dropped: nobody has to keep them any more.
    #[error("the stream's entries were dropped")]
    Dropped,
    /// What is kept apart from the log cannot be read.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The index names a place that does not hold what it says.
    #[error("the index and the log disagree")]
    Lost,
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
}

/// The reading end of a mirror.
#[derive(Clone)]
pub(crate) struct Archive {
    pub(super) reader: WalReader,
    pub(super) shared: Arc<Shared>,
    pub(super) indices: Indices,
}

impl Archive {
    pub(crate) fn new(reader: WalReader, shared: Arc<Shared>, indices: Indices) -> Archive {
        Archive {
            reader,
            shared,
            indices,
        }
    }

    /// Entries of a stream from `from` on, before `to`: at least one, and no more than `bytes_max` unless the first is
    /// larger. `from < to`, and `to` is at most the cosigned size.
    pub(crate) fn entries(
        &self,
        origin: &str,
        from: u64,
        to: u64,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let mut page = Page {
            entries: Vec::new(),
            next: from,
            to,
            bytes_left: bytes_max,
        };
        while !page.is_full() {
            let before = page.next;
            let read = self.read_on(origin, &mut page);
            // It may have been dropped while it was read.
            read.map_err(|error| match self.is_dropped(origin) {
                true => ArchiveError::Dropped,
                false => error,
            })?;
            if page.next == before && !page.is_full() {
                return Err(ArchiveError::Lost);
            }
        }
        Ok(page.entries)
    }

    /// Reads the next entries from where they are.
    fn read_on(&self, origin: &str, page: &mut Page) -> Result<(), ArchiveError> {
        if let Some(kept) = self.kept(origin).filter(|kept| page.next < kept.size()) {
            let (_, entry) = kept.item(page.next)?;
            page.take(page.next, vec![entry]);
            return Ok(());
        }
        let (location, _) = self.locate(origin, page.next)?.ok_or(ArchiveError::Lost)?;
        self.walk(origin, location, page)
    }

    fn kept(&self, origin: &str) -> Option<Kept> {
        let state = self.shared.state();
        state.held.get(origin)?.kept.clone()
    }

    /// Whether the entries of a stream were dropped.
    pub(crate) fn is_dropped(&self, origin: &str) -> bool {
        let state = self.shared.state();
        state.held.get(origin).is_some_and(|held| held.is_dropped)
    }

    /// The stream's own checkpoint of exactly this size, if a batch ended there.
    pub(crate) fn checkpoint(
        &self,
        origin: &str,
        size: u64,
    ) -> Result<Option<String>, ArchiveError> {
        let newest = {
            let state = self.shared.state();
            let held = state.held.get(origin);
            let newest = held.and_then(|held| held.cosigned.clone());
            newest.filter(|cosigned| cosigned.size == size)
        };
        if let Some(newest) = newest {
            return Ok(Some(newest.note.to_string()));
        }
        let found = match size.checked_sub(1) {
            Some(last) if !self.is_dropped(origin) => self.locate(origin, last)?,
            Some(_) | None => None,
        };
        let Some((location, _)) = found.filter(|(_, end)| *end == size) else {
            return Ok(None);
        };
        let is_it = |fact: Fact| match fact {
            Fact::Batch(batch)
                if batch.origin == origin && batch.first + batch.entries.len() as u64 == size =>
            {
                Some(batch.checkpoint)
            }
            _ => None,
        };
        self.find(location, is_it).map(Some)
    }

    /// The bytes of a head log's leaf.
    pub(crate) fn leaf(&self, region: &Region, index: u64) -> Result<Vec<u8>, ArchiveError> {
        match self.head_place(region, index)? {
            HeadPlace::Kept(kept) => Ok(kept.item(index)?.1),
            HeadPlace::Recent(head) => {
                let location = head.location.ok_or(ArchiveError::Lost)?;
                self.find(location, |fact| match fact {
                    Fact::Head(head) if head.region == *region && head.index == index => {
                        Some(head.leaf)
                    }
                    _ => None,
                })
            }
        }
    }

    /// A head of a region's head log.
    pub(crate) fn head(&self, region: &Region, index: u64) -> Result<Head, ArchiveError> {
        match self.head_place(region, index)? {
            HeadPlace::Recent(head) => Ok(head),
            HeadPlace::Kept(kept) => {
                let (first, leaf) = kept.item(index)?;
                let leaf = Leaf::decode(&leaf).ok_or(ArchiveError::Lost)?;
                Ok(Head {
                    origin: leaf.checkpoint.origin,
                    first,
                    size: leaf.checkpoint.size,
                    location: None,
                })
            }
        }
    }

    fn head_place(&self, region: &Region, index: u64) -> Result<HeadPlace, ArchiveError> {
        let state = self.shared.state();
        let log = state.logs.get(region);
        log.and_then(|log| log.head(index))
            .ok_or(ArchiveError::Lost)
    }

    /// The frame with entry `index` of a stream, and the index after that batch.
    fn locate(&self, origin: &str, index: u64) -> Result<Option<(Location, u64)>, ArchiveError> {
        let place = {
            let state = self.shared.state();
            match state.held.get(origin) {
                Some(held) if held.is_dropped => return Err(ArchiveError::Dropped),
                Some(held) => held.place_of(index),
                None => None,
            }
        };
        Ok(match place {
            None => None,
            Some(Place::Frame(location, end)) => Some((location, end)),
            Some(Place::Segment(segment)) => {
                self.indices.of(segment, &self.reader)?.find(origin, index)
            }
        })
    }

    /// Reads on from one frame while the stream's next batch is near.
    fn walk(&self, origin: &str, location: Location, page: &mut Page) -> Result<(), ArchiveError> {
        let mut malformed = None;
        let mut foreign = 0;
        self.reader.read(location, |payload| {
            let facts = match frame::decode(payload) {
                Ok(facts) => facts,
                Err(error) => {
                    malformed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            foreign += 1;
            for fact in facts {
                if let Fact::Batch(batch) = fact
                    && batch.origin == origin
                {
                    foreign = 0;
                    page.take(batch.first, batch.entries);
                }
            }
            if page.is_full() || foreign > STRIDE_MAX {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        malformed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn find<T>(
        &self,
        location: Location,
        mut pick: impl FnMut(Fact) -> Option<T>,
    ) -> Result<T, ArchiveError> {
        let mut found = Ok(None);
        self.reader.read(location, |payload| {
            found = frame::decode(payload).map(|facts| facts.into_iter().find_map(&mut pick));
            ControlFlow::Break(())
        })?;
        found?.ok_or(ArchiveError::Lost)
    }
}

/// Entries as they are gathered.
struct Page {
    entries: Vec<Vec<u8>>,
    /// The index of the next entry.
    next: u64,
    to: u64,
    bytes_left: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.next >= self.to || (self.bytes_left == 0 && !self.entries.is_empty())
    }

    fn take(&mut self, first: u64, entries: Vec<Vec<u8>>) {
        for (entry, index) in entries.into_iter().zip(first..) {
            if index != self.next || self.is_full() {
                continue;
            }
            if entry.len() > self.bytes_left && !self.entries.is_empty() {
                self.bytes_left = 0;
                return;
            }
            self.bytes_left = self.bytes_left.saturating_sub(entry.len());
            self.entries.push(entry);
            self.next += 1;
        }
    }
}
