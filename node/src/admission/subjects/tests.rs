use super::*;

#[test]
fn a_window_of_a_day_is_a_day_in_utc8() {
    let midnight: Timestamp = "2026-03-02".parse().unwrap();
    let before = Timestamp(midnight.0 - 1);
    assert_eq!(number_at(midnight, 24), number_at(before, 24) + 1);
    assert_eq!(end_of(number_at(before, 24), 24), midnight);
    for hours in [1, 5, 24, 744] {
        let (number, end) = (
            number_at(before, hours),
            end_of(number_at(before, hours), hours),
        );
        assert!(end > before && number_at(end, hours) == number + 1);
    }
}

#[test]
fn a_key_is_the_same_after_a_restart_and_gone_after_its_window() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), None).unwrap();
    let tag = |window: &Window| hmac::sign(&window.key, b"x").as_ref().to_vec();
    let windows = SubjectWindows::open(&state).unwrap();
    let first = windows.make(24, 100).unwrap();
    let again = SubjectWindows::open(&state).unwrap();
    assert_eq!(tag(&again.make(24, 100).unwrap()), tag(&first));
    // A clock a little behind stays with the newer window; another length has another key.
    assert_eq!(again.make(24, 99).unwrap().number, 100);
    assert_ne!(tag(&again.make(1, 100).unwrap()), tag(&first));
    let next = again.make(24, 101).unwrap();
    assert_ne!(tag(&next), tag(&first));
    let stored = state.read(&again.path(24)).unwrap();
    assert_eq!(
        tag(&read(&stored).unwrap()),
        tag(&next),
        "the old key is nowhere"
    );
    let late = SubjectWindows::open(&state).unwrap();
    assert_eq!(late.make(24, 100).unwrap().number, 101);
}

#[test]
fn a_key_goes_soon_after_its_window_also_if_nobody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), None).unwrap();
    let windows = SubjectWindows::open(&state).unwrap();
    windows.make(24, 100).unwrap();
    windows.make(1, 2_423).unwrap();
    let end = end_of(100, 24);
    let is_there = |hours: u16| windows.path(hours).exists();
    windows.forget_ended(end).unwrap();
    assert!(
        is_there(24) && is_there(1),
        "calls are still about to use them"
    );
    windows.forget_ended(Timestamp(end.0 + 60_000_000)).unwrap();
    assert!(!is_there(24) && windows.at_hand(24, 100).is_none());
    assert!(!is_there(1) && windows.at_hand(1, 2_423).is_none());
}

#[test]
fn a_damaged_key_is_not_replaced_by_another() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), None).unwrap();
    let windows = SubjectWindows::open(&state).unwrap();
    for wrong in [&[][..], &[7; 39], &[7; 41]] {
        state.write(&windows.path(24), wrong).unwrap();
        assert!(matches!(windows.make(24, 100), Err(ErrorCode::Internal)));
    }
}
