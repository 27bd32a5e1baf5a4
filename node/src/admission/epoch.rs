//! The revocation epoch that the node decides by: its newest number, and its age.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::epoch::{EPOCH_TYPE, Epoch};
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_proto::{decode_envelope, encode_envelope, open};

use crate::state::State;

/// How far ahead of this node's clock a stored list may be dated: as far as the two clocks may be apart.
const AHEAD_MAX: Duration = Duration::from_secs(30);

/// The epoch in force.
#[derive(Debug)]
pub struct Held {
    /// The list.
    pub epoch: Epoch,
    age_at_receipt: Duration,
    received: Duration,
}

impl Held {
    /// How old the list is, by whichever clock makes it older. The wall clock may be set back; the monotonic one stands
    /// still while the machine is suspended, and goes on where it was after a snapshot is resumed.
    pub fn age(&self, now: Timestamp, monotonic: Duration) -> Duration {
        let since_receipt = monotonic.saturating_sub(self.received);
        let by_monotonic = self.age_at_receipt.saturating_add(since_receipt);
        by_monotonic.max(now.since(self.epoch.issued))
    }
}

/// Keeps the newest epoch, in memory and on disk.
pub struct EpochKeeper {
    state: State,
    path: PathBuf,
    coordinator_key: Vec<u8>,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    /// Highest number ever seen; also guards the order of file and memory.
    floor: Mutex<u64>,
}

impl EpochKeeper {
    /// Opens the keeper with what the last run left. `floor` is the highest number in the journal: a file that is older,
    /// missing or altered counts for nothing, and calls are refused until a current list arrives.
    pub fn open(
        state: &State,
        coordinator_key: Vec<u8>,
        clock: Arc<dyn Clock>,
        floor: u64,
    ) -> EpochKeeper {
        let path = state.dir().join("epoch.env");
        let keeper = EpochKeeper {
            state: state.clone(),
            path,
            coordinator_key,
            clock,
            held: ArcSwapOption::empty(),
            floor: Mutex::new(floor),
        };
        if let Ok(bytes) = keeper.state.read(&keeper.path) {
            let found = decode_envelope(&bytes)
                .map_err(|_| ErrorCode::EpochInvalid)
                .and_then(|envelope| keeper.check(&envelope, floor));
            match found {
                Ok(epoch) => {
                    // It may have been stored before a crash kept it off the record.
                    let number = epoch.number;
                    // When it was received is not known. One from the future would be new again after each restart, and
                    // so outlive what the unit's policy allows: it still revokes, but it is stale until it is sent again.
                    if epoch.issued > keeper.clock.now().plus(AHEAD_MAX) {
                        keeper.hold(epoch, Duration::MAX);
                    } else {
                        keeper.hold_from_now(epoch);
                    }
                    keeper.raise_floor(number);
                }
                Err(code) => tracing::warn!(%code, "the stored revocation list is not used"),
            }
        }
        keeper
    }

    /// The epoch in force.
    pub fn held(&self) -> Option<Arc<Held>> {
        self.held.load_full()
    }

    /// Highest number seen.
    pub fn floor(&self) -> u64 {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises the floor to what a journal adopted from the mirror knows.
    pub fn raise_floor(&self, number: u64) {
        let mut floor = self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        *floor = (*floor).max(number);
        if self
            .held
            .load()
            .as_ref()
            .is_some_and(|held| held.epoch.number < *floor)
        {
            self.held.store(None);
        }
    }

    /// Takes a newer list, or the same one renewed. Returns its number when that is new. The file is durable before
    /// the list is in force, so a restart never falls back behind it.
    pub fn adopt(&self, envelope: &Envelope) -> Result<Option<u64>, ErrorCode> {
        let mut floor = self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.check(envelope, *floor)?;
        let current = self.held.load_full();
        if let Some(held) = &current {
            // What was revoked stays revoked: a node only ever narrows, whoever holds the coordinator's keys. What is
            // suspended may be lifted, but only under a higher number. The same number must be the same two lists, and
            // a renewal is never older.
            let lost = !held.epoch.revoked.is_subset(&epoch.revoked);
            let changed = held.epoch.number == epoch.number
                && (held.epoch.revoked != epoch.revoked
                    || held.epoch.suspended != epoch.suspended
                    || held.epoch.issued > epoch.issued);
            if lost || changed {
                return Err(ErrorCode::EpochRollback);
            }
        }
        let number = epoch.number;
        let is_new = current.is_none_or(|held| held.epoch.number < number) && number > *floor;
        let stored = self.state.write(&self.path, &encode_envelope(envelope));
        stored.map_err(|error| {
            tracing::error!(%error, "cannot store the revocation list");
            ErrorCode::Internal
        })?;
        *floor = number.max(*floor);
        self.hold_from_now(epoch);
        Ok(is_new.then_some(number))
    }

    fn check(&self, envelope: &Envelope, floor: u64) -> Result<Epoch, ErrorCode> {
        let signed = envelope.signed_by(&self.coordinator_key) == SignedBy::Yes;
        if envelope.payload_type != EPOCH_TYPE || !signed {
            return Err(ErrorCode::EpochInvalid);
        }
        let epoch = open::<Epoch>(envelope).map_err(|_| ErrorCode::EpochInvalid)?;
        epoch.may_follow(floor)?;
        Ok(epoch)
    }

    fn hold_from_now(&self, epoch: Epoch) {
        let age_at_receipt = self.clock.now().since(epoch.issued);
        self.hold(epoch, age_at_receipt);
    }

    fn hold(&self, epoch: Epoch, age_at_receipt: Duration) {
        let received = self.clock.monotonic();
        self.held.store(Some(Arc::new(Held {
            epoch,
            age_at_receipt,
            received,
        })));
    }
}

impl std::fmt::Debug for EpochKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpochKeeper")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
