//! Terms that ask for witnesses: who must have cosigned before an answer leaves, and what it costs when they do not.

use lingqu_core::ErrorCode;
use lingqu_core::receipt::{Level, Receipt, ReceiptRefused};
use lingqu_core::trust::Trust;
use lingqu_policy::{AuditTerms, MicroRho};
use lingqu_tlog::{
    Ed25519Signer, Intl, KeyName, Note, NoteSignature, Policy, Signer, VerifierKey,
    sign_cosignature,
};

use super::tests::*;
use super::*;
use crate::Outcome;
use crate::stream::world::*;
use crate::stream::{DpCharge, Reconciled, Recorded};

const WITNESSED: AuditTerms = AuditTerms::Witnessed { wait_ms_max: 1 };

fn witness(number: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([40 + number; 32])
}

fn witness_key(number: u8) -> VerifierKey<Intl> {
    let name = KeyName::parse(&format!("w{number}.example/witness")).unwrap();
    VerifierKey::cosignature(name, witness(number).public_key()).unwrap()
}

/// Two of three.
fn quorum() -> String {
    let lines: String = (1..=3)
        .map(|number| format!("witness w{number} {}\n", witness_key(number)))
        .collect();
    format!("{lines}group two 2 w1 w2 w3\nquorum two\n")
}

/// What is shown, with the cosignatures of these witnesses.
fn cosigned_by(shown: HeadShown, witnesses: &[u8]) -> HeadShown {
    let mut note = Note::parse(shown.checkpoint.clone()).unwrap();
    for number in witnesses {
        let name = witness_key(*number).name().clone();
        let line = sign_cosignature::<Intl>(&note.text, &name, 7, &witness(*number));
        note.signatures.push(line.unwrap());
    }
    HeadShown {
        checkpoint: note.to_string(),
        ..shown
    }
}

fn followed(world: &World, witnesses: Option<&str>) -> Journal {
    let journal = world.open().unwrap();
    let witnesses = witnesses.map(|text| Policy::parse(text).unwrap());
    journal
        .follow_heads(HeadTerms {
            witnesses,
            ..terms(None)
        })
        .unwrap();
    assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
    journal.set_mirror_connected(0, true);
    journal
}

async fn recorded(journal: &Journal, world: &World, call: u64) -> Recorded<u64> {
    let asked = Terms {
        audit: WITNESSED,
        ..Terms::default()
    };
    let recorded = record(journal, call, &asked).await.unwrap();
    world.cosign_newest(journal);
    recorded
}

async fn released(journal: &Journal, recorded: &Recorded<u64>) -> Result<Receipt, ErrorCode> {
    match journal.release(recorded).await.into_outcome() {
        Outcome::Answered { receipt, level, .. } => {
            assert_eq!(level, Level::Witnessed);
            Ok(receipt)
        }
        Outcome::Unrecorded(code) => Err(code),
        other => panic!("{other:?}"),
    }
}

fn heads_trust(witnesses: &str) -> Trust<Intl> {
    Trust::parse(&format!("log {}\n{witnesses}", head_key())).unwrap()
}

const UNAVAILABLE: Result<Receipt, ErrorCode> = Err(ErrorCode::AuditUnavailable);

