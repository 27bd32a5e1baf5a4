//! Letting answers go: what the permit's terms demand of the record must be true first.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{Checkpoint, NoteSignature, Suite};

use super::Journal;
use super::mirror::{Awaited, COORDINATOR};
use super::release::{Recorded, Released, Unrecorded};
use super::state::{Phase, Shared, State};

impl<S: Suite> Journal<S> {
    /// Whether an answer under these terms could leave now. Asked before evaluation, so that no data is touched for
    /// nothing; what counts is asked again when the answer is released.
    ///
    /// # Errors
    /// `AUDIT_UNAVAILABLE`.
    pub fn audit_ready(&self, terms: AuditTerms) -> Result<(), ErrorCode> {
        let shared = &self.inner.shared;
        let now = shared.clock.monotonic();
        let state = shared.lock();
        let ready = state.phase == Phase::Ready
            && match terms {
                AuditTerms::Mirrored { .. } => {
                    state.mirror.is_connected() && state.mirror.is_headed(now)
                }
                AuditTerms::Witnessed { .. } => {
                    // Without the coordinator no head would come.
                    state.mirror.is_connected()
                        && state.mirror.reaches(COORDINATOR)
                        && state.mirror.is_headed(now)
                        && state.mirror.is_witnessed()
                }
                AuditTerms::Lagged {
                    entries_max,
                    age_s_max,
                } => {
                    // This call will be one more.
                    state.mirror.lag.calls() < entries_max && is_young(&state, now, age_s_max)
                }
            };
        if ready {
            Ok(())
        } else {
            Err(ErrorCode::AuditUnavailable)
        }
    }

    /// Releases a recorded call as its permit's terms allow: `Mirrored` waits for the cosignatures of enough mirrors, at
    /// most the time of the terms; `Witnessed` for a head log over it that enough witnesses cosigned; `Lagged` goes at
    /// once while the mirrors are not too far behind. Otherwise the outcome is `AUDIT_UNAVAILABLE`, and the same record
    /// may be released later.
    pub async fn release<T: Clone>(&self, recorded: &Recorded<T>) -> Released<T> {
        let receipt = if recorded.stream != self.inner.shared.stream {
            None
        } else {
            match recorded.permit.audit() {
                AuditTerms::Mirrored { wait_ms_max } => {
                    self.wait_for_mirror(recorded.index, &recorded.entry, ms(wait_ms_max))
                        .await
                }
                AuditTerms::Witnessed { wait_ms_max } => {
                    self.wait_for_witnesses(recorded.index, &recorded.entry, ms(wait_ms_max))
                        .await
                }
                AuditTerms::Lagged {
                    entries_max,
                    age_s_max,
                } => self.within_lag(recorded.index, &recorded.entry, entries_max, age_s_max),
            }
        };
        match receipt {
            Some((receipt, level)) => recorded.released(receipt, level),
            None => Released::unrecorded(Unrecorded::AuditUnavailable),
        }
    }

    pub(super) async fn wait_for_mirror(
        &self,
        index: u64,
        entry: &[u8],
        wait: Duration,
    ) -> Option<(Receipt, Level)> {
        self.wait_for(Awaited::Mirrored, index, wait).await;
        let entry = entry.to_vec();
        self.inner.shared.lock().mirrored(index, entry)
    }

    pub(super) async fn wait_for_witnesses(
        &self,
        index: u64,
        entry: &[u8],
        wait: Duration,
    ) -> Option<(Receipt, Level)> {
        self.wait_for(Awaited::Witnessed, index, wait).await;
        let entry = entry.to_vec();
        self.inner.shared.lock().witnessed(index, entry)
    }

    async fn wait_for(&self, awaited: Awaited, index: u64, wait: Duration) {
        // Whether it came, too late or not at all does not matter: what counts is what is there then.
        let _ = tokio::time::timeout(wait, self.reaches(awaited, index.saturating_add(1))).await;
    }

    /// Waits until the first `size` records have come there; whether they have. They have not when the journal has
    /// ended.
    pub(super) async fn reaches(&self, awaited: Awaited, size: u64) -> bool {
        let shared = &self.inner.shared;
        let (mut waiter, came) = {
            let mut state = shared.lock();
            let newest = size.checked_sub(1);
            let Some(newest) = newest.filter(|_| state.mirror.reached(awaited) < size) else {
                return true;
            };
            // A journal that has ended wakes nobody any more.
            if state.phase.is_over() {
                return false;
            }
            let (key, came) = state.mirror.wait(awaited, newest);
            let waiter = Waiter {
                shared: Arc::clone(shared),
                awaited,
                key: Some(key),
            };
            (waiter, came)
        };
        if came.await.is_ok() {
            // Whoever wakes has taken the waiter off the list, and what has come stays.
            waiter.key = None;
            return true;
        }
        // Let go: what counts is what is there.
        shared.lock().mirror.reached(awaited) >= size
    }

