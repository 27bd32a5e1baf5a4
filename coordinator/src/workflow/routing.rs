//! Whom a case concerns: the units whose products are named, whose opinions are needed, and whose bureau organises.

use std::collections::BTreeSet;

use lingqu_core::application::Application;
use lingqu_core::product::{PRODUCT_TYPE, Product};
use lingqu_core::{ErrorCode, PartyId, Region, Role};

use super::case::Case;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry::objects::read;
use crate::store::objects::Identity;
use crate::store::parties::Party;

/// The units of a case, and the lowest region that covers them all.
pub(super) struct Concerned {
    pub(super) units: BTreeSet<PartyId>,
    /// None for a catalog authorisation, and where the units have no region in common.
    pub(super) region: Option<Region>,
}

impl Registry {
    /// The units whose products an application names. Every product must be filed and not revoked.
    pub(super) async fn concerned(&self, application: &Application) -> Result<Concerned, Refusal> {
        let mut units = BTreeSet::new();
        let demand = application.demand.iter();
        for reference in demand.flat_map(|demand| &demand.products) {
            let identity = Identity {
                kind: PRODUCT_TYPE,
                id: reference.id.to_string(),
                version: reference.version,
            };
            let filed = self.store.object(&identity).await?;
            let product: Product = read(&filed.ok_or(ErrorCode::ProductUnknown)?)?;
            units.insert(product.unit);
        }
        let mut regions = Vec::new();
        for unit in &units {
            regions.push(self.party(unit)?.region);
        }
        let mut regions = regions.into_iter();
        let first = regions.next();
        let region = first
            .and_then(|first| regions.try_fold(first, |covering, region| covering.common(&region)));
        Ok(Concerned { units, region })
    }

    /// Which region's data bureau organises the review, and which party that is, if it is known.
    pub(super) async fn organising(
        &self,
        application: &Application,
    ) -> Result<(Option<Region>, Option<PartyId>), Refusal> {
        let region = self.concerned(application).await?.region;
        let bureau = region.as_ref().and_then(|region| self.bureau_of(region));
        Ok((region, bureau))
    }

    pub(super) async fn organiser_of(&self, case: &Case) -> Result<Option<PartyId>, Refusal> {
        Ok(self.organising(&case.application).await?.1)
    }

    /// Whose opinions are needed: every unit's, and that of the implementing agency of each unit's region. Where
    /// no implementing agency is enrolled, the operating agency's stands in its place.
    pub(super) async fn reviewers(
        &self,
        application: &Application,
    ) -> Result<Vec<PartyId>, Refusal> {
        let units = self.concerned(application).await?.units;
        let mut reviewers = units.clone();
        for unit in &units {
            let region = self.party(unit)?.region;
            let agencies = self.implementing_agencies(&region, &application.applicant);
            if agencies.is_empty() {
                reviewers.insert(application.agency.clone());
            }
            reviewers.extend(agencies);
        }
        Ok(reviewers.into_iter().collect())
    }

    /// The implementing agencies closest to a region. Nobody reviews its own application.
    fn implementing_agencies(&self, region: &Region, applicant: &PartyId) -> Vec<PartyId> {
        let directory = self.directory.load();
        let may = |party: &&Party| {
            party.roles.contains(&Role::ImplementingAgency)
                && party.region.covers(region)
                && party.id != *applicant
                && self
                    .not_revoked(party.id.as_str(), ErrorCode::CallerRevoked)
                    .is_ok()
        };
        let covering: Vec<&Party> = directory.parties.values().filter(may).collect();
        let level = |party: &&Party| party.region.as_str().len();
        let closest = covering.iter().map(level).max();
        covering
            .into_iter()
            .filter(|party| Some(level(party)) == closest)
            .map(|party| party.id.clone())
            .collect()
    }

    /// The data bureau of a region: as configured, else its only regulator.
    fn bureau_of(&self, region: &Region) -> Option<PartyId> {
        let mut configured = self.workflow.bureaus.iter();
        if let Some(bureau) = configured.find(|bureau| bureau.region == *region) {
            return Some(bureau.party.clone());
        }
        let directory = self.directory.load();
        let mut regulators = directory
            .parties
            .values()
            .filter(|party| party.roles.contains(&Role::Regulator) && party.region == *region);
        match (regulators.next(), regulators.next()) {
            (Some(only), None) => Some(only.id.clone()),
            _ => None,
        }
    }
}
