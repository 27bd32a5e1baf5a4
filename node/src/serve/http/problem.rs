//! A refusal as a problem of RFC 9457. The wording is the transport's; here it is only picked.

use axum::response::{IntoResponse, Response};
use lingqu_core::ErrorCode;
use lingqu_proto::{CallInvalid, FieldInvalid};
use lingqu_transport::{problem_of, problem_of_field};

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Problem {
    code: ErrorCode,
    field: Option<FieldInvalid>,
}

impl Problem {
    /// One that names what is wrong in the request; constants, as everywhere.
    pub(super) fn field(invalid: &CallInvalid) -> Problem {
        Problem {
            code: invalid.code,
            field: Some(FieldInvalid {
                field: invalid.field,
                reason: invalid.reason,
            }),
        }
    }
}

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Problem {
        Problem { code, field: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match &self.field {
            Some(field) => problem_of_field(self.code, field),
            None => problem_of(self.code),
        }
    }
}
