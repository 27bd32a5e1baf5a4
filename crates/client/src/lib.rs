//! The caller's and the regulator's side: calls a node and checks the receipt before it hands over the answer; follows
//! the audit feed and verifies each span before it shows it.
//!
//! A party's side of the workflow of authorisation is here too.
//!
//! In scope: mutual TLS to a node or coordinator, call ids and retries, receipts, the feed's completeness, archives of
//! logs that anybody can check, the step from one stream to the next.
//! Out of scope: what a caller does with an answer; files of keys (`lingqu-transport`).
//! Start reading at [`Node::verify`]; the regulator's side at [`Feed`], [`archive`] and
//! [`bodies`].

pub mod archive;
pub mod bodies;
mod drops;
pub mod feed;
mod node;
pub mod succession;
pub mod workflow;

pub use feed::{Event, Feed, FeedBroken, Outcome, Seen, SeenMalformed, Selection};
pub use lingqu_core::head::Head;
pub use node::{Answered, CallFailed, Node, Question, Table};
