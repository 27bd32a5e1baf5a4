//! Journal and mirror at the start: equal, one of them shorter, contradicting, or lying.

use lingqu_core::record::{Draft, Kind};
use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer as _, sign_cosignature, sign_note};

use super::super::AppendFailed;
use super::super::world::*;
use super::*;
use crate::store::faulty::Fault;

/// What a mirror holds of a journal: its entries and cosigned checkpoints.
struct Copy {
    entries: Vec<Vec<u8>>,
    checkpoint: String,
}

/// A journal with `calls` calls, and the mirror's copy of it.
fn grown(world: &World, calls: u64) -> Copy {
    let journal = world.ready();
    block_on(async {
        for call in journal.size()..calls {
            record(&journal, call, &Terms::default()).await.unwrap();
        }
    });
    copy(&journal)
}

fn copy(journal: &Journal) -> Copy {
    let mut entries = Vec::new();
    block_on(async {
        while (entries.len() as u64) < journal.size() {
            let from = entries.len() as u64;
            entries.extend(journal.next_batch(from).await.unwrap().entries);
        }
    });
    Copy {
        entries,
        checkpoint: cosigned(&journal.checkpoint().unwrap(), START),
    }
}

fn append(journal: &Journal) -> Result<u64, AppendFailed> {
    block_on(journal.append(Draft::new(Kind::NodeStart)))
}

#[test]
fn a_mirror_that_has_the_same_or_less_is_a_prefix() {
    let world = World::new();
    let early = grown(&world, 3);
    let late = grown(&world, 150);
    for (copy, size) in [(&late, 150), (&early, 3)] {
        let journal = world.open().unwrap();
        assert!(!journal.reconciled());
        // The early one is longer ago than the tree remembers: its root is read from the store.
        assert_eq!(
            journal.reconcile(0, Some(&copy.checkpoint)),
            Ok(Reconciled::Ready)
        );
        assert_eq!(
            (journal.reconciled(), journal.mirrored_size()),
            (true, size)
        );
        // Again, on a new connection.
        assert_eq!(
            journal.reconcile(0, Some(&copy.checkpoint)),
            Ok(Reconciled::Ready)
        );
    }
    let journal = world.open().unwrap();
    journal.reconcile(0, Some(&late.checkpoint)).unwrap();
    assert_eq!(append(&journal), Ok(150));
}

