//! Reads back what the mirror holds, in pages of bounded size. Blocking: async callers use a blocking task.
//!
//! The index in memory says in which frame an entry or a head lies; bytes come from the log. Reading never looks at a
//! frame that is not durable.

use std::ops::ControlFlow;
use std::sync::Arc;

use lingqu_core::Region;
use lingqu_journal::{ReadError, WalReader};

use super::frame::{self, Fact, FrameMalformed};
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
    reader: WalReader,
    shared: Arc<Shared>,
}

impl Archive {
    pub(crate) fn new(reader: WalReader, shared: Arc<Shared>) -> Archive {
        Archive { reader, shared }
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
            let location = self.locate(origin, page.next).ok_or(ArchiveError::Lost)?;
            self.walk(origin, location, &mut page)?;
            if page.next == before && !page.is_full() {
                return Err(ArchiveError::Lost);
            }
        }
        Ok(page.entries)
    }

    /// The stream's own checkpoint of exactly this size, if a batch ended there.
    pub(crate) fn checkpoint(
        &self,
        origin: &str,
        size: u64,
    ) -> Result<Option<String>, ArchiveError> {
        let last = size.checked_sub(1);
        let location = last.and_then(|last| {
            let state = self.shared.state();
            let (location, end) = state.held.get(origin)?.batch_of(last)?;
            (end == size).then_some(location)
        });
        let Some(location) = location else {
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
    pub(crate) fn leaf(
        &self,
        region: &Region,
        index: u64,
        location: Location,
    ) -> Result<Vec<u8>, ArchiveError> {
        self.find(location, |fact| match fact {
            Fact::Head(head) if head.region == *region && head.index == index => Some(head.leaf),
            _ => None,
        })
    }

    fn locate(&self, origin: &str, index: u64) -> Option<Location> {
        let state = self.shared.state();
        let (location, _) = state.held.get(origin)?.batch_of(index)?;
        Some(location)
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
