//! The mirror's side of the journal: batches, cosignatures, waiters, the lag gate.

use lingqu_core::ErrorCode;
use lingqu_core::decide::ClockState;
use lingqu_core::receipt::Level;
use lingqu_core::record::{Draft, Kind};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{
    Ed25519Signer, Frontier, Hash, Intl, KeyName, Note, Signer, VerifierKey, leaf_hash,
    sign_cosignature,
};

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
            .accept_cosignature(0, tree.size(), &cosignature)
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
            assert!(journal.accept_cosignature(0, size, &cosignature).is_err());
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
            journal.accept_cosignature(0, 3, &cosign(&second, START)),
            Err(CosignatureRefused::UnknownSize)
        );
        // The right one.
        journal
            .accept_cosignature(0, 2, &cosign(&second, START))
            .unwrap();
        assert_eq!(journal.mirrored_size(), 2);
        // An older one comes late, and nothing moves back.
        journal
            .accept_cosignature(0, 1, &cosign(&first, START))
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
        journal.set_mirror_connected(0, true);
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

/// What the mirrors are told in tests of quorums: places, and how many are required.
fn mirror_of(count: u8, required: usize) -> Mirror {
    let key = |seed| {
        let public = Ed25519Signer::from_seed([seed; 32]).public_key().to_vec();
        VerifierKey::<Intl>::cosignature(KeyName::parse("m.example").unwrap(), &public).unwrap()
    };
    Mirror::new(&MirrorTerms {
        keys: (1..=count).map(key).collect(),
        required,
    })
}

fn line(of: u8) -> NoteSignature {
    NoteSignature {
        name: KeyName::parse("m.example").unwrap(),
        id: of.into(),
        blob: vec![of],
    }
}

impl Mirror {
    fn cosigns(&mut self, mirror: u8, size: u64) {
        let checkpoint = Checkpoint {
            origin: "o".into(),
            size,
            root: Hash([0; 32]),
        };
        let lines = (line(100), line(mirror));
        self.advance(mirror.into(), checkpoint, lines, Duration::ZERO);
    }
}

#[test]
fn only_the_cosignature_that_covers_it_wakes_a_waiter() {
    let mut mirror = mirror_of(1, 1);
    let (_, mut first) = mirror.wait(Awaited::Mirrored, 4);
    let (_, mut second) = mirror.wait(Awaited::Mirrored, 5);
    mirror.cosigns(0, 4);
    assert!(first.try_recv().is_err());
    mirror.cosigns(0, 5);
    assert_eq!(first.try_recv(), Ok(()));
    assert!(second.try_recv().is_err());
    mirror.cosigns(0, 3);
    assert_eq!(mirror.size(), 5, "never back");
    mirror.cosigns(0, 6);
    assert_eq!(second.try_recv(), Ok(()));
}

#[test]
fn as_many_mirrors_as_required_must_cosign_one_and_the_same_checkpoint() {
    let mut mirror = mirror_of(3, 2);
    let (_, mut waiting) = mirror.wait(Awaited::Mirrored, 4);
    mirror.cosigns(0, 5);
    mirror.cosigns(0, 5);
    assert_eq!(mirror.size(), 0, "one mirror twice is one mirror");
    mirror.cosigns(1, 6);
    assert_eq!(mirror.size(), 0, "two sizes have no receipt");
    assert!(waiting.try_recv().is_err());
    mirror.cosigns(2, 5);
    assert_eq!((mirror.size(), waiting.try_recv()), (5, Ok(())));
    let signed = |mirror: &Mirror| {
        let cosigned = mirror.cosigned.as_ref().unwrap();
        let ids = cosigned.signatures().into_iter().map(|line| line.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(signed(&mirror), [100, 0, 2]);
    mirror.cosigns(0, 6);
    assert_eq!((mirror.size(), signed(&mirror)), (6, vec![100, 0, 1]));
    assert!(!mirror.is_everywhere(6));
    mirror.cosigns(2, 6);
    assert_eq!(signed(&mirror), [100, 0, 1, 2], "late ones are added");
    assert!(mirror.is_everywhere(6));
    assert!(!mirror.is_everywhere(5));
}

#[test]
fn sizes_that_never_find_enough_mirrors_are_bounded_and_the_newest_still_does() {
    let mut mirror = mirror_of(2, 2);
    for size in 1..=10_000 {
        mirror.cosigns(0, size);
    }
    assert_eq!((mirror.size_of(0), mirror.size()), (10_000, 0));
    mirror.cosigns(1, 1);
    assert_eq!(mirror.size(), 0, "too long ago: a newer one comes");
    mirror.cosigns(1, 6_000);
    assert_eq!(mirror.size(), 6_000, "far behind, and still in time");
    mirror.cosigns(1, 10_000);
    assert_eq!(mirror.size(), 10_000);
}

#[test]
fn as_many_mirrors_as_required_must_be_reached() {
    let mut mirror = mirror_of(3, 2);
    mirror.set_connected(1, true);
    assert!(!mirror.is_connected());
    mirror.set_connected(2, true);
    assert!(mirror.is_connected());
    assert!(!mirror.reaches(0) && mirror.reaches(1));
    mirror.set_connected(1, false);
    assert!(!mirror.is_connected());
}

#[test]
fn every_mirror_is_heard_unless_fewer_are_required_and_the_others_were_tried() {
    for (count, required) in [(1_usize, 1), (2, 1), (2, 2), (3, 1), (3, 2), (5, 3)] {
        for heard in 0..=count {
            let after = |tried: bool, lost: bool| {
                let mut mirror = mirror_of(u8::try_from(count).unwrap(), required);
                (0..heard).for_each(|place| mirror.heard(place));
                if tried {
                    (heard..count).for_each(|place| mirror.was_away(place));
                }
                if lost {
                    mirror.lost_something();
                }
                mirror.has_heard_enough()
            };
            let all = heard == count;
            assert_eq!(
                [after(false, false), after(false, true), after(true, true)],
                [all; 3]
            );
            // However the others were chosen, fewer than `required` are unheard.
            let crosses = required < count && count - heard < required;
            assert_eq!(after(true, false), all || crosses, "{heard} of {count}");
        }
    }
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
fn skew_is_seen_at_a_cosignature_and_ends_with_a_good_one() {
    let world = World::new();
    let journal = world.ready();
    block_on(record(&journal, 1, &Terms::default())).unwrap();
    let note = journal.checkpoint().unwrap();
    let accept = |theirs: Timestamp| {
        journal
            .accept_cosignature(0, 1, &cosign(&note, theirs))
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
