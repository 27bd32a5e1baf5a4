//! The attacks of a coordinator that holds every key but the node's: each head that it could show, and what remains.

use lingqu_core::ErrorCode;
use lingqu_tlog::{
    Ed25519Signer, Frontier, Hash, Intl, KeyName, RecentTree, Signer, sign_cosignature, sign_note,
};

use super::super::world::*;
use super::*;
use crate::stream::Reconciled;

const HEADS: &str = "coord.example/h/45";
const LAG: Duration = Duration::from_secs(30);

pub(super) fn head_key() -> VerifierKey<Intl> {
    VerifierKey::note(KeyName::parse(HEADS).unwrap(), head_signer().public_key()).unwrap()
}

pub(super) fn head_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([3; 32])
}

/// A head log, honest unless asked otherwise. Cloned, it is two that differ from then on.
#[derive(Clone)]
pub(super) struct HeadLog {
    tree: RecentTree<Intl>,
    leaves: Vec<Vec<u8>>,
}

impl HeadLog {
    pub(super) fn new() -> HeadLog {
        HeadLog {
            tree: RecentTree::from_frontier(Frontier::new()),
            leaves: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, leaf: &[u8]) -> u64 {
        self.tree.push(leaf_hash::<Intl>(leaf));
        self.leaves.push(leaf.to_vec());
        self.tree.size() - 1
    }

    /// Adds a head of the journal as it is now.
    pub(super) fn head(&mut self, journal: &Journal) -> u64 {
        self.push(&leaf(journal))
    }

    /// The log's checkpoint of the first `size` heads, signed.
    fn checkpoint(&self, size: u64) -> String {
        sign(&Checkpoint {
            origin: HEADS.to_owned(),
            size,
            root: self.tree.root_at(size).unwrap(),
        })
    }

    /// Head `index` under the newest checkpoint, to a node that has accepted `accepted` heads.
    pub(super) fn shown(&self, index: u64, accepted: u64) -> HeadShown {
        self.shown_at(index, self.tree.size(), accepted)
    }

    fn shown_at(&self, index: u64, size: u64, accepted: u64) -> HeadShown {
        let consistency = self.tree.consistency_proof(accepted, size);
        HeadShown {
            leaf: self.leaves[usize::try_from(index).unwrap()].clone(),
            index,
            proof: self.tree.inclusion_proof(index, size).unwrap(),
            checkpoint: self.checkpoint(size),
            consistency: consistency.unwrap_or_default(),
        }
    }
}

fn sign(checkpoint: &Checkpoint) -> String {
    sign_by(checkpoint, HEADS, &head_signer())
}

fn sign_by(checkpoint: &Checkpoint, name: &str, signer: &Ed25519Signer) -> String {
    let text = checkpoint.to_text();
    let name = KeyName::parse(name).unwrap();
    let signatures = vec![sign_note::<Intl>(&text, &name, signer).unwrap()];
    Note { text, signatures }.to_string()
}

/// The leaf of the journal's newest checkpoint, with the mirror's cosignature.
fn leaf(journal: &Journal) -> Vec<u8> {
    let note = cosigned(&journal.checkpoint().unwrap(), START);
    Head::encode(START, &Note::parse(note).unwrap())
}

pub(super) fn terms(accepted: Option<String>) -> HeadTerms<Intl> {
    HeadTerms {
        key: head_key(),
        lag: LAG,
        witnesses: None,
        accepted,
    }
}

/// A journal that follows the head log and has `records` records, cosigned.
async fn followed(world: &World, records: u64) -> Journal {
    let journal = world.open().unwrap();
    journal.follow_heads(terms(None)).unwrap();
    assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
    for call in 0..records {
        record(&journal, call, &Terms::default()).await.unwrap();
    }
    world.cosign_newest(&journal);
    journal.set_mirror_connected(0, true);
    journal
}

pub(super) fn take(journal: &Journal, shown: &HeadShown) -> Result<(), HeadRefused> {
    journal
        .check_head(shown)
        .map(|head| journal.take_head(head))
}

fn covered(journal: &Journal) -> (u64, u64) {
    let heads = journal.figures().heads.unwrap();
    (heads.covered, heads.log_size)
}

/// Nothing that is refused changes anything.
fn refuses(journal: &Journal, shown: &HeadShown, expected: HeadRefused, what: &str) {
    let before = (covered(journal), journal.accepted_head());
    assert_eq!(take(journal, shown), Err(expected), "{what}");
    assert_eq!(
        (covered(journal), journal.accepted_head()),
        before,
        "{what}"
    );
}

#[test]
fn a_head_of_ones_own_counts_and_opens() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let closed = Err(ErrorCode::AuditUnavailable);
        assert_eq!(journal.audit_ready(MIRRORED), closed);
        assert_eq!(journal.audit_ready(LAGGED), Ok(()));
        let mut log = HeadLog::new();
        log.push(b"somebody else's head");
        let index = log.head(&journal);
        log.push(b"and another");
        assert_eq!(take(&journal, &log.shown(index, 0)), Ok(()));
        assert_eq!(covered(&journal), (2, 3));
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
        assert!(journal.heads_fresh());
        // Another conversation has to show it too: perhaps it is with a mirror that was restored from a backup.
        journal.set_mirror_connected(0, false);
        journal.set_mirror_connected(0, true);
        assert_eq!(journal.audit_ready(MIRRORED), closed);
        // The same again, under the same checkpoint and a larger one.
        assert_eq!(take(&journal, &log.shown(index, 3)), Ok(()));
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
        log.push(b"more");
        assert_eq!(take(&journal, &log.shown(index, 3)), Ok(()));
        assert_eq!(covered(&journal), (2, 4));
    });
}

