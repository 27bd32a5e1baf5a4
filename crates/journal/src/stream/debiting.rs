//! Spending privacy budget: on record before anything is evaluated, and never given back.

use std::sync::Arc;

use lingqu_core::debit::Debit;
use lingqu_core::decide::Permit;
use lingqu_core::grant::Environment;
use lingqu_core::record::Draft;
use lingqu_core::{ErrorCode, GrantId};
use lingqu_policy::{AuditTerms, MicroRho, is_space_name};
use lingqu_tlog::Suite;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Journal;
use super::budgets::{Limits, SpaceUse};
use super::charge::Charge;
use super::mirror::Awaited;
use super::releasing::ms;
use super::stage::{Done, Place};

/// What an answer is to cost. Environment and the grant's limit are the permit's: both are signed, and nobody else
/// states them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpCharge {
    /// The entity space, as the policy names it: 1 to 64 of `a-z 0-9 _`.
    pub space: String,
    /// The cost: a function of the product and its arguments, never of data.
    pub rho: MicroRho,
    /// What all callers together may spend on the space, by the strictest policy of the resources that are read.
    pub space_limit: MicroRho,
    /// Whether the answer comes from the store: then the grant is charged, and the space is not.
    pub from_store: bool,
}

/// Proof that a debit is on record: durable, and with the mirror if the permit's terms ask for it. Made here and
/// nowhere else; whoever evaluates should ask for one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the budget is spent"]
pub struct Debited {
    index: u64,
    debit: Debit,
}

impl Debited {
    /// The index of the debit's record. The call's own record refers to it.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What was spent.
    pub fn rho(&self) -> MicroRho {
        self.debit.rho
    }

    /// On which space.
    pub fn space(&self) -> &str {
        &self.debit.space
    }

    /// Whether it pays for a stored answer only: then nothing may be evaluated.
    pub fn is_from_store(&self) -> bool {
        self.debit.from_store
    }
}

impl<S: Suite> Journal<S> {
    /// Spends privacy budget for the call that `charge` was reserved for. Admitted against the account of the space,
    /// which all callers share, and against the grant's limit, counting what is on its way to the disk; then recorded.
    /// When this returns `Ok` the debit is durable, and cosigned by the mirror if the permit's terms are `Mirrored`,
    /// and by the witnesses if they are `Witnessed`.
    ///
    /// From the moment of admission it is spent, whatever becomes of this future or of the call: there is no way back.
    /// A charge takes one debit, before [`Charge::touch`]; a call whose debit failed or was cancelled is not recorded
    /// as answered.
    ///
    /// # Errors
    /// `PRIVACY_BUDGET_EXHAUSTED`: nothing was spent. `AUDIT_UNAVAILABLE`: it may be spent, and nothing may be
    /// evaluated; nothing is spent while the mirror already lacks a record that the terms ask it to have. `INTERNAL`: a debit of nothing, of a space without a name, a second one, or one after data was
    /// touched; nothing was spent.
    pub async fn debit(
        &self,
        charge: &mut Charge<S>,
        cost: DpCharge,
    ) -> Result<Debited, ErrorCode> {
        if !charge.may_debit() || cost.rho == MicroRho::ZERO || !is_space_name(&cost.space) {
            return Err(ErrorCode::Internal);
        }
        let permit = charge.permit();
        let limits = Limits {
            space: cost.space_limit,
            grant: permit.quota().rho_total.unwrap_or_default(),
        };
        let debit = Debit {
            grant: permit.grant().clone(),
            environment: permit.environment(),
            space: cost.space,
            rho: cost.rho,
            from_store: cost.from_store,
        };
        let (draft, terms) = (debit.draft(permit), permit.audit());
        // Held until the mirror has this debit, or has not come.
        let _turn = match terms {
            AuditTerms::Mirrored { wait_ms_max } => {
                Some(self.is_followed(Awaited::Mirrored, wait_ms_max).await?)
            }
            AuditTerms::Witnessed { wait_ms_max } => {
                Some(self.is_followed(Awaited::Witnessed, wait_ms_max).await?)
            }
            AuditTerms::Lagged { .. } => None,
        };
        let slot = Arc::clone(&self.inner.debit_slots)
            .acquire_owned()
            .await
            .map_err(|_| ErrorCode::AuditUnavailable)?;
        let recorded = self.admit_and_queue(&debit, limits, draft, slot)?;
        // At this point it is spent. If this process ends now, it is spent if the record reached the disk, and
        // otherwise nothing of the call exists.
        charge.debit_admitted();
        let Place { index, entry } = recorded.await.map_err(|_| ErrorCode::AuditUnavailable)?;
        let secured = match terms {
            AuditTerms::Mirrored { wait_ms_max } => self
                .wait_for_mirror(index, &entry, ms(wait_ms_max))
                .await
                .is_some(),
            AuditTerms::Witnessed { wait_ms_max } => self
                .wait_for_witnesses(index, &entry, ms(wait_ms_max))
                .await
                .is_some(),
            AuditTerms::Lagged { .. } => true,
        };
        if !secured {
            return Err(ErrorCode::AuditUnavailable);
        }
        charge.debit_recorded(index);
        Ok(Debited { index, debit })
    }

