//! Comparing the journal with its mirror before anything is signed (I3), and taking back what the mirror has more of.
//!
//! The mirror shows its newest checkpoint of this stream. It counts only if both this node's log key and the pinned
//! mirror key signed it. Then either it is a prefix of the journal, or the journal lost its end and takes it back from
//! the mirror, or the two contradict each other: somebody else signs with the node's key, or the journal was changed.
//! In that last case the journal closes for ever in this process, since whatever it signed next would be a second
//! history.

use std::ops::ControlFlow;
use std::sync::mpsc;

use lingqu_core::Timestamp;
use lingqu_core::record::{RECORD_LEN_MAX, RecordView};
use lingqu_tlog::{Checkpoint, Frontier, Hash, Note, NoteSignature, Suite, VerifierKey, leaf_hash};

use super::Journal;
use super::batch::{ClosedError, read};
use super::mirror::Cosigned;
use super::payload::ENTRY_OVERHEAD;
use super::stage::{Done, Item, Work};
use super::state::{Phase, Shared};
use crate::wal::WalReader;

/// How journal and mirror stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The mirror has a prefix of the journal: records may be made.
    Ready,
    /// The mirror has more: [`Journal::adopt`] its entries from this index on.
    MirrorAhead {
        /// Size of the journal.
        from: u64,
    },
}

/// Why what the mirror shows is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileRefused {
    /// Not a checkpoint of this stream.
    #[error("not a checkpoint of this stream")]
    Checkpoint,
    /// The journal has ended.
    #[error("the journal is closed or can no longer be written")]
    Closed,
    /// The mirror's cosignature is missing or wrong.
    #[error("the mirror's cosignature is missing or wrong")]
    Cosignature,
    /// The entries are not the ones between the journal's end and the checkpoint.
    #[error("the entries do not lead from the journal to the checkpoint")]
    Entries,
    /// Two histories are signed with this node's key. The journal is closed.
    #[error("the mirror holds another history signed with this node's key")]
    Fork,
    /// This node's log key did not sign it.
    #[error("the checkpoint is not signed by this node's log key")]
    LogSignature,
    /// Entries were offered, but the journal is not waiting for any.
    #[error("the journal does not lack any entries")]
    NotAhead,
    /// The journal could not be read back.
    #[error("the journal cannot be read")]
    Unreadable,
}

/// A checkpoint that both keys signed.
pub(super) struct Shown {
    cosigned: Cosigned,
    time: Timestamp,
}

impl<S: Suite> Journal<S> {
    /// Compares the journal with the mirror's newest cosigned checkpoint of it; none if the mirror has nothing.
    /// To be called after each start before anything is recorded, and on each new connection to the mirror.
    ///
    /// # Errors
    /// [`ReconcileRefused`]; after [`ReconcileRefused::Fork`] the journal is closed for ever in this process.
    pub fn reconcile(&self, mirror: Option<&str>) -> Result<Reconciled, ReconcileRefused> {
        let shared = &self.inner.shared;
        let shown = mirror.map(|note| check::<S>(shared, note)).transpose()?;
        let size = shown
            .as_ref()
            .map_or(0, |shown| shown.cosigned.checkpoint.size);
        let local = {
            let mut state = shared.lock();
            let local = state.fold.tree.size();
            match state.phase {
                Phase::Forked => return Err(ReconcileRefused::Fork),
                Phase::Closed | Phase::Failed => return Err(ReconcileRefused::Closed),
                Phase::Unreconciled { ahead_to } => {
                    // What was shown once, signed with our own key, does not become untrue when less is shown later.
                    let ahead_to = size.max(ahead_to.unwrap_or(0));
                    if ahead_to > local {
                        state.phase = Phase::Unreconciled {
                            ahead_to: Some(ahead_to),
                        };
                        return Ok(Reconciled::MirrorAhead { from: local });
                    }
                    local
                }
                Phase::Beginning | Phase::Ended | Phase::Ready => local,
            }
        };
        let Some(shown) = shown else {
            return ready(shared, None);
        };
        // A journal that has been writing cannot be behind its own mirror: somebody else signs with its key (I4).
        let root = if size > local {
            None
        } else {
            Some(root_at(shared, &self.inner.reader, size)?)
        };
        if root != Some(shown.cosigned.checkpoint.root) {
            tracing::error!(
                size,
                local,
                "the mirror holds another history of this stream"
            );
            shared.end(Phase::Forked);
            return Err(ReconcileRefused::Fork);
        }
        ready(shared, Some(shown))
    }

