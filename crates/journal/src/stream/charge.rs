//! A reservation: one unit of a grant's quota and one place in the queue, held while a call is evaluated.

use std::fmt;
use std::sync::Arc;

use lingqu_core::Timestamp;
use lingqu_core::decide::Permit;
use lingqu_tlog::{Intl, Suite};

use super::fold::Fold;
use super::ledger::AccountNumber;
use super::state::{AppendFailed, Shared};
use super::subjects::Asked;

/// One reserved unit. Dropping it gives the unit back, which is right only while no data was touched: call
/// [`Charge::touch`] before the first row is read, and a call that then ends without a record (a panic) stays charged.
pub struct Charge<S: Suite = Intl> {
    shared: Arc<Shared<S>>,
    permit: Permit,
    /// Gone once it is spent on a record, and with it the place in the queue.
    held: Option<Held>,
    not_before: Timestamp,
    refundable: bool,
    debit: DebitState,
}

/// What is reserved for one call. Whoever has it has a place in the queue, which `State::calls_under_way` counts.
pub(crate) struct Held {
    pub(crate) account: AccountNumber,
    /// Whom the call is about, where that is counted.
    pub(crate) asked: Option<Box<Asked>>,
}

impl Held {
    /// Ends reservations: they were recorded, or given back. The units of one account that stand next to each other are
    /// given back together.
    pub(crate) fn end_all<'h, S: Suite>(all: impl Iterator<Item = &'h Held>, fold: &mut Fold<S>) {
        let mut run: Option<(AccountNumber, u64)> = None;
        for held in all {
            if let Some(asked) = &held.asked {
                fold.subjects.end_reservation(asked);
            }
            run = match run {
                Some((account, count)) if account == held.account => Some((account, count + 1)),
                Some((account, count)) => {
                    fold.ledger.end_reservations(account, count);
                    Some((held.account, 1))
                }
                None => Some((held.account, 1)),
            };
        }
        if let Some((account, count)) = run {
            fold.ledger.end_reservations(account, count);
        }
    }

    /// Whom the call is about, where that is counted.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        self.asked.as_deref()
    }
}

/// How far the call's debit of privacy budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DebitState {
    /// There is none.
    None,
    /// It is spent, and not known to be on record: the call must not be answered.
    Admitted,
    /// Its record has this index.
    Recorded(u64),
}

/// What a charge becomes when its call is recorded.
pub(crate) struct Spent {
    pub(crate) settles: Held,
    pub(crate) not_before: Timestamp,
    /// The index of the call's debit, if it has one.
    pub(crate) debit: Option<u64>,
}

impl<S: Suite> Charge<S> {
    /// Around a reservation that the ledger has granted.
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        permit: Permit,
        held: Held,
        not_before: Timestamp,
    ) -> Charge<S> {
        Charge {
            shared,
            permit,
            held: Some(held),
            not_before,
            refundable: true,
            debit: DebitState::None,
        }
    }

    /// Whether the call may still be debited: once, and before data is touched.
    pub(super) fn may_debit(&self) -> bool {
        self.refundable && self.debit == DebitState::None
    }

    /// Its debit is spent.
    pub(super) fn debit_admitted(&mut self) {
        self.debit = DebitState::Admitted;
    }

    /// Its debit is on record.
    pub(super) fn debit_recorded(&mut self, index: u64) {
        self.debit = DebitState::Recorded(index);
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

    /// Spends it on a record of a call with `permit`. Spent it is either way.
    ///
    /// # Errors
    /// [`AppendFailed::OtherCharge`] if it was reserved for another permit; [`AppendFailed::Undebited`] if its debit is
    /// not known to be on record.
    pub(crate) fn spend(mut self, permit: &Permit) -> Result<Spent, AppendFailed> {
        self.refundable = false;
        if self.permit != *permit {
            return Err(AppendFailed::OtherCharge);
        }
        let debit = match self.debit {
            DebitState::None => None,
            DebitState::Admitted => return Err(AppendFailed::Undebited),
            DebitState::Recorded(index) => Some(index),
        };
        Ok(Spent {
            settles: self.held.take().expect("a charge is spent once"),
            not_before: self.not_before,
            debit,
        })
    }
}

impl<S: Suite> Drop for Charge<S> {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            let mut state = self.shared.lock();
            state.calls_under_way -= 1;
            if self.refundable {
                Held::end_all(std::iter::once(held), &mut state.fold);
            }
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