#[test]
fn an_answer_waits_for_the_quorum_and_its_receipt_proves_it() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, Some(&quorum()));
        let mut log = HeadLog::new();
        log.push(b"somebody else");
        let first = recorded(&journal, &world, 1).await;
        let index = log.head(&journal);
        // The mirror has it, the head log has it, one witness has seen it: not enough.
        for witnesses in [&[][..], &[2]] {
            let shown = cosigned_by(log.shown(index, journal_size(&journal)), witnesses);
            take(&journal, &shown).unwrap();
            assert!(journal.heads_fresh());
            assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
            assert_eq!(
                journal.audit_ready(WITNESSED),
                Err(ErrorCode::AuditUnavailable)
            );
            assert_eq!(released(&journal, &first).await, UNAVAILABLE);
        }
        take(&journal, &cosigned_by(log.shown(index, 2), &[3, 1])).unwrap();
        assert_eq!(journal.audit_ready(WITNESSED), Ok(()));
        assert_eq!(journal.figures().heads.unwrap().witnessed, 1);
        let receipt = released(&journal, &first).await.unwrap();
        let proven = receipt.verify_witnessed(&trust(), &heads_trust(&quorum()));
        let proven = proven.unwrap();
        assert_eq!((proven.level, proven.record.index), (Level::Witnessed, 0));
        assert_eq!(proven.witnessed_at.unwrap().unix_s(), 7);
        assert_eq!(receipt.verify(&trust()).unwrap().level, Level::Mirrored);

        // A later record: the head before it does not speak for it.
        let second = recorded(&journal, &world, 2).await;
        assert_eq!(released(&journal, &second).await, UNAVAILABLE);
        let index = log.head(&journal);
        take(&journal, &log.shown(index, 2)).unwrap();
        // The newest head lacks the witnesses: nothing more is begun, and what was witnessed stays so.
        assert_eq!(
            journal.audit_ready(WITNESSED),
            Err(ErrorCode::AuditUnavailable)
        );
        assert_eq!(released(&journal, &second).await, UNAVAILABLE);
        assert!(released(&journal, &first).await.is_ok());
        take(&journal, &cosigned_by(log.shown(index, 3), &[1, 2, 3])).unwrap();
        assert!(released(&journal, &second).await.is_ok());
        // A conversation that ended takes the readiness with it.
        journal.set_mirror_connected(0, false);
        journal.set_mirror_connected(0, true);
        assert_eq!(
            journal.audit_ready(WITNESSED),
            Err(ErrorCode::AuditUnavailable)
        );
    });
}

/// Heads that the journal has accepted.
fn journal_size(journal: &Journal) -> u64 {
    journal.figures().heads.unwrap().log_size
}

#[test]
fn a_waiting_answer_leaves_when_the_witnesses_come() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, Some(&quorum()));
        let patient = Terms {
            audit: AuditTerms::Witnessed {
                wait_ms_max: 60_000,
            },
            ..Terms::default()
        };
        let recorded = record(&journal, 1, &patient).await.unwrap();
        world.cosign_newest(&journal);
        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { released(&journal, &recorded).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(journal.inner.shared.lock().mirror.waiters(), 1);
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        take(&journal, &cosigned_by(log.shown(index, 0), &[1, 2])).unwrap();
        assert!(waiting.await.unwrap().is_ok());
        assert_eq!(journal.inner.shared.lock().mirror.waiters(), 0);
    });
}

#[test]
fn without_pinned_witnesses_nothing_is_witnessed() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, None);
        let first = recorded(&journal, &world, 1).await;
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        take(&journal, &cosigned_by(log.shown(index, 0), &[1, 2, 3])).unwrap();
        assert_eq!(
            journal.audit_ready(WITNESSED),
            Err(ErrorCode::AuditUnavailable)
        );
        assert_eq!(released(&journal, &first).await, UNAVAILABLE);
    });
    // Nor where no head log is followed at all.
    let world = World::new();
    let journal = world.ready();
    journal.set_mirror_connected(0, true);
    assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
    assert_eq!(
        journal.audit_ready(WITNESSED),
        Err(ErrorCode::AuditUnavailable)
    );
}

#[test]
fn witnesses_that_are_none_are_not_followed() {
    let key = |signer: &Ed25519Signer| {
        let name = KeyName::parse("w.example/witness").unwrap();
        VerifierKey::<Intl>::cosignature(name, signer.public_key()).unwrap()
    };
    let one = |signer: &Ed25519Signer| format!("witness w {}\nquorum w\n", key(signer));
    let log = format!("log {}\n", head_key());
    for wrong in [
        "quorum none\n".to_owned(),
        quorum().replace("quorum two", "quorum none"),
        log + &quorum(),
        // The mirror, the node or the coordinator under a witness's name.
        one(&mirror_signer()),
        one(&signer()),
        one(&head_signer()),
    ] {
        let world = World::new();
        let journal = world.open().unwrap();
        let refused = journal.follow_heads(HeadTerms {
            witnesses: Some(Policy::parse(&wrong).unwrap()),
            ..terms(None)
        });
        assert_eq!(refused, Err(HeadTermsRefused::Witnesses), "{wrong}");
    }
}

