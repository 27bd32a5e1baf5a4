//! The mirror's side of the journal: batches, cosignatures, waiters, the lag gate.

use lingqu_core::ErrorCode;
use lingqu_core::decide::ClockState;
use lingqu_core::receipt::Level;
use lingqu_core::record::{Draft, Kind};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{Ed25519Signer, Frontier, Hash, Intl, Note, leaf_hash, sign_cosignature};

use super::super::world::*;
use super::super::{ClosedError, CosignatureRefused, Journal, Outcome};
use super::*;

fn terms(audit: AuditTerms) -> Terms {
    Terms {
        audit,
        ..Terms::default()
    }
}

async fn released(
    journal: &Journal,
    recorded: &super::super::Recorded<u64>,
) -> Result<Level, ErrorCode> {
    match journal.release(recorded).await.into_outcome() {
        Outcome::Answered { level, .. } => Ok(level),
        Outcome::Unrecorded(code) => Err(code),
        other => panic!("{other:?}"),
    }
}

/// Plays the mirror: takes batches from `from` on, checks each against its own tree, and gives their sizes.
async fn follow(journal: &Journal, tree: &mut Frontier<Intl>) -> Vec<(u64, usize)> {
    let mut batches = Vec::new();
    while tree.size() < journal.size() {
        let batch = journal.next_batch(tree.size()).await.unwrap();
        assert_eq!(batch.first, tree.size());
        for entry in &batch.entries {
            tree.push(leaf_hash::<Intl>(entry));
        }
        let note = Note::parse(&batch.checkpoint).unwrap();
        let checkpoint = lingqu_tlog::Checkpoint::parse(&note.text).unwrap();
        assert_eq!(
            (checkpoint.size, checkpoint.root),
            (tree.size(), tree.root())
        );
        let cosignature = cosign(&batch.checkpoint, START);
        journal
            .accept_cosignature(tree.size(), &cosignature)
            .unwrap();
        batches.push((batch.first, batch.entries.len()));
    }
    batches
}

#[test]
fn batches_coalesce_frames_and_replay_after_reopening() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        for call in 0..100 {
            record(&journal, call, &Terms::default()).await.unwrap();
        }
        let batches = follow(&journal, &mut Frontier::new()).await;
        assert!(batches.len() < 10, "{batches:?}");
        assert!(
            batches.iter().all(|(_, entries)| *entries <= 16),
            "{batches:?}"
        );
        assert_eq!(journal.mirrored_size(), 100);
        let checkpoint = journal.checkpoint();
        drop(journal);

        // Memory holds the newest frames only, and after reopening too; the rest comes from the store.
        let journal = world.ready();
        assert_eq!(journal.checkpoint(), checkpoint);
        assert_eq!(journal.mirrored_size(), 0);
        follow(&journal, &mut Frontier::new()).await;
        assert_eq!(journal.mirrored_size(), 100);
        // A mirror may also stand within a frame.
        let batch = journal.next_batch(99).await.unwrap();
        assert_eq!((batch.first, batch.entries.len()), (99, 1));
    });
}

#[test]
fn a_batch_is_waited_for_and_its_wait_ends_with_the_journal() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { journal.next_batch(0).await }
        });
        tokio::task::yield_now().await;
        record(&journal, 1, &Terms::default()).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap().entries.len(), 1);

        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { journal.next_batch(1).await }
        });
        tokio::task::yield_now().await;
        journal.clone().close();
        assert_eq!(waiting.await.unwrap(), Err(ClosedError::Closed));
        // What is there is still given to a mirror that lags behind.
        assert_eq!(journal.next_batch(0).await.unwrap().entries.len(), 1);
    });
}