#[test]
fn what_is_not_followed_is_not_taken_and_closes_nothing() {
    let world = World::new();
    block_on(async {
        let journal = world.ready();
        record(&journal, 1, &Terms::default()).await.unwrap();
        world.cosign_newest(&journal);
        journal.set_mirror_connected(0, true);
        world.clock.advance(Duration::from_secs(86_400));
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
        assert!(journal.heads_fresh());
        assert_eq!(journal.figures().heads, None);
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        assert_eq!(
            take(&journal, &log.shown(index, 0)),
            Err(HeadRefused::NotFollowed)
        );
    });
}

#[test]
fn a_key_of_another_role_and_a_stranger_s_past_are_not_followed() {
    let world = World::new();
    let journal = world.open().unwrap();
    let name = KeyName::parse(HEADS).unwrap();
    let of = |signer: &Ed25519Signer| HeadTerms {
        key: VerifierKey::note(name.clone(), signer.public_key()).unwrap(),
        ..terms(None)
    };
    for key in [signer(), mirror_signer()] {
        assert_eq!(journal.follow_heads(of(&key)), Err(HeadTermsRefused::Key));
    }
    let cosigner = HeadTerms {
        key: VerifierKey::cosignature(name, head_signer().public_key()).unwrap(),
        ..terms(None)
    };
    assert_eq!(journal.follow_heads(cosigner), Err(HeadTermsRefused::Key));
    let mut log = HeadLog::new();
    log.push(b"a head");
    let checkpoint = Checkpoint {
        origin: HEADS.to_owned(),
        size: 1,
        root: log.tree.root(),
    };
    for wrong in [
        "no note".to_owned(),
        sign_by(&checkpoint, HEADS, &Ed25519Signer::from_seed([9; 32])),
        sign(&Checkpoint {
            origin: "coord.example/h/46".to_owned(),
            ..checkpoint.clone()
        }),
    ] {
        let refused = journal.follow_heads(terms(Some(wrong)));
        assert_eq!(refused, Err(HeadTermsRefused::Accepted));
    }
    assert_eq!(journal.figures().heads, None);
    assert_eq!(journal.follow_heads(terms(Some(log.checkpoint(1)))), Ok(()));
    assert_eq!(
        journal.follow_heads(terms(None)),
        Err(HeadTermsRefused::Twice)
    );
    assert_eq!(journal.accepted_head(), Some(log.checkpoint(1)));
}

#[test]
fn only_the_pinned_head_log_counts() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        log.push(b"another");
        let good = log.shown(index, 0);
        let checkpoint = Checkpoint {
            origin: HEADS.to_owned(),
            size: 2,
            root: log.tree.root(),
        };
        let with = |note: String| HeadShown {
            checkpoint: note,
            ..good.clone()
        };
        let other = Ed25519Signer::from_seed([9; 32]);
        let elsewhere = Checkpoint {
            origin: "coord.example/h/4501".to_owned(),
            ..checkpoint.clone()
        };
        let signature = HeadRefused::Signature;
        refuses(
            &journal,
            &with(String::new()),
            HeadRefused::Checkpoint,
            "nothing",
        );
        refuses(
            &journal,
            &with(sign_by(&checkpoint, HEADS, &other)),
            signature,
            "a stranger",
        );
        let name = "coord.example/h/4501";
        refuses(
            &journal,
            &with(sign_by(&checkpoint, name, &head_signer())),
            signature,
            "a name",
        );
        let wrong = with(sign_by(&elsewhere, HEADS, &head_signer()));
        refuses(
            &journal,
            &wrong,
            HeadRefused::Checkpoint,
            "another region's log",
        );
        // The right key's signature over another text.
        let mut moved = Note::parse(good.checkpoint.clone()).unwrap();
        moved.text = moved.text.replace("\n2\n", "\n3\n");
        refuses(
            &journal,
            &with(moved.to_string()),
            signature,
            "another size",
        );
        assert_eq!(take(&journal, &good), Ok(()));
    });
}

