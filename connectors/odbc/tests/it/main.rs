//! The program as a node sees it: over its socket, with real drivers and with one that does what drivers must not do.
//!
//! The drivers are Debian's (`cargo xtask test` brings them); the hostile one is C (`tests/driver/hostile.c`) and is built
//! here, so `cc` must be there.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the failure it should be"
)]

mod attacks;
mod hostile;
mod program;
mod servers;
mod sqlite;
mod unit;
