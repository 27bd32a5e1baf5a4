//! What a connector is, and the kit that tests one.
//!
//! A unit's data sits in databases, files and interfaces (001 Art. 25). A connector reads one kind of them, where they
//! are, and only reads. What it hands on are Arrow batches under a schema it has declared before; who may ask what of
//! them is no concern of a connector, and nothing of it can widen what leaves a node.
//!
//! In scope: the trait [`Connector`], typed settings, [`Secret`]s, readings with digest and source version, errors that
//! never carry row data, and the conformance kit.
//! Out of scope: policies, products, calls; the connectors themselves.
//!
//! Start reading at [`Connector`].
//!
//! # A connector in thirty lines
//!
//! One table, whose rows come from wherever `rows` takes them. It passes the kit.
//!
//! ```
#![doc = include_str!("canals.rs")]
//! ```
//!
//! # One that reads files
//!
//! Every line of a text file becomes a row, read as a stream and held a batch at a time. `load` is the trait's own: it
//! scans what `open` gives. Its test, with a whole fixture, stands in [`conformance`]. Whoever writes a connector needs
//! no other version of Arrow or DataFusion than the ones that this crate re-exports; `futures`, `serde` with `derive`, `tokio`
//! with `fs` and `io-util`, and `tempfile` for the test are the example's own.
//!
//! ```
#![doc = include_str!("lines.rs")]
//! ```

// The example is written as its readers will write theirs.
#[cfg(test)]
extern crate self as lingqu_connector_sdk;

mod bounded;
#[cfg(test)]
mod canals;
pub mod conformance;
mod connector;
pub mod digest;
mod error;
mod kind;
mod limited;
#[cfg(test)]
mod lines;
mod scan;
mod secret;
mod stream_table;

pub use bounded::{BoundedReading, Progress, ReadRows, ReadingFacts};
pub use connector::{
    Connector, Health, LoadRequest, ReadLimits, Reading, TableInfo, TableName, TableNameRefused,
    WriteProbe,
};
pub use digest::{RowsDigest, RowsHasher};
pub use error::{SettingsRefused, SourceError};
pub use kind::{ConnectorKind, Kinds};
pub use secret::{Secret, SecretSource, SecretUnavailable};
pub use stream_table::StreamTable;

// What a connector needs besides this crate, in the versions that it is built with.
pub use {arrow_array, arrow_schema, async_trait, datafusion, toml};
