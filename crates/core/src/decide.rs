//! The decision: one table, read row by row, deny by default.
//!
//! Each row is a requirement with its own code. A call is allowed only if every row holds; the first that does not is
//! the refusal. [`Permit`] is made here and nowhere else, so that whatever needs one cannot be reached without a
//! decision that was "allow". The rows use only what lies at the node: no network, no coordinator.

use std::sync::Arc;
use std::time::Duration;

use lingqu_policy::{AuditTerms, BodyTerms, Policy, SubjectLimit};
use lingqu_tlog::Hash;

use crate::epoch::Epoch;
use crate::grant::{Environment, Grant, GrantKind, NodeQuota};
use crate::product::{Product, ProductKind, ProductRef};
use crate::stop::Stops;
use crate::{ErrorCode, GrantId, NodeId, PartyId, ProductId, Timestamp};

/// What a call asks for, as it states itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The grant it names, if any.
    pub grant: Option<GrantId>,
    /// The product.
    pub product: ProductId,
    /// The product's version; none means the one that the grant names.
    pub version: Option<u32>,
    /// The stated purpose.
    pub purpose: String,
    /// The stated scenario.
    pub scenario: String,
    /// For whom the answer is finally meant.
    pub end_user: String,
    /// Where it is to run.
    pub environment: Environment,
}

/// What the node's clock is worth right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// At or after every recorded time, and close to the coordinator's.
    Good,
    /// Behind a time that was already recorded.
    SetBack,
    /// More than 30 s away from the coordinator's.
    Skewed,
}

/// What the node knows about the grant that a call runs under.
#[derive(Clone, Copy, Debug)]
pub enum GrantFact<'a> {
    /// Its signatures by agency, licensee and this node's own unit were checked, and it is filed.
    Checked(&'a Grant),
    /// The node knows it, held or refused, and it is neither the caller's nor one that lists it as a delegate. Nothing
    /// of it may show in how the caller is answered, so nothing of it is in here.
    Foreign,
    /// The node has no such grant, or none that fits.
    Unknown,
    /// The call names none, and several fit.
    Several,
    /// The node was offered it, for this caller, and refused it with this code.
    Refused(ErrorCode),
}

/// What the node knows about the product that a call asks for.
#[derive(Clone, Copy, Debug)]
pub enum ProductFact<'a> {
    /// Signed by the agency, approved by the unit under a policy of the unit, columns checked.
    Approved {
        /// The product.
        product: &'a Product,
        /// Digest of its signed bytes.
        digest: Hash,
        /// The unit's policy on its resource.
        policy: &'a Policy,
    },
    /// The node knows it, but the unit has not approved this version.
    Unapproved,
    /// The node does not know it.
    Unknown,
}

/// Everything that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The node's time, not below its persisted floor.
    pub now: Timestamp,
    /// This node.
    pub node: &'a NodeId,
    /// What its clock is worth.
    pub clock: ClockState,
    /// Whether the journal was compared with the mirror since the start.
    pub reconciled: bool,
    /// The unit's own stops.
    pub stops: &'a Stops,
    /// The newest revocation epoch, and its age.
    pub epoch: Option<(&'a Epoch, Duration)>,
    /// The verified caller.
    pub caller: &'a PartyId,
    /// What it asks for.
    pub asked: &'a Asked,
    /// The grant.
    pub grant: GrantFact<'a>,
    /// The product.
    pub product: ProductFact<'a>,
}

/// Proof that a decision was "allow", and what was allowed. Private fields; made by [`decide`] alone. Clones are handles
/// of the same permit: it goes with its call, its charge and its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit(Arc<Allowed>);

#[derive(Debug, PartialEq, Eq)]
struct Allowed {
    grant: GrantId,
    grant_version: u32,
    licensee: PartyId,
    product: ProductRef,
    product_digest: Hash,
    kind: ProductKind,
    environment: Environment,
    quota: NodeQuota,
    audit: AuditTerms,
    bodies: Option<BodyTerms>,
    subject_limit: Option<SubjectLimit>,
    grant_ends: Timestamp,
    reveals_not_found: bool,
    reveals_indeterminate: bool,
    at: Timestamp,
}

