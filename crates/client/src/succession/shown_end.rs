//! Whether an end that a node signed, and that is shown as evidence, is one that may not be.
//!
//! It is the function that node and mirror run ([`check_end`]), with what the reader knows: the trust file's keys, and the
//! unit's approval key. Of what only the coordinator's registry knows, nothing is said here.

use lingqu_core::PartyId;
use lingqu_core::receipt::ReceiptRefused;
use lingqu_core::record::{Kind, RecordView};
use lingqu_core::succession::{ShownEnd, Succession, place};
use lingqu_core::trust::Trust;
use lingqu_proto::{EndRefused, EndTerms, FieldInvalid, check_end, order_of};
use lingqu_tlog::Intl;

/// What is wrong with an end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEnd {
    /// Records stand behind it.
    #[error("records stand behind it")]
    NotLast,
    /// The record itself.
    #[error(transparent)]
    Refused(#[from] EndRefused),
}

/// Why what is shown proves nothing against the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBadEnd {
    /// It is as an end must be, as far as the reader's keys go.
    #[error("the end is in order, as far as the keys that are given go")]
    InOrder,
    /// Another stream has the next one's key: only the registry of that day can tell who was first.
    #[error(
        "the key that it names is another stream's in the trust file, which does not say who had it first"
    )]
    KeyTaken,
    /// It is a record of another kind.
    #[error("the record does not end a stream")]
    NotAnEnd,
    /// The node did not sign it, or the log is not a trusted one.
    #[error(transparent)]
    Receipt(#[from] ReceiptRefused),
    /// Only the unit's key can tell.
    #[error("whether `{0}` signed the order only its approval key can tell")]
    UnitKeyMissing(PartyId),
}

/// What is wrong with an end that a node signed, for whoever trusts the key of its stream.
///
/// # Errors
/// [`NoBadEnd`] if nothing is, or nothing that can be told.
pub fn judge_end(shown: &ShownEnd, trust: &Trust<Intl>) -> Result<BadEnd, NoBadEnd> {
    let receipt = &shown.0;
    // No mirror cosigns what it refuses: that the node signed it is all that is claimed.
    let proven = receipt.verify(&trust.without_quorum())?;
    let view = RecordView::read::<Intl>(&receipt.entry).map_err(|_| ReceiptRefused::Record)?;
    // Any other record is what a stream is made of, and accuses nobody.
    if view.kind() != Kind::StreamEnd {
        return Err(NoBadEnd::NotAnEnd);
    }
    let Ok(Some(Succession::End(end))) = Succession::of(&view) else {
        return Ok(BadEnd::Refused(EndRefused::Record));
    };
    if receipt.index.checked_add(1) != Some(receipt.checkpoint.size) {
        return Ok(BadEnd::NotLast);
    }
    let origin = &receipt.checkpoint.origin;
    let order = match order_of(&end, origin, proven.record.time) {
        Ok((order, _)) => order,
        Err(invalid @ FieldInvalid { .. }) => return Ok(EndRefused::Order(invalid).into()),
    };
    let is_taken = |key: &[u8]| {
        let mut others = trust.keys();
        others
            .any(|other| place(other.name().as_str()) != place(origin) && other.public_key() == key)
    };
    let unit_key = trust.unit_key(&order.unit);
    let terms = EndTerms {
        origin,
        node: order.node.as_str(),
        unit: &order.unit,
        unit_key: unit_key.unwrap_or_default(),
        is_taken: &is_taken,
    };
    match (check_end(&terms, &receipt.entry, None), unit_key) {
        (Err(EndRefused::Signature), None) => Err(NoBadEnd::UnitKeyMissing(order.unit)),
        // Whether another had the key first, a trust file of today does not say.
        (Err(EndRefused::KeyTaken), _) => Err(NoBadEnd::KeyTaken),
        (Err(refused), _) => Ok(refused.into()),
        (Ok(_), _) => Err(NoBadEnd::InOrder),
    }
}

#[cfg(test)]
mod tests;
