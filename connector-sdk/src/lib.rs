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

mod bounded;
mod connector;
mod digest;
mod error;
mod kind;
mod limited;
mod scan;
mod secret;

pub use bounded::{BoundedReading, Progress, ReadRows, ReadingFacts};
pub use connector::{
    Connector, Health, LoadRequest, ReadLimits, Reading, TableInfo, TableName, TableNameRefused,
    WriteProbe,
};
pub use digest::{RowsDigest, RowsHasher};
pub use error::{SettingsRefused, SourceError};
pub use kind::{ConnectorKind, Kinds};
pub use secret::{Secret, SecretSource, SecretUnavailable};
