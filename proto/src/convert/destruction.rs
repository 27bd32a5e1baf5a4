//! Confirmations of destruction.

use lingqu_core::destruction::{DESTRUCTION_TYPE, Destruction};
use prost::Message;

use super::field::{instant, named, parse, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Destruction {
    const TYPE: &'static str = DESTRUCTION_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let confirmation = pb::Destruction {
            licensee: self.licensee.to_string(),
            grant: self.grant.to_string(),
            node: self.node.to_string(),
            at_us: self.at.0,
            what: self.what.clone(),
            method: self.method.clone(),
            person: self.person.clone(),
            no_copies: true,
            no_backups: true,
        };
        confirmation.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |confirmation: pb::Destruction| {
            if !confirmation.no_copies {
                return refuse("no_copies", "is not confirmed");
            }
            if !confirmation.no_backups {
                return refuse("no_backups", "is not confirmed");
            }
            Ok(Destruction {
                licensee: parse("licensee", &confirmation.licensee)?,
                grant: parse("grant", &confirmation.grant)?,
                node: parse("node", &confirmation.node)?,
                at: instant("at_us", confirmation.at_us)?,
                what: named("what", text("what", confirmation.what)?)?,
                method: named("method", text("method", confirmation.method)?)?,
                person: named("person", text("person", confirmation.person)?)?,
            })
        })
    }
}

#[cfg(test)]
mod tests;
