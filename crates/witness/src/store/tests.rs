use super::*;

const ORIGIN: &str = "c.example/h/45";

fn made(dir: &Path) -> Store {
    Store::init(dir, "owner", &[ORIGIN.to_owned()]).unwrap();
    Store::open(dir, "owner").unwrap()
}

#[test]
fn a_damaged_state_is_not_taken_for_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = made(dir.path());
    let path = dir.path().join(file_name(ORIGIN));
    let good = fs::read(&path).unwrap();
    for bad in [
        b"".to_vec(),
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), b"x"].concat(),
        b"lingqu/witness-state/v1\n-1\n".to_vec(),
        b"lingqu/witness-state/v1\n007\n".to_vec(),
        b"\xff\xfe".to_vec(),
    ] {
        fs::write(&path, &bad).unwrap();
        let read = store.get(ORIGIN);
        assert!(
            matches!(read, Err(StoreError::Damaged(_))),
            "{bad:?}: {read:?}"
        );
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(store.get(ORIGIN), Err(StoreError::Missing(_))));
}

#[test]
fn what_an_interrupted_write_left_behind_is_no_obstacle_and_no_state() {
    let dir = tempfile::tempdir().unwrap();
    let store = made(dir.path());
    let state = LogState {
        time_unix_s: 5,
        cosigned: None,
    };
    fs::write(
        dir.path().join(format!("{}.new", file_name(ORIGIN))),
        "half",
    )
    .unwrap();
    assert_eq!(store.get(ORIGIN).unwrap().time_unix_s, 0);
    store.put(ORIGIN, &state).unwrap();
    assert_eq!(store.get(ORIGIN).unwrap(), state);
}

#[test]
fn evidence_is_bounded_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = made(dir.path());
    assert!(store.keep_evidence("a", "one", 2).unwrap().is_some());
    assert!(store.keep_evidence("a", "two", 2).unwrap().is_none());
    assert!(store.keep_evidence("b", "two", 2).unwrap().is_some());
    assert!(store.keep_evidence("c", "three", 2).unwrap().is_none());
    let kept = fs::read_to_string(dir.path().join("evidence/a")).unwrap();
    assert_eq!(kept, "one");
}