#[test]
fn a_cosignature_of_anything_else_is_refused() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        record(&journal, 1, &Terms::default()).await.unwrap();
        let first = journal.checkpoint().unwrap();
        record(&journal, 2, &Terms::default()).await.unwrap();
        let second = journal.checkpoint().unwrap();
        let text = |note: &str| Note::parse(note).unwrap().text;
        let other_root = text(&second).replace('A', "B").replace('a', "b");
        let by = |text: &str, name, seed| {
            let signer = Ed25519Signer::from_seed([seed; 32]);
            sign_cosignature::<Intl>(text, name, 1, &signer)
        };
        let key = mirror_key();
        let refused = |size, cosignature: lingqu_tlog::NoteSignature| {
            assert!(journal.accept_cosignature(size, &cosignature).is_err());
            assert_eq!(journal.mirrored_size(), 0);
        };
        // The mirror's key, but over another size or root.
        refused(1, cosign(&second, START));
        refused(2, cosign(&first, START));
        if let Ok(cosignature) = by(&other_root, key.name(), 2) {
            refused(2, cosignature);
        }
        // The right checkpoint, but another key, also under the mirror's name and id.
        refused(2, by(&text(&second), key.name(), 3).unwrap());
        let mut posing = by(&text(&second), key.name(), 3).unwrap();
        posing.id = key.id();
        refused(2, posing);
        assert_eq!(
            journal.accept_cosignature(3, &cosign(&second, START)),
            Err(CosignatureRefused::UnknownSize)
        );
        // The right one.
        journal
            .accept_cosignature(2, &cosign(&second, START))
            .unwrap();
        assert_eq!(journal.mirrored_size(), 2);
        // An older one comes late, and nothing moves back.
        journal
            .accept_cosignature(1, &cosign(&first, START))
            .unwrap();
        assert_eq!(journal.mirrored_size(), 2);
    });
}

#[test]
fn a_mirrored_answer_waits_for_the_mirror_and_no_longer_than_it_may() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        assert_eq!(
            journal.audit_ready(MIRRORED),
            Err(ErrorCode::AuditUnavailable)
        );
        journal.set_mirror_connected(true);
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));

        let recorded = record(&journal, 1, &terms(MIRRORED)).await.unwrap();
        assert_eq!(
            released(&journal, &recorded).await,
            Err(ErrorCode::AuditUnavailable)
        );
        assert_eq!(
            journal.inner.shared.lock().mirror.waiters(),
            0,
            "it has left the list"
        );

        // The same record may be released later.
        world.cosign_newest(&journal);
        assert_eq!(released(&journal, &recorded).await, Ok(Level::Mirrored));

        // One that waits is woken by the cosignature that covers it.
        let patient = terms(AuditTerms::Mirrored {
            wait_ms_max: 60_000,
        });
        let recorded = record(&journal, 2, &patient).await.unwrap();
        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { released(&journal, &recorded).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(journal.inner.shared.lock().mirror.waiters(), 1);
        world.cosign_newest(&journal);
        assert_eq!(waiting.await.unwrap(), Ok(Level::Mirrored));
    });
}

#[test]
fn waiting_ends_when_the_journal_does() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let patient = terms(AuditTerms::Mirrored {
            wait_ms_max: 60_000,
        });
        let recorded = record(&journal, 1, &patient).await.unwrap();
        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { released(&journal, &recorded).await }
        });
        tokio::task::yield_now().await;
        journal.clone().close();
        assert_eq!(waiting.await.unwrap(), Err(ErrorCode::AuditUnavailable));
    });
}

#[test]
fn only_the_cosignature_that_covers_it_wakes_a_waiter() {
    let mut mirror = Mirror::default();
    let cosigned = |size| Cosigned {
        checkpoint: Checkpoint {
            origin: "o".into(),
            size,
            root: lingqu_tlog::Hash([0; 32]),
        },
        signatures: vec![],
    };
    let (_, mut first) = mirror.wait(Awaited::Mirrored, 4);
    let (_, mut second) = mirror.wait(Awaited::Mirrored, 5);
    mirror.advance(cosigned(4), Duration::ZERO);
    assert!(first.try_recv().is_err());
    mirror.advance(cosigned(5), Duration::ZERO);
    assert_eq!(first.try_recv(), Ok(()));
    assert!(second.try_recv().is_err());
    mirror.advance(cosigned(3), Duration::ZERO);
    assert_eq!(mirror.size(), 5, "never back");
    mirror.advance(cosigned(6), Duration::ZERO);
    assert_eq!(second.try_recv(), Ok(()));
}