    /// Waits, at most so long, until the mirror, or the witnesses, have all that is on record by now; meanwhile, and as long as
    /// what this gives is held, other debits that need them wait. So a mirror or quorum that falls silent costs one debit, and not one for
    /// every call that is tried until it is back: what is spent is never given back, so it must not be spent in vain.
    async fn is_followed(
        &self,
        awaited: Awaited,
        wait_ms_max: u32,
    ) -> Result<OwnedSemaphorePermit, ErrorCode> {
        let wait = ms(wait_ms_max);
        let follows = async {
            let turn = Arc::clone(&self.inner.mirrored_debit).acquire_owned().await;
            let size = self.size();
            self.reaches(awaited, size).await.then_some(turn.ok()?)
        };
        let followed = tokio::time::timeout(wait, follows).await;
        followed.ok().flatten().ok_or(ErrorCode::AuditUnavailable)
    }

    fn admit_and_queue(
        &self,
        debit: &Debit,
        limits: Limits,
        draft: Draft,
        slot: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Place>, ErrorCode> {
        let (sender, receiver) = oneshot::channel();
        let mut item = self.item_of(draft, Done::Record(sender), Some(slot));
        item.debits = Some(Box::new(debit.clone()));
        {
            let mut state = self.inner.shared.lock();
            state
                .phase
                .check()
                .map_err(|_| ErrorCode::AuditUnavailable)?;
            state.fold.budgets.admit(debit, limits)?;
        }
        // If it cannot be queued the journal has ended; what was admitted stays spent in this process.
        self.queue(item).map_err(|_| ErrorCode::AuditUnavailable)?;
        Ok(receiver)
    }

    /// What is spent on each space, recorded or on its way, by name. For the unit: callers must not see it.
    pub fn budgets(&self) -> Vec<SpaceUse> {
        self.inner.shared.lock().fold.budgets.spaces()
    }

    /// What is spent on one space over production data, or over sample data.
    pub fn spent_on(&self, space: &str, production: bool) -> MicroRho {
        let state = self.inner.shared.lock();
        state.fold.budgets.of_space(space, production)
    }

    /// What is spent under a grant in the environments that share an account with this one.
    pub fn spent_under(&self, grant: &GrantId, environment: Environment) -> MicroRho {
        let state = self.inner.shared.lock();
        state
            .fold
            .budgets
            .of_grant(grant, environment.is_production())
    }

    /// What a grant's own account would still take, for explanations and refusals to its own caller.
    pub fn left_under(&self, permit: &Permit) -> MicroRho {
        let limit = permit.quota().rho_total.unwrap_or_default();
        limit.left_after(self.spent_under(permit.grant(), permit.environment()))
    }
}

#[cfg(test)]
mod tests;
