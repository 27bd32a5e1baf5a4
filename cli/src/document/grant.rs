//! `grant.toml` (授权令牌): who may call what, for what, how often, until when. Signed by the operating agency, the
//! licensee and every unit that it touches.

use std::path::Path;

use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_core::product::{PRODUCT_TYPE, Product, ProductRef};
use lingqu_core::{GrantId, NodeId, PartyId, ProductId, Region};
use lingqu_policy::MicroRho;
use lingqu_proto::open;
use serde::{Deserialize, Serialize};

use super::pinned::Pin;
use super::text::{Hex, Instant, Text};
use super::{Document, DocumentRefused};

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantToml {
    /// `grant_…`.
    id: Text<GrantId>,
    /// Its version, from 1; a higher version of the same id replaces a lower one.
    version: u32,
    /// `scenario` (场景授权, may call) or `catalog` (目录授权, may view and promote, never call).
    kind: KindToml,
    /// The operating agency, `party_…`.
    agency: Text<PartyId>,
    /// The party it is granted to, `party_…`.
    licensee: Text<PartyId>,
    /// The key that the licensee signs with, 32 bytes in hexadecimal.
    licensee_key: Hex,
    /// Parties that may call for the licensee. Default none.
    #[serde(default)]
    delegates: Vec<Text<PartyId>>,
    /// The scenario's code, 1 to 64 of `A-Z 0-9 _ . -`.
    scenario: String,
    /// Purposes that calls may state, at least one, of the same form.
    purposes: Vec<String>,
    /// `TEST`, `PROD_DEBUG`, `PROD`: at least one.
    environments: Vec<EnvironmentToml>,
    /// First instant at which it holds: `YYYY-MM-DD` (midnight of UTC+8) or `YYYY-MM-DDThh:mm:ssZ`.
    not_before: Instant,
    /// First instant at which it holds no more; at most five years later.
    not_after: Instant,
    /// Unified social credit codes that calls may name as end user. None listed means none allowed.
    end_users: Vec<String>,
    /// Statistical division code of the region that it belongs to.
    region: Text<Region>,
    /// What may be called, at least one.
    #[serde(rename = "product")]
    products: Vec<GrantedToml>,
    /// Quantities, one entry for each node.
    #[serde(rename = "quota")]
    quotas: Vec<QuotaToml>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindToml {
    Catalog,
    Scenario,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum EnvironmentToml {
    Test,
    ProdDebug,
    Prod,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantedToml {
    /// The product.
    id: Text<ProductId>,
    /// Its version.
    version: u32,
    /// Digest of its envelope in hexadecimal, or `@product.env`.
    digest: Pin,
    /// Whether NOT_FOUND may be told apart from NO_MATCH. Default no.
    #[serde(default)]
    reveals_not_found: bool,
    /// Whether INDETERMINATE may be told apart from NO_MATCH. Default no.
    #[serde(default)]
    reveals_indeterminate: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaToml {
    /// The node's unit.
    unit: Text<PartyId>,
    /// The node.
    node: Text<NodeId>,
    /// Answered calls a day of UTC+8. 0 allows none.
    calls_per_day: u64,
    /// Answered calls over the whole term. 0 allows none.
    calls_total: u64,
    /// Most privacy budget that differentially private answers may cost over the whole term, in ρ: `"0.5"`. Absent
    /// allows none. What was spent under an earlier version of the grant counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rho_total: Option<Text<MicroRho>>,
}

impl Document for Grant {
    type Written = GrantToml;

    fn from_written(written: GrantToml, base: &Path) -> Result<Self, DocumentRefused> {
        let products: Result<Vec<GrantedProduct>, DocumentRefused> = written
            .products
            .into_iter()
            .map(|product| product.granted(base))
            .collect();
        Ok(Grant {
            id: written.id.0,
            version: written.version,
            kind: match written.kind {
                KindToml::Catalog => GrantKind::Catalog,
                KindToml::Scenario => GrantKind::Scenario,
            },
            agency: written.agency.0,
            licensee: written.licensee.0,
            licensee_key: written.licensee_key.0,
            delegates: written.delegates.into_iter().map(|id| id.0).collect(),
            scenario: written.scenario,
            purposes: written.purposes,
            environments: written.environments.into_iter().map(Into::into).collect(),
            products: products?,
            quotas: written.quotas.into_iter().map(Into::into).collect(),
            not_before: written.not_before.0,
            not_after: written.not_after.0,
            end_users: written.end_users,
            region: written.region.0,
            debug: None,
        })
    }

    fn to_written(&self) -> GrantToml {
        GrantToml {
            id: Text(self.id.clone()),
            version: self.version,
            kind: match self.kind {
                GrantKind::Catalog => KindToml::Catalog,
                GrantKind::Scenario => KindToml::Scenario,
            },
            agency: Text(self.agency.clone()),
            licensee: Text(self.licensee.clone()),
            licensee_key: Hex(self.licensee_key.clone()),
            delegates: self.delegates.iter().cloned().map(Text).collect(),
            scenario: self.scenario.clone(),
            purposes: self.purposes.clone(),
            environments: self.environments.iter().copied().map(Into::into).collect(),
            not_before: Instant(self.not_before),
            not_after: Instant(self.not_after),
            end_users: self.end_users.clone(),
            region: Text(self.region.clone()),
            products: self.products.iter().map(Into::into).collect(),
            quotas: self.quotas.iter().map(Into::into).collect(),
        }
    }
}

impl GrantedToml {
    fn granted(self, base: &Path) -> Result<GrantedProduct, DocumentRefused> {
        let reference = ProductRef {
            id: self.id.0,
            version: self.version,
        };
        let named = |envelope: &_| {
            open::<Product>(envelope).is_ok_and(|product| product.reference == reference)
        };
        let digest = self
            .digest
            .resolve("product.digest", base, PRODUCT_TYPE, named)?;
        Ok(GrantedProduct {
            reference,
            digest,
            reveals_not_found: self.reveals_not_found,
            reveals_indeterminate: self.reveals_indeterminate,
        })
    }
}

impl From<&GrantedProduct> for GrantedToml {
    fn from(product: &GrantedProduct) -> GrantedToml {
        GrantedToml {
            id: Text(product.reference.id.clone()),
            version: product.reference.version,
            digest: Pin::Digest(product.digest),
            reveals_not_found: product.reveals_not_found,
            reveals_indeterminate: product.reveals_indeterminate,
        }
    }
}

impl From<QuotaToml> for NodeQuota {
    fn from(quota: QuotaToml) -> NodeQuota {
        NodeQuota {
            unit: quota.unit.0,
            node: quota.node.0,
            calls_per_day: quota.calls_per_day,
            calls_total: quota.calls_total,
            rho_total: quota.rho_total.map(|rho| rho.0),
        }
    }
}

impl From<&NodeQuota> for QuotaToml {
    fn from(quota: &NodeQuota) -> QuotaToml {
        QuotaToml {
            unit: Text(quota.unit.clone()),
            node: Text(quota.node.clone()),
            calls_per_day: quota.calls_per_day,
            calls_total: quota.calls_total,
            rho_total: quota.rho_total.map(Text),
        }
    }
}

impl From<EnvironmentToml> for Environment {
    fn from(environment: EnvironmentToml) -> Environment {
        match environment {
            EnvironmentToml::Test => Environment::Test,
            EnvironmentToml::ProdDebug => Environment::ProdDebug,
            EnvironmentToml::Prod => Environment::Prod,
        }
    }
}

impl From<Environment> for EnvironmentToml {
    fn from(environment: Environment) -> EnvironmentToml {
        match environment {
            Environment::Test => EnvironmentToml::Test,
            Environment::ProdDebug => EnvironmentToml::ProdDebug,
            Environment::Prod => EnvironmentToml::Prod,
        }
    }
}
