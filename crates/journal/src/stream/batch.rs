//! What goes to the mirrors: whole frames, several at a time, under the checkpoint after the last.

use std::ops::ControlFlow;

use lingqu_tlog::{Checkpoint, Note, Suite};

use super::options::JournalLimits;
use super::payload::Payload;
use super::state::Shared;
use crate::wal::{ReadError, WalReader};

/// Entries for the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Index of the first entry.
    pub first: u64,
    /// The entries' exact bytes.
    pub entries: Vec<Vec<u8>>,
    /// The signed checkpoint of size `first + entries.len()`.
    pub checkpoint: String,
}

/// Why there is no next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClosedError {
    /// The journal has ended, and the mirror has everything.
    #[error("the journal is closed")]
    Closed,
    /// Older frames cannot be read back.
    #[error("the journal cannot be read")]
    Unreadable,
}

/// A checkpoint of ours and the node's signature on it.
pub(crate) type Signed = (Checkpoint, Vec<u8>);

/// Gathers frames up to the limits.
pub(super) struct Gathering<'l> {
    pub(super) from: u64,
    /// The size that is not gone beyond.
    to: u64,
    limits: &'l JournalLimits,
    pub(super) entries: Vec<Vec<u8>>,
    bytes: usize,
    /// Size, root and signature after the last frame.
    pub(super) last: Option<(u64, lingqu_tlog::Hash, Vec<u8>)>,
}

impl<'l> Gathering<'l> {
    /// Nothing yet, of what begins with the entry `from`.
    pub(super) fn new(from: u64, limits: &'l JournalLimits) -> Gathering<'l> {
        Gathering {
            from,
            to: u64::MAX,
            limits,
            entries: Vec::new(),
            bytes: 0,
            last: None,
        }
    }

    /// Takes one frame in, unless it is one too many. A frame is never split at its end, since the checkpoint is
    /// there; the first one is taken however large.
    pub(super) fn take(&mut self, payload: &Payload<'_>) -> ControlFlow<()> {
        if payload.end() <= self.from {
            return ControlFlow::Continue(());
        }
        if payload.first >= self.to {
            return ControlFlow::Break(());
        }
        let skipped = usize::try_from(self.from.saturating_sub(payload.first)).unwrap_or(0);
        let entries = &payload.entries[skipped..];
        let bytes: usize = entries.iter().map(|entry| entry.len()).sum();
        let is_full = self.entries.len() + entries.len() > self.limits.batch_entries_max
            || self.bytes + bytes > self.limits.batch_bytes_max;
        if is_full && !self.entries.is_empty() {
            return ControlFlow::Break(());
        }
        self.entries
            .extend(entries.iter().map(|entry| entry.to_vec()));
        self.bytes += bytes;
        self.last = Some((payload.end(), payload.root, payload.signature.to_vec()));
        ControlFlow::Continue(())
    }
}

impl<S: Suite> Shared<S> {
    /// The durable entries from `from` on, up to the next mark and the limits; nothing if there are none.
    pub(crate) fn batch(
        &self,
        reader: &WalReader,
        from: u64,
    ) -> Result<Option<Batch>, ClosedError> {
        let (to, recent, frame) = {
            let mut state = self.lock();
            let newest = state.fold.tree.size();
            let to = state.mirror.marks.next(from, newest);
            (to, state.fold.recent(from), state.fold.frame_before(from))
        };
        let mut gathering = Gathering {
            to,
            ..Gathering::new(from, &self.limits)
        };
        match recent {
            Some(payloads) => {
                for payload in payloads.iter().filter_map(|bytes| Payload::read(bytes)) {
                    if gathering.take(&payload).is_break() {
                        break;
                    }
                }
            }
            None => read(reader, frame, |payload| gathering.take(payload))?,
        }
        let Some((size, root, signature)) = gathering.last else {
            return Ok(None);
        };
        let checkpoint = self.lock().fold.checkpoint(size, root);
        Ok(Some(Batch {
            first: from,
            entries: gathering.entries,
            checkpoint: self.note(&(checkpoint, signature)).to_string(),
        }))
    }

    /// The checkpoint of exactly this size that the node signed, from memory or from the store.
    pub(crate) fn signed(
        &self,
        reader: &WalReader,
        size: u64,
    ) -> Result<Option<Signed>, ClosedError> {
        let frame = {
            let state = self.lock();
            if size == 0 || size > state.fold.tree.size() {
                return Ok(None);
            }
            if let Some(signed) = state.fold.signed(size) {
                return Ok(Some(signed));
            }
            state.fold.frame_before(size - 1)
        };
        let mut found = None;
        read(reader, frame, |payload| {
            if payload.end() < size {
                return ControlFlow::Continue(());
            }
            if payload.end() == size {
                found = Some((payload.root, payload.signature.to_vec()));
            }
            ControlFlow::Break(())
        })?;
        Ok(found.map(|(root, signature)| (self.lock().fold.checkpoint(size, root), signature)))
    }

    pub(crate) fn note(&self, signed: &Signed) -> Note {
        Note {
            text: signed.0.to_text(),
            signatures: vec![self.own_signature(signed.1.clone())],
        }
    }
}

/// Reads payloads from the store.
pub(crate) fn read(
    reader: &WalReader,
    first: u64,
    mut visit: impl FnMut(&Payload<'_>) -> ControlFlow<()>,
) -> Result<(), ClosedError> {
    let outcome = reader.read(first, |bytes| match Payload::read(bytes) {
        Some(payload) => visit(&payload),
        None => ControlFlow::Break(()),
    });
    outcome.map_err(|error: ReadError| {
        tracing::error!(%error, "cannot read the journal back");
        ClosedError::Unreadable
    })
}
