//! The grant (授权令牌): who may call what, for what, how often, until when; and its filing.

use lingqu_policy::MicroRho;
use lingqu_tlog::Hash;

use crate::product::ProductRef;
use crate::{CoordinatorId, GrantId, NodeId, PartyId, Region, Timestamp};

/// Payload type of a grant's envelope.
pub const GRANT_TYPE: &str = "lingqu.v1.Grant";
/// Payload type of a filing's envelope.
pub const FILING_TYPE: &str = "lingqu.v1.Filing";
/// Longest term of a grant: five years, here with the leap days that five years can have.
pub const TERM_MAX_DAYS: i64 = 5 * 365 + 2;

/// Whether a grant allows calling at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// 目录授权: viewing and promoting only.
    Catalog,
    /// 场景授权: calling.
    Scenario,
}

/// Where a call runs. The three see nothing of each other (003 12(四); R-288).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    /// Sample data.
    Test,
    /// Production data, for debugging under a precondition.
    ProdDebug,
    /// Production data.
    Prod,
}

impl Environment {
    /// All three.
    pub const ALL: [Environment; 3] =
        [Environment::Test, Environment::ProdDebug, Environment::Prod];

    /// Whether it runs over production data. Whatever is learned in one such environment is learned for all of them.
    pub fn is_production(self) -> bool {
        match self {
            Environment::Test => false,
            Environment::ProdDebug | Environment::Prod => true,
        }
    }

    /// The word in records and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Environment::Test => "TEST",
            Environment::ProdDebug => "PROD_DEBUG",
            Environment::Prod => "PROD",
        }
    }
}

/// A word that names no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment is `TEST`, `PROD_DEBUG` or `PROD`")]
pub struct EnvironmentUnknown;

impl std::str::FromStr for Environment {
    type Err = EnvironmentUnknown;

    fn from_str(word: &str) -> Result<Self, EnvironmentUnknown> {
        Environment::ALL
            .into_iter()
            .find(|environment| environment.as_str() == word)
            .ok_or(EnvironmentUnknown)
    }
}

/// A grant as signed by the operating agency, the licensee and every unit that it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Its version, from 1; a higher version of the same id replaces a lower one.
    pub version: u32,
    /// Catalog or scenario.
    pub kind: GrantKind,
    /// The operating agency that granted.
    pub agency: PartyId,
    /// The party it was granted to.
    pub licensee: PartyId,
    /// The key the licensee signed with.
    pub licensee_key: Vec<u8>,
    /// Parties that may call for the licensee.
    pub delegates: Vec<PartyId>,
    /// The scenario's id.
    pub scenario: String,
    /// Purposes that calls may state.
    pub purposes: Vec<String>,
    /// Environments in which it holds.
    pub environments: Vec<Environment>,
    /// Products and versions that may be called.
    pub products: Vec<GrantedProduct>,
    /// Quantities, one entry per node.
    pub quotas: Vec<NodeQuota>,
    /// First instant at which it holds.
    pub not_before: Timestamp,
    /// First instant at which it no longer holds.
    pub not_after: Timestamp,
    /// End users that calls may name.
    pub end_users: Vec<String>,
    /// The region it belongs to.
    pub region: Region,
    /// The terms of debugging on production data; none: there is no such debugging.
    pub debug: Option<DebugTerms>,
}

/// Debugging on production data (003 12(四); ): a window, a budget of calls, and three statements that the
/// licensee makes by signing the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugTerms {
    /// First instant of the window.
    pub not_before: Timestamp,
    /// First instant after it.
    pub not_after: Timestamp,
    /// Calls at each node over the grant's whole term.
    pub calls_total: u64,
    /// It endangers no national security.
    pub national_security_unharmed: bool,
    /// It infringes no trade secret.
    pub trade_secrets_unharmed: bool,
    /// It infringes nobody's privacy.
    pub privacy_unharmed: bool,
}