#[test]
fn what_the_journal_lost_it_takes_back_from_the_mirror() {
    let world = World::new();
    let early = grown(&world, 20);
    let before = world.disk.segments();
    let whole = grown(&world, 120);
    // The disk is restored from an old copy.
    world.disk.replace(before);
    let journal = world.open().unwrap();
    assert_eq!(
        journal.reconcile(0, Some(&whole.checkpoint)),
        Ok(Reconciled::MirrorAhead { from: 20 })
    );
    assert_eq!(append(&journal), Err(AppendFailed::NotReconciled));
    let lost = whole.entries[20..].to_vec();

    // Entries that do not lead there are refused, and nothing is written.
    let mut altered = lost.clone();
    *altered[7].last_mut().unwrap() ^= 1;
    let mut swapped = lost.clone();
    swapped.swap(3, 4);
    for wrong in [
        vec![],
        altered,
        swapped,
        lost[1..].to_vec(),
        lost[..99].to_vec(),
        whole.entries.clone(),
    ] {
        assert_eq!(
            journal.adopt(0, wrong, &whole.checkpoint),
            Err(ReconcileRefused::Entries)
        );
    }
    assert_eq!((journal.size(), journal.reconciled()), (20, false));

    // A mirror that now shows less, or nothing, does not make us forget what it has shown.
    for less in [None, Some(early.checkpoint.as_str())] {
        assert_eq!(journal.reconcile(0, less), Ok(Reconciled::Waiting));
    }
    assert_eq!(append(&journal), Err(AppendFailed::NotReconciled));

    journal.adopt(0, lost, &whole.checkpoint).unwrap();
    assert_eq!((journal.size(), journal.mirrored_size()), (120, 120));
    // What came back has to be looked at before anything can be recorded.
    assert_eq!(append(&journal), Err(AppendFailed::NotReconciled));
    assert_eq!(
        journal.adopt(0, vec![], &whole.checkpoint),
        Err(ReconcileRefused::NotAhead)
    );
    assert_eq!(
        journal.reconcile(0, Some(&whole.checkpoint)),
        Ok(Reconciled::Ready)
    );
    assert!(journal.reconciled());
    let terms = Terms::default();
    assert_eq!(
        journal.usage(&terms.grant.parse().unwrap(), START).total,
        120,
        "what was adopted is charged"
    );
    assert_eq!(append(&journal), Ok(120));
    assert_eq!(
        journal.adopt(0, vec![], &whole.checkpoint),
        Err(ReconcileRefused::NotAhead)
    );
    let again = copy(&journal);
    assert_eq!(again.entries[..120], whole.entries);
    // A batch may begin within a frame, since these are other frames than those that the mirror knows.
    let batch = block_on(journal.next_batch(50)).unwrap();
    assert_eq!((batch.first, &batch.entries[0]), (50, &whole.entries[50]));
    drop(journal);
    // It is durable, and the mirror's older checkpoint, now within a frame, is still a prefix.
    let journal = world.open().unwrap();
    assert_eq!(journal.size(), 121);
    assert_eq!(
        journal.reconcile(0, Some(&whole.checkpoint)),
        Ok(Reconciled::Ready)
    );
}

#[test]
fn an_empty_journal_takes_everything_back_and_may_be_interrupted() {
    let mut world = World::new();
    world.limits.frame_bytes_max = 74_000;
    let whole = grown(&world, 250);
    world.disk.replace(Default::default());
    let journal = world.open().unwrap();
    assert_eq!(
        journal.reconcile(0, Some(&whole.checkpoint)),
        Ok(Reconciled::MirrorAhead { from: 0 })
    );
    // One frame is too small for all; the second one fails.
    world.disk.plan(1, Fault::Before);
    assert_eq!(
        journal.adopt(0, whole.entries.clone(), &whole.checkpoint),
        Err(ReconcileRefused::Closed)
    );
    drop(journal);
    let journal = world.open().unwrap();
    let size = journal.size();
    assert!((1..250).contains(&size), "{size}");
    assert_eq!(
        journal.reconcile(0, Some(&whole.checkpoint)),
        Ok(Reconciled::MirrorAhead { from: size })
    );
    let rest = whole.entries[usize::try_from(size).unwrap()..].to_vec();
    journal.adopt(0, rest, &whole.checkpoint).unwrap();
    journal.reconcile(0, Some(&whole.checkpoint)).unwrap();
    assert_eq!((journal.size(), journal.reconciled()), (250, true));
}

#[test]
fn another_history_closes_the_journal_for_ever() {
    let world = World::new();
    let other_world = World::new();
    other_world.clock.set(Timestamp(START.0 + 5));
    let other = grown(&other_world, 4);
    grown(&world, 6);
    let journal = world.open().unwrap();
    assert_eq!(
        journal.reconcile(0, Some(&other.checkpoint)),
        Err(ReconcileRefused::Fork)
    );
    assert_eq!(append(&journal), Err(AppendFailed::Forked));
    assert_eq!(journal.reconcile(0, None), Err(ReconcileRefused::Fork));
    assert_eq!(
        journal.reconcile(0, Some(&other.checkpoint)),
        Err(ReconcileRefused::Fork)
    );
    assert!(!journal.reconciled());
}

