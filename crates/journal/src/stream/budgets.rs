//! Privacy budgets: what was spent on each entity space and under each grant, a fold over the debits on record, and on
//! top of it what is on its way to the disk.
//!
//! **Never overspent.** A debit is admitted under the journal's lock, and only if what is recorded, what is outstanding
//! and the new one fit together under the limit. It leaves "outstanding" in the same step in which its record takes
//! effect, under the same lock, so it is counted at every moment in between.
//!
//! **Never refunded.** There is no operation that takes anything off what is recorded, and only a durable record takes
//! anything off what is outstanding. A call that fails, panics, is cancelled or is forgotten after its debit was
//! admitted has spent it. After a crash what was outstanding is gone with the process, unless its record reached the
//! disk: nothing was evaluated on the strength of it, since evaluation waits for the record.

use std::collections::HashMap;

use lingqu_core::debit::Debit;
use lingqu_core::forward::{GrantSpent, SpaceSpent};
use lingqu_core::{ErrorCode, GrantId};
use lingqu_policy::MicroRho;

/// What is spent on one entity space by all callers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceUse {
    /// The space, for example `person`.
    pub space: String,
    /// Whether over production data; otherwise over sample data, which has accounts of its own.
    pub production: bool,
    /// What is spent, recorded or on its way to the disk.
    pub spent: MicroRho,
}

/// The accounts of all spaces and grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budgets {
    spaces: HashMap<SpaceAccount, Spent>,
    grants: HashMap<GrantAccount, Spent>,
}

/// A space and whether over production data.
type SpaceAccount = (String, bool);
/// A grant, all its versions, and whether over production data.
type GrantAccount = (GrantId, bool);

/// Both sums stop at the largest number instead of wrapping: then nothing fits any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spent {
    recorded: u64,
    outstanding: u64,
}

impl Spent {
    fn sum(self) -> MicroRho {
        MicroRho(self.recorded.saturating_add(self.outstanding))
    }
}

/// The limits that a debit is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Of the space, for all callers.
    pub(crate) space: MicroRho,
    /// Of the grant.
    pub(crate) grant: MicroRho,
}

impl Budgets {
    /// Admits a debit, or refuses it and changes nothing. Which of the two limits it was is not told: a caller knows
    /// what it has spent itself.
    pub(crate) fn admit(&mut self, debit: &Debit, limits: Limits) -> Result<(), ErrorCode> {
        let spent_of_grant = self.grants.get(&of_grant(debit)).copied();
        let mut fits = limits
            .grant
            .has_room(spent_of_grant.unwrap_or_default().sum(), debit.rho);
        if !debit.from_store {
            let spent = self.spaces.get(&of_space(debit)).copied();
            fits &= limits
                .space
                .has_room(spent.unwrap_or_default().sum(), debit.rho);
        }
        if !fits {
            return Err(ErrorCode::PrivacyBudgetExhausted);
        }
        self.each_account(debit, |spent| {
            spent.outstanding = spent.outstanding.saturating_add(debit.rho.0);
        });
        Ok(())
    }

    /// Takes one durable debit into account.
    pub(crate) fn fold(&mut self, debit: &Debit) {
        self.each_account(debit, |spent| {
            spent.recorded = spent.recorded.saturating_add(debit.rho.0);
        });
    }

    /// The debit is on record now, so it is outstanding no more. To be called under the lock under which it was folded,
    /// and for nothing else.
    pub(crate) fn recorded(&mut self, debit: &Debit) {
        self.each_account(debit, |spent| {
            spent.outstanding = spent.outstanding.saturating_sub(debit.rho.0);
        });
    }

    fn each_account(&mut self, debit: &Debit, change: impl Fn(&mut Spent)) {
        change(self.grants.entry(of_grant(debit)).or_default());
        if !debit.from_store {
            change(self.spaces.entry(of_space(debit)).or_default());
        }
    }

    /// What is recorded, to be brought forward: of spaces, and of grants.
    pub(crate) fn forward(&self) -> (Vec<SpaceSpent>, Vec<GrantSpent>) {
        let spaces = self
            .spaces
            .iter()
            .map(|((space, production), spent)| SpaceSpent {
                space: space.clone(),
                production: *production,
                rho: MicroRho(spent.recorded),
            });
        let grants = self
            .grants
            .iter()
            .map(|((grant, production), spent)| GrantSpent {
                grant: grant.clone(),
                production: *production,
                rho: MicroRho(spent.recorded),
            });
        let mut spaces: Vec<SpaceSpent> = spaces.filter(|spent| spent.rho.0 > 0).collect();
        let mut grants: Vec<GrantSpent> = grants.filter(|spent| spent.rho.0 > 0).collect();
        spaces.sort_by(|a, b| (&a.space, a.production).cmp(&(&b.space, b.production)));
        grants.sort_by(|a, b| (&a.grant, a.production).cmp(&(&b.grant, b.production)));
        (spaces, grants)
    }

    /// Takes over what another stream brings forward.
    pub(crate) fn bring(&mut self, spaces: Vec<SpaceSpent>, grants: Vec<GrantSpent>) {
        for spent in spaces {
            let account = self.spaces.entry((spent.space, spent.production));
            account.or_default().recorded = spent.rho.0;
        }
        for spent in grants {
            let account = self.grants.entry((spent.grant, spent.production));
            account.or_default().recorded = spent.rho.0;
        }
    }

    /// What is spent on a space.
    pub(crate) fn of_space(&self, space: &str, production: bool) -> MicroRho {
        let account = (space.to_owned(), production);
        self.spaces.get(&account).copied().unwrap_or_default().sum()
    }

    /// What is spent under a grant.
    pub(crate) fn of_grant(&self, grant: &GrantId, production: bool) -> MicroRho {
        let account = (grant.clone(), production);
        self.grants.get(&account).copied().unwrap_or_default().sum()
    }

    /// Every space on which anything was spent, by name.
    pub(crate) fn spaces(&self) -> Vec<SpaceUse> {
        let mut spaces: Vec<SpaceUse> = self
            .spaces
            .iter()
            .map(|((space, production), spent)| SpaceUse {
                space: space.clone(),
                production: *production,
                spent: spent.sum(),
            })
            .collect();
        spaces.sort_by(|a, b| (&a.space, a.production).cmp(&(&b.space, b.production)));
        spaces
    }
}

fn of_space(debit: &Debit) -> SpaceAccount {
    (debit.space.clone(), debit.environment.is_production())
}

fn of_grant(debit: &Debit) -> GrantAccount {
    (debit.grant.clone(), debit.environment.is_production())
}

#[cfg(test)]
mod tests;