#[test]
fn the_lag_counts_calls_and_nothing_else() {
    let world = World::new();
    let journal = world.ready();
    let lagged = terms(LAGGED);
    block_on(async {
        for code in [
            ErrorCode::GrantExpired,
            ErrorCode::GrantRevoked,
            ErrorCode::Stopped,
            ErrorCode::EnvMismatch,
        ] {
            let _ = journal.deny::<u64>(denial("party_x", code)).await;
        }
        journal
            .append(Draft::new(Kind::AuthorizationChange))
            .await
            .unwrap();
        for number in 10..20 {
            let call = permitted(number, &lagged);
            let charge = journal.reserve_explanation(call.permit()).unwrap();
            let explained = call.explained(7, Hash([5; 32]), Vec::new());
            let recorded = journal.record(explained, charge).await.unwrap();
            assert_eq!(released(&journal, &recorded).await, Ok(Level::Local));
        }
        let mut recorded = Vec::new();
        for call in 0..3 {
            assert_eq!(journal.audit_ready(LAGGED), Ok(()));
            recorded.push(record(&journal, call, &lagged).await.unwrap());
            assert_eq!(
                released(&journal, recorded.last().unwrap()).await,
                Ok(Level::Local)
            );
        }
        assert_eq!(
            journal.audit_ready(LAGGED),
            Err(ErrorCode::AuditUnavailable)
        );
        recorded.push(record(&journal, 3, &lagged).await.unwrap());
        assert_eq!(
            released(&journal, &recorded[3]).await,
            Err(ErrorCode::AuditUnavailable)
        );
        world.cosign_newest(&journal);
        assert_eq!(journal.audit_ready(LAGGED), Ok(()));
        assert_eq!(released(&journal, &recorded[3]).await, Ok(Level::Mirrored));
    });
}

#[test]
fn the_lag_has_an_age_that_a_restart_does_not_make_young() {
    let world = World::new();
    let journal = world.ready();
    let lagged = terms(LAGGED);
    let recorded = block_on(record(&journal, 1, &lagged)).unwrap();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(block_on(released(&journal, &recorded)), Ok(Level::Local));
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(
        journal.audit_ready(LAGGED),
        Err(ErrorCode::AuditUnavailable)
    );
    assert_eq!(
        block_on(released(&journal, &recorded)),
        Err(ErrorCode::AuditUnavailable)
    );
    drop(journal);
    let journal = world.ready();
    assert_eq!(
        journal.audit_ready(LAGGED),
        Err(ErrorCode::AuditUnavailable)
    );
    world.cosign_newest(&journal);
    assert_eq!(journal.audit_ready(LAGGED), Ok(()));
}

#[test]
fn the_lag_is_bounded_and_still_above_every_limit() {
    let mut lag = Lag::default();
    let applied = |end, calls| Applied {
        end,
        calls,
        oldest_call: Some(Timestamp(0)),
    };
    for end in 1..=300 {
        lag.push(
            &applied(end * 10_000, 10_000),
            (Timestamp(0), Duration::ZERO),
        );
    }
    assert!(lag.calls() >= CALLS_COUNTED_MAX);
    assert!(lag.runs.len() <= 102, "{} runs", lag.runs.len());
    lag.mirrored(2_995_000);
    assert_eq!(
        lag.calls(),
        10_000,
        "a frame counts until it is covered whole"
    );
    lag.mirrored(3_000_000);
    assert_eq!(lag.calls(), 0);
}

#[test]
fn skew_is_seen_at_a_cosignature_and_ends_with_a_good_one() {
    let world = World::new();
    let journal = world.ready();
    block_on(record(&journal, 1, &Terms::default())).unwrap();
    let note = journal.checkpoint().unwrap();
    let accept = |theirs: Timestamp| {
        journal
            .accept_cosignature(1, &cosign(&note, theirs))
            .unwrap()
    };
    for (offset_s, state) in [
        (31, ClockState::Skewed),
        (30, ClockState::Good),
        (-31, ClockState::Skewed),
        (-30, ClockState::Good),
    ] {
        accept(Timestamp(START.0 + offset_s * 1_000_000));
        assert_eq!(journal.clock_state(), state, "{offset_s} s");
    }
    // A skewed time was not taken over as a floor, a good one was.
    assert_eq!(journal.time_floor(), Timestamp(START.0 + 30_000_000));
}