#[test]
fn a_fork_also_stops_what_was_recorded_before() {
    let world = World::new();
    let other_world = World::new();
    other_world.clock.set(Timestamp(START.0 + 5));
    let other = grown(&other_world, 4);
    let journal = world.ready();
    block_on(async {
        let recorded = record(&journal, 1, &Terms::default()).await.unwrap();
        // The mirror is ahead of a journal that has been writing: two writers have one key.
        assert_eq!(
            journal.reconcile(0, Some(&other.checkpoint)),
            Err(ReconcileRefused::Fork)
        );
        let outcome = journal.release(&recorded).await.into_outcome();
        let unavailable = lingqu_core::ErrorCode::AuditUnavailable;
        assert_eq!(outcome, super::super::Outcome::Unrecorded(unavailable));
    });
}

#[test]
fn a_longer_history_that_is_not_ours_is_not_adopted() {
    let world = World::new();
    let other_world = World::new();
    other_world.clock.set(Timestamp(START.0 + 500));
    let other = grown(&other_world, 9);
    grown(&world, 6);
    let journal = world.open().unwrap();
    assert_eq!(
        journal.reconcile(0, Some(&other.checkpoint)),
        Ok(Reconciled::MirrorAhead { from: 6 })
    );
    assert_eq!(
        journal.adopt(0, other.entries[6..].to_vec(), &other.checkpoint),
        Err(ReconcileRefused::Entries)
    );
    assert_eq!(append(&journal), Err(AppendFailed::NotReconciled));
}

#[test]
fn a_checkpoint_counts_only_with_both_signatures() {
    let world = World::new();
    let whole = grown(&world, 2);
    let journal = world.open().unwrap();
    let note = lingqu_tlog::Note::parse(&whole.checkpoint).unwrap();
    let signed_by = |log_seed: u8, mirror_seed: u8, text: &str| {
        let log = Ed25519Signer::from_seed([log_seed; 32]);
        let mirror = Ed25519Signer::from_seed([mirror_seed; 32]);
        let name = KeyName::parse(ORIGIN).unwrap();
        let cosignature = sign_cosignature::<Intl>(text, mirror_key().name(), 1, &mirror);
        Note {
            text: text.to_owned(),
            signatures: vec![
                sign_note::<Intl>(text, &name, &log).unwrap(),
                cosignature.unwrap(),
            ],
        }
        .to_string()
    };
    let other_origin = note.text.replace("node-a", "node-b");
    let cases = [
        (signed_by(1, 2, &note.text), Ok(Reconciled::Ready)),
        (
            signed_by(3, 2, &note.text),
            Err(ReconcileRefused::LogSignature),
        ),
        (
            signed_by(1, 3, &note.text),
            Err(ReconcileRefused::Cosignature),
        ),
        (
            signed_by(1, 2, &other_origin),
            Err(ReconcileRefused::Checkpoint),
        ),
        (
            journal.checkpoint().unwrap(),
            Err(ReconcileRefused::Cosignature),
        ),
        ("".to_owned(), Err(ReconcileRefused::Checkpoint)),
    ];
    for (shown, expected) in cases.into_iter().rev() {
        assert!(!journal.reconciled());
        assert_eq!(journal.reconcile(0, Some(&shown)), expected);
    }
    assert_ne!(signer().public_key(), mirror_signer().public_key());
}

#[test]
fn a_cosignature_from_the_future_shows_that_the_clock_is_behind() {
    use lingqu_core::decide::ClockState;
    let world = World::new();
    let whole = grown(&world, 1);
    for (ahead_s, state) in [(30, ClockState::Good), (31, ClockState::Skewed)] {
        let journal = world.open().unwrap();
        let later = Timestamp(START.0 + ahead_s * 1_000_000);
        let shown = cosigned(&journal.checkpoint().unwrap(), later);
        journal.reconcile(0, Some(&shown)).unwrap();
        assert_eq!(journal.clock_state(), state, "{ahead_s} s");
        // One of some time ago says nothing about now.
        journal.reconcile(0, Some(&whole.checkpoint)).unwrap();
        assert_eq!(journal.clock_state(), state, "{ahead_s} s");
    }
    world.clock.advance(std::time::Duration::from_secs(3_600));
    let journal = world.open().unwrap();
    journal.reconcile(0, Some(&whole.checkpoint)).unwrap();
    assert_eq!(journal.clock_state(), ClockState::Good);
}

