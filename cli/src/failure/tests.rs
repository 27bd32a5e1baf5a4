use lingqu_transport::{status_of, status_with};

use super::*;

#[test]
fn a_refusal_gives_code_cause_and_remedy_in_both_languages() {
    let code = ErrorCode::GrantExpired;
    for (language, first, second) in [
        (Language::En, code.message_en(), code.message_zh()),
        (Language::Zh, code.message_zh(), code.message_en()),
    ] {
        let text = Failure::refused(code).text(language);
        assert!(text.starts_with("GRANT_EXPIRED\n"), "{text}");
        assert!(
            text.find(first).unwrap() < text.find(second).unwrap(),
            "{text}"
        );
        assert!(text.contains(code.remedy_en()) && text.contains(code.remedy_zh()));
    }
}

#[test]
fn a_status_keeps_its_code_and_what_the_other_side_added() {
    let status = status_with(ErrorCode::RequestInvalid, "region");
    match Failure::of_status(&status) {
        Failure::Refused { code, detail } => {
            assert_eq!(
                (code, detail.as_str()),
                (ErrorCode::RequestInvalid, "(region)")
            );
        }
        other => panic!("{other:?}"),
    }
    let plain = Failure::of_status(&status_of(ErrorCode::GrantExpired));
    assert!(matches!(plain, Failure::Refused { detail, .. } if detail.is_empty()));
    let foreign = Failure::of_status(&tonic::Status::permission_denied("who are you"));
    assert_eq!(foreign.exit_code(), 4);
}

#[test]
fn texts_of_others_cannot_move_the_cursor() {
    let text = Failure::Unreachable("a\u{1b}[2Jb\rc\nd".to_owned()).text(Language::En);
    assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
}

#[test]
fn exit_codes_are_those_of_the_documentation() {
    let io = || io::Error::other("closed");
    for (failure, code) in [
        (Failure::refused(ErrorCode::GrantExpired), 1),
        (
            Failure::CheckFailed {
                en: String::new(),
                zh: "",
            },
            1,
        ),
        (Failure::Unusable(String::new()), 2),
        (Failure::Output(io()), 2),
        (Failure::NotAuthenticated, 3),
        (Failure::Unreachable(String::new()), 4),
        (CallFailed::Transport(String::new()).into(), 4),
        (CallFailed::Level.into(), 1),
        (CallFailed::WitnessesUnknown.into(), 1),
        (ConnectError::TimedOut.into(), 4),
        (ConnectError::Url.into(), 2),
        (FeedBroken::StreamGap(String::new()).into(), 1),
        (
            FeedBroken::Status(Box::new(tonic::Status::unavailable("gone"))).into(),
            4,
        ),
    ] {
        assert_eq!(failure.exit_code(), code, "{failure:?}");
    }
}
