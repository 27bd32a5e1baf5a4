//! The revocation epoch.

use std::collections::BTreeSet;

use lingqu_core::epoch::{EPOCH_TYPE, Epoch, REVOKED_MAX};
use prost::Message;

use super::field::{from_one, instant, parse, refuse};
use super::revocation::target;
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Epoch {
    const TYPE: &'static str = EPOCH_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let epoch = pb::Epoch {
            coordinator: self.coordinator.to_string(),
            number: self.number,
            issued_us: self.issued.0,
            valid_until_us: self.valid_until.0,
            revoked: self.revoked.iter().cloned().collect(),
        };
        epoch.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, from_pb)
    }
}

fn from_pb(epoch: pb::Epoch) -> Result<Epoch, FieldInvalid> {
    let issued = instant("issued_us", epoch.issued_us)?;
    let valid_until = instant("valid_until_us", epoch.valid_until_us)?;
    if valid_until <= issued {
        return refuse("valid_until_us", "is not after `issued_us`");
    }
    Ok(Epoch {
        coordinator: parse("coordinator", &epoch.coordinator)?,
        number: from_one("number", epoch.number)?,
        issued,
        valid_until,
        revoked: revoked(epoch.revoked)?,
    })
}

fn revoked(entries: Vec<String>) -> Result<BTreeSet<String>, FieldInvalid> {
    if entries.len() > REVOKED_MAX {
        return refuse("revoked", "has more than 100000 entries");
    }
    if !entries.is_sorted_by(|earlier, later| earlier < later) {
        return refuse("revoked", "is not strictly ascending");
    }
    entries
        .into_iter()
        .map(|entry| target("revoked", entry))
        .collect()
}