    /// Takes back entries that the journal lost: all from its end up to `checkpoint`, which the mirror cosigned. They
    /// are made durable and folded like any others. Blocks until they are.
    ///
    /// Records can be made only after the next [`Journal::reconcile`]: what was taken back may say that the node has to
    /// stay shut, and nothing may be answered between the two.
    ///
    /// # Errors
    /// [`ReconcileRefused`]; nothing was taken then, unless it is [`ReconcileRefused::Closed`].
    pub fn adopt(&self, entries: Vec<Vec<u8>>, checkpoint: &str) -> Result<(), ReconcileRefused> {
        let shared = &self.inner.shared;
        let shown = check::<S>(shared, checkpoint)?;
        {
            let state = shared.lock();
            match state.phase {
                Phase::Unreconciled {
                    ahead_to: Some(ahead_to),
                } if ahead_to > state.fold.tree.size() => {}
                Phase::Beginning | Phase::Ended | Phase::Ready | Phase::Unreconciled { .. } => {
                    return Err(ReconcileRefused::NotAhead);
                }
                Phase::Forked => return Err(ReconcileRefused::Fork),
                Phase::Closed | Phase::Failed => return Err(ReconcileRefused::Closed),
            }
        }
        check_entries(shared, &entries, &shown.cosigned.checkpoint)?;
        for piece in pieces(entries, shared.limits.frame_room()) {
            self.adopt_piece(piece)?;
        }
        let now = shared.clock.monotonic();
        shared.lock().mirror.advance(shown.cosigned, now);
        Ok(())
    }

    /// Size of the mirror's copy, as far as it has shown more than this journal has; otherwise the journal's own size.
    pub fn ahead_to(&self) -> u64 {
        let state = self.inner.shared.lock();
        let shown = match state.phase {
            Phase::Unreconciled { ahead_to } => ahead_to.unwrap_or(0),
            Phase::Beginning
            | Phase::Closed
            | Phase::Ended
            | Phase::Failed
            | Phase::Forked
            | Phase::Ready => 0,
        };
        shown.max(state.fold.tree.size())
    }

    /// Whether records may be made: the journal was compared with the mirror since the start.
    pub fn reconciled(&self) -> bool {
        self.inner.shared.lock().phase == Phase::Ready
    }

    fn adopt_piece(&self, entries: Vec<Vec<u8>>) -> Result<(), ReconcileRefused> {
        let (sender, receiver) = mpsc::channel();
        let item = Item::new(Work::Adopted(entries), Done::Adopted(sender), None);
        let queued = self.inner.committer.submit_waiting(item);
        queued.map_err(|_| ReconcileRefused::Closed)?;
        // The committer drops the sender without a word if the piece did not become durable.
        receiver.recv().map_err(|_| ReconcileRefused::Closed)
    }
}

/// Opens the journal for records.
fn ready<S: Suite>(
    shared: &Shared<S>,
    shown: Option<Shown>,
) -> Result<Reconciled, ReconcileRefused> {
    let now = shared.clock.now();
    let mut state = shared.lock();
    match state.phase {
        Phase::Forked => return Err(ReconcileRefused::Fork),
        Phase::Closed | Phase::Failed => return Err(ReconcileRefused::Closed),
        Phase::Beginning | Phase::Ended | Phase::Ready | Phase::Unreconciled { .. } => {
            state.phase = state.compared(shared.follows);
        }
    }
    if let Some(shown) = shown {
        state.mirror.compare_past(now, shown.time);
        let monotonic = shared.clock.monotonic();
        state.mirror.advance(shown.cosigned, monotonic);
    }
    Ok(Reconciled::Ready)
}

