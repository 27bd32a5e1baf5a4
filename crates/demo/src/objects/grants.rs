//! Grants: who may call what, where, how often and until when.

use std::collections::BTreeSet;
use std::time::Duration;

use lingqu_core::Timestamp;
use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_policy::MicroRho;
use lingqu_tlog::Hash;

use super::{NOISY_RHO, Which};
use crate::cast::{self, Party, Unit};

/// A grant to `licensee` for these products, with a quota at each node that they need; the story changes single fields.
pub fn grant(
    id: &str,
    licensee: Party,
    licensee_key: &[u8],
    products: &[(Which, Hash)],
    now: Timestamp,
) -> Grant {
    let day = Duration::from_secs(86_400);
    let units: BTreeSet<Unit> = products.iter().map(|(which, _)| which.unit()).collect();
    let mut cities = units.iter().map(|unit| unit.city());
    // A grant over two cities belongs to their region.
    let region = match (cities.next(), cities.next()) {
        (Some(city), None) => city,
        _ => cast::REGION,
    };
    Grant {
        id: id.parse().expect("the story's grant ids are well-formed"),
        version: 1,
        kind: GrantKind::Scenario,
        agency: Party::Agency.id(),
        licensee: licensee.id(),
        licensee_key: licensee_key.to_vec(),
        delegates: Vec::new(),
        scenario: cast::SCENARIO.to_owned(),
        purposes: vec![cast::PURPOSE.to_owned()],
        environments: vec![Environment::Prod],
        products: products
            .iter()
            .map(|(which, digest)| GrantedProduct {
                reference: which.reference(),
                digest: *digest,
                reveals_not_found: false,
                reveals_indeterminate: false,
            })
            .collect(),
        quotas: units
            .iter()
            .map(|unit| NodeQuota {
                unit: unit.party().id(),
                node: unit.node(),
                calls_per_day: 5_000,
                calls_total: 1_000_000,
                // Two answers with noise, where the grant has such a product at the node.
                rho_total: (products.iter())
                    .any(|(which, _)| *which == Which::PersonsNoisy && which.unit() == *unit)
                    .then_some(MicroRho(2 * NOISY_RHO.0)),
            })
            .collect(),
        // A little back, so that a caller whose clock is behind is not turned away in the first seconds.
        not_before: Timestamp(now.0 - 60_000_000),
        not_after: now.plus(day * 365 * 3),
        end_users: vec![cast::END_USER.to_owned()],
        region: region.parse().expect("well-formed"),
        debug: None,
    }
}
