//! Gives a code to the refusals that the gRPC library makes itself: a message that is too large, that is no protobuf, or
//! that is compressed. A caller then reads every refusal in one way.

use axum::response::Response;
use http::HeaderMap;
use lingqu_core::ErrorCode;
use lingqu_transport::status_of;
use tonic::Code;

/// The library's header for a status's details; ours always have them.
const DETAILS: &str = "grpc-status-details-bin";

/// The response, or one with a code in the place of a refusal that has none.
pub(super) async fn coded(response: Response) -> Response {
    if is_uncoded(response.headers()) {
        status_of(ErrorCode::RequestInvalid).into_http()
    } else {
        response
    }
}

/// Whether the library refused to read the request. Refusals that carry other statuses are a service's own.
fn is_uncoded(headers: &HeaderMap) -> bool {
    let Some(status) = headers.get("grpc-status") else {
        return false;
    };
    let unread = [
        Code::Internal,
        Code::OutOfRange,
        Code::ResourceExhausted,
        Code::Unimplemented,
    ];
    !headers.contains_key(DETAILS) && unread.contains(&Code::from_bytes(status.as_bytes()))
}

#[cfg(test)]
mod tests {
    use lingqu_transport::code_of;
    use tonic::Status;

    use super::*;

    #[tokio::test]
    async fn only_what_has_no_code_gets_one() {
        for (status, expected) in [
            (Status::out_of_range("x"), Some(ErrorCode::RequestInvalid)),
            (Status::internal("x"), Some(ErrorCode::RequestInvalid)),
            (Status::not_found("x"), None),
            (status_of(ErrorCode::Internal), Some(ErrorCode::Internal)),
            (
                status_of(ErrorCode::QuotaExhausted),
                Some(ErrorCode::QuotaExhausted),
            ),
        ] {
            let response = coded(status.into_http()).await;
            let status = Status::from_header_map(response.headers()).unwrap();
            assert_eq!(code_of(&status), expected);
        }
        let plain = coded(Response::new(axum::body::Body::empty())).await;
        assert!(plain.headers().is_empty());
    }
}
