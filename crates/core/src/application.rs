//! The application (申请): what an applicant asks for and what it hands in, signed by itself.

use lingqu_tlog::Hash;

use crate::grant::{Environment, Grant, GrantKind};
use crate::product::ProductRef;
use crate::{CaseId, CoordinatorId, PartyId, Timestamp};

/// Payload type of an application's envelope.
pub const APPLICATION_TYPE: &str = "lingqu.v1.Application";

/// An application for catalog or scenario authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The case that it opens or supplements; the applicant chooses the id.
    pub case: CaseId,
    /// Where it is handed in, so that it means nothing anywhere else.
    pub coordinator: CoordinatorId,
    /// From 1; a supplement counts on.
    pub submission: u32,
    /// Catalog or scenario.
    pub kind: GrantKind,
    /// Who applies.
    pub applicant: PartyId,
    /// The operating agency that is asked.
    pub agency: PartyId,
    /// What it is for, in words.
    pub summary: String,
    /// What is handed in. Documents stay with the parties; here are their digests.
    pub materials: Vec<Material>,
    /// For a scenario, and only for one: what is wanted.
    pub demand: Option<Demand>,
    /// When it was signed.
    pub issued: Timestamp,
}

/// One document of the checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// Which item of the checklist it is, for example `LEGAL_REPRESENTATIVE`.
    pub item: String,
    /// Digest of the document.
    pub digest: Hash,
    /// The document's date.
    pub dated: Timestamp,
}

/// What a scenario needs. The grant that comes of the case may be narrower, never wider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The scenario.
    pub scenario: String,
    /// Purposes that calls would state.
    pub purposes: Vec<String>,
    /// Environments.
    pub environments: Vec<Environment>,
    /// Products and versions.
    pub products: Vec<ProductRef>,
    /// End users that calls would name.
    pub end_users: Vec<String>,
    /// Parties that would call for the applicant.
    pub delegates: Vec<PartyId>,
    /// Expected calls a day, at each node.
    pub calls_per_day: u64,
    /// Expected calls over the whole term, at each node.
    pub calls_total: u64,
    /// Whether personal data is processed.
    pub personal_data: bool,
    /// Data that is not public and that the applicant brings in.
    pub non_public_inputs: Vec<String>,
    /// Digest of the product's design document.
    pub design: Hash,
}

impl Demand {
    /// The first thing in which the grant goes beyond what was asked for; none if it does not.
    pub fn exceeded_by(&self, grant: &Grant) -> Option<&'static str> {
        let products = grant.products.iter().map(|product| &product.reference);
        if grant.scenario != self.scenario {
            return Some("scenario");
        }
        if !all_in(&grant.purposes, &self.purposes) {
            return Some("purposes");
        }
        if !all_in(&grant.environments, &self.environments) {
            return Some("environments");
        }
        if !products
            .into_iter()
            .all(|product| self.products.contains(product))
        {
            return Some("products");
        }
        if !all_in(&grant.end_users, &self.end_users) {
            return Some("end_users");
        }
        if !all_in(&grant.delegates, &self.delegates) {
            return Some("delegates");
        }
        let more = |quota: &crate::grant::NodeQuota| {
            quota.calls_per_day > self.calls_per_day || quota.calls_total > self.calls_total
        };
        grant.quotas.iter().any(more).then_some("quotas")
    }
}

fn all_in<T: PartialEq>(granted: &[T], asked: &[T]) -> bool {
    granted.iter().all(|one| asked.contains(one))
}