#[test]
fn a_head_that_is_not_in_the_log_or_not_of_this_stream_does_not_count() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let mut log = HeadLog::new();
        log.push(b"no head");
        let index = log.head(&journal);
        log.push(b"another");
        let good = log.shown(index, 0);
        let inclusion = HeadRefused::Inclusion;
        for (what, wrong) in [
            (
                "index",
                HeadShown {
                    index: 2,
                    ..good.clone()
                },
            ),
            (
                "beyond",
                HeadShown {
                    index: 3,
                    ..good.clone()
                },
            ),
            (
                "proof",
                HeadShown {
                    proof: Vec::new(),
                    ..good.clone()
                },
            ),
            (
                "leaf",
                HeadShown {
                    leaf: leaf(&journal)[1..].to_vec(),
                    ..good.clone()
                },
            ),
        ] {
            refuses(&journal, &wrong, inclusion, what);
        }
        // In the log, and still no head of this stream.
        let own = journal.checkpoint().unwrap();
        let unsigned = Note {
            signatures: Vec::new(),
            ..Note::parse(cosigned(&own, START)).unwrap()
        };
        let not_mirrored = Note::parse(own.clone()).unwrap();
        let mut by_the_mirror_alone = Note::parse(cosigned(&own, START)).unwrap();
        by_the_mirror_alone.signatures.remove(0);
        let mut by_another_mirror = not_mirrored.clone();
        let line = sign_cosignature::<Intl>(
            &by_another_mirror.text,
            mirror_key().name(),
            1,
            &Ed25519Signer::from_seed([9; 32]),
        );
        by_another_mirror.signatures.push(line.unwrap());
        let other = Checkpoint {
            origin: "coord.example/s/node-b/45/2026h2".to_owned(),
            size: 2,
            root: Hash([7; 32]),
        };
        let others = sign_by(&other, &other.origin, &signer());
        let others = Note::parse(cosigned(&others, START)).unwrap();
        for (what, note) in [
            ("without the mirror", not_mirrored),
            ("without the node", by_the_mirror_alone),
            ("another mirror", by_another_mirror),
            ("another stream", others),
        ] {
            let index = log.push(&Head::encode(START, &note));
            refuses(&journal, &log.shown(index, 0), HeadRefused::Leaf, what);
        }
        // A note without signatures is none.
        let index = log.push(&Head::encode(START, &unsigned));
        refuses(
            &journal,
            &log.shown(index, 0),
            HeadRefused::Leaf,
            "unsigned",
        );
        let index = log.push(b"no head at all");
        refuses(&journal, &log.shown(index, 0), HeadRefused::Leaf, "no head");
        assert!(!journal.heads_fresh());
        assert!(journal.reconciled());
    });
}

#[test]
fn a_head_log_that_forks_shrinks_or_does_not_extend_is_a_contradiction() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let mut log = HeadLog::new();
        log.push(b"one");
        let index = log.head(&journal);
        let mut forked = HeadLog::new();
        forked.push(b"another one");
        forked.head(&journal);
        log.push(b"three");
        assert_eq!(take(&journal, &log.shown(index, 0)), Ok(()));

        forked.push(b"three");
        let cases = [
            (
                "one size, two roots",
                forked.shown(index, 3),
                HeadRefused::Forked,
            ),
            (
                "it went back",
                log.shown_at(index, 2, 2),
                HeadRefused::WentBack,
            ),
        ];
        for (what, shown, expected) in cases {
            assert!(expected.is_contradiction(), "{what}");
            refuses(&journal, &shown, expected, what);
        }
        forked.push(b"four");
        log.push(b"four");
        let not_extended = HeadRefused::NotExtended;
        assert!(not_extended.is_contradiction());
        refuses(
            &journal,
            &forked.shown(index, 3),
            not_extended,
            "another past",
        );
        let unproven = HeadShown {
            consistency: Vec::new(),
            ..log.shown(index, 3)
        };
        refuses(&journal, &unproven, not_extended, "no proof");
        refuses(
            &journal,
            &log.shown(index, 2),
            not_extended,
            "a proof from elsewhere",
        );
        assert_eq!(take(&journal, &log.shown(index, 3)), Ok(()));
        // None of what merely does not fit is one.
        for refused in [
            HeadRefused::Checkpoint,
            HeadRefused::Inclusion,
            HeadRefused::Leaf,
            HeadRefused::Older,
            HeadRefused::Signature,
        ] {
            assert!(!refused.is_contradiction());
        }
    });
}

