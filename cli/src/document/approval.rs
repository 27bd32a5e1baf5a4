//! `approval.toml`: the unit's approval of exactly one product version under exactly one policy version. Signed by the
//! unit.

use std::path::Path;

use lingqu_core::product::{
    Approval, POLICY_TYPE, PRODUCT_TYPE, Product, ProductRef, SignedPolicy,
};
use lingqu_core::{NodeId, PartyId, ProductId};
use lingqu_proto::open;
use serde::{Deserialize, Serialize};

use super::pinned::Pin;
use super::text::Text;
use super::{Document, DocumentRefused};

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalToml {
    /// The unit that approves, `party_…`.
    unit: Text<PartyId>,
    /// The node that it approves for, `node_…`.
    node: Text<NodeId>,
    /// The product.
    product: Text<ProductId>,
    /// The product's version.
    version: u32,
    /// Digest of the product's envelope in hexadecimal, or `@product.env`.
    product_digest: Pin,
    /// Digest of the policy's envelope in hexadecimal, or `@policy.env`.
    policy_digest: Pin,
}

impl Document for Approval {
    type Written = ApprovalToml;

    fn from_written(written: ApprovalToml, base: &Path) -> Result<Self, DocumentRefused> {
        let product = ProductRef {
            id: written.product.0,
            version: written.version,
        };
        let (unit, node) = (written.unit.0, written.node.0);
        let approves = |envelope: &_| {
            open::<Product>(envelope).is_ok_and(|object| {
                object.reference == product && object.unit == unit && object.node == node
            })
        };
        let product_digest =
            written
                .product_digest
                .resolve("product_digest", base, PRODUCT_TYPE, approves)?;
        let own =
            |envelope: &_| open::<SignedPolicy>(envelope).is_ok_and(|policy| policy.unit == unit);
        let policy_digest =
            written
                .policy_digest
                .resolve("policy_digest", base, POLICY_TYPE, own)?;
        Ok(Approval {
            product_digest,
            policy_digest,
            product,
            unit,
            node,
        })
    }

    fn to_written(&self) -> ApprovalToml {
        ApprovalToml {
            unit: Text(self.unit.clone()),
            node: Text(self.node.clone()),
            product: Text(self.product.id.clone()),
            version: self.product.version,
            product_digest: Pin::Digest(self.product_digest),
            policy_digest: Pin::Digest(self.policy_digest),
        }
    }
}
