//! A witness (C2SP tlog-witness): cosigns a log's checkpoint only if it extends the one that it cosigned before.
//!
//! **What it is**: the state of each log, checked and replaced in one durable step, and the HTTP interface over it. A
//! regulator runs one beside its own office: a coordinator that shows two regulators two different pasts then needs both
//! of them to help it.
//!
//! **In scope**: `add-checkpoint` and the newest checkpoint of each log; keeping the evidence when a log contradicts
//! itself; never going back, whatever the clock and the disk do.
//!
//! **Out of scope**: what the entries say; whether a log leaves something out (`lingqu audit verify` says so); bastions.
//!
//! **Start reading at** [`Witness::add_checkpoint`], then `store.rs` for what is durable when.
//!
//! # What holds after a restore from a backup
//!
//! A witness cannot know from its own files that they are old. It refuses to start without the state of a log that it is
//! to watch ([`Store::init`] is a deliberate act), and it never signs a time before one that it signed. Whoever restores an
//! older state must ask the logs for the newest checkpoint that carries this witness's own cosignature, and submit that
//! first: the witness takes it up like any other, and is then where it was.

mod config;
mod http;
mod store;
mod witness;

pub use config::{Config, ConfigError, LogConfig, TlsConfig};
pub use http::{router, serve_loopback};
pub use store::{Store, StoreError};
pub use witness::{Answer, SetupError, Witness};