/// Reads a checkpoint that the mirror shows. It must be this stream's, signed by both keys.
pub(super) fn check<S: Suite>(shared: &Shared<S>, note: &str) -> Result<Shown, ReconcileRefused> {
    let note = Note::parse(note).map_err(|_| ReconcileRefused::Checkpoint)?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| ReconcileRefused::Checkpoint)?;
    if checkpoint.origin != shared.origin {
        return Err(ReconcileRefused::Checkpoint);
    }
    note.verify(std::slice::from_ref(&shared.log_key))
        .map_err(|_| ReconcileRefused::LogSignature)?;
    let verified = note
        .verify(std::slice::from_ref(&shared.mirror_key))
        .map_err(|_| ReconcileRefused::Cosignature)?;
    let unix_s = verified
        .iter()
        .filter_map(|signature| signature.time_unix_s)
        .max()
        .ok_or(ReconcileRefused::Cosignature)?;
    let is_by = |line: &NoteSignature, key: &VerifierKey<S>| {
        line.name == *key.name() && line.id == key.id()
    };
    let mut signatures = note.signatures;
    signatures.retain(|line| is_by(line, &shared.log_key) || is_by(line, &shared.mirror_key));
    Ok(Shown {
        cosigned: Cosigned {
            checkpoint,
            signatures,
        },
        time: Timestamp::from_unix_s(i64::try_from(unix_s).unwrap_or(i64::MAX)),
    })
}

/// The root of the journal's first `size` entries, which must be there.
pub(super) fn root_at<S: Suite>(
    shared: &Shared<S>,
    reader: &WalReader,
    size: u64,
) -> Result<Hash, ReconcileRefused> {
    let known = shared.lock().fold.tree.root_at(size);
    if let Some(root) = known {
        return Ok(root);
    }
    let unreadable = |_: ClosedError| ReconcileRefused::Unreadable;
    if let Some((checkpoint, _)) = shared.signed(reader, size).map_err(unreadable)? {
        return Ok(checkpoint.root);
    }
    // Longer ago than the tree remembers, and within a frame: entries that were adopted stand in other frames than
    // those they were signed in.
    let mut tree = Frontier::<S>::new();
    read(reader, 0, |payload| {
        for entry in &payload.entries {
            if tree.size() < size {
                tree.push(leaf_hash::<S>(entry));
            }
        }
        if tree.size() < size {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .map_err(unreadable)?;
    if tree.size() == size {
        Ok(tree.root())
    } else {
        Err(ReconcileRefused::Unreadable)
    }
}

/// Checks that the entries are records of this stream, in their places, and lead to the checkpoint. Nothing is written
/// before this holds for all of them.
fn check_entries<S: Suite>(
    shared: &Shared<S>,
    entries: &[Vec<u8>],
    checkpoint: &Checkpoint,
) -> Result<(), ReconcileRefused> {
    let (mut tree, mut last_time) = {
        let state = shared.lock();
        (state.fold.tree.frontier(), state.fold.last_time)
    };
    for entry in entries {
        let record = RecordView::read::<S>(entry).map_err(|_| ReconcileRefused::Entries)?;
        let in_place = record.stream() == shared.stream && record.index() == tree.size();
        if !in_place || record.time() <= last_time {
            return Err(ReconcileRefused::Entries);
        }
        last_time = record.time();
        tree.push(leaf_hash::<S>(entry));
    }
    let leads_there = tree.size() == checkpoint.size && tree.root() == checkpoint.root;
    if entries.is_empty() || !leads_there {
        return Err(ReconcileRefused::Entries);
    }
    Ok(())
}

/// The entries in runs that fit into one frame each.
fn pieces(entries: Vec<Vec<u8>>, room: usize) -> Vec<Vec<Vec<u8>>> {
    debug_assert!(room >= RECORD_LEN_MAX + ENTRY_OVERHEAD);
    let mut pieces: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut left = 0;
    for entry in entries {
        let weight = entry.len() + ENTRY_OVERHEAD;
        match pieces.last_mut() {
            Some(piece) if weight <= left => {
                left -= weight;
                piece.push(entry);
            }
            _ => {
                left = room - weight;
                pieces.push(vec![entry]);
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests;
