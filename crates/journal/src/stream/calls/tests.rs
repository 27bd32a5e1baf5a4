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

fn fold(calls: &mut Calls<Intl>, record: &Record) {
    let bytes = record.encode::<Intl>();
    let view = RecordView::read::<Intl>(&bytes).unwrap();
    if let Some(call) = Remembered::of::<Intl>(&view) {
        calls.fold(&call);
    }
}

fn seen(calls: &Calls<Intl>, caller: &str, call: u8, tag: u8) -> Seen {
    calls.seen(caller, "grant_1", CallId([call; 16]), [tag; 16])
}

#[test]
fn an_id_binds_to_party_grant_and_request() {
    let mut calls = Calls::new(10);
    fold(&mut calls, &record(Kind::Call, "party_a", 1, 1));
    assert_eq!(seen(&calls, "party_a", 1, 1), Seen::Same);
    assert_eq!(seen(&calls, "party_a", 1, 2), Seen::Other);
    assert_eq!(seen(&calls, "party_b", 1, 1), Seen::New);
    assert_eq!(seen(&calls, "party_a", 2, 1), Seen::New);
    let other_grant = calls.seen("party_a", "grant_2", CallId([1; 16]), [1; 16]);
    assert_eq!(other_grant, Seen::New);
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
    assert_eq!((calls.tags.len(), calls.order.len()), (3, 3));
}
