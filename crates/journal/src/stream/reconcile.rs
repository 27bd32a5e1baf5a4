//! Comparing the journal with its mirrors before anything is signed (I3), and taking back what a mirror has more of.
//!
//! A mirror shows its newest checkpoint of this stream. It counts only if both this node's log key and that mirror's pinned
//! key signed it. Then either it is a prefix of the journal, or the journal lost its end and takes it back from the
//! mirror, or the two contradict each other: somebody else signs with the node's key, or the journal was changed. In that
//! last case the journal closes for ever in this process, since whatever it signed next would be a second history.
//!
//! Of several mirrors so many are heard first that what any quorum of them cosigned is known; all of them, once the
//! journal is known to have lost something (`Mirror::has_heard_enough`).

use std::ops::ControlFlow;
use std::sync::mpsc;

use lingqu_core::Timestamp;
use lingqu_core::record::{RECORD_LEN_MAX, RecordView};
use lingqu_tlog::{Checkpoint, Frontier, Hash, Note, NoteSignature, Suite, VerifierKey, leaf_hash};

use super::Journal;
use super::batch::{ClosedError, read};
use super::mirror::COORDINATOR;
use super::payload::ENTRY_OVERHEAD;
use super::stage::{Done, Item, Work};
use super::state::{Phase, Shared};
use crate::wal::WalReader;

/// How journal and mirror stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The mirror has a prefix of the journal, and enough mirrors were heard: records may be made.
    Ready,
    /// The mirror has a prefix of the journal, and others have to be heard before records may be made.
    Waiting,
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
    checkpoint: Checkpoint,
    /// The stream's signature, and the mirror's.
    lines: (NoteSignature, NoteSignature),
    time: Timestamp,
}

impl<S: Suite> Journal<S> {
    /// Compares the journal with this mirror's newest cosigned checkpoint of it; none if the mirror has nothing.
    /// To be called after each start before anything is recorded, and on each new connection to a mirror.
    ///
    /// # Errors
    /// [`ReconcileRefused`]; after [`ReconcileRefused::Fork`] the journal is closed for ever in this process.
    pub fn reconcile(
        &self,
        mirror: usize,
        checkpoint: Option<&str>,
    ) -> Result<Reconciled, ReconcileRefused> {
        let shared = &self.inner.shared;
        let shown = checkpoint
            .map(|note| check::<S>(shared, mirror, note))
            .transpose()?;
        let size = shown.as_ref().map_or(0, |shown| shown.checkpoint.size);
        let local = {
            let mut state = shared.lock();
            let local = state.fold.tree.size();
            match state.phase {
                Phase::Forked => return Err(ReconcileRefused::Fork),
                Phase::Closed | Phase::Failed => return Err(ReconcileRefused::Closed),
                Phase::Unreconciled { ahead_to } if size > local => {
                    // What was shown once, signed with our own key, does not become untrue when less is shown later.
                    let ahead_to = Some(size.max(ahead_to.unwrap_or(0)));
                    state.phase = Phase::Unreconciled { ahead_to };
                    state.mirror.lost_something();
                    return Ok(Reconciled::MirrorAhead { from: local });
                }
                Phase::Beginning | Phase::Ended | Phase::Ready | Phase::Unreconciled { .. } => {
                    local
                }
            }
        };
        let Some(shown) = shown else {
            return ready(shared, mirror, None);
        };
        // A journal that has been writing cannot be behind its own mirror: somebody else signs with its key (I4).
        let root = if size > local {
            None
        } else {
            Some(root_at(shared, &self.inner.reader, size)?)
        };
        if root != Some(shown.checkpoint.root) {
            tracing::error!(
                size,
                local,
                "the mirror holds another history of this stream"
            );
            shared.end(Phase::Forked);
            return Err(ReconcileRefused::Fork);
        }
        ready(shared, mirror, Some(shown))
    }

