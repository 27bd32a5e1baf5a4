//! Integration tests over real sockets and real processes. One binary, one module a subject.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the failure it should be"
)]

mod docs;
mod grants;
mod network;
mod restored;
mod roles;
mod story;
