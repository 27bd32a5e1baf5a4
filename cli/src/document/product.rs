//! `product.toml`: what is registered and may be called. Signed by the operating agency; takes effect at a node only
//! with the unit's approval.

use std::path::Path;

use lingqu_core::product::{Definition, FieldRule, Product, ProductRef, Tier, Verification};
use lingqu_core::{NodeId, PartyId, ProductId};
use serde::{Deserialize, Serialize};

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
    /// Exactly one definition: of a verification (核验).
    verification: VerificationToml,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TierToml {
    Primary,
    Redeveloped,
}

/// Does a claim match the register? One combined verdict leaves, never one per field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerificationToml {
    /// The fields that select register rows, 1 to 8.
    key: Vec<FieldToml>,
    /// The fields that are compared with the selected rows, 1 to 16.
    compared: Vec<FieldToml>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldToml {
    /// The name that a caller uses.
    name: String,
    /// The resource's column.
    column: String,
    /// `exact`, `folded`, `integer` or `date`; in a compared field also `at_least`.
    comparator: String,
}

impl Document for Product {
    type Written = ProductToml;

    fn from_written(written: ProductToml, _base: &Path) -> Result<Self, DocumentRefused> {
        let rules = |fields: Vec<FieldToml>| {
            let rule = |field: FieldToml| FieldRule {
                name: field.name,
                column: field.column,
                comparator: field.comparator,
            };
            fields.into_iter().map(rule).collect()
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
            definition: Definition::Verification(Verification {
                key: rules(written.verification.key),
                compared: rules(written.verification.compared),
            }),
        })
    }

    fn to_written(&self) -> ProductToml {
        let fields = |rules: &[FieldRule]| {
            let field = |rule: &FieldRule| FieldToml {
                name: rule.name.clone(),
                column: rule.column.clone(),
                comparator: rule.comparator.clone(),
            };
            rules.iter().map(field).collect()
        };
        let Definition::Verification(verification) = &self.definition;
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
            verification: VerificationToml {
                key: fields(&verification.key),
                compared: fields(&verification.compared),
            },
        }
    }
}
