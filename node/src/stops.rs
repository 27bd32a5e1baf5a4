//! The unit's stop orders: in force at once, kept as the signed files that they came as, replayed at every start.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use lingqu_core::ErrorCode;
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::stop::{STOP_TYPE, StopOrder, Stops};
use lingqu_proto::{decode_envelope, encode_envelope, open};

use crate::admission::holdings::Pinned;
use crate::state::{State, create_dir};

/// What is stopped, and where its orders are kept.
pub(crate) struct StopKeeper {
    state: State,
    dir: PathBuf,
    stops: ArcSwap<Stops>,
    /// Stops that are in force but could not be stored yet. Orders are carried out one at a time under this lock.
    unstored: Mutex<Vec<(PathBuf, Vec<u8>)>>,
}

/// Why the stored orders cannot be used. A node that cannot know what its unit stopped does not start.
#[derive(Debug, thiserror::Error)]
pub enum StopsUnreadable {
    /// The files cannot be read.
    #[error("cannot read the stop orders: {0}")]
    Io(#[from] std::io::Error),
    /// A file is not a valid order of this unit for this node, in its place.
    #[error("stop order file `{0}` is not a valid order")]
    Invalid(PathBuf),
    /// The journal knows of orders that are not there.
    #[error("stop orders up to {journal} are on record, but only those up to {found} are there")]
    Missing {
        /// Highest number in the journal.
        journal: u64,
        /// Highest number found.
        found: u64,
    },
}

impl StopKeeper {
    /// Replays the stored orders; `floor` is the highest number in the journal.
    pub(crate) fn open(
        state: &State,
        pinned: &Pinned,
        floor: u64,
    ) -> Result<StopKeeper, StopsUnreadable> {
        let dir = state.dir().join("stops");
        create_dir(&dir)?;
        let mut stops = Stops::default();
        for (path, bytes) in state.read_all(&dir, "env")? {
            let order = decode_envelope(&bytes).map_err(|_| ErrorCode::ObjectInvalid);
            let applied = order
                .and_then(|envelope| check(&envelope, pinned))
                .and_then(|order| stops.apply(&order).map_err(|_| ErrorCode::ObjectConflict));
            applied.map_err(|_| StopsUnreadable::Invalid(path))?;
        }
        if stops.number() < floor {
            return Err(StopsUnreadable::Missing {
                journal: floor,
                found: stops.number(),
            });
        }
        Ok(StopKeeper {
            state: state.clone(),
            dir,
            stops: ArcSwap::from_pointee(stops),
            unstored: Mutex::default(),
        })
    }

    /// What is stopped now.
    pub(crate) fn current(&self) -> Arc<Stops> {
        self.stops.load_full()
    }

    /// Carries out an order: in force in memory first, then durable, so that a slow disk never delays a stop. A lift is
    /// the other way round: it holds only once it is durable. A stop that could not be stored is stored before the next
    /// order, or when it is given again: a restart would otherwise lift it.
    pub(crate) fn carry_out(
        &self,
        envelope: &Envelope,
        pinned: &Pinned,
    ) -> Result<StopOrder, ErrorCode> {
        let order = check(envelope, pinned)?;
        let mut unstored = self.unstored.lock().unwrap_or_else(PoisonError::into_inner);
        let file = (
            self.dir.join(format!("{:020}.env", order.number)),
            encode_envelope(envelope),
        );
        if unstored.contains(&file) {
            return self.store(&mut unstored).map(|()| order);
        }
        let mut next = Stops::clone(&self.stops.load());
        next.apply(&order).map_err(|_| ErrorCode::ObjectConflict)?;
        unstored.push(file);
        if order.lift {
            if let Err(code) = self.store(&mut unstored) {
                unstored.pop();
                return Err(code);
            }
            self.stops.store(Arc::new(next));
        } else {
            self.stops.store(Arc::new(next));
            self.store(&mut unstored)?;
        }
        Ok(order)
    }

    /// Stores what is not stored yet, in order.
    fn store(&self, unstored: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<(), ErrorCode> {
        while let Some((path, bytes)) = unstored.first() {
            self.state.write(path, bytes).map_err(|error| {
                tracing::error!(%error, "cannot store a stop order");
                ErrorCode::Internal
            })?;
            unstored.remove(0);
        }
        Ok(())
    }
}

fn check(envelope: &Envelope, pinned: &Pinned) -> Result<StopOrder, ErrorCode> {
    if envelope.payload_type != STOP_TYPE || envelope.signed_by(&pinned.unit_key) != SignedBy::Yes {
        return Err(ErrorCode::ObjectSignatureInvalid);
    }
    let order = open::<StopOrder>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
    if order.unit == pinned.unit && order.node == pinned.node {
        Ok(order)
    } else {
        Err(ErrorCode::ObjectInvalid)
    }
}

#[cfg(test)]
mod tests;
