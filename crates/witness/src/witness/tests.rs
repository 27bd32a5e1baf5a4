use std::path::Path;

use lingqu_core::Timestamp;
use lingqu_testkit::ManualClock;
use lingqu_tlog::{
    Ed25519Signer, Frontier, Hash, RecentTree, leaf_hash, parse_cosignatures, parse_size,
    sign_note, verify_cosignature,
};

use super::*;

pub(crate) const ORIGIN: &str = "c.example/h/45";
const NOW: i64 = 1_900_000_000;

pub(crate) fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

pub(crate) fn log_key() -> VerifierKey<Intl> {
    VerifierKey::note(name(ORIGIN), signer(1).public_key()).unwrap()
}

pub(crate) fn own_vkey() -> String {
    let key = VerifierKey::<Intl>::cosignature(name("w.example/1"), signer(2).public_key());
    key.unwrap().to_string()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    ManualClock::at(Timestamp::from_unix_s(NOW))
}

pub(crate) fn fresh(dir: &Path, clock: Arc<ManualClock>) -> Witness {
    Store::init(dir, &own_vkey(), &[ORIGIN.to_owned()]).unwrap();
    open(dir, clock).unwrap()
}

fn open(dir: &Path, clock: Arc<ManualClock>) -> Result<Witness, SetupError> {
    let store = Store::open(dir, &own_vkey())?;
    let signer = Arc::new(signer(2));
    Witness::open(
        store,
        clock,
        name("w.example/1"),
        signer,
        vec![log_key()],
        10,
    )
}

/// A log of the coordinator: honest as long as one tree is used.
pub(crate) fn tree(branch: u8, size: u64) -> RecentTree<Intl> {
    let mut tree = RecentTree::from_frontier(Frontier::new());
    (0..size).for_each(|index| {
        // Two branches share their first three leaves.
        let entry = if index < 3 {
            format!("{index}")
        } else {
            format!("{branch}/{index}")
        };
        tree.push(leaf_hash::<Intl>(entry.as_bytes()));
    });
    tree
}

fn signed(size: u64, root: Hash) -> String {
    let text = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root,
    }
    .to_text();
    let line = sign_note::<Intl>(&text, &name(ORIGIN), &signer(1)).unwrap();
    Note {
        text,
        signatures: vec![line],
    }
    .to_string()
}

pub(crate) fn request(branch: u8, old: u64, new: u64) -> Vec<u8> {
    let tree = tree(branch, new);
    let request = AddCheckpoint {
        old_size: old,
        proof: tree.consistency_proof(old, new).unwrap(),
        checkpoint: signed(new, tree.root()),
    };
    request.to_string().into_bytes()
}

fn evidence(dir: &Path) -> Vec<std::path::PathBuf> {
    let dir = std::fs::read_dir(dir.join("evidence"));
    let mut files: Vec<_> = dir
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_log_that_only_grows_is_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let witness = fresh(dir.path(), clock());
    for (old, new) in [(0, 1), (1, 1), (1, 3), (3, 8), (8, 300)] {
        let answer = witness.add_checkpoint(&request(1, old, new));
        assert_eq!(answer.status, 200, "{old} to {new}: {answer:?}");
        let lines = parse_cosignatures(&answer.body).unwrap();
        let checkpoint = Note::parse(signed(new, tree(1, new).root())).unwrap();
        let time = verify_cosignature(&checkpoint.text, witness.key(), &lines[0]).unwrap();
        assert_eq!(time, u64::try_from(NOW).unwrap());
        let shown = witness.checkpoint(&file_name(ORIGIN)).unwrap();
        Note::parse(&shown)
            .unwrap()
            .verify(&[witness.key().clone()])
            .unwrap();
        Note::parse(&shown).unwrap().verify(&[log_key()]).unwrap();
    }
    assert_eq!(witness.checkpoint(&file_name("other")), None);
    assert!(evidence(dir.path()).is_empty());
}

#[test]
fn what_was_cosigned_survives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let first = fresh(dir.path(), clock());
    assert_eq!(first.add_checkpoint(&request(1, 0, 5)).status, 200);
    drop(first);
    let second = open(dir.path(), clock()).unwrap();
    let answer = second.add_checkpoint(&request(1, 0, 7));
    assert_eq!((answer.status, parse_size(&answer.body)), (409, Some(5)));
    assert_eq!(answer.content_type, "text/x.tlog.size");
    assert_eq!(second.add_checkpoint(&request(1, 5, 7)).status, 200);
}