    /// Takes back entries that the journal lost: all from its end up to `checkpoint`, which this mirror cosigned. They
    /// are made durable and folded like any others. Blocks until they are.
    ///
    /// Records can be made only after the next [`Journal::reconcile`]: what was taken back may say that the node has to
    /// stay shut, and nothing may be answered between the two.
    ///
    /// # Errors
    /// [`ReconcileRefused`]; nothing was taken then, unless it is [`ReconcileRefused::Closed`].
    pub fn adopt(
        &self,
        mirror: usize,
        entries: Vec<Vec<u8>>,
        checkpoint: &str,
    ) -> Result<(), ReconcileRefused> {
        let shared = &self.inner.shared;
        let shown = check::<S>(shared, mirror, checkpoint)?;
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
        check_entries(shared, &entries, &shown.checkpoint)?;
        for piece in pieces(entries, shared.limits.frame_room()) {
            self.adopt_piece(piece)?;
        }
        let now = shared.clock.monotonic();
        let mut state = shared.lock();
        state
            .mirror
            .advance(mirror, shown.checkpoint, shown.lines, now);
        Ok(())
    }

    /// Size of the longest copy of a mirror, as far as it has shown more than this journal has; otherwise the journal's own size.
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

    /// Whether the journal is known to lack records that it once had, or may: empty, cut off, or behind a mirror. Every
    /// mirror is heard then; whoever opens it again before that has to say so ([`super::JournalOptions::lost`]).
    pub fn may_have_lost(&self) -> bool {
        self.inner.shared.lock().mirror.may_have_lost()
    }

    /// Whether records may be made: the journal was compared with enough mirrors since the start.
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

/// Opens the journal for records, once enough mirrors were heard and none of them has shown more.
fn ready<S: Suite>(
    shared: &Shared<S>,
    mirror: usize,
    shown: Option<Shown>,
) -> Result<Reconciled, ReconcileRefused> {
    let (now, monotonic) = (shared.clock.now(), shared.clock.monotonic());
    let mut state = shared.lock();
    state.mirror.heard(mirror);
    match state.phase {
        Phase::Forked => return Err(ReconcileRefused::Fork),
        Phase::Closed | Phase::Failed => return Err(ReconcileRefused::Closed),
        Phase::Beginning | Phase::Ended | Phase::Ready | Phase::Unreconciled { .. } => {}
    }
    let is_ready = state.open_if_heard(shared.follows);
    if let Some(shown) = shown {
        if mirror == COORDINATOR {
            state.mirror.compare_past(now, shown.time);
        }
        state
            .mirror
            .advance(mirror, shown.checkpoint, shown.lines, monotonic);
    }
    Ok(match is_ready {
        true => Reconciled::Ready,
        false => Reconciled::Waiting,
    })
}

/// Reads a checkpoint that a mirror shows. It must be this stream's, signed by its key and by the mirror's.
pub(super) fn check<S: Suite>(
    shared: &Shared<S>,
    mirror: usize,
    note: &str,
) -> Result<Shown, ReconcileRefused> {
    let note = Note::parse(note).map_err(|_| ReconcileRefused::Checkpoint)?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| ReconcileRefused::Checkpoint)?;
    if checkpoint.origin != shared.origin {
        return Err(ReconcileRefused::Checkpoint);
    }
    let own_key = &shared.log_key;
    let mirror_key = shared.mirrors.keys.get(mirror);
    let mirror_key = mirror_key.ok_or(ReconcileRefused::Cosignature)?;
    note.verify(std::slice::from_ref(own_key))
        .map_err(|_| ReconcileRefused::LogSignature)?;
    let verified = note
        .verify(std::slice::from_ref(mirror_key))
        .map_err(|_| ReconcileRefused::Cosignature)?;
    let unix_s = verified
        .iter()
        .filter_map(|signature| signature.time_unix_s)
        .max()
        .ok_or(ReconcileRefused::Cosignature)?;
    let line_by = |key: &VerifierKey<S>| {
        let is_its = |line: &&NoteSignature| line.name == *key.name() && line.id == key.id();
        note.signatures.iter().find(is_its).cloned()
    };
    let own = line_by(own_key).ok_or(ReconcileRefused::LogSignature)?;
    let line = line_by(mirror_key).ok_or(ReconcileRefused::Cosignature)?;
    Ok(Shown {
        lines: (own, line),
        checkpoint,
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