#[test]
fn what_an_earlier_run_accepted_is_never_gone_behind() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        log.push(b"another");
        take(&journal, &log.shown(index, 0)).unwrap();
        let kept = journal.accepted_head().unwrap();
        let note = cosigned(&journal.checkpoint().unwrap(), START);
        drop(journal);

        let journal = world.open().unwrap();
        journal.follow_heads(terms(Some(kept))).unwrap();
        journal.reconcile(0, Some(&note)).unwrap();
        journal.set_mirror_connected(0, true);
        // What the earlier run saw opens nothing.
        assert_eq!(covered(&journal), (0, 2));
        assert!(journal.audit_ready(MIRRORED).is_err());
        refuses(
            &journal,
            &log.shown_at(index, 1, 0),
            HeadRefused::WentBack,
            "back",
        );
        let mut other = HeadLog::new();
        other.head(&journal);
        other.push(b"something else");
        refuses(&journal, &other.shown(0, 2), HeadRefused::Forked, "forked");
        take(&journal, &log.shown(index, 2)).unwrap();
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
    });
}

#[test]
fn an_older_head_is_refused_and_covers_nothing_more() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let mut log = HeadLog::new();
        let first = log.head(&journal);
        record(&journal, 7, &Terms::default()).await.unwrap();
        world.cosign_newest(&journal);
        let second = log.head(&journal);
        take(&journal, &log.shown(second, 0)).unwrap();
        log.push(b"more");
        refuses(&journal, &log.shown(first, 2), HeadRefused::Older, "older");
    });
}

/// Somebody else signs with this node's key, and the mirror went along with it.
#[test]
fn another_history_of_this_stream_closes_the_journal() {
    for records in [2, 3] {
        let (world, elsewhere) = (World::new(), World::new());
        block_on(async {
            let journal = followed(&world, 2).await;
            elsewhere.clock.advance(Duration::from_secs(1));
            let other = followed(&elsewhere, records).await;
            let mut log = HeadLog::new();
            let index = log.head(&other);
            assert!(HeadRefused::StreamForked.is_contradiction());
            assert_eq!(
                take(&journal, &log.shown(index, 0)),
                Err(HeadRefused::StreamForked)
            );
            assert!(!journal.reconciled());
            assert!(journal.audit_ready(LAGGED).is_err());
        });
    }
}

#[test]
fn what_stays_uncovered_closes_at_the_bound_and_opens_when_it_is_covered() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        let mut log = HeadLog::new();
        let index = log.head(&journal);
        take(&journal, &log.shown(index, 0)).unwrap();
        let recorded = record(&journal, 7, &Terms::default()).await.unwrap();
        world.cosign_newest(&journal);
        world.clock.advance(LAG);
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
        world.clock.advance(Duration::from_millis(1));
        assert!(journal.audit_ready(MIRRORED).is_err());
        assert!(!journal.heads_fresh());
        // Terms that let the mirror be behind for a minute let the head log be so a minute longer.
        assert_eq!(journal.audit_ready(LAGGED), Ok(()));
        world.clock.advance(Duration::from_secs(60));
        assert!(journal.audit_ready(LAGGED).is_err());
        // A head of before covers nothing of it; what was recorded in time still leaves.
        log.push(b"more");
        take(&journal, &log.shown(index, 1)).unwrap();
        assert!(journal.audit_ready(MIRRORED).is_err());
        let outcome = journal.release(&recorded).await.into_outcome();
        assert!(matches!(outcome, crate::Outcome::Answered { .. }));
        let index = log.head(&journal);
        take(&journal, &log.shown(index, 2)).unwrap();
        assert_eq!(journal.audit_ready(MIRRORED), Ok(()));
        assert_eq!(journal.audit_ready(LAGGED), Ok(()));
    });
}

/// A mirror that cosigns, hides the head and goes away again and again does not keep terms open that allow for its being
/// away.
#[test]
fn a_hidden_head_closes_lagged_terms_at_release_too() {
    let world = World::new();
    block_on(async {
        let journal = followed(&world, 2).await;
        world.clock.advance(LAG + Duration::from_secs(60));
        let recorded = record(&journal, 7, &Terms::default()).await.unwrap();
        let outcome = journal.release(&recorded).await.into_outcome();
        assert!(matches!(outcome, crate::Outcome::Answered { .. }));
        world.clock.advance(Duration::from_millis(1));
        journal.set_mirror_connected(0, false);
        let outcome = journal.release(&recorded).await.into_outcome();
        assert!(matches!(
            outcome,
            crate::Outcome::Unrecorded(ErrorCode::AuditUnavailable)
        ));
    });
}
