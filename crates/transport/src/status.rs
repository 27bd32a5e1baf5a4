//! Error codes on the wire: gRPC status with `google.rpc.ErrorInfo`, and HTTP status for everything else.
//!
//! The message begins with the code, because some clients show nothing else; programs read the code from the
//! details. Both matches are exhaustive: a new class does not compile until both transports know it.

use std::fmt;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lingqu_core::code::Class;
use lingqu_core::{ErrorCode, Fault};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `google.rpc.ErrorInfo.domain` of every code of ours.
pub const ERROR_DOMAIN: &str = "lingqu";

/// The status of a code: `CODE: english / 中文`.
pub fn status_of(code: ErrorCode) -> Status {
    status(code, message(code, None))
}

/// The same with a constant appended, for example the name of the field that is malformed: `CODE: … / … (field)`.
///
/// The detail is `&'static str`, so that no part of a request or of a row can get into a status.
pub fn status_with(code: ErrorCode, detail: &'static str) -> Status {
    status(code, message(code, Some(&detail)))
}

/// The same naming a field and what is wrong with it. A [`Fault`] holds no part of a request either.
pub fn status_of_fault(code: ErrorCode, fault: &Fault) -> Status {
    status(code, message(code, Some(fault)))
}

/// The code that a status carries; `None` if it is not one of ours.
pub fn code_of(status: &Status) -> Option<ErrorCode> {
    let info = status.get_details_error_info()?;
    if info.domain == ERROR_DOMAIN {
        info.reason.parse().ok()
    } else {
        None
    }
}

/// The answer of an HTTP endpoint: a problem (RFC 9457) whose `type` is the code.
pub fn problem_of(code: ErrorCode) -> Response {
    problem(code, None)
}

/// The same naming a field of the request and what is wrong with it.
pub fn problem_of_fault(code: ErrorCode, fault: &Fault) -> Response {
    problem(code, Some(fault.to_string()))
}

fn problem(code: ErrorCode, detail: Option<String>) -> Response {
    let status = http_status(code.class());
    let problem = Problem {
        code: code.as_str(),
        title: code.message_en(),
        title_zh: code.message_zh(),
        status: status.as_u16(),
        detail,
    };
    let mut response = (status, Json(problem)).into_response();
    let media_type = HeaderValue::from_static("application/problem+json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    code: &'static str,
    title: &'static str,
    title_zh: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The gRPC code of a class.
pub const fn grpc_code(class: Class) -> Code {
    match class {
        Class::AlreadyExists => Code::AlreadyExists,
        Class::FailedPrecondition => Code::FailedPrecondition,
        Class::Internal => Code::Internal,
        Class::InvalidArgument => Code::InvalidArgument,
        // A service that sends one has mistaken its own trouble for the caller's.
        Class::Local => Code::Unknown,
        Class::NotFound => Code::NotFound,
        Class::PermissionDenied => Code::PermissionDenied,
        Class::ResourceExhausted => Code::ResourceExhausted,
        Class::Unauthenticated => Code::Unauthenticated,
        Class::Unavailable => Code::Unavailable,
        Class::Unimplemented => Code::Unimplemented,
    }
}

/// The HTTP status of a class.
pub const fn http_status(class: Class) -> StatusCode {
    match class {
        Class::AlreadyExists | Class::FailedPrecondition => StatusCode::CONFLICT,
        Class::Internal | Class::Local => StatusCode::INTERNAL_SERVER_ERROR,
        Class::InvalidArgument => StatusCode::BAD_REQUEST,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::PermissionDenied => StatusCode::FORBIDDEN,
        Class::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Unimplemented => StatusCode::NOT_IMPLEMENTED,
    }
}

fn message(code: ErrorCode, detail: Option<&dyn fmt::Display>) -> String {
    let texts = format!("{code}: {} / {}", code.message_en(), code.message_zh());
    match detail {
        Some(detail) => format!("{texts} ({detail})"),
        None => texts,
    }
}

fn status(code: ErrorCode, message: String) -> Status {
    let details = ErrorDetails::with_error_info(code.as_str(), ERROR_DOMAIN, []);
    Status::with_error_details(grpc_code(code.class()), message, details)
}

#[cfg(test)]
mod tests;
