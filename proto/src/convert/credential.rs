//! The e-credential of a catalog authorisation.

use lingqu_core::credential::{CREDENTIAL_TYPE, Credential};
use prost::Message;

use super::field::{PROSE_LEN_MAX, digest, instant, named, parse, prose, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Credential {
    const TYPE: &'static str = CREDENTIAL_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let credential = pb::Credential {
            number: self.number.clone(),
            holder_name: self.holder_name.clone(),
            scope: self.scope.clone(),
            not_before_us: self.not_before.0,
            not_after_us: self.not_after.0,
            issued_by: self.issued_by.clone(),
            issued_us: self.issued.0,
            holder: self.holder.to_string(),
            case_id: self.case.to_string(),
            agreement_digest: self.agreement.0.to_vec(),
            coordinator: self.coordinator.to_string(),
        };
        credential.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |credential: pb::Credential| {
            let read = Credential {
                number: named("number", text("number", credential.number)?)?,
                holder_name: named("holder_name", text("holder_name", credential.holder_name)?)?,
                scope: named("scope", prose("scope", credential.scope, PROSE_LEN_MAX)?)?,
                not_before: instant("not_before_us", credential.not_before_us)?,
                not_after: instant("not_after_us", credential.not_after_us)?,
                issued_by: named("issued_by", text("issued_by", credential.issued_by)?)?,
                issued: instant("issued_us", credential.issued_us)?,
                holder: parse("holder", &credential.holder)?,
                case: parse("case_id", &credential.case_id)?,
                agreement: digest("agreement_digest", &credential.agreement_digest)?,
                coordinator: parse("coordinator", &credential.coordinator)?,
            };
            if read.not_after <= read.not_before {
                return refuse("not_after_us", "is not after `not_before_us`");
            }
            Ok(read)
        })
    }
}
