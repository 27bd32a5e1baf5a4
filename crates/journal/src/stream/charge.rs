//! A reservation: one unit of a grant's quota and one place in the queue, held while a call is evaluated.

use std::fmt;
use std::sync::Arc;

use lingqu_core::Timestamp;
use lingqu_core::decide::Permit;
use lingqu_tlog::{Intl, Suite};
use tokio::sync::OwnedSemaphorePermit;

use super::ledger::AccountId;
use super::state::Shared;

/// One reserved unit. Dropping it gives the unit back, which is right only while no data was touched: call
/// [`Charge::touch`] before the first row is read, and a call that then ends without a record (a panic) stays charged.
pub struct Charge<S: Suite = Intl> {
    shared: Arc<Shared<S>>,
    permit: Permit,
    not_before: Timestamp,
    slot: Option<OwnedSemaphorePermit>,
    refundable: bool,
}

/// What a charge becomes when its call is recorded.
pub(crate) struct Spent {
    pub(crate) settles: AccountId,
    pub(crate) not_before: Timestamp,
    pub(crate) slot: Option<OwnedSemaphorePermit>,
}

impl<S: Suite> Charge<S> {
    /// Around a reservation that the ledger has granted.
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        permit: Permit,
        not_before: Timestamp,
        slot: OwnedSemaphorePermit,
    ) -> Charge<S> {
        Charge {
            shared,
            permit,
            not_before,
            slot: Some(slot),
            refundable: true,
        }
    }

    /// Data is about to be touched: from here on the unit is spent, whatever happens. Until a restart, that is, if
    /// there comes no record: then nothing has left either.
    pub fn touch(&mut self) {
        self.refundable = false;
    }

    /// The permit that it was reserved for.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Spends it on a record of a call with `permit`, which must be the one it was reserved for. Spent it is either
    /// way.
    pub(crate) fn spend(mut self, permit: &Permit) -> Option<Spent> {
        self.refundable = false;
        (self.permit == *permit).then(|| Spent {
            settles: AccountId::of(&self.permit),
            not_before: self.not_before,
            slot: self.slot.take(),
        })
    }
}

impl<S: Suite> Drop for Charge<S> {
    fn drop(&mut self) {
        if self.refundable {
            let mut state = self.shared.lock();
            state
                .fold
                .ledger
                .end_reservation(&AccountId::of(&self.permit));
        }
    }
}

impl<S: Suite> fmt::Debug for Charge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge")
            .field("grant", self.permit.grant())
            .field("refundable", &self.refundable)
            .finish_non_exhaustive()
    }
}
