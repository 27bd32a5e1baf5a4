use lingqu_journal::FileStore;

use super::*;

#[test]
fn what_is_written_is_read_back_and_the_files_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    {
        let files = FileStore::open(dir.path()).unwrap();
        files.create(0, 8_192, b"head").unwrap();
        assert!(is_locked(dir.path()));
    }
    assert!(!is_locked(dir.path()));
    let before = fs::read(dir.path().join("0000000000000000.wal")).unwrap();
    let store = ReadOnly::new(dir.path());
    store.write(0, 100, b"laid over").unwrap();
    store.create(1, 4_096, b"made").unwrap();
    store.write(1, 4, b" and written").unwrap();
    let read = |id, offset, len| {
        let mut bytes = vec![0; len];
        store.read(id, offset, &mut bytes).unwrap();
        bytes
    };
    assert_eq!(read(0, 0, 4), b"head");
    assert_eq!(read(0, 98, 13), b"\0\0laid over\0\0");
    assert_eq!(read(0, 105, 2), b"ov");
    assert_eq!(read(1, 0, 16), b"made and written");
    assert!(store.read(1, 4_090, &mut [0; 16]).is_err());
    let segments = store.segments().unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(
        fs::read(dir.path().join("0000000000000000.wal")).unwrap(),
        before
    );
    assert!(!dir.path().join("0000000000000001.wal").exists());
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    assert!(matches!(store.segments(), Err(StoreError::Stranger(_))));
}
