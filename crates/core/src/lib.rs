//! The words of Lingqu as types: who, where, what, under which grant, decided how, recorded how.
//!
//! In scope: typed ids, regions, signed envelopes, grants, products, policies as signed, `decide`, the states of a
//! call, records and receipts, error codes.
//! Out of scope: wire formats (`lingqu-proto`), files (`lingqu-journal`), sockets, clocks: time is passed in.
//! Start reading at [`decide`](decide::decide), then [`call`].

pub mod agreement;
pub mod application;
pub mod body;
pub mod call;
pub mod case;
pub mod code;
pub mod commitment;
pub mod credential;
pub mod debit;
pub mod decide;
pub mod destruction;
pub mod envelope;
pub mod epoch;
pub mod fault;
pub mod forward;
pub mod grant;
pub mod head;
pub mod id;
pub mod product;
pub mod receipt;
pub mod record;
pub mod region;
pub mod role;
pub mod source_order;
pub mod stop;
pub mod succession;
pub mod time;
pub mod trust;

pub use code::ErrorCode;
pub use fault::Fault;
pub use id::{CallId, CaseId, CoordinatorId, GrantId, LoadId, NodeId, PartyId, ProductId};
pub use region::Region;
pub use role::Role;
pub use time::{Clock, Timestamp};
