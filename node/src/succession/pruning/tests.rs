//! What stands in a journal keeps its stream at most.

use lingqu_core::record::StreamId;
use lingqu_core::succession::Succession;

use super::*;

fn found(drafts: Vec<Draft>) -> Found {
    let id = StreamId::of::<Intl>("coord.example/s/a/4501/2026h2");
    let mut found = Found::default();
    for (draft, index) in drafts.into_iter().zip(0_i64..) {
        let entry = draft.at(id, index.unsigned_abs(), Timestamp(index + 1));
        let entry = entry.encode::<Intl>();
        found.take(&RecordView::read::<Intl>(&entry).unwrap());
    }
    found.take_balances();
    found
}

#[test]
fn balances_are_those_of_the_beginning_and_unreadable_ones_keep_the_stream() {
    let forward = Succession::Forward(Forward::default().encode()).draft();
    let mut other = Draft::new(Kind::Heartbeat);
    other.clear = Clear::default().bytes(Field::Forward, b"junk");
    assert!(!found(vec![other.clone(), forward, other]).is_unreadable);
    let junk = Succession::Forward(b"junk".to_vec()).draft();
    assert!(found(vec![junk]).is_unreadable);
}
