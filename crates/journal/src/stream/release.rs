//! What may leave: [`Recorded`] is made only when the record is durable, [`Released`] only from a `Recorded` whose
//! permit's terms hold, or from a recorded denial. A service function that returns `Released<T>` cannot answer
//! unrecorded.

use lingqu_core::ErrorCode;
use lingqu_core::call::Header;
use lingqu_core::decide::Permit;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::StreamId;

/// A call whose record is durable (R1). Its answer is inside and has not left.
#[derive(Debug)]
pub struct Recorded<T> {
    pub(crate) header: Header,
    pub(crate) permit: Permit,
    pub(crate) result: Result<T, ErrorCode>,
    pub(crate) stream: StreamId,
    pub(crate) index: u64,
    pub(crate) entry: Vec<u8>,
}

impl<T> Recorded<T> {
    /// What is known of the call.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The record's index in the stream.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The outcome with its receipt. Only for whoever has checked the permit's terms.
    pub(crate) fn released(&self, receipt: Receipt, level: Level) -> Released<T>
    where
        T: Clone,
    {
        Released(match &self.result {
            Ok(result) => Outcome::Answered {
                result: result.clone(),
                receipt,
                level,
            },
            Err(code) => Outcome::Failed {
                code: *code,
                receipt,
                level,
            },
        })
    }
}

/// Something that may leave the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released<T>(Outcome<T>);

/// What leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The answer.
    Answered {
        /// The answer.
        result: T,
        /// The caller's proof.
        receipt: Receipt,
        /// How much is true of the record.
        level: Level,
    },
    /// The call was refused, and that is on record.
    Denied(ErrorCode),
    /// The call failed after data was touched: charged and recorded like an answer.
    Failed {
        /// The one code that such failures have.
        code: ErrorCode,
        /// The caller's proof.
        receipt: Receipt,
        /// How much is true of the record.
        level: Level,
    },
    /// Nothing could be recorded, or not as strictly as the terms demand; so there is nothing in it.
    Unrecorded(ErrorCode),
}

/// What became of a call, without the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// An answer leaves.
    Answered(Level),
    /// A recorded refusal leaves.
    Denied(ErrorCode),
    /// A recorded failure leaves.
    Failed(ErrorCode, Level),
    /// A refusal leaves of which there is no record.
    Unrecorded(ErrorCode),
}

/// The refusals that may leave without a record. They are counted, and carry nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// The record could not be secured.
    AuditUnavailable,
    /// The journal was not yet compared with its mirror: nothing can be recorded, so nothing is even decided.
    NodeNotReady,
    /// Too many calls at one time.
    Overloaded,
    /// Too many calls of one party.
    RateLimited,
}

impl<T> Released<T> {
    /// A refusal without a record.
    pub fn unrecorded(why: Unrecorded) -> Released<T> {
        Released(Outcome::Unrecorded(match why {
            Unrecorded::AuditUnavailable => ErrorCode::AuditUnavailable,
            Unrecorded::NodeNotReady => ErrorCode::NodeNotReady,
            Unrecorded::Overloaded => ErrorCode::Overloaded,
            Unrecorded::RateLimited => ErrorCode::RateLimited,
        }))
    }

    /// A refusal that is on record.
    pub(crate) fn denied(code: ErrorCode) -> Released<T> {
        Released(Outcome::Denied(code))
    }

    /// What became of the call, for whoever counts: nothing of the answer is in it.
    pub fn summary(&self) -> Summary {
        match &self.0 {
            Outcome::Answered { level, .. } => Summary::Answered(*level),
            Outcome::Denied(code) => Summary::Denied(*code),
            Outcome::Failed { code, level, .. } => Summary::Failed(*code, *level),
            Outcome::Unrecorded(code) => Summary::Unrecorded(*code),
        }
    }

    /// What leaves.
    pub fn into_outcome(self) -> Outcome<T> {
        self.0
    }
}