impl DebugTerms {
    /// Whether all three statements are made.
    pub fn stated(&self) -> bool {
        self.national_security_unharmed && self.trade_secrets_unharmed && self.privacy_unharmed
    }

    /// Whether the window is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        (self.not_before..self.not_after).contains(&now)
    }
}

/// One product of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedProduct {
    /// Name and version.
    pub reference: ProductRef,
    /// Digest of the product's envelope.
    pub digest: Hash,
    /// Whether NOT_FOUND may be told apart from NO_MATCH.
    pub reveals_not_found: bool,
    /// Whether INDETERMINATE may be told apart from NO_MATCH.
    pub reveals_indeterminate: bool,
}

/// How much one node may answer under a grant. Stated per node, since a node decides offline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeQuota {
    /// The node's unit.
    pub unit: PartyId,
    /// The node.
    pub node: NodeId,
    /// Calls a day of UTC+8.
    pub calls_per_day: u64,
    /// Calls over the whole term.
    pub calls_total: u64,
    /// Most privacy budget that differentially private answers under the grant may cost at the node over the whole
    /// term, with every version of the grant; none: no such answer.
    pub rho_total: Option<MicroRho>,
}

/// The coordinator's "filed, number, date". It adds nothing to a grant and cannot make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// Who filed.
    pub coordinator: CoordinatorId,
    /// Payload type of the filed object.
    pub object_type: String,
    /// Digest of the filed envelope.
    pub object_digest: Hash,
    /// Filing number (备案编号).
    pub number: String,
    /// When.
    pub filed: Timestamp,
}

/// Why a grant is refused before anybody looks at its signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefused {
    /// The term is empty or longer than five years.
    #[error("the term must be positive and at most five years")]
    Term,
    /// A list that must name something is empty, or names the same thing twice.
    #[error("`{0}` is empty or names something twice")]
    List(&'static str),
}

impl Grant {
    /// Checks what a grant must fulfil in itself: term, non-empty lists, no duplicate.
    pub fn check(&self) -> Result<(), GrantRefused> {
        let term = self.not_after.0.saturating_sub(self.not_before.0);
        if term <= 0 || term > TERM_MAX_DAYS * 86_400_000_000 {
            return Err(GrantRefused::Term);
        }
        distinct(
            "products",
            self.products.iter().map(|product| &product.reference),
        )?;
        distinct("quotas", self.quotas.iter().map(|quota| &quota.node))?;
        distinct("purposes", self.purposes.iter())?;
        distinct("environments", self.environments.iter())
    }

    /// The quantity at `node` in `environment`; none means that the grant does not touch the node. Each environment
    /// has its own account: trying out costs nothing of production's, and debugging has a budget of its own.
    pub fn quota_in(&self, environment: Environment, node: &NodeId) -> Option<NodeQuota> {
        let quota = self.quota_at(node)?;
        match environment {
            Environment::Prod | Environment::Test => Some(quota.clone()),
            Environment::ProdDebug => self.debug.map(|terms| NodeQuota {
                calls_per_day: terms.calls_total,
                calls_total: terms.calls_total,
                ..quota.clone()
            }),
        }
    }

    /// The quantity at `node`; none means that the grant does not touch the node.
    pub fn quota_at(&self, node: &NodeId) -> Option<&NodeQuota> {
        self.quotas.iter().find(|quota| quota.node == *node)
    }

    /// Whether `party` may call under it.
    pub fn admits(&self, party: &PartyId) -> bool {
        self.licensee == *party || self.delegates.contains(party)
    }
}

fn distinct<T: Ord>(
    list: &'static str,
    names: impl Iterator<Item = T>,
) -> Result<(), GrantRefused> {
    let names: Vec<T> = names.collect();
    let unique: std::collections::BTreeSet<&T> = names.iter().collect();
    if names.is_empty() || unique.len() != names.len() {
        Err(GrantRefused::List(list))
    } else {
        Ok(())
    }
}