#[test]
fn a_journal_that_lost_something_hears_every_mirror_before_it_signs_anything() {
    for required in [1, 2] {
        let world = World::new();
        let early = grown(&world, 20);
        let whole = grown(&world, 30);
        world.disk.replace(std::collections::BTreeMap::default());
        let journal = open_with_two(&world, required);
        let ahead = Ok(Reconciled::MirrorAhead { from: 0 });
        assert_eq!(journal.reconcile(0, Some(&early.checkpoint)), ahead);
        journal
            .adopt(0, early.entries.clone(), &early.checkpoint)
            .unwrap();
        assert_eq!(
            journal.reconcile(0, Some(&early.checkpoint)),
            Ok(Reconciled::Waiting)
        );
        assert_eq!(append(&journal), Err(AppendFailed::NotReconciled));
        // The first mirror's word is none of the second's.
        assert_eq!(
            journal.reconcile(1, Some(&whole.checkpoint)),
            Err(ReconcileRefused::Cosignature)
        );
        let shown = by_second(&whole.checkpoint);
        let ahead = Ok(Reconciled::MirrorAhead { from: 20 });
        assert_eq!(journal.reconcile(1, Some(&shown)), ahead);
        assert_eq!(
            journal.reconcile(0, Some(&early.checkpoint)),
            Ok(Reconciled::Waiting)
        );
        journal
            .adopt(1, whole.entries[20..].to_vec(), &shown)
            .unwrap();
        assert_eq!(journal.reconcile(1, Some(&shown)), Ok(Reconciled::Ready));
        assert_eq!(append(&journal), Ok(30));
    }
}

/// The journal of a node that needs two of three mirrors.
fn open_two_of_three(world: &World, lost: bool) -> Journal {
    let mut options = world.options();
    let third = Ed25519Signer::from_seed([78; 32]);
    let name = KeyName::parse("third.example/mirror").unwrap();
    let third = VerifierKey::cosignature(name, third.public_key()).unwrap();
    options.mirrors.keys.extend([second_key(), third]);
    options.mirrors.required = 2;
    options.lost = lost;
    Journal::open(options, Box::new(world.disk.store())).unwrap()
}

#[test]
fn a_mirror_that_was_tried_is_not_waited_for_where_the_others_are_enough() {
    let world = World::new();
    let early = grown(&world, 20);
    grown(&world, 30);
    let waiting = Ok(Reconciled::Waiting);
    let both = open_with_two(&world, 2);
    assert_eq!(both.reconcile(0, Some(&early.checkpoint)), waiting);
    assert!(
        !both.mirror_was_away(1),
        "without it nothing would leave anyway"
    );
    assert_eq!(append(&both), Err(AppendFailed::NotReconciled));
    drop(both);
    // Two of three: whatever was answered for is at one of two.
    let journal = open_two_of_three(&world, true);
    assert_eq!(journal.reconcile(0, None), waiting);
    assert_eq!(journal.reconcile(1, None), waiting);
    assert!(
        !journal.mirror_was_away(2),
        "what was lost may be there alone"
    );
    assert!(journal.may_have_lost());
    drop(journal);
    let journal = open_two_of_three(&world, false);
    assert!(!journal.mirror_was_away(2), "nobody else was heard");
    assert_eq!(journal.reconcile(0, Some(&early.checkpoint)), waiting);
    assert_eq!(journal.reconcile(1, None), Ok(Reconciled::Ready));
    assert!(!journal.mirror_was_away(2), "it is open already");
    assert_eq!(append(&journal), Ok(30));
    drop(journal);
    let journal = open_two_of_three(&world, false);
    assert_eq!(journal.reconcile(0, Some(&early.checkpoint)), waiting);
    assert_eq!(journal.reconcile(1, None), waiting);
    assert!(journal.mirror_was_away(2), "now it was tried");
    assert_eq!(append(&journal), Ok(31));
}

