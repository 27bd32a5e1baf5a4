//! PostgreSQL, read over its own protocol.
//!
//! A reading is one transaction, `REPEATABLE READ READ ONLY`, with the table locked against changes of its columns, and
//! one `COPY (SELECT …) TO STDOUT (FORMAT binary)` whose bytes become Arrow buffers without any value in between.
//! Dropping a reading sends a cancel request, so that the server stops too. Start reading at `source`, then `decode`.

mod columns;
mod decode;
mod error;
mod numeric;
mod privileges;
mod probe;
mod pushdown;
mod session;
mod settings;
mod source;
mod sql;
mod tls;

use std::path::Path;
use std::sync::Arc;

use lingqu_connector_sdk::{Connector, ConnectorKind, SettingsRefused};

/// The kind `postgres`. Its settings are described in `docs/sources/postgresql.md`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postgres;

impl ConnectorKind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings = settings::Settings::parse(settings)?;
        Ok(Arc::new(source::Source::new(settings, base)?))
    }
}
