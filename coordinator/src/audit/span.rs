//! One head's span, read back: the entries that it adds to its stream, and whether they are what was signed.
//!
//! Blocking, and apart from the window: nothing is kept of a span before all of it holds.

use std::collections::VecDeque;
use std::sync::Arc;

use lingqu_core::Region;
use lingqu_core::record::{Kind, RecordView, StreamId};
use lingqu_tlog::{Frontier, Intl, VerifierKey, leaf_hash};

use super::window::{Names, Row};
use crate::mirror::archive::{Archive, ArchiveError};
use crate::mirror::headlog::{Head, Leaf};
use crate::mirror::streams::Stream;

/// What is to be read.
pub(crate) struct Task {
    pub(crate) region: Region,
    /// The head's index in the head log.
    pub(crate) index: u64,
    pub(crate) head: Head,
    pub(crate) stream: Arc<Stream>,
    /// The stream's tree so far, as it was read and checked.
    pub(crate) before: Frontier<Intl>,
    /// Whether an earlier span of the stream did not hold: nothing after it can.
    pub(crate) is_faulty: bool,
    pub(crate) mirror_key: VerifierKey<Intl>,
    /// Most bytes of rows that are worth keeping of one span.
    pub(crate) bytes_max: usize,
    pub(crate) chunk_bytes_max: usize,
}

/// Why a span is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// An earlier span of the stream was not believed.
    #[error("an earlier span does not hold")]
    Before,
    /// The entries are not records of their places.
    #[error("an entry is not the record of its place")]
    Entry,
    /// The head is not of this stream and place.
    #[error("the head is another one")]
    Head,
    /// The head log's checkpoint is not over its leaves.
    #[error("the head log's checkpoint is over other leaves")]
    HeadLog,
    /// The entries do not lead to the signed root.
    #[error("the entries do not lead to the signed root")]
    Root,
    /// The node's signature or the mirror's cosignature is missing or wrong.
    #[error("a signature is missing or wrong")]
    Signature,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Checked {
    /// Everything holds.
    Holds {
        before: Frontier<Intl>,
        after: Frontier<Intl>,
        /// The records that people look at, in order; the newest of them if there were too many.
        rows: VecDeque<Row>,
        /// Whether there were too many.
        is_cut: bool,
    },
    /// Its entries were dropped: nothing of them is shown.
    Dropped,
    /// Something does not.
    Faulty(Fault),
}

impl Task {
    /// Reads the leaf and the entries; gives the leaf, and what holds.
    ///
    /// # Errors
    /// [`ArchiveError`] when the disk does not give them.
    pub(crate) fn read(
        self,
        archive: &Archive,
        names: &mut Names,
    ) -> Result<(Vec<u8>, Checked), ArchiveError> {
        let leaf = archive.leaf(&self.region, self.index)?;
        if archive.is_dropped(&self.head.origin) {
            return Ok((leaf, Checked::Dropped));
        }
        let checked = match self.authentic(&leaf) {
            Err(fault) => Checked::Faulty(fault),
            Ok(head) => match self.entries(&head, archive, names) {
                // It may have been dropped in the meantime.
                Err(ArchiveError::Dropped) => Checked::Dropped,
                checked => checked?,
            },
        };
        Ok((leaf, checked))
    }

    /// The head, if stream and mirror signed it and it is about this span.
    fn authentic(&self, leaf: &[u8]) -> Result<Leaf, Fault> {
        if self.is_faulty {
            return Err(Fault::Before);
        }
        let leaf = Leaf::decode(leaf).ok_or(Fault::Head)?;
        for key in [&self.stream.log_key, &self.mirror_key] {
            let signed = leaf.note.verify(std::slice::from_ref(key));
            signed.map_err(|_| Fault::Signature)?;
        }
        let is_it = leaf.checkpoint.origin == self.stream.origin
            && leaf.checkpoint.size == self.head.size
            && self.head.first == self.before.size()
            && self.stream.region == self.region;
        is_it.then_some(leaf).ok_or(Fault::Head)
    }

    fn entries(
        self,
        leaf: &Leaf,
        archive: &Archive,
        names: &mut Names,
    ) -> Result<Checked, ArchiveError> {
        let id = StreamId::of::<Intl>(&self.stream.origin);
        let mut after = self.before.clone();
        let mut rows = VecDeque::new();
        let (mut bytes, mut is_cut) = (0, false);
        while after.size() < self.head.size {
            let (from, to) = (after.size(), self.head.size);
            let page = archive.entries(&self.stream.origin, from, to, self.chunk_bytes_max)?;
            for entry in &page {
                let Ok(view) = RecordView::read::<Intl>(entry) else {
                    return Ok(Checked::Faulty(Fault::Entry));
                };
                if view.stream() != id || view.index() != after.size() {
                    return Ok(Checked::Faulty(Fault::Entry));
                }
                after.push(leaf_hash::<Intl>(entry));
                // A heartbeat says that there was nothing to say, and balances brought forward are numbers for machines.
                if matches!(view.kind(), Kind::Heartbeat | Kind::Forward) {
                    continue;
                }
                let row = Row::new(&view, self.index, self.head.first, names);
                bytes += row.bytes();
                rows.push_back(row);
                while bytes > self.bytes_max {
                    let Some(oldest) = rows.pop_front() else {
                        break;
                    };
                    bytes -= oldest.bytes();
                    is_cut = true;
                }
            }
        }
        if after.root() != leaf.checkpoint.root {
            return Ok(Checked::Faulty(Fault::Root));
        }
        Ok(Checked::Holds {
            before: self.before,
            after,
            rows,
            is_cut,
        })
    }
}