#[test]
fn a_mirror_that_is_heard_later_and_has_another_history_closes_the_journal() {
    let world = World::new();
    grown(&world, 20);
    let other = World::new();
    other.clock.advance(std::time::Duration::from_secs(1));
    let another = grown(&other, 20);
    let longer = grown(&other, 40);
    for shown in [&another, &longer] {
        let journal = open_two_of_three(&world, false);
        assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Waiting));
        assert_eq!(journal.reconcile(2, None), Ok(Reconciled::Waiting));
        assert!(journal.mirror_was_away(1));
        let shown = by_second(&shown.checkpoint);
        assert_eq!(
            journal.reconcile(1, Some(&shown)),
            Err(ReconcileRefused::Fork)
        );
        assert_eq!(append(&journal), Err(AppendFailed::Forked));
    }
}

#[test]
fn an_answer_waits_for_as_many_mirrors_as_required_and_its_receipt_shows_them() {
    let world = World::new();
    let journal = open_with_two(&world, 2);
    assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Waiting));
    assert_eq!(journal.reconcile(1, None), Ok(Reconciled::Ready));
    let patient = Terms {
        audit: lingqu_policy::AuditTerms::Mirrored { wait_ms_max: 1 },
        ..Terms::default()
    };
    block_on(async {
        let recorded = record(&journal, 1, &patient).await.unwrap();
        let released = async || journal.release(&recorded).await.into_outcome();
        world.cosign_newest(&journal);
        assert!(matches!(
            released().await,
            super::super::Outcome::Unrecorded(_)
        ));
        // The first mirror's word, from the second's mouth.
        let note = journal.checkpoint().unwrap();
        let others = journal.accept_cosignature(1, 1, &cosign(&note, START));
        assert!(others.is_err());
        assert_eq!(journal.mirrored_by(1), 0);
        let shown = by_second(&note);
        let line = Note::parse(&shown).unwrap().signatures.remove(1);
        journal.accept_cosignature(1, 1, &line).unwrap();
        let super::super::Outcome::Answered { receipt, .. } = released().await else {
            panic!("both mirrors have it");
        };
        let log = VerifierKey::<Intl>::note(KeyName::parse(ORIGIN).unwrap(), signer().public_key());
        let policy = format!(
            "log {}\nwitness a {}\nwitness b {}\ngroup both all a b\nquorum both\n",
            log.unwrap(),
            mirror_key(),
            second_key()
        );
        let trust = lingqu_core::trust::Trust::<Intl>::parse(&policy).unwrap();
        receipt.verify(&trust).unwrap();
        let mut without = receipt.clone();
        without.signatures.pop();
        assert!(
            without.verify(&trust).is_err(),
            "one of the two is not enough"
        );
    });
}

#[test]
fn a_key_that_is_named_twice_or_required_too_often_is_refused() {
    let world = World::new();
    let opened = |change: fn(&mut super::super::MirrorTerms)| {
        let mut options = world.options();
        change(&mut options.mirrors);
        Journal::open(options, Box::new(world.disk.store())).map(drop)
    };
    use super::super::OpenError;
    assert!(matches!(
        opened(|terms| terms.keys.push(mirror_key())),
        Err(OpenError::MirrorKey)
    ));
    assert!(matches!(
        opened(|terms| terms.required = 2),
        Err(OpenError::Mirrors)
    ));
    assert!(matches!(
        opened(|terms| terms.required = 0),
        Err(OpenError::Mirrors)
    ));
    assert!(matches!(
        opened(|terms| terms.keys.clear()),
        Err(OpenError::Mirrors)
    ));
}