    fn within_lag(
        &self,
        index: u64,
        entry: &[u8],
        entries_max: u64,
        age_s_max: u32,
    ) -> Option<(Receipt, Level)> {
        let shared = &self.inner.shared;
        let now = shared.clock.monotonic();
        // Copied before the lock is taken, which everybody waits for.
        let entry = entry.to_vec();
        let mut state = shared.lock();
        if state.mirror.size() > index {
            return state.mirrored(index, entry);
        }
        let within = state.mirror.lag.calls() <= entries_max && is_young(&state, now, age_s_max);
        if within {
            state.local(shared, index, entry)
        } else {
            None
        }
    }
}

/// The bound of a wait, as terms have it.
pub(super) fn ms(wait_ms_max: u32) -> Duration {
    Duration::from_millis(wait_ms_max.into())
}

/// Whether the oldest call that the mirror lacks is not too old, nor the oldest record that the head log lacks: what the
/// mirror may learn so late, supervisors may learn so late and the bound of the head log later.
fn is_young<S: Suite>(state: &State<S>, now: Duration, age_s_max: u32) -> bool {
    let behind = Duration::from_secs(age_s_max.into());
    state.mirror.lag.age(now) <= behind && state.mirror.is_headed_within(now, behind)
}

/// Somebody who waits; it leaves the list when it stops waiting, for whatever reason.
struct Waiter<S: Suite> {
    shared: Arc<Shared<S>>,
    awaited: Awaited,
    /// Its place in the list; none once it was woken.
    key: Option<(u64, u64)>,
}

impl<S: Suite> Drop for Waiter<S> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let mut state = self.shared.lock();
            state.mirror.stop_waiting(self.awaited, key);
        }
    }
}

impl<S: Suite> State<S> {
    /// The receipt at R2, if the mirror has cosigned the entry.
    pub(super) fn mirrored(&mut self, index: u64, entry: Vec<u8>) -> Option<(Receipt, Level)> {
        let cosigned = self.mirror.cosigned.as_ref()?;
        let (checkpoint, signatures) = (cosigned.checkpoint.clone(), cosigned.signatures());
        let receipt = self.receipt(index, entry, checkpoint, signatures)?;
        Some((receipt, Level::Mirrored))
    }

    /// The receipt at R3, if a head log over the entry was cosigned by enough witnesses.
    fn witnessed(&mut self, index: u64, entry: Vec<u8>) -> Option<(Receipt, Level)> {
        let (newest, signatures) = self.mirror.witnessed()?;
        // The signatures of the head log's leaf come first.
        let (checkpoint, signatures) = (newest.head().checkpoint.clone(), signatures.clone());
        let place = newest.place().clone();
        let receipt = self.receipt(index, entry, checkpoint, signatures)?;
        let receipt = Receipt {
            head: Some(place),
            ..receipt
        };
        Some((receipt, Level::Witnessed))
    }

    /// The receipt at R1.
    fn local(
        &mut self,
        shared: &Shared<S>,
        index: u64,
        entry: Vec<u8>,
    ) -> Option<(Receipt, Level)> {
        let (checkpoint, blob) = self.fold.signed(self.fold.tree.size())?;
        let signatures = vec![shared.own_signature(blob)];
        let receipt = self.receipt(index, entry, checkpoint, signatures)?;
        Some((receipt, Level::Local))
    }

    /// Nothing after a fork or a failed write, whatever was recorded before: the caller could be holding a proof of
    /// one of two histories.
    fn receipt(
        &mut self,
        index: u64,
        entry: Vec<u8>,
        checkpoint: Checkpoint,
        signatures: Vec<NoteSignature>,
    ) -> Option<Receipt> {
        if matches!(self.phase, Phase::Failed | Phase::Forked) {
            return None;
        }
        let tree = &mut self.fold.tree;
        let proof = tree.prove_inclusion(index, checkpoint.size).ok()?;
        Some(Receipt {
            entry,
            index,
            proof,
            checkpoint,
            signatures,
            head: None,
        })
    }
}