/// Detection matrix: the coordinator shows different views to regulators.
#[test]
fn a_coordinator_that_shows_two_heads_is_refused_and_leaves_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let witness = fresh(dir.path(), clock());
    assert_eq!(witness.add_checkpoint(&request(1, 0, 8)).status, 200);
    // Another history of the same size: two signatures that contradict each other.
    let other = request(2, 8, 8);
    assert_eq!(witness.add_checkpoint(&other).status, 422);
    let kept = evidence(dir.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    let fork = Fork::parse(&std::fs::read_to_string(&kept[0]).unwrap()).unwrap();
    assert_eq!(fork.verify(&log_key()), Ok(8));
    // The same again is no second file, and a longer one is kept as it was submitted.
    assert_eq!(witness.add_checkpoint(&other).status, 422);
    assert_eq!(evidence(dir.path()).len(), 1);
    assert_eq!(witness.add_checkpoint(&request(2, 8, 12)).status, 422);
    assert_eq!(evidence(dir.path()).len(), 2);
    // The first history goes on.
    assert_eq!(witness.add_checkpoint(&request(1, 8, 12)).status, 200);
}

/// Detection matrix: rollback.
#[test]
fn a_log_that_goes_back_is_not_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let witness = fresh(dir.path(), clock());
    assert_eq!(witness.add_checkpoint(&request(1, 0, 8)).status, 200);
    for old in [0, 3, 5] {
        let answer = witness.add_checkpoint(&request(1, old, 5));
        assert_eq!((answer.status, parse_size(&answer.body)), (409, Some(8)));
    }
    let mut smaller = AddCheckpoint::parse(&request(1, 0, 5)).unwrap();
    smaller.old_size = 8;
    assert_eq!(
        witness
            .add_checkpoint(smaller.to_string().as_bytes())
            .status,
        400
    );
}

/// Detection matrix: clock regress. What was signed stays signed across a restart.
#[test]
fn no_time_before_one_that_was_signed_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let witness = fresh(dir.path(), Arc::clone(&clock));
    assert_eq!(witness.add_checkpoint(&request(1, 0, 3)).status, 200);
    let time = |answer: &Answer| {
        let lines = parse_cosignatures(&answer.body).unwrap();
        lingqu_tlog::cosignature_time::<Intl>(&lines[0]).unwrap()
    };
    // A small correction is bridged with the last time, a larger one is refused.
    clock.set(Timestamp::from_unix_s(NOW - 2));
    let answer = witness.add_checkpoint(&request(1, 3, 4));
    assert_eq!(
        (answer.status, time(&answer)),
        (200, u64::try_from(NOW).unwrap())
    );
    clock.set(Timestamp::from_unix_s(NOW - 3));
    assert_eq!(witness.add_checkpoint(&request(1, 4, 5)).status, 503);
    drop(witness);
    let witness = open(dir.path(), Arc::clone(&clock)).unwrap();
    assert_eq!(witness.add_checkpoint(&request(1, 4, 5)).status, 503);
    clock.set(Timestamp::from_unix_s(NOW + 9));
    let answer = witness.add_checkpoint(&request(1, 4, 5));
    assert_eq!(
        (answer.status, time(&answer)),
        (200, u64::try_from(NOW + 9).unwrap())
    );
}

/// The race that the specification prints: of all submissions at once, the state only ever grows.
#[test]
fn submissions_at_once_never_make_a_log_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let witness = Arc::new(fresh(dir.path(), clock()));
    assert_eq!(witness.add_checkpoint(&request(1, 0, 10)).status, 200);
    let threads: Vec<_> = (11..19)
        .map(|new| {
            let witness = Arc::clone(&witness);
            std::thread::spawn(move || witness.add_checkpoint(&request(1, 10, new)).status)
        })
        .collect();
    let statuses: Vec<u16> = threads.into_iter().map(|one| one.join().unwrap()).collect();
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(200), count(409)), (1, 7), "{statuses:?}");
}

