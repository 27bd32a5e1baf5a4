//! Ends of a stream that nobody may write and no mirror takes: one table for both.
//!
//! The node checks the record before it becomes durable, the mirror what it gets. Both tests go through this table, so
//! that a case which one of them forgets makes a test fail.

use lingqu_core::Timestamp;
use lingqu_core::envelope::Envelope;
use lingqu_core::succession::SuccessionOrder;
use lingqu_tlog::Ed25519Signer;

use crate::HandWritten;

/// Where the bad ends are tried.
pub struct EndPlace<'a> {
    /// An order that is in order: of the unit, about the stream, due, and not over.
    pub good: SuccessionOrder,
    /// What makes an envelope of it.
    pub seal: &'a dyn Fn(&SuccessionOrder) -> Envelope,
    /// What makes the bytes of that.
    pub encode: &'a dyn Fn(&Envelope) -> Vec<u8>,
    /// Seeds of keys: the unit's, the stream's own, the mirror's and the head log's.
    pub seeds: EndSeeds,
}

/// See [`EndPlace::seeds`].
#[derive(Clone, Copy, Debug)]
pub struct EndSeeds {
    /// The key that signs the unit's orders.
    pub unit: u8,
    /// The key of the stream that would end.
    pub log: u8,
    /// The mirror's.
    pub mirror: u8,
    /// That of the region's head log.
    pub heads: u8,
    /// The next stream's in the good order.
    pub next: u8,
}

/// An end that may not be.
pub struct BadEnd {
    /// What is wrong.
    pub why: &'static str,
    /// The order as it stands in the record.
    pub order: Vec<u8>,
    /// The stream that the record names.
    pub next: HandWritten,
}

const DAY_US: i64 = 86_400_000_000;

/// The table. The record is made at a time when the good order is due.
pub fn bad_ends(place: &EndPlace<'_>) -> Vec<BadEnd> {
    let mut ends = bad_orders(place);
    ends.extend(bad_keys(place));
    ends
}

fn stream(origin: &str, seed: u8) -> HandWritten {
    HandWritten::new(origin, seed, "unnamed.example/mirror")
}

fn origin_of(key: &str) -> &str {
    key.split('+').next().unwrap_or_default()
}

fn signed(place: &EndPlace<'_>, order: &SuccessionOrder, by: u8) -> Vec<u8> {
    let mut envelope = (place.seal)(order);
    envelope.sign(order.unit.as_str(), &Ed25519Signer::from_seed([by; 32]));
    (place.encode)(&envelope)
}

fn bad_orders(place: &EndPlace<'_>) -> Vec<BadEnd> {
    let (good, seeds) = (&place.good, place.seeds);
    let change = |change: &dyn Fn(&mut SuccessionOrder)| {
        let mut order = good.clone();
        change(&mut order);
        signed(place, &order, seeds.unit)
    };
    let shifted = |days: i64| {
        change(&|order| {
            order.not_before.0 += days * DAY_US;
            order.not_after = Timestamp(order.not_before.0 + DAY_US);
        })
    };
    let (before, _) = good.ends.rsplit_once('/').unwrap_or_default();
    let other_type = {
        let payload = (place.seal)(good).payload;
        let mut envelope: Envelope = Envelope::new("lingqu.v1.SourceOrder", payload);
        envelope.sign(
            good.unit.as_str(),
            &Ed25519Signer::from_seed([seeds.unit; 32]),
        );
        (place.encode)(&envelope)
    };
    let another = stream(origin_of(&good.begins), 9);
    let table = [
        ("no order", b"order".to_vec()),
        ("nobody signed it", (place.encode)(&(place.seal)(good))),
        ("the log key signed it", signed(place, good, seeds.log)),
        ("a stranger signed it", signed(place, good, 51)),
        (
            "another unit's",
            change(&|order| order.unit = "party_other".parse().expect("an id")),
        ),
        (
            "for another node",
            change(&|order| order.node = "node_other".parse().expect("an id")),
        ),
        (
            "of an earlier stream",
            change(&|order| order.ends = format!("{before}/0001h1")),
        ),
        (
            "for another key",
            change(&|order| order.begins = another.key().to_string()),
        ),
        ("before its time", shifted(60)),
        ("when it was over", shifted(-60)),
        (
            "one that never dies",
            change(&|order| order.not_after = Timestamp(i64::MAX)),
        ),
        (
            "one that was dead before it was due",
            change(&|order| order.not_after = order.not_before),
        ),
        ("another kind of order", other_type),
    ];
    let named = || stream(origin_of(&good.begins), seeds.next);
    let ends = table.into_iter().map(|(why, order)| BadEnd {
        why,
        order,
        next: named(),
    });
    ends.collect()
}

/// Orders that are signed as they must be, for a stream or a key that cannot follow.
fn bad_keys(place: &EndPlace<'_>) -> Vec<BadEnd> {
    let (good, seeds) = (&place.good, place.seeds);
    let next = origin_of(&good.begins);
    let (rest, period) = good.ends.rsplit_once('/').unwrap_or_default();
    let (network, _) = rest.rsplit_once('/').unwrap_or_default();
    let table = [
        ("another region", format!("{network}/11/9999h1"), seeds.next),
        ("the same period", format!("{rest}/{period}"), seeds.next),
        ("an earlier period", format!("{rest}/0001h1"), seeds.next),
        ("the mirror's key", next.to_owned(), seeds.mirror),
        ("the head log's key", next.to_owned(), seeds.heads),
        ("the unit's key", next.to_owned(), seeds.unit),
    ];
    let ends = table.into_iter().map(|(why, origin, seed)| {
        let next = stream(&origin, seed);
        let order = SuccessionOrder {
            begins: next.key().to_string(),
            ..good.clone()
        };
        BadEnd {
            why,
            order: signed(place, &order, seeds.unit),
            next,
        }
    });
    ends.collect()
}
