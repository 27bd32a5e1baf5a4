//! Steps with the unit's order, taken and refused; and the builders for the tests of feed and archive.

use std::collections::BTreeMap;

use lingqu_core::envelope::Envelope;
use lingqu_core::record::{Draft, Field, Kind};
use lingqu_proto::{encode_envelope, seal};
use lingqu_testkit::HandWritten;
use lingqu_tlog::{Ed25519Signer, Signer};

use super::*;

pub(crate) const OLD: &str = "c.example/s/n/4501/2026h2";
pub(crate) const NEXT: &str = "c.example/s/n/4501/2027h1";
pub(crate) const MIRROR: &str = "c.example/mirror";
pub(crate) const UNIT: &str = "party_unit";
/// A day before the streams of the tests.
pub(crate) const DUE: Timestamp = Timestamp(1_795_046_400_000_000);
pub(crate) const BALANCES: &[u8] = b"balances";

pub(crate) fn unit_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([50; 32])
}

pub(crate) fn order(ends: &str, begins: &HandWritten, unit: &str) -> Vec<u8> {
    let order = SuccessionOrder {
        unit: unit.parse().unwrap(),
        node: "node_n".parse().unwrap(),
        issued: DUE,
        not_before: DUE,
        not_after: DUE.plus_months_utc8(13),
        ends: ends.to_owned(),
        begins: begins.key().to_string(),
    };
    let mut envelope: Envelope = seal(&order);
    envelope.sign(unit, &unit_signer());
    encode_envelope(&envelope)
}

/// A stream that says whose it is.
pub(crate) fn old() -> HandWritten {
    let mut old = HandWritten::new(OLD, 1, MIRROR);
    let mut start = Draft::new(Kind::NodeStart);
    start.clear = start.clear.text(Field::Actor, UNIT);
    old.push(start);
    old
}

/// It, ended, and the one that follows.
pub(crate) fn both() -> (HandWritten, HandWritten) {
    let mut old = old();
    let mut next = old.next(NEXT, 2);
    old.end(&order(OLD, &next, UNIT), &next, BALANCES);
    next.begin(&old, BALANCES);
    (old, next)
}

pub(crate) fn trust() -> Trust<Intl> {
    Trust::parse(&old().trust()).unwrap()
}

pub(crate) fn with_unit(key: &Ed25519Signer) -> Trust<Intl> {
    let unit = UNIT.parse().unwrap();
    let keys = BTreeMap::from([(unit, key.public_key().to_vec())]);
    trust().with_units(keys)
}

#[test]
fn the_order_is_checked_where_the_unit_s_key_is_known() {
    let (_, next) = both();
    let first = &next.entries[0];
    let taken = step(&trust(), first).unwrap();
    assert!(!taken.is_order_checked);
    assert_eq!(taken.order_keys, [unit_signer().public_key()]);
    assert_eq!((taken.end.0, taken.order.unit.as_str()), (1, UNIT));
    assert!(
        step(&with_unit(&unit_signer()), first)
            .unwrap()
            .is_order_checked
    );
    let another = with_unit(&Ed25519Signer::from_seed([51; 32]));
    assert!(matches!(
        step(&another, first),
        Err(StepRefused::OrderSignature(_))
    ));
}

#[test]
fn an_end_without_an_order_or_with_one_for_something_else_has_no_successor() {
    let other = HandWritten::new(NEXT, 9, MIRROR);
    let next = old().next(NEXT, 2);
    for order in [
        b"order".to_vec(),
        order("c.example/s/n/4501/2026h1", &next, UNIT),
        order(OLD, &other, UNIT),
    ] {
        let mut old = old();
        let mut next = old.next(NEXT, 2);
        old.end(&order, &next, BALANCES);
        next.begin(&old, BALANCES);
        assert!(matches!(
            step(&trust(), &next.entries[0]),
            Err(StepRefused::Order(_))
        ));
    }
}

/// a reader who trusts the first key alone follows over any number of streams, whatever is left of them.
#[test]
fn steps_are_taken_in_whatever_order_they_come() {
    let (_, mut next) = both();
    let mut last = next.next("c.example/s/n/4501/2027h2", 2);
    next.end(&order(NEXT, &last, UNIT), &last, b"more");
    last.begin(&next, b"more");
    let firsts = [last.entries[0].clone(), next.entries[0].clone()];
    let (trusts, steps) = follow_all(&[trust()], &firsts).unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(trusts[0].log(&last.origin), Some(&last.key()));
    // Without the middle there is no way to the last one; and without trust in any there is none at all.
    let (trusts, steps) = follow_all(&[trust()], &firsts[..1]).unwrap();
    assert!(steps.is_empty() && trusts[0].log(&last.origin).is_none());
    let (_, steps) = follow_all(&[], &firsts).unwrap();
    assert!(steps.is_empty());
    // A file that has the next stream under another key contradicts its own first key.
    let other = HandWritten::new(NEXT, 9, MIRROR);
    let other = trust().with_log(other.key()).unwrap();
    assert!(matches!(
        follow_all(&[other], &firsts[1..]),
        Err(StepRefused::OtherKey(_))
    ));
}

/// A record's time is the node's word: what was dated back does not become droppable earlier than the mirror had it.
#[test]
fn a_dropped_stream_ended_when_its_mirror_had_it() {
    for years in [-10_i64, 0, 10] {
        let mut old = old();
        let next = old.next(NEXT, 2);
        let due = Timestamp(DUE.0 + years * 366 * 86_400_000_000);
        old.time = Timestamp(due.0 + 86_400_000_000);
        old.end(&order_of_time(OLD, &next, due), &next, BALANCES);
        let receipt = old.receipt(old.size() - 1);
        let end = dropped_end(&trust(), &receipt).unwrap();
        let mirrored = receipt.verify(&trust()).unwrap().mirrored_at.unwrap();
        let said = Timestamp(due.0 + 86_400_000_000);
        assert_eq!(end.ended, said.max(mirrored), "{years} years");
        assert!(end.ended >= mirrored);
    }
}

fn order_of_time(ends: &str, begins: &HandWritten, due: Timestamp) -> Vec<u8> {
    let order = SuccessionOrder {
        unit: UNIT.parse().unwrap(),
        node: "node_n".parse().unwrap(),
        issued: due,
        not_before: due,
        not_after: due.plus_months_utc8(13),
        ends: ends.to_owned(),
        begins: begins.key().to_string(),
    };
    let mut envelope: Envelope = seal(&order);
    envelope.sign(UNIT, &unit_signer());
    encode_envelope(&envelope)
}
