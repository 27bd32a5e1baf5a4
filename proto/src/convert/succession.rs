//! The unit's order that ends a stream.

use lingqu_core::succession::{SUCCESSION_TYPE, SuccessionOrder, may_follow};
use lingqu_tlog::{Intl, KeyKind, VerifierKey};
use prost::Message;

use super::field::{instant, parse, refuse};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

/// Longest verifier key, in bytes: a text of a record.
const KEY_LEN_MAX: usize = 256;

impl SignedObject for SuccessionOrder {
    const TYPE: &'static str = SUCCESSION_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let order = pb::SuccessionOrder {
            unit: self.unit.to_string(),
            node: self.node.to_string(),
            issued_us: self.issued.0,
            not_before_us: self.not_before.0,
            ends: self.ends.clone(),
            begins: self.begins.clone(),
        };
        order.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |order: pb::SuccessionOrder| {
            let key: VerifierKey<Intl> = parse("begins", &order.begins)?;
            if key.kind() != KeyKind::Note {
                return refuse("begins", "is not the key of a log");
            }
            if order.begins.len() > KEY_LEN_MAX {
                return refuse("begins", "is longer than a record can say");
            }
            if !may_follow(&order.ends, key.name().as_str()) {
                return refuse(
                    "begins",
                    "names a stream that cannot follow the one that ends",
                );
            }
            Ok(SuccessionOrder {
                unit: parse("unit", &order.unit)?,
                node: parse("node", &order.node)?,
                issued: instant("issued_us", order.issued_us)?,
                not_before: instant("not_before_us", order.not_before_us)?,
                ends: order.ends,
                begins: order.begins,
            })
        })
    }
}
