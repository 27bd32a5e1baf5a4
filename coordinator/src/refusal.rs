//! Why the coordinator refuses a request: a code, and sometimes the name of the field it is about.
//!
//! What goes wrong inside is logged here and told to the caller as `INTERNAL`, so that no text of the database or the
//! operating system leaves.

use lingqu_core::ErrorCode;
use lingqu_proto::FieldInvalid;

use crate::store::StoreError;

/// A refusal of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// The field that the code is about.
    pub field: Option<&'static str>,
}

impl Refusal {
    /// A refusal of one field.
    pub(crate) fn of(code: ErrorCode, field: &'static str) -> Refusal {
        Refusal {
            code,
            field: Some(field),
        }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal { code, field: None }
    }
}

impl From<FieldInvalid> for Refusal {
    fn from(invalid: FieldInvalid) -> Refusal {
        Refusal::of(invalid.code(), invalid.field)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        tracing::error!(%error, "the registry's database");
        Refusal::from(ErrorCode::Internal)
    }
}
