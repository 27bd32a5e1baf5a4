//! Orders about kept bodies.

use lingqu_core::body::{BODY_ORDER_TYPE, BodyAct, BodyOrder, Days};
use prost::Message;

use super::field::{instant, named, parse, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for BodyOrder {
    const TYPE: &'static str = BODY_ORDER_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let act = match self.act {
            BodyAct::Erase => pb::BodyAct::Erase,
            BodyAct::Open => pb::BodyAct::Open,
        };
        let order = pb::BodyOrder {
            by: self.by.to_string(),
            node: self.node.to_string(),
            issued_us: self.issued.0,
            grant: self.grant.to_string(),
            day_first: self.days.first().to_string(),
            day_last: self.days.last().to_string(),
            act: act.into(),
            reason: self.reason.clone(),
        };
        order.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |order: pb::BodyOrder| {
            let act = match order.act() {
                pb::BodyAct::Erase => BodyAct::Erase,
                pb::BodyAct::Open => BodyAct::Open,
                pb::BodyAct::Unspecified => return refuse("act", "is missing or unknown"),
            };
            let days = Days::new(
                parse("day_first", &order.day_first)?,
                parse("day_last", &order.day_last)?,
            );
            let Some(days) = days else {
                return refuse("day_last", "lies before `day_first`, or too far after it");
            };
            Ok(BodyOrder {
                by: parse("by", &order.by)?,
                node: parse("node", &order.node)?,
                issued: instant("issued_us", order.issued_us)?,
                grant: parse("grant", &order.grant)?,
                days,
                act,
                reason: named("reason", text("reason", order.reason)?)?,
            })
        })
    }
}

#[cfg(test)]
mod tests;
