//! To the mirrors and back: batches out, cosignatures in.

use lingqu_core::Timestamp;
use lingqu_tlog::{NoteSignature, Suite, verify_cosignature};

use super::Journal;
use super::batch::{Batch, ClosedError};
use super::mirror::COORDINATOR;
use super::state::Phase;

/// Why a cosignature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureRefused {
    /// It does not verify with the key of a pinned mirror over this node's checkpoint of that size.
    #[error(transparent)]
    Signature(#[from] lingqu_tlog::CosignatureRefused),
    /// There is no such mirror.
    #[error("there is no such mirror")]
    UnknownMirror,
    /// This node signed no checkpoint of that size.
    #[error("this node signed no checkpoint of that size")]
    UnknownSize,
    /// The journal could not be read back.
    #[error("the journal cannot be read")]
    Unreadable,
}

impl<S: Suite> Journal<S> {
    /// Waits until there are entries from index `from` on, and gives them: whole frames, up to the limits of a batch and
    /// to where the batches for other mirrors end. Frames that are no longer in memory are read from the store.
    ///
    /// # Errors
    /// [`ClosedError`] when nothing will come any more.
    pub async fn next_batch(&self, from: u64) -> Result<Batch, ClosedError> {
        let shared = &self.inner.shared;
        let mut progress = shared.progress.subscribe();
        let size = progress
            .wait_for(|progress| progress.size > from || progress.ended)
            .await
            .map_err(|_| ClosedError::Closed)?
            .size;
        if size <= from {
            return Err(ClosedError::Closed);
        }
        shared
            .batch(&self.inner.reader, from)?
            .ok_or(ClosedError::Unreadable)
    }

    /// Takes this mirror's cosignature of this node's checkpoint of `size` entries in. Answers that wait for it may
    /// leave, once enough mirrors have made theirs. One that comes late changes nothing.
    ///
    /// # Errors
    /// [`CosignatureRefused`], and nothing has changed.
    pub fn accept_cosignature(
        &self,
        mirror: usize,
        size: u64,
        cosignature: &NoteSignature,
    ) -> Result<(), CosignatureRefused> {
        let shared = &self.inner.shared;
        let key = shared.mirrors.keys.get(mirror);
        let key = key.ok_or(CosignatureRefused::UnknownMirror)?;
        if size < self.mirrored_by(mirror) {
            return Ok(());
        }
        let (checkpoint, signature) = shared
            .signed(&self.inner.reader, size)
            .map_err(|_| CosignatureRefused::Unreadable)?
            .ok_or(CosignatureRefused::UnknownSize)?;
        let unix_s = verify_cosignature::<S>(&checkpoint.to_text(), key, cosignature)?;
        let theirs = Timestamp::from_unix_s(i64::try_from(unix_s).unwrap_or(i64::MAX));
        let (now, monotonic) = (shared.clock.now(), shared.clock.monotonic());
        let mut state = shared.lock();
        if mirror == COORDINATOR {
            state.mirror.compare_clocks(now, theirs);
        }
        let lines = (shared.own_signature(signature), cosignature.clone());
        state.mirror.advance(mirror, checkpoint, lines, monotonic);
        Ok(())
    }

    /// Says that this mirror could not be reached, so that it is not waited for where the others are enough. Gives whether
    /// that opened the journal for records.
    pub fn mirror_was_away(&self, mirror: usize) -> bool {
        let shared = &self.inner.shared;
        let mut state = shared.lock();
        state.mirror.was_away(mirror);
        let is_shut = matches!(state.phase, Phase::Unreconciled { .. });
        is_shut && state.open_if_heard(shared.follows)
    }

    /// Whether every mirror is there and lacks nothing of what enough of them have.
    pub fn mirrors_are_near(&self) -> bool {
        let state = self.inner.shared.lock();
        state.mirror.are_near()
    }

    /// Says whether this mirror can be reached. While too few can, no call under `Mirrored` terms is begun.
    pub fn set_mirror_connected(&self, mirror: usize, connected: bool) {
        let mut state = self.inner.shared.lock();
        state.mirror.set_connected(mirror, connected);
    }
}
