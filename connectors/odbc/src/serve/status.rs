//! Failures on the wire: a gRPC code by which a client can decide, a text for people, and `lingqu-reason`, one word that
//! does not change. Of an internal failure nothing is told that is not in the log.

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::failure::Failure;
use crate::request::RequestRefused;
use crate::supervise::WorkError;

/// The header with the word.
const REASON: &str = "lingqu-reason";

/// A request that is none.
pub(super) fn refused(refusal: &RequestRefused) -> Status {
    status(
        Code::InvalidArgument,
        "REQUEST_INVALID",
        refusal.to_string(),
    )
}

/// A table that the configuration does not have.
pub(super) fn table_missing() -> Status {
    let text = "there is no such table in the configuration of this source";
    status(Code::NotFound, "TABLE_MISSING", text.to_owned())
}

/// A ticket that is already being fetched.
pub(super) fn running() -> Status {
    let text = "this ticket is being fetched";
    status(Code::AlreadyExists, "TICKET_IN_USE", text.to_owned())
}

/// A command that this process does not have.
pub(super) fn unsupported() -> Status {
    let text = "this process answers CommandStatementQuery, CommandGetTables, CommandGetSqlInfo and the action \
                CancelFlightInfo";
    status(Code::Unimplemented, "COMMAND_UNSUPPORTED", text.to_owned())
}

/// Work that came to nothing.
pub(super) fn of_work(error: &WorkError) -> Status {
    let text = error.to_string();
    match error {
        WorkError::BackOff => status(Code::Unavailable, "BACK_OFF", text),
        WorkError::Busy => status(Code::ResourceExhausted, "BUSY", text),
        WorkError::Cancelled => status(Code::Cancelled, "CANCELLED", text),
        // Paths and variables of this machine are for its operator.
        WorkError::Connection(_) => status(
            Code::FailedPrecondition,
            "SECRET_UNAVAILABLE",
            "a secret of this source cannot be read; the log says which".to_owned(),
        ),
        WorkError::Crashed => status(Code::Internal, "DRIVER_CRASHED", text),
        WorkError::Failed(failure) => of_failure(failure),
        WorkError::Garbage => status(Code::Internal, "DRIVER_GARBAGE", text),
        WorkError::Start(_) => status(
            Code::Unavailable,
            "WORKER_UNAVAILABLE",
            "no worker can be started; the log says why".to_owned(),
        ),
        WorkError::TimedOut => status(Code::DeadlineExceeded, "TIMED_OUT", text),
    }
}

/// What a worker reported.
pub(super) fn of_failure(failure: &Failure) -> Status {
    let (code, reason) = match failure {
        Failure::AccountRefused => (Code::Unauthenticated, "ACCOUNT_REFUSED"),
        Failure::ColumnMissing { .. } => (Code::NotFound, "COLUMN_MISSING"),
        Failure::ColumnType { .. } => (Code::FailedPrecondition, "COLUMN_TYPE"),
        Failure::DriverMisbehaved => (Code::Internal, "DRIVER_MISBEHAVED"),
        Failure::Failed { .. } => (Code::Internal, "SOURCE_FAILED"),
        Failure::PredicateUnfit { .. } => (Code::InvalidArgument, "PREDICATE_UNFIT"),
        Failure::RowTooWide => (Code::ResourceExhausted, "ROW_TOO_WIDE"),
        Failure::TableMissing => (Code::NotFound, "TABLE_MISSING"),
        Failure::TooLarge => (Code::ResourceExhausted, "TOO_LARGE"),
        Failure::TimedOut => (Code::DeadlineExceeded, "TIMED_OUT"),
        Failure::Unreachable { .. } => (Code::Unavailable, "UNREACHABLE"),
        Failure::ValueTooLong { .. } => (Code::OutOfRange, "VALUE_TOO_LONG"),
        Failure::ValueUnfit { .. } => (Code::DataLoss, "VALUE_UNFIT"),
    };
    status(code, reason, failure.to_string())
}

fn status(code: Code, reason: &'static str, text: String) -> Status {
    let mut status = Status::new(code, text);
    status
        .metadata_mut()
        .insert(REASON, MetadataValue::from_static(reason));
    status
}