impl Permit {
    /// The grant that the call runs under.
    pub fn grant(&self) -> &GrantId {
        &self.0.grant
    }
    /// Its version.
    pub fn grant_version(&self) -> u32 {
        self.0.grant_version
    }
    /// Whom it was granted to.
    pub fn licensee(&self) -> &PartyId {
        &self.0.licensee
    }
    /// The product version that may be evaluated.
    pub fn product(&self) -> &ProductRef {
        &self.0.product
    }
    /// Digest of the product's signed bytes.
    pub fn product_digest(&self) -> Hash {
        self.0.product_digest
    }
    /// The product's kind.
    pub fn kind(&self) -> ProductKind {
        self.0.kind
    }
    /// Where it may be evaluated: over the sources of this environment and no other.
    pub fn environment(&self) -> Environment {
        self.0.environment
    }
    /// How much this node may answer under the grant in this environment.
    pub fn quota(&self) -> &NodeQuota {
        &self.0.quota
    }
    /// What must be true of the record before the answer leaves.
    pub fn audit(&self) -> AuditTerms {
        self.0.audit
    }
    /// Under which terms request and answer are kept, sealed; none: they are not kept.
    pub fn bodies(&self) -> Option<BodyTerms> {
        self.0.bodies
    }
    /// How often one subject may be asked about.
    pub fn subject_limit(&self) -> Option<SubjectLimit> {
        self.0.subject_limit
    }
    /// First instant at which the grant no longer holds.
    pub fn grant_ends(&self) -> Timestamp {
        self.0.grant_ends
    }
    /// Whether NOT_FOUND may be told.
    pub fn reveals_not_found(&self) -> bool {
        self.0.reveals_not_found
    }
    /// Whether INDETERMINATE may be told.
    pub fn reveals_indeterminate(&self) -> bool {
        self.0.reveals_indeterminate
    }
    /// When it was decided.
    pub fn at(&self) -> Timestamp {
        self.0.at
    }
}

/// Allow, or the code of the first row that does not hold. A refusal is a value, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every row holds.
    Allow(Permit),
    /// This row does not.
    Deny(ErrorCode),
}