#[test]
fn a_wrong_cosignature_of_a_known_witness_refuses_the_whole() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, Some(&quorum()));
        recorded(&journal, &world, 1).await;
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        let good = cosigned_by(log.shown(index, 0), &[1, 2, 3]);
        let mut note = Note::parse(good.checkpoint.clone()).unwrap();
        let last = note.signatures.last_mut().unwrap();
        *last.blob.last_mut().unwrap() ^= 1;
        let forged = HeadShown {
            checkpoint: note.to_string(),
            ..good.clone()
        };
        assert_eq!(take(&journal, &forged), Err(HeadRefused::Signature));
        assert_eq!(take(&journal, &good), Ok(()));
    });
}

/// What a caller is given is proof to somebody else too, or none.
#[test]
fn a_receipt_without_its_witnesses_is_refused() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, Some(&quorum()));
        let mut log = HeadLog::new();
        log.push(b"before");
        let first = recorded(&journal, &world, 1).await;
        let index = log.head(&journal);
        log.push(b"after");
        take(&journal, &cosigned_by(log.shown(index, 0), &[1, 2])).unwrap();
        let receipt = released(&journal, &first).await.unwrap();
        let heads = heads_trust(&quorum());
        let refused = |change: &dyn Fn(&mut Receipt), heads: &Trust<Intl>| {
            let mut changed = receipt.clone();
            change(&mut changed);
            changed.verify_witnessed(&trust(), heads).unwrap_err()
        };
        let head = |change: fn(&mut HeadProof)| {
            let change = move |receipt: &mut Receipt| change(receipt.head.as_mut().unwrap());
            refused(&change, &heads)
        };
        assert_eq!(
            refused(&|receipt| receipt.head = None, &heads),
            ReceiptRefused::HeadMissing
        );
        assert_eq!(head(|head| head.index += 1), ReceiptRefused::Head);
        assert_eq!(head(|head| head.received.0 += 1), ReceiptRefused::Head);
        assert_eq!(head(|head| head.proof.truncate(1)), ReceiptRefused::Head);
        assert_eq!(head(|head| head.checkpoint.clear()), ReceiptRefused::Head);
        // Other signatures on the stream's checkpoint, or in another order, make another leaf.
        let swapped = |receipt: &mut Receipt| receipt.signatures.swap(0, 1);
        assert_eq!(refused(&swapped, &heads), ReceiptRefused::Head);
        let twice =
            |receipt: &mut Receipt| receipt.signatures.insert(1, receipt.signatures[0].clone());
        assert_eq!(refused(&twice, &heads), ReceiptRefused::Head);
        // Fewer witnesses than asked for, also when the file asks for none of those that it knows.
        let fewer = |receipt: &mut Receipt| {
            let head = receipt.head.as_mut().unwrap();
            let mut note = Note::parse(head.checkpoint.clone()).unwrap();
            note.signatures.truncate(2);
            head.checkpoint = note.to_string();
        };
        let missing = |refused| matches!(refused, ReceiptRefused::QuorumMissing(_));
        assert!(missing(refused(&fewer, &heads)));
        let nobody = heads_trust("quorum none\n");
        assert!(missing(refused(&|_| {}, &nobody)));
        // A head log that the reader does not know, and one of another region by the same key.
        let other = format!("log {}\n{}", witness_log("coord.example/h/46"), quorum());
        let other = Trust::parse(&other).unwrap();
        assert!(matches!(
            refused(&|_| {}, &other),
            ReceiptRefused::StreamUnknown(_)
        ));
        // The mirror of the stream is asked for as ever.
        let log = trust().log(&receipt.checkpoint.origin).unwrap().clone();
        let no_mirror = Trust::of_logs(&[log]).unwrap();
        let refused = receipt.verify_witnessed(&no_mirror, &heads).unwrap_err();
        assert!(missing(refused));

        // As text and back, with one spelling.
        let text = receipt.to_text();
        assert!(text.starts_with("lingqu/witnessed/v1\n"));
        assert_eq!(Receipt::from_text(&text), Ok(receipt.clone()));
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                assert!(Receipt::from_text(&text[..end]).is_err(), "cut at {end}");
            }
        }
        assert!(Receipt::from_text(&format!("{text}x")).is_err());
        let plain = receipt.tlog_proof().to_string();
        assert_eq!(Receipt::from_text(&plain).unwrap().to_text(), plain);
        // Each half is a proof by itself, for whoever has other tools.
        let head = receipt.head_tlog_proof().unwrap();
        let leaf = head.extra.clone().unwrap();
        let quorum = lingqu_tlog::Quorum::new(vec![witness_key(1), witness_key(2)], 2).unwrap();
        head.verify(leaf_hash::<Intl>(&leaf), &head_key(), &quorum)
            .unwrap();
        // A head of another checkpoint is not taken for this one's.
        let mut swapped = receipt.clone();
        swapped.checkpoint.size += 1;
        let swapped = swapped.to_text();
        let parts = format!("{}\n{plain}", plain.len());
        let other = swapped.find("c2sp.org").map(|at| &swapped[at..]).unwrap();
        let other_plain = &other[..swapped_len(&swapped)];
        let mixed = text.replace(&parts, &format!("{}\n{other_plain}", other_plain.len()));
        assert_ne!(mixed, text);
        assert!(Receipt::from_text(&mixed).is_err());
    });
}

