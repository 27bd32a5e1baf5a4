//! The coordinator's services. `grpc.rs` puts them together; one file per service translates between the wire and what
//! the registry and the mirror understand.

pub(crate) mod audit;
pub(crate) mod enrolment;
pub(crate) mod grpc;
pub(crate) mod health;
pub(crate) mod mirror;
pub(crate) mod pages;
pub(crate) mod registry;
pub(crate) mod sync;
pub(crate) mod workflow;
