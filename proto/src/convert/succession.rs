//! The unit's order that ends a stream.

use lingqu_core::Timestamp;
use lingqu_core::envelope::Envelope;
use lingqu_core::succession::{
    ORDER_MONTHS_MAX, SUCCESSION_TYPE, StreamEnd, SuccessionOrder, may_follow,
};
use lingqu_tlog::{Intl, KeyKind, VerifierKey};
use prost::Message;

use super::field::{instant, parse, refuse};
use super::signed::{decode_canonical, open};
use super::{FieldInvalid, SignedObject, decode_envelope};
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
            not_after_us: self.not_after.0,
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
            let not_before = instant("not_before_us", order.not_before_us)?;
            let not_after = instant("not_after_us", order.not_after_us)?;
            if not_after <= not_before {
                return refuse("not_after_us", "is not after `not_before_us`");
            }
            if not_after > not_before.plus_months_utc8(ORDER_MONTHS_MAX) {
                return refuse(
                    "not_after_us",
                    "is more than 13 months after `not_before_us`",
                );
            }
            Ok(SuccessionOrder {
                unit: parse("unit", &order.unit)?,
                node: parse("node", &order.node)?,
                issued: instant("issued_us", order.issued_us)?,
                not_before,
                not_after,
                ends: order.ends,
                begins: order.begins,
            })
        })
    }
}

/// The order in the last record of the stream `origin`, recorded at `ended`: it must be about this stream, its node, and
/// the stream that the record names, and have been carried out within its time. **Does not check the signature**:
/// whoever has the unit's key asks the envelope ([`Envelope::signed_by`]).
///
/// # Errors
/// [`FieldInvalid`] names what is wrong.
pub fn order_of(
    end: &StreamEnd,
    origin: &str,
    ended: Timestamp,
) -> Result<(SuccessionOrder, Envelope), FieldInvalid> {
    let envelope = decode_envelope(&end.order)?;
    let order: SuccessionOrder = open(&envelope)?;
    if order.ends != origin {
        return refuse("ends", "is another stream");
    }
    if order.begins != end.next_key {
        return refuse("begins", "is another stream or key than the record names");
    }
    // An origin names its node: `…/s/<name>/<region>/<period>`.
    let name = order.node.as_str().split_once('_').map(|(_, name)| name);
    if origin.rsplit('/').nth(2) != name {
        return refuse("node", "is not the one whose stream this is");
    }
    if ended < order.not_before {
        return refuse("not_before_us", "is later than the end");
    }
    if ended >= order.not_after {
        return refuse("not_after_us", "was over when the stream ended");
    }
    Ok((order, envelope))
}
