//! A signed request to revoke something, and what can be revoked.

use lingqu_core::epoch::{REVOCATION_TYPE, Revocation};
use lingqu_core::{GrantId, PartyId};
use prost::Message;

use super::field::{instant, parse, refuse, text};
use super::product::product_ref;
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Revocation {
    const TYPE: &'static str = REVOCATION_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let revocation = pb::Revocation {
            by: self.by.to_string(),
            target: self.target.clone(),
            reason: self.reason.clone(),
            issued_us: self.issued.0,
        };
        revocation.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |revocation: pb::Revocation| {
            Ok(Revocation {
                by: parse("by", &revocation.by)?,
                target: target("target", revocation.target)?,
                reason: text("reason", revocation.reason)?,
                issued: instant("issued_us", revocation.issued_us)?,
            })
        })
    }
}

/// A grant, party or product version. A misspelt id would revoke nothing and look as if it did.
pub(super) fn target(field: &'static str, id: String) -> Result<String, FieldInvalid> {
    let known =
        id.parse::<GrantId>().is_ok() || id.parse::<PartyId>().is_ok() || product_ref(&id).is_ok();
    if known {
        Ok(id)
    } else {
        refuse(field, "does not name a grant, party or product version")
    }
}