/// The length that stands in the second line.
fn swapped_len(text: &str) -> usize {
    text.lines().nth(1).unwrap().parse().unwrap()
}

fn witness_log(name: &str) -> VerifierKey<Intl> {
    VerifierKey::note(KeyName::parse(name).unwrap(), head_signer().public_key()).unwrap()
}

/// A quorum that falls silent costs one debit, however often is tried: as a silent mirror does.
#[test]
fn silent_witnesses_cost_one_debit() {
    let world = World::new();
    let journal = followed(&world, Some(&quorum()));
    let asked = Terms {
        audit: WITNESSED,
        rho: Some(MicroRho(1_000_000)),
        ..Terms::default()
    };
    let cost = || DpCharge {
        space: "persons".to_owned(),
        rho: MicroRho(2),
        space_limit: MicroRho(1_000),
        from_store: false,
    };
    let debit = || {
        block_on(async {
            let call = permitted(1, &asked);
            let mut charge = journal.reserve(call.permit()).unwrap();
            journal.debit(&mut charge, cost()).await.map(|_| ())
        })
    };
    for _ in 0..5 {
        assert_eq!(debit(), Err(ErrorCode::AuditUnavailable));
        // The mirror has it, at once; the witnesses do not.
        world.cosign_newest(&journal);
        assert_eq!(journal.size(), 1);
    }
    let mut log = HeadLog::new();
    let index = log.head(&journal);
    take(&journal, &cosigned_by(log.shown(index, 0), &[1])).unwrap();
    assert_eq!(debit(), Err(ErrorCode::AuditUnavailable));
    assert_eq!(journal.size(), 1);
    take(&journal, &cosigned_by(log.shown(index, 1), &[1, 2])).unwrap();
    assert_eq!(debit(), Err(ErrorCode::AuditUnavailable));
    assert_eq!(journal.size(), 2);
}

