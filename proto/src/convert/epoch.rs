//! The revocation epoch, with what is suspended.

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
            suspended: self.suspended.iter().map(ToString::to_string).collect(),
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
    // Both lists count together: one envelope must hold them.
    if epoch.revoked.len().saturating_add(epoch.suspended.len()) > REVOKED_MAX {
        return refuse("revoked", "has with `suspended` more than 13000 entries");
    }
    Ok(Epoch {
        coordinator: parse("coordinator", &epoch.coordinator)?,
        number: from_one("number", epoch.number)?,
        issued,
        valid_until,
        revoked: ascending("revoked", epoch.revoked, |entry| target("revoked", entry))?,
        suspended: ascending("suspended", epoch.suspended, |entry| {
            parse("suspended", &entry)
        })?,
    })
}

/// A set has one encoding: strictly ascending.
fn ascending<T: Ord>(
    field: &'static str,
    entries: Vec<String>,
    convert: impl FnMut(String) -> Result<T, FieldInvalid>,
) -> Result<BTreeSet<T>, FieldInvalid> {
    if !entries.is_sorted_by(|earlier, later| earlier < later) {
        return refuse(field, "is not strictly ascending");
    }
    entries.into_iter().map(convert).collect()
}
