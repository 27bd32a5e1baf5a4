//! The body of a call: request, answer and opening key, kept sealed beside the log and never in it.
//!
//! A body is sealed under the key of its grant and day; that key is wrapped to each regulator that the unit names, and
//! nobody else has it, the node included once the day is over. Erasing the wrapped keys makes the bodies, and with them
//! the openings of the records' commitments, unreadable for ever, and changes no record and no proof.
//!
//! Here are the formats and the rules; files, orders on record and the wrapping itself are the node's.

mod sealing;

use std::fmt;

use lingqu_tlog::{Hash, Suite};

use crate::commitment::{Tag, body_root};
use crate::{GrantId, NodeId, PartyId, Timestamp};

pub use lingqu_policy::Day;
pub use sealing::{BodyPlace, BodyUnopenable, KEY_LEN, SALT_LEN, open_body, seal_body, wrap_info};

/// Payload type of an order's envelope.
pub const BODY_ORDER_TYPE: &str = "lingqu.v1.BodyOrder";
/// Most days that one order is about.
pub const DAYS_MAX: i32 = 3_660;
const MAGIC: &[u8; 4] = b"BOD1";
const HEAD_LEN: usize = 4 + 32 + 4;

/// Days of UTC+8, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    first: Day,
    last: Day,
}

impl Days {
    /// None if `last` lies before `first`, or more than ten years after it.
    pub fn new(first: Day, last: Day) -> Option<Days> {
        let span = last.days() - first.days();
        (0..DAYS_MAX)
            .contains(&span)
            .then_some(Days { first, last })
    }

    /// The first one.
    pub fn first(self) -> Day {
        self.first
    }

    /// The last one.
    pub fn last(self) -> Day {
        self.last
    }

    /// Whether `day` is one of them.
    pub fn contains(self, day: Day) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.last)
    }
}

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyAct {
    /// The unit erases the keys.
    Erase,
    /// A regulator reads.
    Open,
}

/// A signed order about the bodies of one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyOrder {
    /// Who orders: a regulator to open, the unit to erase.
    pub by: PartyId,
    /// The node that it is for.
    pub node: NodeId,
    /// When it was signed; it is good for a day, so that an old one cannot be used again.
    pub issued: Timestamp,
    /// The grant.
    pub grant: GrantId,
    /// The days on which the calls were made.
    pub days: Days,
    /// What is ordered.
    pub act: BodyAct,
    /// Why, for the record: the case's number, for example. 1 to 256 bytes.
    pub reason: String,
}

/// What the commitments of a record are over, and what opens them.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// The key of the commitments.
    pub opening_key: [u8; 32],
    /// The canonical encoding of the request.
    pub request: Vec<u8>,
    /// The answer as it is committed to.
    pub answer: Vec<u8>,
}

/// Bytes that are no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the body of a call")]
pub struct BodyMalformed;

impl Body {
    /// `"BOD1" ‖ opening key ‖ u32 length of the request ‖ request ‖ answer`.
    pub fn encode(&self) -> Vec<u8> {
        let length =
            u32::try_from(self.request.len()).expect("a request is bounded by its message");
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.request.len() + self.answer.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.opening_key);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.request);
        bytes.extend_from_slice(&self.answer);
        bytes
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`BodyMalformed`] for whatever [`Body::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Result<Body, BodyMalformed> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>().ok_or(BodyMalformed)?;
        let (magic, head) = head.split_at(MAGIC.len());
        let (key, length) = head.split_at(32);
        let length = u32::from_be_bytes(length.try_into().map_err(|_| BodyMalformed)?);
        let length = usize::try_from(length).map_err(|_| BodyMalformed)?;
        let (request, answer) = rest.split_at_checked(length).ok_or(BodyMalformed)?;
        if magic != MAGIC {
            return Err(BodyMalformed);
        }
        Ok(Body {
            opening_key: key.try_into().map_err(|_| BodyMalformed)?,
            request: request.to_vec(),
            answer: answer.to_vec(),
        })
    }

    /// The root that the record of this call must carry; a body whose root is another one is not this call's.
    pub fn root<S: Suite>(&self) -> Hash {
        body_root::<S>(
            &self.opening_key,
            &[(Tag::Request, &self.request), (Tag::Answer, &self.answer)],
        )
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Body({} bytes, redacted)",
            self.request.len() + self.answer.len()
        )
    }
}

/// The first instant at which what was kept of a grant may go: `months` calendar months after its end, in
/// UTC+8. A day that the later month does not have is its last one; the instant of the day is kept.
pub fn keep_until(ended: Timestamp, months: u16) -> Timestamp {
    ended.plus_months_utc8(months)
}

#[cfg(test)]
mod tests;
