use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn begun(at: Duration) -> Attempt {
    let mut attempt = Attempt::default();
    attempt.begin(at, Timestamp::from_unix_s(0));
    attempt
}

#[test]
fn what_was_never_read_is_for_others_to_begin() {
    assert!(!Attempt::default().is_due(Refresh::Every(MINUTE), false, HOUR * 99));
}

#[test]
fn a_rule_counts_from_the_beginning_of_the_last_load_whether_it_failed_or_not() {
    let every = Refresh::Every(HOUR);
    let mut attempt = begun(HOUR);
    for _ in 0..2 {
        assert!(!attempt.is_due(every, true, HOUR * 2 - MINUTE));
        assert!(attempt.is_due(every, true, HOUR * 2));
        attempt.fail(ErrorCode::SourceUnavailable, String::new());
    }
    assert!(!attempt.is_due(Refresh::Manual, true, HOUR * 99));
}

#[test]
fn where_nothing_answers_a_failure_is_tried_again_after_a_growing_pause() {
    let mut attempt = begun(Duration::ZERO);
    attempt.fail(ErrorCode::SourceUnavailable, String::new());
    assert!(!attempt.is_due(Refresh::Manual, false, MINUTE - Duration::from_secs(1)));
    assert!(attempt.is_due(Refresh::Manual, false, MINUTE));
    for _ in 0..100 {
        attempt.fail(ErrorCode::SourceUnavailable, String::new());
    }
    assert!(!attempt.is_due(Refresh::Manual, false, HOUR - MINUTE));
    assert!(attempt.is_due(Refresh::Manual, false, HOUR));
    attempt.succeed();
    assert!(!attempt.is_due(Refresh::Manual, false, HOUR * 99));
}

#[test]
fn what_a_person_stopped_or_must_look_at_is_not_begun_again_by_itself() {
    for code in [ErrorCode::LoadStopped, ErrorCode::ResourceChanged] {
        let mut attempt = begun(Duration::ZERO);
        attempt.fail(code, String::new());
        assert!(!attempt.is_due(Refresh::Manual, false, HOUR * 99));
    }
}
