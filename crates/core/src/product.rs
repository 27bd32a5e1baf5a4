//! Registered products and the unit's approval of them, as typed values.

use lingqu_policy::{Policy, Use};
use lingqu_tlog::Hash;

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

/// What a product computes; one variant per kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Does a claim match the register?
    Verification(Verification),
}

/// A verification: rows are selected by `key`, then `compared`; one combined verdict leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The fields that select register rows.
    pub key: Vec<FieldRule>,
    /// The fields that are compared with the selected rows.
    pub compared: Vec<FieldRule>,
}

/// One field of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// The name a caller uses.
    pub name: String,
    /// The resource's column.
    pub column: String,
    /// `exact`, `folded`, `integer` or `date`; in a compared field also `at_least`.
    pub comparator: String,
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
    /// Checks every column that the product touches against the unit's policy on its resource.
    pub fn check_against(&self, policy: &Policy) -> Result<(), ColumnForbidden> {
        let Definition::Verification(verification) = &self.definition;
        let links = verification.key.iter().map(|field| (field, Use::Link));
        let compared = verification
            .compared
            .iter()
            .map(|field| (field, Use::Verify));
        for (field, wanted) in links.chain(compared) {
            if !policy.allows(&field.column, wanted) {
                return Err(ColumnForbidden {
                    column: field.column.clone(),
                    wanted,
                });
            }
        }
        Ok(())
    }
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

/// One verified reading of a resource: what an answer was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its id.
    pub id: LoadId,
    /// The resource read.
    pub resource: String,
    /// The date the data speaks for.
    pub as_of: Timestamp,
    /// Rows read.
    pub rows: u64,
    /// Digest of the content read.
    pub digest: Hash,
}
