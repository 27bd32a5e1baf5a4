//! The unit's own stop.

use lingqu_core::stop::{STOP_TYPE, StopOrder, StopScope};
use prost::Message;

use super::field::{from_one, instant, parse, refuse};
use super::product::product_ref;
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

/// The scope of every call.
const ALL: &str = "all";

impl SignedObject for StopOrder {
    const TYPE: &'static str = STOP_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let order = pb::StopOrder {
            unit: self.unit.to_string(),
            node: self.node.to_string(),
            number: self.number,
            issued_us: self.issued.0,
            lift: self.lift,
            scope: match &self.scope {
                StopScope::All => ALL.to_owned(),
                StopScope::Grant(grant) => grant.to_string(),
                StopScope::Party(party) => party.to_string(),
                StopScope::Product(product) => product.to_string(),
            },
        };
        order.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |order: pb::StopOrder| {
            Ok(StopOrder {
                unit: parse("unit", &order.unit)?,
                node: parse("node", &order.node)?,
                number: from_one("number", order.number)?,
                issued: instant("issued_us", order.issued_us)?,
                lift: order.lift,
                scope: scope(&order.scope)?,
            })
        })
    }
}

/// The kinds of id have different prefixes, and a product's has none of them: at most one reading fits.
fn scope(text: &str) -> Result<StopScope, FieldInvalid> {
    if text == ALL {
        Ok(StopScope::All)
    } else if let Ok(grant) = text.parse() {
        Ok(StopScope::Grant(grant))
    } else if let Ok(party) = text.parse() {
        Ok(StopScope::Party(party))
    } else if let Ok(product) = product_ref(text) {
        Ok(StopScope::Product(product))
    } else {
        refuse(
            "scope",
            "is not `all` and names no grant, party or product version",
        )
    }
}
