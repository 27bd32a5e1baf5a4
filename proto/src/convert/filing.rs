//! The coordinator's "filed, number, date".

use lingqu_core::agreement::AGREEMENT_TYPE;
use lingqu_core::grant::{FILING_TYPE, Filing, GRANT_TYPE};
use lingqu_core::product::{APPROVAL_TYPE, POLICY_TYPE, PRODUCT_TYPE};
use prost::Message;

use super::field::{digest, instant, parse, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

/// What can be filed.
const FILED_TYPES: [&str; 5] = [
    AGREEMENT_TYPE,
    APPROVAL_TYPE,
    GRANT_TYPE,
    POLICY_TYPE,
    PRODUCT_TYPE,
];

impl SignedObject for Filing {
    const TYPE: &'static str = FILING_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let filing = pb::Filing {
            coordinator: self.coordinator.to_string(),
            object_type: self.object_type.clone(),
            object_digest: self.object_digest.0.to_vec(),
            number: self.number.clone(),
            filed_us: self.filed.0,
        };
        filing.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |filing: pb::Filing| {
            if !FILED_TYPES.contains(&filing.object_type.as_str()) {
                return refuse("object_type", "is not a type that can be filed");
            }
            if filing.number.is_empty() {
                return refuse("number", "is missing");
            }
            Ok(Filing {
                coordinator: parse("coordinator", &filing.coordinator)?,
                object_type: filing.object_type,
                object_digest: digest("object_digest", &filing.object_digest)?,
                number: text("number", filing.number)?,
                filed: instant("filed_us", filing.filed_us)?,
            })
        })
    }
}