/// One row of the table.
pub struct Row {
    /// The refusal when it does not hold.
    pub code: ErrorCode,
    /// What must hold, in words.
    pub requires: &'static str,
    holds: fn(&Facts<'_>) -> bool,
}

macro_rules! rows {
    ($($code:ident: $requires:literal, $holds:expr;)*) => {
        &[$(Row { code: ErrorCode::$code, requires: $requires, holds: $holds }),*]
    };
}

/// The table. Order matters only for which code a call with several faults gets: what concerns the node comes first,
/// then the caller, then the grant, then what the call asks of it. No row before `GRANT_PARTY_MISMATCH` depends on a
/// grant that is another party's, and that row's code is told as the row's before it ([`ErrorCode::told`]): nobody finds
/// out which grants others have.
pub const TABLE: &[Row] = rows! {
    ClockSetBack: "the clock is not behind a recorded time", |f| f.clock != ClockState::SetBack;
    ClockSkew: "the clock is within 30 s of the coordinator's", |f| f.clock != ClockState::Skewed;
    NodeNotReady: "journal and mirror were compared since the start", |f| f.reconciled;
    Stopped: "the unit has not stopped this", |f| !stopped(f);
    EpochMissing: "there is a revocation epoch", |f| f.epoch.is_some();
    EpochStale: "the epoch is within its own validity and the policy's age", |f| epoch_is_fresh(f);
    CallerRevoked: "the caller is not revoked", |f| !epoch(f, |epoch| epoch.revokes_party(f.caller));
    GrantUnknown: "there is a grant", |f| !matches!(f.grant, GrantFact::Unknown);
    GrantPartyMismatch: "the caller is its licensee or delegate", |f| !is_foreign(f);
    GrantAmbiguous: "it is clear which grant", |f| !matches!(f.grant, GrantFact::Several);
    GrantAltered: "its bytes are as they were signed", |f| !refused(f, ErrorCode::GrantAltered);
    GrantUnsignedByUnit: "this node's own unit signed it", |f| !refused(f, ErrorCode::GrantUnsignedByUnit);
    GrantUnsignedByAgency: "a trusted operating agency signed it", |f| !refused(f, ErrorCode::GrantUnsignedByAgency);
    GrantUnsignedByLicensee: "the licensee signed it", |f| !refused(f, ErrorCode::GrantUnsignedByLicensee);
    GrantNotFiled: "the coordinator filed it", |f| !refused(f, ErrorCode::GrantNotFiled);
    ObjectInvalid: "nothing else is wrong with it", |f| !matches!(f.grant, GrantFact::Refused(_));
    GrantRevoked: "the grant is not revoked", |f| grant(f, |g| !epoch(f, |epoch| epoch.revokes_grant(&g.id)));
    GrantSuspended: "the grant is not suspended", |f| grant(f, |g| !epoch(f, |epoch| epoch.suspends(&g.id)));
    CallerRevoked: "the licensee is not revoked", |f| grant(f, |g| !epoch(f, |epoch| epoch.revokes_party(&g.licensee)));
    GrantOtherNode: "it names this node", |f| grant(f, |g| g.quota_at(f.node).is_some());
    GrantNotYetValid: "its term has begun", |f| grant(f, |g| f.now >= g.not_before);
    GrantExpired: "its term is not over", |f| grant(f, |g| f.now < g.not_after);
    CatalogGrantOnly: "it is a scenario grant", |f| grant(f, |g| g.kind == GrantKind::Scenario);
    EnvMismatch: "it holds in this environment", |f| grant(f, |g| g.environments.contains(&f.asked.environment));
    DebugPrecondition: "debugging on production data has its three statements", |f| grant(f, |g| {
        f.asked.environment != Environment::ProdDebug || g.debug.is_some_and(|terms| terms.stated())
    });
    DebugWindowClosed: "debugging on production data is within its window", |f| grant(f, |g| {
        f.asked.environment != Environment::ProdDebug || g.debug.is_some_and(|terms| terms.is_open(f.now))
    });
    ScenarioMismatch: "it is for this scenario", |f| grant(f, |g| g.scenario == f.asked.scenario);
    PurposeMismatch: "it names this purpose", |f| grant(f, |g| g.purposes.contains(&f.asked.purpose));
    EndUserMissing: "the call names its end user", |f| !f.asked.end_user.is_empty();
    EndUserNotGranted: "the grant names this end user", |f| grant(f, |g| g.end_users.contains(&f.asked.end_user));
    ProductUnknown: "the node knows the product", |f| !matches!(f.product, ProductFact::Unknown);
    ProductNotGranted: "the grant names this product and version", |f| grant(f, |g| granted(g, f).is_some());
    ProductNotApproved: "the unit approved it, and its bytes are those the grant names", approved_as_granted;
    GrantOtherNode: "the product is this node's", |f| product(f, |product, _| product.node == *f.node);
    ProductRevoked: "the product is not revoked",
        |f| product(f, |product, _| !epoch(f, |epoch| epoch.revokes_product(&product.reference)));
    PurposeForbidden: "the unit's policy allows the purpose", |f| product(f, |_, policy| policy.allows_purpose(&f.asked.purpose));
};

/// The first row of [`TABLE`] that does not hold; none if all hold.
pub fn first_unmet(facts: &Facts<'_>) -> Option<usize> {
    TABLE.iter().position(|row| !(row.holds)(facts))
}

/// Decides one call.
pub fn decide(facts: &Facts<'_>) -> Decision {
    if let Some(row) = first_unmet(facts) {
        return Decision::Deny(TABLE[row].code);
    }
    // Every row holds. What follows only gathers what was found; whatever is missing is still a refusal.
    let (
        GrantFact::Checked(grant),
        ProductFact::Approved {
            product,
            digest,
            policy,
        },
    ) = (facts.grant, facts.product)
    else {
        return Decision::Deny(ErrorCode::GrantUnknown);
    };
    let environment = facts.asked.environment;
    let quota = grant.quota_in(environment, facts.node);
    let (Some(quota), Some(granted)) = (quota, granted(grant, facts)) else {
        return Decision::Deny(ErrorCode::ProductNotGranted);
    };
    Decision::Allow(Permit(Arc::new(Allowed {
        grant: grant.id.clone(),
        grant_version: grant.version,
        licensee: grant.licensee.clone(),
        product: product.reference.clone(),
        product_digest: digest,
        kind: product.definition.kind(),
        environment,
        quota,
        audit: policy.audit(),
        bodies: policy.bodies(),
        subject_limit: policy.subject_limit(),
        grant_ends: grant.not_after,
        reveals_not_found: granted.reveals_not_found,
        reveals_indeterminate: granted.reveals_indeterminate,
        at: facts.now,
    })))
}

fn stopped(facts: &Facts<'_>) -> bool {
    use crate::stop::StopScope;
    facts.stops.scopes().any(|scope| match scope {
        StopScope::All => true,
        StopScope::Party(party) => party == facts.caller || grant(facts, |g| g.licensee == *party),
        StopScope::Grant(stopped) => grant(facts, |g| g.id == *stopped),
        StopScope::Product(stopped) => product(facts, |product, _| product.reference == *stopped),
    })
}

/// The epoch is within its own validity, and within the age that the policy of the product allows. Where the product
/// has no policy, a later row refuses the call anyway.
fn epoch_is_fresh(facts: &Facts<'_>) -> bool {
    let Some((epoch, age)) = facts.epoch else {
        return false;
    };
    let age_max = match facts.product {
        ProductFact::Approved { policy, .. } => {
            Duration::from_secs(policy.epoch_age_max_s().into())
        }
        ProductFact::Unapproved | ProductFact::Unknown => Duration::MAX,
    };
    facts.now < epoch.valid_until && age <= age_max
}

fn approved_as_granted(facts: &Facts<'_>) -> bool {
    match facts.product {
        ProductFact::Approved { digest, .. } => grant(facts, |g| {
            granted(g, facts).is_some_and(|granted| granted.digest == digest)
        }),
        ProductFact::Unapproved | ProductFact::Unknown => false,
    }
}

fn epoch(facts: &Facts<'_>, test: impl Fn(&Epoch) -> bool) -> bool {
    facts.epoch.is_some_and(|(epoch, _)| test(epoch))
}

fn refused(facts: &Facts<'_>, with: ErrorCode) -> bool {
    matches!(facts.grant, GrantFact::Refused(code) if code == with)
}

/// Whether the grant is the caller's, and `test` holds for it.
fn grant(facts: &Facts<'_>, test: impl Fn(&Grant) -> bool) -> bool {
    match facts.grant {
        GrantFact::Checked(grant) => grant.admits(facts.caller) && test(grant),
        GrantFact::Foreign | GrantFact::Refused(_) | GrantFact::Several | GrantFact::Unknown => {
            false
        }
    }
}

fn is_foreign(facts: &Facts<'_>) -> bool {
    match facts.grant {
        GrantFact::Checked(grant) => !grant.admits(facts.caller),
        GrantFact::Foreign => true,
        GrantFact::Refused(_) | GrantFact::Several | GrantFact::Unknown => false,
    }
}

fn product(facts: &Facts<'_>, test: impl Fn(&Product, &Policy) -> bool) -> bool {
    match facts.product {
        ProductFact::Approved {
            product, policy, ..
        } => test(product, policy),
        ProductFact::Unapproved | ProductFact::Unknown => false,
    }
}

/// The grant's entry for the product and version that the call asks for.
fn granted<'g>(grant: &'g Grant, facts: &Facts<'_>) -> Option<&'g crate::grant::GrantedProduct> {
    grant.products.iter().find(|granted| {
        granted.reference.id == facts.asked.product
            && facts
                .asked
                .version
                .is_none_or(|version| version == granted.reference.version)
    })
}

#[cfg(test)]
mod tests;