#[test]
fn a_state_that_cannot_be_written_ends_the_cosigning() {
    let dir = tempfile::tempdir().unwrap();
    let witness = fresh(dir.path(), clock());
    assert_eq!(witness.add_checkpoint(&request(1, 0, 3)).status, 200);
    // A directory stands where the new state must be written.
    let beside = dir.path().join(format!("{}.new", file_name(ORIGIN)));
    std::fs::create_dir(&beside).unwrap();
    assert_eq!(witness.add_checkpoint(&request(1, 3, 5)).status, 500);
    std::fs::remove_dir(&beside).unwrap();
    // The disk works again, but what it holds is not known.
    assert_eq!(witness.add_checkpoint(&request(1, 3, 5)).status, 500);
    drop(witness);
    let witness = open(dir.path(), clock()).unwrap();
    assert_eq!(witness.add_checkpoint(&request(1, 3, 5)).status, 200);
}

#[test]
fn strangers_learn_nothing_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let witness = fresh(dir.path(), clock());
    assert_eq!(witness.add_checkpoint(&request(1, 0, 5)).status, 200);
    let honest = String::from_utf8(request(1, 5, 8)).unwrap();
    for (from, to, status) in [
        ("c.example/h/45\n8", "c.example/h/46\n8", 404),
        ("\n8\n", "\n9\n", 403),
        ("old 5", "old five", 400),
    ] {
        let bad = honest.replacen(from, to, 1);
        assert_ne!(bad, honest);
        let answer = witness.add_checkpoint(bad.as_bytes());
        assert_eq!(answer.status, status, "{to}");
        assert_eq!(parse_size(&answer.body), None, "{}", answer.body);
    }
    assert_eq!(witness.add_checkpoint(&[0xff; 100]).status, 400);
    assert!(evidence(dir.path()).is_empty());
    // Lines that strangers append are not stored.
    let appended = format!("{honest}\u{2014} stranger AAAAAAAA\n");
    assert_eq!(witness.add_checkpoint(appended.as_bytes()).status, 200);
    assert!(
        !witness
            .checkpoint(&file_name(ORIGIN))
            .unwrap()
            .contains("stranger")
    );
}

#[test]
fn a_witness_does_not_begin_without_its_state_or_with_another_ones() {
    let dir = tempfile::tempdir().unwrap();
    let missing = open(dir.path(), clock());
    assert!(matches!(
        missing,
        Err(SetupError::Store(StoreError::Missing(_)))
    ));
    Store::init(dir.path(), &own_vkey(), &[]).unwrap();
    // The directory is this witness's, but of this log it knows nothing: it could have been lost.
    let missing = open(dir.path(), clock());
    assert!(matches!(
        missing,
        Err(SetupError::Store(StoreError::Missing(_)))
    ));
    let foreign = Store::open(dir.path(), &log_key().to_string());
    assert!(matches!(foreign, Err(StoreError::Foreign(_))));
    let made = Store::init(dir.path(), &own_vkey(), &[ORIGIN.to_owned()]).unwrap();
    assert_eq!(made, [ORIGIN]);
    let witness = open(dir.path(), clock()).unwrap();
    assert_eq!(witness.add_checkpoint(&request(1, 0, 5)).status, 200);
    let locked = open(dir.path(), clock());
    assert!(matches!(
        locked,
        Err(SetupError::Store(StoreError::Locked(_)))
    ));
    drop(witness);
    // A second init keeps what is there.
    assert!(
        Store::init(dir.path(), &own_vkey(), &[ORIGIN.to_owned()])
            .unwrap()
            .is_empty()
    );
    let witness = open(dir.path(), clock()).unwrap();
    assert_eq!(witness.add_checkpoint(&request(1, 5, 6)).status, 200);
}

#[test]
fn a_logs_own_key_cannot_be_its_witness() {
    let dir = tempfile::tempdir().unwrap();
    Store::init(dir.path(), &own_vkey(), &[ORIGIN.to_owned()]).unwrap();
    let store = Store::open(dir.path(), &own_vkey()).unwrap();
    let same = Arc::new(signer(1));
    let refused = Witness::open(
        store,
        clock(),
        name("w.example/1"),
        same,
        vec![log_key()],
        10,
    );
    assert!(matches!(refused, Err(SetupError::Key)));
}
