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
//! # A whole connector
//!
//! Every line of a text file becomes a row. `load` is the trait's own: it scans what `open` gives. The last lines run
//! the conformance kit on it, as `lingqu source check --conformance` does.
//!
//! ```
//! use std::path::{Path, PathBuf};
//! use std::sync::Arc;
//!
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
//! use datafusion::catalog::{MemTable, TableProvider};
//! use lingqu_connector_sdk::{
//!     Connector, ConnectorKind, Health, Kinds, SettingsRefused, SourceError, TableInfo, TableName, WriteProbe,
//! };
//!
//! /// `kind = "lines"`, `settings.path = "notes.txt"`
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Lines {
//!     path: PathBuf,
//! }
//!
//! #[async_trait::async_trait]
//! impl Connector for Lines {
//!     async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
//!         let name: TableName = "lines".parse().expect("it is a name");
//!         let schema = self.open(&name).await?.schema();
//!         Ok(vec![TableInfo { name, schema, rows: None }])
//!     }
//!     async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
//!         if table.parts() != ["lines"] {
//!             return Err(SourceError::TableMissing(table.clone()));
//!         }
//!         let size = tokio::fs::metadata(&self.path).await.map_err(|_| SourceError::Unreachable)?.len();
//!         if size > 64 << 20 {
//!             return Err(SourceError::TooLarge);
//!         }
//!         let bytes = tokio::fs::read(&self.path).await.map_err(|_| SourceError::Unreachable)?;
//!         let unfit = |_| SourceError::ValueUnfit { column: "line".into() };
//!         let text = String::from_utf8(bytes).map_err(unfit)?;
//!         let lines: StringArray = text.lines().map(Some).collect();
//!         let numbers = Int64Array::from_iter_values(1..=text.lines().count() as i64);
//!         let columns = [("number", Arc::new(numbers) as ArrayRef), ("line", Arc::new(lines))];
//!         let rows = RecordBatch::try_from_iter(columns)?;
//!         Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
//!     }
//!     async fn health(&self) -> Result<Health, SourceError> {
//!         tokio::fs::metadata(&self.path).await.map_err(|_| SourceError::Unreachable)?;
//!         Ok(Health { server: "text file".into(), may_write: Vec::new(), verified_tls: None })
//!     }
//!     async fn probe_write(&self) -> Result<WriteProbe, SourceError> {
//!         Ok(WriteProbe::NoMeans)
//!     }
//! }
//!
//! struct LinesKind;
//!
//! impl ConnectorKind for LinesKind {
//!     fn name(&self) -> &'static str {
//!         "lines"
//!     }
//!     fn configure(&self, settings: toml::Table, base: &Path) -> Result<Arc<dyn Connector>, SettingsRefused> {
//!         let Lines { path } = settings.try_into()?;
//!         Ok(Arc::new(Lines { path: base.join(path) }))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! # let dir = tempfile::tempdir().unwrap();
//! # std::fs::write(dir.path().join("notes.txt"), "广西灵渠\n\nO'Brien\n50% a_b\nada\nAda\n").unwrap();
//! # let base = dir.path();
//! let settings = toml::toml! { path = "notes.txt" };
//! let source = Kinds::default().with(LinesKind).configure("lines", settings, base).unwrap();
//! let options = lingqu_connector_sdk::conformance::Options {
//!     probe_write: true,
//!     predicates_max: 4,
//!     ..Default::default()
//! };
//! let report = lingqu_connector_sdk::conformance::check(source, None, options, |_| {}).await;
//! assert!(report.conforms(), "{report}");
//! # }
//! ```

mod bounded;
pub mod conformance;
mod connector;
pub mod digest;
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
