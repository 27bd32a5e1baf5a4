//! Registered products and the unit's approval of them, as typed values.

mod definition;

use std::borrow::Cow;

use lingqu_policy::{Policy, Use};
use lingqu_tlog::Hash;

pub use definition::{
    Clamp, Cutoff, Definition, DpTerms, Feature, FieldRule, KindUnknown, Model, ModelOutput,
    Parameter, ParameterValues, ProductKind, Statistic, Verification,
};

use crate::{LoadId, NodeId, PartyId, ProductId, Timestamp};

/// Payload types of the envelopes that carry these objects.
pub const PRODUCT_TYPE: &str = "lingqu.v1.Product";
/// See [`PRODUCT_TYPE`].
pub const APPROVAL_TYPE: &str = "lingqu.v1.ProductApproval";
/// See [`PRODUCT_TYPE`].
pub const POLICY_TYPE: &str = "lingqu.v1.Policy";

/// One version of a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductRef {
    /// The product.
    pub id: ProductId,
    /// Its version, from 1.
    pub version: u32,
}

impl std::fmt::Display for ProductRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

/// Whether a product was registered by the operating agency or redeveloped by a licensee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// 初级产品
    Primary,
    /// 再开发产品
    Redeveloped,
}

/// A product as the operating agency registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Name and version.
    pub reference: ProductRef,
    /// Primary or redeveloped.
    pub tier: Tier,
    /// What a redeveloped product is made from.
    pub derived_from: Vec<ProductId>,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// The unit whose data it reads.
    pub unit: PartyId,
    /// The node that answers it.
    pub node: NodeId,
    /// The resource that it reads.
    pub resource: String,
    /// What it computes.
    pub definition: Definition,
}

/// The columns that a policy does not open for what the product does with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy does not allow `{wanted}` on column `{column}`", wanted = .wanted.as_str())]
pub struct ColumnForbidden {
    /// The column.
    pub column: String,
    /// What the product wants to do with it.
    pub wanted: Use,
}

impl Product {
    /// Checks every column that the product names against the unit's policy on its resource. The columns of a
    /// statistic stand in its SQL: the guard checks them, on the plan, before the product opens.
    pub fn check_against(&self, policy: &Policy) -> Result<(), ColumnForbidden> {
        let wanted: Vec<(&str, Use)> = match &self.definition {
            Definition::Model(model) => {
                let key = columns(&model.key).map(|column| (column, Use::Link));
                let features = model.features.iter();
                key.chain(features.map(|feature| (feature.column.as_str(), Use::Model)))
                    .collect()
            }
            Definition::Statistic(_) => Vec::new(),
            Definition::Verification(verification) => {
                let key = columns(&verification.key).map(|column| (column, Use::Link));
                let compared = columns(&verification.compared);
                key.chain(compared.map(|column| (column, Use::Verify)))
                    .collect()
            }
        };
        match wanted
            .into_iter()
            .find(|(column, wanted)| !policy.allows(column, *wanted))
        {
            Some((column, wanted)) => Err(ColumnForbidden {
                column: column.to_owned(),
                wanted,
            }),
            None => Ok(()),
        }
    }
}

fn columns(rules: &[FieldRule]) -> impl Iterator<Item = &str> {
    rules.iter().map(|rule| rule.column.as_str())
}

/// The unit's signed policy on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPolicy {
    /// Name of the policy.
    pub id: String,
    /// Its version, from 1.
    pub version: u32,
    /// The unit that signed.
    pub unit: PartyId,
    /// The resource it is about.
    pub resource: String,
    /// What it allows.
    pub policy: Policy,
}

/// The unit's approval of one product version under one policy version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The unit that approves.
    pub unit: PartyId,
    /// The node it approves for.
    pub node: NodeId,
    /// The product and version.
    pub product: ProductRef,
    /// Digest of the product's envelope.
    pub product_digest: Hash,
    /// Digest of the policy's envelope.
    pub policy_digest: Hash,
}

/// The name of one verified reading of a resource: what an answer was made from. It goes to callers, so that
/// nothing computed from the rows is in it but the id: their exact number would tell who came in or went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its id.
    pub id: LoadId,
    /// The resource read.
    pub resource: String,
    /// The date the data speaks for.
    pub as_of: Timestamp,
}

/// Most resources of one product: their loads fit into one clear field of a record.
pub const RESOURCES_MAX: usize = 5;

impl Load {
    /// The resources of `loads`, as a record names them: apart by a space.
    pub fn resource_names(loads: &[Load]) -> Cow<'_, str> {
        if let [load] = loads {
            return Cow::Borrowed(&load.resource);
        }
        let names: Vec<&str> = loads.iter().map(|load| load.resource.as_str()).collect();
        Cow::Owned(names.join(" "))
    }

    /// The ids of `loads`, as a record names them: apart by a space.
    pub fn ids(loads: &[Load]) -> Cow<'_, str> {
        if let [load] = loads {
            return Cow::Borrowed(load.id.as_str());
        }
        let ids: Vec<&str> = loads.iter().map(|load| load.id.as_str()).collect();
        Cow::Owned(ids.join(" "))
    }
}
