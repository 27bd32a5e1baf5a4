use http_body_util::BodyExt;

use super::*;

#[test]
fn every_code_survives_the_wire() {
    for &code in ErrorCode::ALL {
        let response: http::Response<tonic::body::Body> = status_of(code).into_http();
        let received = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(code_of(&received), Some(code));
        assert_eq!(received.code(), grpc_code(code.class()));
        assert_ne!(received.code(), Code::Ok);
        assert!(
            received.message().starts_with(&format!("{code}: ")),
            "{}",
            received.message()
        );
        assert!(received.message().contains(code.message_zh()));
    }
}

#[test]
fn a_detail_follows_the_texts_and_does_not_change_the_code() {
    let status = status_with(ErrorCode::RequestInvalid, "end_user");
    assert!(
        status.message().ends_with(" (end_user)"),
        "{}",
        status.message()
    );
    assert_eq!(code_of(&status), Some(ErrorCode::RequestInvalid));
    let fault = Fault::of("claims.name", "is sent twice");
    let status = status_of_fault(ErrorCode::ClaimInvalid, &fault);
    assert!(
        status.message().ends_with(" (`claims.name` is sent twice)"),
        "{}",
        status.message()
    );
    assert_eq!(code_of(&status), Some(ErrorCode::ClaimInvalid));
}

#[test]
fn statuses_of_others_carry_no_code() {
    assert_eq!(
        code_of(&Status::internal("GRANT_EXPIRED: looks like ours")),
        None
    );
    for (reason, domain) in [("GRANT_EXPIRED", "example"), ("NO_SUCH_CODE", ERROR_DOMAIN)] {
        let details = ErrorDetails::with_error_info(reason, domain, []);
        assert_eq!(
            code_of(&Status::with_error_details(Code::Internal, "", details)),
            None
        );
    }
}

#[tokio::test]
async fn every_code_is_a_problem_of_an_http_error() {
    for &code in ErrorCode::ALL {
        let response = problem_of(code);
        assert!(response.status().is_client_error() || response.status().is_server_error());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains(&format!(r#""type":"{code}""#)), "{text}");
    }
}
