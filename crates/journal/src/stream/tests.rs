//! The journal's promises, end to end.

use lingqu_core::ErrorCode;
use lingqu_core::receipt::Level;
use lingqu_core::record::{Draft, Field, Kind};

use lingqu_policy::AuditTerms;
use std::time::Duration;

use super::world::*;
use super::*;
use crate::store::{FileStore, StoreError};

#[test]
fn an_answer_leaves_with_a_receipt_that_verifies() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let recorded = record(&journal, 7, &Terms::default()).await.unwrap();
        let Outcome::Answered {
            result,
            receipt,
            level,
        } = journal.release(&recorded).await.into_outcome()
        else {
            panic!("within the lag an answer leaves");
        };
        assert_eq!((result, level), (7, Level::Local));
        assert_eq!(receipt.verify(&trust()).unwrap().level, Level::Local);

        world.cosign_newest(&journal);
        let Outcome::Answered { receipt, level, .. } =
            journal.release(&recorded).await.into_outcome()
        else {
            panic!("a mirrored answer leaves");
        };
        assert_eq!(level, Level::Mirrored);
        let proven = receipt.verify(&trust()).unwrap();
        assert_eq!(proven.level, Level::Mirrored);
        assert_eq!(proven.mirrored_at, Some(START));
        assert_eq!(
            proven.record.draft.clear.get_text(Field::Outcome),
            Some("ANSWERED")
        );
    });
}

#[test]
fn nothing_is_signed_before_the_mirror_was_asked() {
    let world = World::new();
    let journal = world.open().unwrap();
    let start = || Draft::new(Kind::NodeStart);
    assert_eq!(
        block_on(journal.append(start())),
        Err(AppendFailed::NotReconciled)
    );
    let call = permitted(1, &Terms::default());
    assert_eq!(
        journal.reserve(call.permit()).err(),
        Some(ErrorCode::AuditUnavailable)
    );
    assert_eq!(journal.checkpoint(), None);
    journal.reconcile(0, None).unwrap();
    assert_eq!(block_on(journal.append(start())), Ok(0));
}

/// Many threads, real files: every answer has a receipt of its own that verifies, at R1 and later at R2.
#[test]
fn receipts_verify_under_group_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new();
    world.limits.recent_entries_max = 1_000;
    let open = || {
        Journal::open(
            world.options(),
            Box::new(FileStore::open(dir.path()).unwrap()),
        )
    };
    let journal = open().unwrap();
    journal.reconcile(0, None).unwrap();
    let audit = AuditTerms::Lagged {
        entries_max: 1_000,
        age_s_max: 60,
    };
    let terms = Terms {
        audit,
        ..Terms::default()
    };
    let recorded: Vec<Recorded<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (journal, terms) = (&journal, &terms);
                scope.spawn(move || {
                    block_on(async {
                        let mut own = Vec::new();
                        for number in 0..12 {
                            let recorded =
                                record(journal, thread * 12 + number, terms).await.unwrap();
                            check_receipt(journal, &recorded, Level::Local).await;
                            own.push(recorded);
                        }
                        own
                    })
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let indices: std::collections::BTreeSet<u64> = recorded.iter().map(Recorded::index).collect();
    assert_eq!(indices, (0..96).collect());
    world.cosign_newest(&journal);
    for recorded in &recorded {
        block_on(check_receipt(&journal, recorded, Level::Mirrored));
    }
    drop(journal);
    assert_eq!(open().unwrap().size(), 96);
}

async fn check_receipt(journal: &Journal, recorded: &Recorded<u64>, expected: Level) {
    let Outcome::Answered { receipt, level, .. } = journal.release(recorded).await.into_outcome()
    else {
        panic!("the terms hold");
    };
    let proven = receipt.verify(&trust()).unwrap();
    assert_eq!((level, proven.level), (expected, expected));
    assert_eq!(proven.record.draft.call, recorded.header().id);
    assert_eq!(receipt.index, recorded.index());
}

#[test]
fn a_failure_after_the_touch_of_data_is_recorded_and_charged_like_an_answer() {
    let world = World::new();
    let journal = world.ready();
    let call = permitted(1, &Terms::default());
    let charge = journal.reserve(call.permit()).unwrap();
    let failed = call.evaluated::<u64>(
        Err(ErrorCode::Internal),
        lingqu_tlog::Hash([0; 32]),
        Vec::new(),
    );
    block_on(async {
        let recorded = journal.record(failed, charge).await.unwrap();
        let Outcome::Failed { code, receipt, .. } = journal.release(&recorded).await.into_outcome()
        else {
            panic!("a failure leaves as one");
        };
        let record = receipt.verify(&trust()).unwrap().record;
        assert_eq!(code, ErrorCode::Internal);
        assert_eq!(
            record.draft.clear.get_text(Field::Outcome),
            Some("INTERNAL")
        );
    });
    assert_eq!(journal.usage(&"grant_1".parse().unwrap(), START).total, 1);
}

#[test]
fn an_answer_too_old_to_be_proved_does_not_leave() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let first = record(&journal, 0, &Terms::default()).await.unwrap();
        for call in 1..=64 {
            record(&journal, call, &Terms::default()).await.unwrap();
        }
        world.cosign_newest(&journal);
        let outcome = journal.release(&first).await.into_outcome();
        assert_eq!(outcome, Outcome::Unrecorded(ErrorCode::AuditUnavailable));
    });
}

