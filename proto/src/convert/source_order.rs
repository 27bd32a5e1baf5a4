//! The unit's order about one of its resources.

use lingqu_core::source_order::{REASON_LEN_MAX, SOURCE_ORDER_TYPE, SourceAct, SourceOrder};
use prost::Message;

use super::field::{digest, from_one, instant, name, parse, refuse};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for SourceOrder {
    const TYPE: &'static str = SOURCE_ORDER_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let mut order = pb::SourceOrder {
            unit: self.unit.to_string(),
            node: self.node.to_string(),
            number: self.number,
            issued_us: self.issued.0,
            resource: self.resource.clone(),
            environment: self.environment.as_str().to_owned(),
            ..pb::SourceOrder::default()
        };
        match &self.act {
            SourceAct::Accept { schema } => order.accepted_schema = schema.0.to_vec(),
            SourceAct::Correct { wrong, reason } => {
                order.wrong_load = wrong.to_string();
                order.reason.clone_from(reason);
            }
        }
        order.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |order: pb::SourceOrder| {
            Ok(SourceOrder {
                unit: parse("unit", &order.unit)?,
                node: parse("node", &order.node)?,
                number: from_one("number", order.number)?,
                issued: instant("issued_us", order.issued_us)?,
                resource: name("resource", order.resource.clone())?,
                environment: parse("environment", &order.environment)?,
                act: act(&order)?,
            })
        })
    }
}

/// Exactly one of the two acts; a reason goes with a correction only.
fn act(order: &pb::SourceOrder) -> Result<SourceAct, FieldInvalid> {
    match (
        order.accepted_schema.is_empty(),
        order.wrong_load.is_empty(),
    ) {
        (false, true) if order.reason.is_empty() => Ok(SourceAct::Accept {
            schema: digest("accepted_schema", &order.accepted_schema)?,
        }),
        (true, false) => Ok(SourceAct::Correct {
            wrong: parse("wrong_load", &order.wrong_load)?,
            reason: reason(&order.reason)?,
        }),
        (true, true) | (false, _) => refuse(
            "wrong_load",
            "or `accepted_schema` is given, and not both; a reason goes with the former",
        ),
    }
}

fn reason(text: &str) -> Result<String, FieldInvalid> {
    if text.is_empty() || text.len() > REASON_LEN_MAX || text.chars().any(char::is_control) {
        return refuse("reason", "has 1 to 200 bytes without control characters");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
