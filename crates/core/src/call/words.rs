//! What of a call's own words may stand in its record.
//!
//! The words of a permitted call are its grant's. A refused call may state anything that has the form of a word, such as
//! the number of a citizen as its scenario; of these only what somebody has signed and the node holds is recorded.

use crate::decide::{Asked, Facts, GrantFact, ProductFact};
use crate::grant::Environment;
use crate::record::{Clear, Field};
use crate::{GrantId, ProductId};

/// See the module. What is not held is left out of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    environment: Environment,
    grant: Option<GrantId>,
    product: Option<ProductId>,
    end_user: Option<String>,
    purpose: Option<String>,
    scenario: Option<String>,
}

impl Words {
    /// Of a call that was permitted: the decision has found each word in its grant.
    pub(super) fn granted(asked: &Asked) -> Words {
        Words {
            environment: asked.environment,
            grant: asked.grant.clone(),
            product: Some(asked.product.clone()),
            end_user: Some(asked.end_user.clone()),
            purpose: Some(asked.purpose.clone()),
            scenario: Some(asked.scenario.clone()),
        }
    }

    /// Of a call that was refused: the names of what the node holds, and what the caller's own grant or the product's
    /// policy says.
    pub(super) fn held(asked: &Asked, facts: &Facts<'_>) -> Words {
        let grant = match facts.grant {
            GrantFact::Checked(grant) if grant.admits(facts.caller) => Some(grant),
            GrantFact::Checked(_)
            | GrantFact::Foreign
            | GrantFact::Refused(_)
            | GrantFact::Several
            | GrantFact::Unknown => None,
        };
        let policy = match facts.product {
            ProductFact::Approved { policy, .. } => Some(policy),
            ProductFact::Unapproved | ProductFact::Unknown => None,
        };
        let has_grant = !matches!(facts.grant, GrantFact::Several | GrantFact::Unknown);
        let has_product = !matches!(facts.product, ProductFact::Unknown)
            || grant.is_some_and(|grant| {
                let mut granted = grant.products.iter();
                granted.any(|granted| granted.reference.id == asked.product)
            });
        let has_end_user = grant.is_some_and(|grant| grant.end_users.contains(&asked.end_user));
        let has_purpose = grant.is_some_and(|grant| grant.purposes.contains(&asked.purpose))
            || policy.is_some_and(|policy| policy.allows_purpose(&asked.purpose));
        let has_scenario = grant.is_some_and(|grant| grant.scenario == asked.scenario);
        Words {
            environment: asked.environment,
            grant: asked.grant.clone().filter(|_| has_grant),
            product: has_product.then(|| asked.product.clone()),
            end_user: has_end_user.then(|| asked.end_user.clone()),
            purpose: has_purpose.then(|| asked.purpose.clone()),
            scenario: has_scenario.then(|| asked.scenario.clone()),
        }
    }

    /// Adds them to the clear fields of a record.
    pub(super) fn state(&self, clear: Clear) -> Clear {
        let mut clear = clear.text(Field::Environment, self.environment.as_str());
        let texts = [
            (Field::EndUser, self.end_user.as_deref()),
            (Field::Grant, self.grant.as_ref().map(GrantId::as_str)),
            (Field::Scenario, self.scenario.as_deref()),
            (Field::Purpose, self.purpose.as_deref()),
            (Field::Product, self.product.as_ref().map(ProductId::as_str)),
        ];
        for (field, text) in texts {
            clear = clear.text(field, text.unwrap_or_default());
        }
        clear
    }
}