#[test]
fn a_record_of_another_journal_is_not_released() {
    let (world, other) = (World::new(), World::new());
    let journal = world.ready();
    let mut options = other.options();
    options.origin = "coord.example/s/node-b/45/2026h2".into();
    let other = Journal::open(options, Box::new(other.disk.store())).unwrap();
    other.reconcile(0, None).unwrap();
    block_on(async {
        record(&journal, 1, &Terms::default()).await.unwrap();
        let foreign = record(&other, 1, &Terms::default()).await.unwrap();
        let outcome = journal.release(&foreign).await.into_outcome();
        assert_eq!(outcome, Outcome::Unrecorded(ErrorCode::AuditUnavailable));
    });
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = FileStore::open(dir.path()).unwrap();
    let journal = Journal::open(World::new().options(), Box::new(first)).unwrap();
    assert!(matches!(
        FileStore::open(dir.path()),
        Err(StoreError::Locked)
    ));
    journal.close();
    FileStore::open(dir.path()).unwrap();
}

#[test]
fn what_is_not_this_streams_journal_is_not_opened() {
    let world = World::new();
    let journal = world.ready();
    block_on(record(&journal, 1, &Terms::default())).unwrap();
    drop(journal);
    let before = world.disk.segments();
    let open = |change: fn(&mut JournalOptions)| {
        let mut options = world.options();
        change(&mut options);
        Journal::open(options, Box::new(world.disk.store())).err()
    };
    assert!(open(|_| ()).is_none());
    assert!(matches!(
        open(|o| o.origin = "other.example".into()),
        Some(OpenError::OtherStream)
    ));
    assert!(matches!(
        open(|o| o.origin = "not a name".into()),
        Some(OpenError::Origin)
    ));
    // Frames that another key signed are damage, however whole.
    assert!(matches!(
        open(|o| o.signer = Arc::new(mirror_signer())),
        Some(OpenError::MirrorKey)
    ));
    let other_key = |o: &mut JournalOptions| {
        o.signer = Arc::new(lingqu_tlog::Ed25519Signer::from_seed([9; 32]));
    };
    assert!(matches!(open(other_key), Some(OpenError::Corrupt(_))));
    assert!(matches!(
        open(|o| o.limits.queue_max = 0),
        Some(OpenError::Limits(_))
    ));
    assert!(matches!(
        open(|o| o.limits.segment_len = 4_096),
        Some(OpenError::Limits(_))
    ));
    assert!(world.disk.segments() == before);

    let mut damaged = before.clone();
    damaged.get_mut(&0).unwrap()[4_096 + 1] ^= 1;
    world.disk.replace(damaged.clone());
    assert!(matches!(open(|_| ()), Some(OpenError::Corrupt(_))));
    assert!(world.disk.segments() == damaged, "nothing is modified");
}

#[test]
fn the_default_limits_fit_each_other() {
    JournalLimits::default().check().unwrap();
}

#[test]
fn an_idle_journal_says_that_it_is_there_and_a_busy_one_does_not_need_to() {
    let world = World::new();
    let journal = world.ready();
    let idle = Duration::from_secs(60);
    block_on(async {
        record(&journal, 0, &Terms::default()).await.unwrap();
        world.clock.advance(Duration::from_secs(59));
        assert_eq!(journal.beat(idle).await, Ok(None));
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(journal.beat(idle).await, Ok(Some(1)));
        assert_eq!(journal.beat(idle).await, Ok(None));
        // It is no call: nobody's limits count it.
        assert_eq!(journal.figures().calls_unmirrored, 1);
        // A clock that was set back makes none: it would say nothing of how long it was silent.
        world.clock.set(START);
        assert_eq!(journal.beat(idle).await, Ok(None));
    });
    let shut = world.clock.clone();
    shut.advance(Duration::from_secs(600));
    journal.clone().close();
    assert_eq!(block_on(journal.beat(idle)), Err(AppendFailed::Closed));
}
