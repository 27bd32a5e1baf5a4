//! Privacy budgets as the unit sees them: per entity space, what its policies allow and what is spent.
//!
//! What is spent is the journal's fold over the debits on record; what is allowed is the strictest policy that names the
//! space. Both are told to the unit, at its own socket and in its own metrics, and to no caller: a caller could read from
//! them how much others ask.

use std::collections::BTreeMap;

use lingqu_policy::MicroRho;
use serde::{Deserialize, Serialize};

use crate::Node;

/// The budget of one entity space over one class of environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    /// The space, for example `person`.
    pub space: String,
    /// Whether over production data (PROD and PROD_DEBUG together); otherwise over sample data.
    pub production: bool,
    /// What all callers together may spend, in ρ; none if no policy in force allows anything.
    pub limit: Option<String>,
    /// What is spent, in ρ.
    pub spent: String,
    /// What is left, in ρ.
    pub left: String,
}

/// The same in numbers.
pub(crate) struct Budget {
    pub(crate) space: String,
    pub(crate) production: bool,
    pub(crate) limit: Option<MicroRho>,
    pub(crate) spent: MicroRho,
}

impl Budget {
    pub(crate) fn left(&self) -> MicroRho {
        self.limit.unwrap_or_default().left_after(self.spent)
    }
}

impl From<Budget> for BudgetStatus {
    fn from(budget: Budget) -> BudgetStatus {
        BudgetStatus {
            left: budget.left().to_string(),
            space: budget.space,
            production: budget.production,
            limit: budget.limit.map(|rho| rho.to_string()),
            spent: budget.spent.to_string(),
        }
    }
}

impl Node {
    /// The budget of every space that a policy in force or a debit on record names, by name.
    pub(crate) fn budgets(&self) -> Vec<Budget> {
        let limits = self.limits_of_spaces();
        let mut budgets: BTreeMap<(String, bool), Budget> = BTreeMap::new();
        for (space, limit) in &limits {
            let budget = Budget {
                space: space.clone(),
                production: true,
                limit: Some(*limit),
                spent: MicroRho::ZERO,
            };
            budgets.insert((space.clone(), true), budget);
        }
        for used in self.journal.budgets() {
            let budget = Budget {
                limit: limits.get(&used.space).copied(),
                space: used.space.clone(),
                production: used.production,
                spent: used.spent,
            };
            budgets.insert((used.space, used.production), budget);
        }
        budgets.into_values().collect()
    }

    /// The smallest total among the policies that name a space.
    fn limits_of_spaces(&self) -> BTreeMap<String, MicroRho> {
        let mut limits = BTreeMap::new();
        for signed in self.holdings().policies() {
            let policy = &signed.policy;
            let Some(budget) = policy.dp() else {
                continue;
            };
            for space in policy.entities().filter_map(|column| policy.space(column)) {
                let limit = limits.entry(space.to_owned()).or_insert(budget.rho_total());
                *limit = budget.rho_total().min(*limit);
            }
        }
        limits
    }
}
