use lingqu_core::Timestamp;
use lingqu_core::record::{Draft, Record, StreamId};
use lingqu_tlog::Intl;

use super::*;

fn record(kind: Kind, caller: &str, call: u8, tag: u8) -> Record {
    let mut draft = Draft::new(kind);
    draft.call = CallId([call; 16]);
    draft.clear = draft
        .clear
        .text(Field::Caller, caller)
        .text(Field::Grant, "grant_1")
        .bytes(Field::RequestTag, &[tag; 16]);
    draft.at(StreamId([0; 16]), 0, Timestamp(1))
}

fn fold(calls: &mut Calls, record: &Record) {
    let bytes = record.encode::<Intl>();
    let view = RecordView::read::<Intl>(&bytes).unwrap();
    if let Some(call) = Remembered::of::<Intl>(&view) {
        calls.fold(&call);
    }
}

fn seen(calls: &Calls, caller: &str, call: u8, tag: u8) -> Seen {
    let call = CallId([call; 16]);
    calls.seen(&Remembered::made::<Intl>(
        caller, "grant_1", call, [tag; 16],
    ))
}

#[test]
fn an_id_binds_to_party_grant_and_request() {
    let mut calls = Calls::new(10);
    fold(&mut calls, &record(Kind::Call, "party_a", 1, 1));
    assert_eq!(seen(&calls, "party_a", 1, 1), Seen::Same);
    assert_eq!(seen(&calls, "party_a", 1, 2), Seen::Other);
    assert_eq!(seen(&calls, "party_b", 1, 1), Seen::New);
    assert_eq!(seen(&calls, "party_a", 2, 1), Seen::New);
    let other_grant = Remembered::made::<Intl>("party_a", "grant_2", CallId([1; 16]), [1; 16]);
    assert_eq!(calls.seen(&other_grant), Seen::New);
}

#[test]
fn only_calls_are_remembered() {
    let mut calls = Calls::new(10);
    fold(&mut calls, &record(Kind::Denials, "party_a", 1, 1));
    assert_eq!(seen(&calls, "party_a", 1, 1), Seen::New);
}

#[test]
fn the_oldest_is_forgotten_first() {
    let mut calls = Calls::new(3);
    for call in 1..=3 {
        fold(&mut calls, &record(Kind::Call, "party_a", call, 0));
    }
    // An id that comes again takes no second place.
    fold(&mut calls, &record(Kind::Call, "party_a", 3, 9));
    assert_eq!(seen(&calls, "party_a", 1, 0), Seen::Same);
    assert_eq!(seen(&calls, "party_a", 3, 9), Seen::Same);
    fold(&mut calls, &record(Kind::Call, "party_a", 4, 0));
    assert_eq!(seen(&calls, "party_a", 1, 0), Seen::New);
    assert_eq!(seen(&calls, "party_a", 2, 0), Seen::Same);
    assert_eq!(calls.forward().len(), 3);
}

#[test]
fn whatever_comes_is_known_as_a_plain_queue_knows_it() {
    // Few keys, so that they come again before and after they are forgotten, and runs of slots form and break up.
    let key = |number: u64| lingqu_tlog::leaf_hash::<Intl>(&(number % 97).to_be_bytes());
    for max in [1, 2, 7, 12, 13, 40, 200] {
        let mut calls = Calls::new(max);
        let mut plain: Vec<Remembered> = Vec::new();
        for step in 0..3_000_u64 {
            let call = Remembered {
                key: key(step * step * 31 + step / 5),
                tag: [(step % 3) as u8; 16],
            };
            let known = plain.iter().find(|known| known.key == call.key);
            let expected = match known {
                None => Seen::New,
                Some(known) if known.tag == call.tag => Seen::Same,
                Some(_) => Seen::Other,
            };
            assert_eq!(calls.seen(&call), expected, "{max}, {step}");
            calls.fold(&call);
            match plain.iter_mut().find(|known| known.key == call.key) {
                Some(known) => known.tag = call.tag,
                None => plain.push(call),
            }
            if plain.len() > max {
                plain.remove(0);
            }
            let kept: Vec<Hash> = calls.forward().iter().map(|made| made.key).collect();
            let expected: Vec<Hash> = plain.iter().map(|known| known.key).collect();
            assert_eq!(kept, expected, "{max}, {step}");
            let used = calls.slots.iter().filter(|slot| **slot != Slot::EMPTY);
            assert_eq!(used.count(), plain.len(), "{max}, {step}");
        }
    }
}

#[test]
fn numbers_go_round() {
    let mut calls = Calls::new(5);
    calls.first = u32::MAX - 2;
    for call in 1..=20 {
        fold(&mut calls, &record(Kind::Call, "party_a", call, 7));
        let from = call.saturating_sub(4).max(1);
        assert!((from..=call).all(|call| seen(&calls, "party_a", call, 7) == Seen::Same));
        assert_eq!(seen(&calls, "party_a", from - 1, 7), Seen::New);
    }
}
