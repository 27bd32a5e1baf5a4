//! Where the unit's data is read. Read only: there is no way to write.
//!
//! A [`NamedSource`] is a connector with the settings of one `[[source]]`; a [`Resource`] is one table of it, under the
//! name that products and policies use. [`reading`] reads a table whole, within bounds, and says what was read;
//! [`schema`] is what the unit has looked at, which a table must still be. Start reading at [`configure()`].

pub mod columns;
pub mod configure;
mod parquet_file;
pub mod reading;
pub mod resource;
pub mod schema;
#[cfg(test)]
pub(crate) mod scripted;

pub use columns::{ColumnsUnfit, each_row};
pub use configure::{Configured, SourcesRefused, configure};
pub use lingqu_connector_sdk as sdk;
pub use parquet_file::{ParquetFile, SOURCE as FILE_SOURCE, TABLE as FILE_TABLE};
pub use resource::{AsOf, NamedSource, Refresh, Resource};