#[test]
fn with_several_mirrors_the_head_s_own_checkpoint_must_be_cosigned_by_enough() {
    let world = World::new();
    block_on(async {
        let journal = open_with_two(&world, 2);
        let witnesses = Some(Policy::parse(&quorum()).unwrap());
        journal
            .follow_heads(HeadTerms {
                witnesses,
                ..terms(None)
            })
            .unwrap();
        journal.reconcile(0, None).unwrap();
        assert_eq!(journal.reconcile(1, None), Ok(Reconciled::Ready));
        let mut log = HeadLog::new();
        let first = recorded(&journal, &world, 1).await;
        let earlier = journal.checkpoint().unwrap();
        let index = log.head(&journal);
        take(&journal, &cosigned_by(log.shown(index, 0), &[1, 2])).unwrap();
        assert_eq!(released(&journal, &first).await, UNAVAILABLE);
        assert_eq!(journal.figures().heads.unwrap().witnessed, 1);
        let second = |note: &str| Note::parse(by_second(note)).unwrap().signatures.remove(1);
        let accepted = journal.accept_cosignature(1, 1, &second(&earlier));
        accepted.unwrap();
        let receipt = released(&journal, &first).await.unwrap();
        let log_key =
            VerifierKey::<Intl>::note(KeyName::parse(ORIGIN).unwrap(), signer().public_key());
        let both = Trust::parse(&format!(
            "log {}\nwitness a {}\nwitness b {}\ngroup both all a b\nquorum both\n",
            log_key.unwrap(),
            mirror_key(),
            second_key()
        ))
        .unwrap();
        let heads = heads_trust(&quorum());
        let proven = receipt.verify_witnessed(&both, &heads).unwrap();
        assert_eq!(proven.level, Level::Witnessed);
        assert_eq!(Receipt::from_text(&receipt.to_text()), Ok(receipt.clone()));
        // The leaf has the signatures of the stream and of the head log's own mirror, in this order.
        let mut swapped = receipt.clone();
        swapped.signatures.swap(1, 2);
        let refused = swapped.verify_witnessed(&both, &heads);
        assert_eq!(refused, Err(ReceiptRefused::Head));
        // The second mirror's word on a later checkpoint is none on the head's.
        let next = recorded(&journal, &world, 2).await;
        let index = log.head(&journal);
        recorded(&journal, &world, 3).await;
        let later = second(&journal.checkpoint().unwrap());
        journal.accept_cosignature(1, 3, &later).unwrap();
        take(&journal, &cosigned_by(log.shown(index, 1), &[1, 2])).unwrap();
        assert_eq!(journal.figures().heads.unwrap().witnessed, 2);
        assert_eq!(released(&journal, &next).await, UNAVAILABLE);
        assert!(released(&journal, &first).await.is_ok());
    });
}

/// A coordinator writes what it likes into its head log; no line of it speaks for another mirror, and what receipts could not
/// show is no head.
#[test]
fn a_leaf_with_other_lines_than_the_two_is_no_head() {
    let world = World::new();
    block_on(async {
        let journal = open_with_two(&world, 2);
        let witnesses = Some(Policy::parse(&quorum()).unwrap());
        let followed = HeadTerms {
            witnesses,
            ..terms(None)
        };
        journal.follow_heads(followed).unwrap();
        journal.reconcile(0, None).unwrap();
        journal.reconcile(1, None).unwrap();
        let first = recorded(&journal, &world, 1).await;
        let note = journal.checkpoint().unwrap();
        let good = Note::parse(cosigned(&note, START)).unwrap();
        let second = Note::parse(by_second(&note)).unwrap().signatures.remove(1);
        let lies: [fn(&mut Vec<NoteSignature>, NoteSignature); 4] = [
            |lines, second| lines.push(second),
            |lines, second| lines[1] = second,
            |lines, _| lines.swap(0, 1),
            |lines, _| lines.push(lines[1].clone()),
        ];
        for lie in lies {
            let mut note = good.clone();
            lie(&mut note.signatures, second.clone());
            let mut log = HeadLog::new();
            log.push(&Head::encode(START, &note));
            let shown = cosigned_by(log.shown(0, 0), &[1, 2]);
            assert_eq!(take(&journal, &shown), Err(HeadRefused::Leaf));
            assert_eq!(released(&journal, &first).await, UNAVAILABLE);
        }
    });
}
