//! Signed requests to suspend a grant and to lift a suspension.

use lingqu_core::epoch::{LIFTING_TYPE, Lifting, SUSPENSION_TYPE, Suspension};
use prost::Message;

use super::field::{digest, instant, parse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Suspension {
    const TYPE: &'static str = SUSPENSION_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let suspension = pb::Suspension {
            by: self.by.to_string(),
            grant: self.grant.to_string(),
            reason: self.reason.clone(),
            issued_us: self.issued.0,
        };
        suspension.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |suspension: pb::Suspension| {
            Ok(Suspension {
                by: parse("by", &suspension.by)?,
                grant: parse("grant", &suspension.grant)?,
                reason: text("reason", suspension.reason)?,
                issued: instant("issued_us", suspension.issued_us)?,
            })
        })
    }
}

impl SignedObject for Lifting {
    const TYPE: &'static str = LIFTING_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let lifting = pb::Lifting {
            by: self.by.to_string(),
            suspension_digest: self.suspension.0.to_vec(),
            reason: self.reason.clone(),
            issued_us: self.issued.0,
        };
        lifting.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |lifting: pb::Lifting| {
            Ok(Lifting {
                by: parse("by", &lifting.by)?,
                suspension: digest("suspension_digest", &lifting.suspension_digest)?,
                reason: text("reason", lifting.reason)?,
                issued: instant("issued_us", lifting.issued_us)?,
            })
        })
    }
}
