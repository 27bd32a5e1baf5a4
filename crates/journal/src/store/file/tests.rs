use super::*;

#[test]
fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    // What a process has that was forked a moment ago.
    let inherited = store.lock.try_clone().unwrap();
    drop(store);
    assert!(FileStore::open(dir.path()).is_ok());
    drop(inherited);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = FileStore::open(dir.path()).unwrap();
    assert!(matches!(
        FileStore::open(dir.path()),
        Err(StoreError::Locked)
    ));
    drop(first);
    FileStore::open(dir.path()).unwrap();
}

#[test]
fn segments_read_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a").join("b");
    let store = FileStore::open(&path).unwrap();
    assert_eq!(store.segments().unwrap(), []);
    for id in 0..3 {
        store
            .create(id, 8_192, &[u8::try_from(id).unwrap(); 10])
            .unwrap();
    }
    store.write(1, 4_096, b"hello").unwrap();
    drop(store);

    let store = FileStore::open(&path).unwrap();
    let segments = store.segments().unwrap();
    assert_eq!(
        segments.iter().map(|s| (s.id, s.len)).collect::<Vec<_>>(),
        [(0, 8_192), (1, 8_192), (2, 8_192)]
    );
    let mut bytes = [9; 7];
    store.read(1, 4_096, &mut bytes).unwrap();
    assert_eq!(&bytes, b"hello\0\0");
    store.read(2, 9, &mut bytes).unwrap();
    assert_eq!(bytes, [2, 0, 0, 0, 0, 0, 0]);
    assert!(store.read(2, 8_190, &mut bytes).is_err(), "beyond the end");
    assert!(store.read(3, 0, &mut bytes).is_err(), "no such segment");
}

#[test]
fn an_unfinished_segment_is_removed_and_a_stranger_is_not_overlooked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("0000000000000000.new"), b"half").unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    assert_eq!(store.segments().unwrap(), []);
    std::fs::write(dir.path().join("0.wal.bak"), b"").unwrap();
    assert!(matches!(store.segments(), Err(StoreError::Stranger(_))));
}

#[test]
fn the_next_segment_is_made_ahead_and_is_as_one_that_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let ahead = dir.path().join(AHEAD);
    store.create(0, 64 << 10, b"head 0").unwrap();
    store.write(0, 4_096, b"first half").unwrap();
    assert!(
        !ahead.exists(),
        "nothing is set aside for a log that stays short"
    );
    store.write(0, 32 << 10, b"second half").unwrap();
    // Of the same length: the one that was made ahead becomes it.
    store.create(1, 64 << 10, b"head 1").unwrap();
    assert!(!ahead.exists());
    store.write(1, 60 << 10, b"x").unwrap();
    // Of another length: that one is of no use.
    store.create(2, 128 << 10, b"head 2").unwrap();
    for (id, len) in [(1, 64 << 10), (2, 128 << 10)] {
        let mut bytes = vec![1; len];
        store.read(id, 0, &mut bytes).unwrap();
        let head = format!("head {id}");
        assert!(bytes.starts_with(head.as_bytes()));
        let rest = &bytes[head.len()..];
        assert!(rest.iter().all(|byte| [0, b'x'].contains(byte)));
    }
    // What a crash leaves of it is no segment, and goes at the next start.
    std::fs::write(&ahead, b"half").unwrap();
    drop(store);
    let store = FileStore::open(dir.path()).unwrap();
    assert!(!ahead.exists());
    assert_eq!(store.segments().unwrap().len(), 3);
}
