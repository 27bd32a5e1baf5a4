//! `product.toml`: what is registered and may be called. Signed by the operating agency; takes effect at a node only
//! with the unit's approval.

mod definition;

use std::path::Path;

use lingqu_core::product::{Product, ProductRef, Tier};
use lingqu_core::{NodeId, PartyId, ProductId};
use serde::{Deserialize, Serialize};

use self::definition::{ModelToml, Sections, StatisticToml, VerificationToml};
use super::text::Text;
use super::{Document, DocumentRefused};

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductToml {
    /// `unit.product`: two names of `a-z 0-9 _`.
    id: Text<ProductId>,
    /// Its version, from 1.
    version: u32,
    /// `primary` (初级产品) or `redeveloped` (再开发产品).
    tier: TierToml,
    /// What a redeveloped product is made from; empty for a primary one.
    #[serde(default)]
    derived_from: Vec<Text<ProductId>>,
    /// Title in Chinese.
    title_zh: String,
    /// Title in English.
    title_en: String,
    /// The unit whose data it reads, `party_…`.
    unit: Text<PartyId>,
    /// The node that answers it, `node_…`.
    node: Text<NodeId>,
    /// The resource that it reads.
    resource: String,
    /// Exactly one definition: of a verification (核验), …
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationToml>,
    /// … of a model, …
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelToml>,
    /// … or of a statistic.
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<StatisticToml>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TierToml {
    Primary,
    Redeveloped,
}

impl Document for Product {
    type Written = ProductToml;

    fn from_written(written: ProductToml, base: &Path) -> Result<Self, DocumentRefused> {
        let sections = Sections {
            verification: written.verification,
            model: written.model,
            statistic: written.statistic,
        };
        Ok(Product {
            reference: ProductRef {
                id: written.id.0,
                version: written.version,
            },
            tier: match written.tier {
                TierToml::Primary => Tier::Primary,
                TierToml::Redeveloped => Tier::Redeveloped,
            },
            derived_from: written.derived_from.into_iter().map(|id| id.0).collect(),
            title_zh: written.title_zh,
            title_en: written.title_en,
            unit: written.unit.0,
            node: written.node.0,
            resource: written.resource,
            definition: sections.definition(base)?,
        })
    }

    fn to_written(&self) -> ProductToml {
        let sections = Sections::of(&self.definition);
        ProductToml {
            id: Text(self.reference.id.clone()),
            version: self.reference.version,
            tier: match self.tier {
                Tier::Primary => TierToml::Primary,
                Tier::Redeveloped => TierToml::Redeveloped,
            },
            derived_from: self.derived_from.iter().cloned().map(Text).collect(),
            title_zh: self.title_zh.clone(),
            title_en: self.title_en.clone(),
            unit: Text(self.unit.clone()),
            node: Text(self.node.clone()),
            resource: self.resource.clone(),
            verification: sections.verification,
            model: sections.model,
            statistic: sections.statistic,
        }
    }
}
