use lingqu_core::record::{Draft, Field, Kind, StreamId};
use lingqu_core::succession::Succession;
use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer, VerifierKey};

use super::super::world::{ORIGIN, START, Terms, World, block_on, end_by, record, small_limits};
use super::*;

fn next_key() -> VerifierKey<Intl> {
    let name = KeyName::parse("coord.example/s/node-a/45/2027h1").unwrap();
    let signer = Ed25519Signer::from_seed([3; 32]);
    VerifierKey::note(name, signer.public_key()).unwrap()
}

/// The records of a stream with some calls, and its balances as the journal brings them forward.
fn ended() -> (Vec<Vec<u8>>, Forward) {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        for call in 0..5 {
            record(&journal, call, &Terms::default()).await.unwrap();
        }
        let mut change = Draft::new(Kind::AuthorizationChange);
        change.clear = change.clear.number(Field::Epoch, 12);
        journal.append(change).await.unwrap();
    });
    journal
        .end_stream(end_by(b"order", &next_key(), START))
        .unwrap();
    let mut entries = Vec::new();
    while (entries.len() as u64) < journal.size() {
        let batch = block_on(journal.next_batch(entries.len() as u64)).unwrap();
        entries.extend(batch.entries);
    }
    world.cosign_newest(&journal);
    let forward = journal.predecessor().unwrap().forward;
    (entries, Forward::decode(&forward).unwrap())
}

fn refolded(entries: &[Vec<u8>]) -> Refold {
    let mut refold = Refold::new(ORIGIN);
    for entry in entries {
        refold.take(entry).unwrap();
    }
    refold
}

/// whoever has the records alone finds the same balances as the node.
#[test]
fn a_stranger_adds_up_what_the_node_added_up() {
    let (entries, forward) = ended();
    let refold = refolded(&entries);
    assert_eq!(refold.balances(), forward);
    assert!(!refold.differs() && refold.end().is_some());
    assert_eq!((forward.grants[0].total, forward.epoch), (5, 12));
    assert_eq!(forward.calls.len(), 5);
}

#[test]
fn an_end_that_commits_to_other_balances_is_found() {
    let (mut entries, _) = ended();
    let last = entries.pop().unwrap();
    let record = lingqu_core::record::Record::decode::<Intl>(&last).unwrap();
    let view = lingqu_core::record::RecordView::read::<Intl>(&last).unwrap();
    let Ok(Some(Succession::End(mut end))) = Succession::of(&view) else {
        panic!("the last record is the end")
    };
    end.forward_digest = Forward::digest::<Intl>(b"less");
    let stream = StreamId::of::<Intl>(ORIGIN);
    let other = Succession::End(end).draft();
    let other = other.at(stream, record.index, record.time);
    entries.push(other.encode::<Intl>());
    let refold = refolded(&entries);
    assert!(refold.differs());
    assert_eq!(refold.balances().grants[0].total, 5);
    // And a record that is not the next one is no stream.
    let mut refold = Refold::<Intl>::new(ORIGIN);
    assert!(refold.take(&entries[1]).is_err());
}

/// What is brought forward follows from the records alone: a node with all limits set low and one with all set high sign the
/// same end, and a mirror, a follower and an auditor find it with their own.
#[test]
fn no_limit_of_whoever_folds_changes_what_is_brought_forward() {
    let (entries, forward) = ended();
    let low = small_limits();
    // Whoever adds a limit is asked here whether it changes what records lead to.
    let JournalLimits {
        segment_len: _,
        queue_max: _,
        denial_queue_max: _,
        denial_keys_max: _,
        recent_entries_max: _,
        recent_bytes_max: _,
        subjects_max: _,
        frame_entries_max: _,
        frame_bytes_max: _,
        batch_entries_max: _,
        batch_bytes_max: _,
    } = low;
    let lowest = JournalLimits {
        queue_max: 1,
        denial_queue_max: 1,
        denial_keys_max: 1,
        recent_entries_max: 1,
        recent_bytes_max: 1,
        subjects_max: 1,
        frame_entries_max: 1,
        batch_entries_max: 1,
        batch_bytes_max: 1,
        ..low
    };
    for limits in [lowest, JournalLimits::default()] {
        let mut fold = Fold::<Intl>::new(ORIGIN, &limits);
        for entry in &entries {
            fold.apply_entry(entry).unwrap();
        }
        assert_eq!(fold.forward(fold.last_time), forward);
    }
}
