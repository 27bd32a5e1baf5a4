//! What the end of this node's stream is held against before it becomes durable.
//!
//! The mirror runs the same function on what it gets ([`check_end`]), with what the registry knows beside it. A record that
//! it refused would close the node for good: the stream would have ended here and nowhere else. So the order is tried when
//! it is taken in, on the record that would come of it, and the finished record again before it is written.

use lingqu_core::Timestamp;
use lingqu_core::envelope::Envelope;
use lingqu_core::record::StreamId;
use lingqu_core::succession::{StreamEnd, Succession, SuccessionOrder};
use lingqu_journal::EndCheck;
use lingqu_proto::{EndRefused, EndTerms, check_end, encode_envelope};
use lingqu_tlog::{Hash, Intl};

use crate::config::NodeConfig;

/// Judges the finished last record of the stream `origin` of the node that is so configured.
pub(super) fn check(config: &NodeConfig, origin: &str) -> EndCheck {
    let config = config.clone();
    let origin = origin.to_owned();
    Box::new(move |entry, after| {
        judge(&config, &origin, entry, Some(after)).map_err(|refused| refused.to_string())
    })
}

/// Whether the order would end the stream at the earliest time that it allows.
pub(super) fn try_order(
    config: &NodeConfig,
    origin: &str,
    (envelope, order): (&Envelope, &SuccessionOrder),
    now: Timestamp,
) -> Result<(), EndRefused> {
    let end = StreamEnd {
        order: encode_envelope(envelope),
        next_key: order.begins.clone(),
        forward_records: 1,
        forward_digest: Hash([0; 32]),
    };
    let place = (StreamId::of::<Intl>(origin), 0, now.max(order.not_before));
    let record = Succession::End(end).draft().at(place.0, place.1, place.2);
    judge(config, origin, &record.encode::<Intl>(), None)
}

fn judge(
    config: &NodeConfig,
    origin: &str,
    entry: &[u8],
    after: Option<Timestamp>,
) -> Result<(), EndRefused> {
    let trust = &config.trust;
    let is_taken = |key: &[u8]| {
        let heads = trust.head_key.as_ref();
        let mut mirrors = config.mirrors.iter().map(|mirror| &mirror.key);
        trust.mirror_key.public_key() == key
            || mirrors.any(|mirror| mirror.public_key() == key)
            || heads.is_some_and(|heads| heads.public_key() == key)
            || trust.coordinator_key == key
            || trust.agencies.iter().any(|agency| agency.key == key)
    };
    let terms = EndTerms {
        origin,
        node: config.id.as_str(),
        unit: &config.unit,
        unit_key: &trust.unit_key,
        is_taken: &is_taken,
    };
    check_end(&terms, entry, after).map(drop)
}

#[cfg(test)]
mod tests;
