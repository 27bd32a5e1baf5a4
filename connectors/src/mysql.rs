//! MySQL and its relatives: MariaDB, TiDB, and OceanBase in MySQL mode, read over MySQL's protocol.
//!
//! A reading is one read-only transaction over a consistent snapshot and one `SELECT` whose rows are decoded as they
//! come. Dropping a reading sends `KILL QUERY` over a second connection, so that the server stops too. Start reading at
//! `source`, then `values`.

mod columns;
mod dialect;
mod error;
mod privileges;
mod probe;
mod pushdown;
mod session;
mod settings;
mod source;
mod sql;
mod values;

use std::path::Path;
use std::sync::Arc;

use lingqu_connector_sdk::{Connector, ConnectorKind, SettingsRefused};

/// The kind `mysql`. Its settings are described in `docs/sources/mysql.md`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MySql;

impl ConnectorKind for MySql {
    fn name(&self) -> &'static str {
        "mysql"
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
