//! A refusal as a problem of RFC 9457. The wording is the transport's; here it is only picked.

use axum::response::{IntoResponse, Response};
use lingqu_core::ErrorCode;
use lingqu_transport::{problem_of, problem_of_fault};

use crate::call::Refused;

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Problem(Refused);

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Problem {
        Problem(code.into())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        Problem(refused)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match &self.0.fault {
            Some(fault) => problem_of_fault(self.0.code, fault),
            None => problem_of(self.0.code),
        }
    }
}
