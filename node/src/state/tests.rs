//! Sealed and clear directories, and the way from one to the other.

use std::convert::Infallible;

use lingqu_journal::{FileStore, LogId, Wal, WalOptions};

use super::migrating::{MigrateFailed, rewrite};
use super::*;

const LOG: LogId = LogId([3; 16]);
const SEGMENT_LEN: u64 = 64 << 10;
const PAYLOAD_LEN_MAX: usize = 8_000;
const LAYOUT: (LogId, u64, usize) = (LOG, SEGMENT_LEN, PAYLOAD_LEN_MAX);

/// A directory as a node leaves it.
fn filled(dir: &Path, key: Option<&StateKey>) -> State {
    let state = State::open(dir, key).unwrap();
    for sub in ["objects", "stops"] {
        create_dir(&dir.join(sub)).unwrap();
    }
    for name in ["objects/aa.env", "stops/1.env", "epoch.env", "retry.key"] {
        state.write(&dir.join(name), name.as_bytes()).unwrap();
    }
    write_file(&dir.join("stream-origin"), b"c/s/n/45/2026h2").unwrap();
    let (mut wal, _) = journal(&state);
    for number in 0..20_u8 {
        wal.append(&[number; 5_000]).unwrap();
    }
    state
}

fn journal(state: &State) -> (Wal, Vec<Vec<u8>>) {
    let options = WalOptions {
        log: LOG,
        segment_len: SEGMENT_LEN,
        payload_len_max: PAYLOAD_LEN_MAX,
    };
    let store = Arc::new(FileStore::open(state.dir().join("journal")).unwrap());
    let mut found = Vec::new();
    let wal = Wal::open_with(store, options, state.keys(), |payload| {
        found.push(payload.to_vec());
        Ok::<(), Infallible>(())
    });
    (wal.unwrap(), found)
}

fn check(dir: &Path, key: Option<&StateKey>) {
    let state = State::open(dir, key).unwrap();
    for name in ["objects/aa.env", "stops/1.env", "epoch.env", "retry.key"] {
        assert_eq!(state.read(&dir.join(name)).unwrap(), name.as_bytes());
    }
    assert_eq!(
        fs::read(dir.join("stream-origin")).unwrap(),
        b"c/s/n/45/2026h2"
    );
    let expected: Vec<_> = (0..20_u8).map(|number| vec![number; 5_000]).collect();
    assert_eq!(journal(&state).1, expected);
}

/// a wrong key or none does not open what is sealed, and a key does not open what is in clear.
#[test]
fn a_directory_opens_with_its_own_key_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("state");
    let (key, other) = (StateKey::generate(), StateKey::generate());
    drop(filled(&dir, Some(&key)));
    check(&dir, Some(&key));
    assert!(matches!(
        State::open(&dir, None),
        Err(StateUnusable::Sealed)
    ));
    let refused = State::open(&dir, Some(&other)).unwrap_err();
    assert!(matches!(
        refused,
        StateUnusable::Keys(StateKeysRefused::Key)
    ));
    let clear = dir.with_file_name("clear");
    drop(filled(&clear, None));
    assert!(matches!(
        State::open(&clear, Some(&key)),
        Err(StateUnusable::Clear)
    ));
    check(&clear, None);
}

#[test]
fn what_is_put_into_a_sealed_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let state = filled(dir.path(), Some(&StateKey::generate()));
    let path = |name: &str| dir.path().join(name);
    // In clear, from another place, from another directory.
    fs::write(path("stops/2.env"), b"an older order").unwrap();
    fs::copy(path("stops/1.env"), path("stops/3.env")).unwrap();
    let foreign = tempfile::tempdir().unwrap();
    drop(filled(foreign.path(), Some(&StateKey::generate())));
    fs::copy(foreign.path().join("epoch.env"), path("epoch.env")).unwrap();
    for name in ["stops/2.env", "stops/3.env", "epoch.env"] {
        assert!(state.read(&path(name)).is_err(), "{name}");
    }
    assert!(state.read_all(&path("stops"), "env").is_err());
}

#[test]
fn the_outer_key_changes_without_anything_being_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (StateKey::generate(), StateKey::generate());
    drop(filled(dir.path(), Some(&old)));
    let sealed = fs::read(dir.path().join("retry.key")).unwrap();
    assert_eq!(State::rotate(dir.path(), &old, &new).unwrap(), 2);
    assert_eq!(fs::read(dir.path().join("retry.key")).unwrap(), sealed);
    check(dir.path(), Some(&new));
    assert!(State::open(dir.path(), Some(&old)).is_err());
    assert!(State::rotate(dir.path(), &old, &new).is_err());
}

#[test]
fn a_directory_is_sealed_by_an_explicit_step_and_sealed_anew_under_fresh_keys() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let (first, second) = (StateKey::generate(), StateKey::generate());
    drop(filled(&dir, None));
    let migrated = rewrite(&dir, None, &first, LAYOUT).unwrap();
    assert_eq!((migrated.frames, migrated.files), (20, 5));
    check(&dir, Some(&first));
    check(&migrated.kept, None);
    let again = rewrite(&dir, Some(&first), &second, LAYOUT);
    assert!(matches!(again, Err(MigrateFailed::Kept(kept)) if kept == migrated.kept));
    fs::remove_dir_all(&migrated.kept).unwrap();
    let kept = rewrite(&dir, Some(&first), &second, LAYOUT).unwrap().kept;
    fs::remove_dir_all(kept).unwrap();
    check(&dir, Some(&second));
    for path in ["retry.key", "stops/1.env", "objects/aa.env"] {
        assert!(is_sealed_file(&fs::read(dir.join(path)).unwrap()), "{path}");
    }
}

#[test]
fn a_migration_that_broke_off_is_done_again_or_completed() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let key = StateKey::generate();
    drop(filled(&dir, None));
    // In the middle of the copy.
    create_dir(&dir.with_file_name("state.sealing")).unwrap();
    fs::write(dir.with_file_name("state.sealing").join("half"), b"x").unwrap();
    let migrated = rewrite(&dir, None, &key, LAYOUT).unwrap();
    check(&dir, Some(&key));
    // Between the two renames.
    fs::rename(&dir, dir.with_file_name("state.sealing")).unwrap();
    let completed = rewrite(&dir, None, &key, LAYOUT).unwrap();
    assert_eq!(completed.kept, migrated.kept);
    check(&dir, Some(&key));
}

#[test]
fn nothing_is_migrated_while_the_node_runs_or_from_a_directory_with_strangers() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let key = StateKey::generate();
    let state = filled(&dir, None);
    let running = journal(&state);
    let refused = rewrite(&dir, None, &key, LAYOUT);
    assert!(
        matches!(refused, Err(MigrateFailed::Store(_))),
        "{refused:?}"
    );
    drop(running);
    fs::write(dir.join("notes.txt"), b"x").unwrap();
    let refused = rewrite(&dir, None, &key, LAYOUT);
    assert!(matches!(refused, Err(MigrateFailed::Stranger(name)) if name == "notes.txt"));
    fs::remove_file(dir.join("notes.txt")).unwrap();
    check(&dir, None);
}

#[test]
fn a_key_inside_the_directory_protects_from_nobody() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    create_dir(&dir).unwrap();
    for (path, is_outside) in [(parent.path().join("key"), true), (dir.join("key"), false)] {
        fs::write(&path, b"x").unwrap();
        assert_eq!(key_outside(&path, &dir).is_ok(), is_outside);
    }
}
