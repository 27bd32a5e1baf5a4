//! The unit's approval of a product version.

use lingqu_core::product::{APPROVAL_TYPE, Approval, ProductRef};
use prost::Message;

use super::field::{digest, from_one, parse};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Approval {
    const TYPE: &'static str = APPROVAL_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let approval = pb::ProductApproval {
            unit: self.unit.to_string(),
            node: self.node.to_string(),
            product: self.product.id.to_string(),
            version: self.product.version,
            product_digest: self.product_digest.0.to_vec(),
            policy_digest: self.policy_digest.0.to_vec(),
        };
        approval.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |approval: pb::ProductApproval| {
            Ok(Approval {
                unit: parse("unit", &approval.unit)?,
                node: parse("node", &approval.node)?,
                product: ProductRef {
                    id: parse("product", &approval.product)?,
                    version: from_one("version", approval.version)?,
                },
                product_digest: digest("product_digest", &approval.product_digest)?,
                policy_digest: digest("policy_digest", &approval.policy_digest)?,
            })
        })
    }
}
