use lingqu_journal::SystemClock;

use super::*;

#[test]
fn a_probe_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    measure(dir.path(), &SystemClock).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(measure(&dir.path().join("absent"), &SystemClock).is_err());
}
