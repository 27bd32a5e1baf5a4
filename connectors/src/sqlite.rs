//! `kind = "sqlite"`: a database of SQLite in a file.
//!
//! SQLite lets every cell have a type of its own. Here a column has the one that its table declares, or that the settings
//! do, and a cell of another type ends the reading. The file is opened for reading only, in the way that takes part in
//! the locks of those who write.

mod read;
#[cfg(test)]
mod tests;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{
    Connector, ConnectorKind, Health, LoadRequest, Reading, SettingsRefused, SourceError,
    TableInfo, TableName,
};
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use crate::bounded::{failed, within};
use crate::declared::{ColumnSettings, Columns};
use crate::scan;
use crate::sql_text::Quote;

/// Rows that wait between SQLite's thread and ours.
const ROWS_AHEAD: usize = 64;
/// Most tables of one database.
const TABLES_MAX: usize = 10_000;

/// The kind.
pub(crate) struct SqliteKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file.
    path: PathBuf,
    /// Seconds to wait for a writer's lock; 5.
    lock_time_max_s: Option<u64>,
    /// Seconds for describing a table; 30.
    look_time_max_s: Option<u64>,
    /// Most bytes of one value; 16 MiB.
    value_bytes_max: Option<u32>,
    /// Tables whose columns are declared here instead of taken from the database.
    #[serde(default)]
    tables: Vec<TableSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSettings {
    /// The table or view.
    name: String,
    /// Its columns, as many of them as are wanted.
    columns: Vec<ColumnSettings>,
}

impl ConnectorKind for SqliteKind {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings: Settings = settings.try_into()?;
        let declared = |table: TableSettings| Ok((table.name, Columns::parse(table.columns)?));
        let declared: Result<Vec<_>, SettingsRefused> =
            settings.tables.into_iter().map(declared).collect();
        Ok(Arc::new(Sqlite(Arc::new(Database {
            path: base.join(settings.path),
            lock_time_max: Duration::from_secs(settings.lock_time_max_s.unwrap_or(5)),
            look_time_max: Duration::from_secs(settings.look_time_max_s.unwrap_or(30).max(1)),
            value_bytes_max: settings.value_bytes_max.unwrap_or(16 << 20),
            declared: declared?,
        }))))
    }
}

/// One database, opened anew for each reading.
#[derive(Debug)]
struct Database {
    path: PathBuf,
    lock_time_max: Duration,
    look_time_max: Duration,
    value_bytes_max: u32,
    declared: Vec<(String, Columns)>,
}

impl Database {
    async fn connect(&self) -> Result<SqliteConnection, SourceError> {
        // The driver would say "unable to open" for everything; whether there is a file can be asked before.
        if !tokio::fs::try_exists(&self.path).await.unwrap_or(false) {
            return Err(SourceError::Unreachable);
        }
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(self.lock_time_max)
            .row_buffer_size(ROWS_AHEAD)
            .statement_cache_capacity(1)
            .pragma("query_only", "1")
            // A schema is data too: views of a hostile file may call functions.
            .pragma("trusted_schema", "0")
            .pragma("cell_size_check", "1")
            .pragma("mmap_size", "0")
            .disable_statement_logging();
        options
            .connect()
            .await
            .map_err(|error| sqlite_error(&error))
    }

    async fn names(&self, connection: &mut SqliteConnection) -> Result<Vec<String>, SourceError> {
        let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
                   AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name";
        let mut rows = sqlx::query(sql).fetch(connection);
        let mut names = Vec::new();
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|error| sqlite_error(&error))?
        {
            if names.len() == TABLES_MAX {
                return Err(SourceError::TooLarge);
            }
            names.push(row.try_get(0).map_err(|error| sqlite_error(&error))?);
        }
        Ok(names)
    }

    /// The columns of a table by its exact name, as it has them now.
    async fn columns(
        &self,
        connection: &mut SqliteConnection,
        table: &TableName,
    ) -> Result<Columns, SourceError> {
        let missing = || SourceError::TableMissing(table.clone());
        let [name] = table.parts() else {
            return Err(missing());
        };
        // SQLite does not tell upper from lower case in names; we do, so that a table has one name.
        if !self.names(connection).await?.contains(name) {
            return Err(missing());
        }
        let sql = format!("PRAGMA table_xinfo({})", Quote::Double.name(name));
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await;
        let rows = rows.map_err(|error| sqlite_error(&error))?;
        let found = types::columns(&rows).map_err(|error| sqlite_error(&error))?;
        match self.declared.iter().find(|(declared, _)| declared == name) {
            Some((_, columns)) => {
                let there = |name: &String| found.iter().any(|column| column.name == *name);
                let mut declared = columns.list().iter().map(|column| &column.name);
                match declared.find(|name| !there(name)) {
                    Some(missing) => Err(SourceError::ColumnMissing(missing.clone())),
                    None => Ok(columns.clone()),
                }
            }
            None => types::typed(found),
        }
    }

    async fn table(self: &Arc<Self>, table: &TableName) -> Result<read::SqliteTable, SourceError> {
        within(self.look_time_max, async {
            let mut connection = self.connect().await?;
            let columns = self.columns(&mut connection, table).await?;
            Ok(read::SqliteTable {
                database: Arc::clone(self),
                name: table.clone(),
                columns,
            })
        })
        .await
    }
}

#[derive(Debug)]
struct Sqlite(Arc<Database>);

#[async_trait]
impl Connector for Sqlite {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        within(self.0.look_time_max, async {
            let mut connection = self.0.connect().await?;
            let mut tables = Vec::new();
            for name in self.0.names(&mut connection).await? {
                let Ok(name) = TableName::new([name]) else {
                    continue;
                };
                let columns = self.0.columns(&mut connection, &name).await?;
                tables.push(TableInfo::new(name, columns.schema()));
            }
            Ok(tables)
        })
        .await
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        Ok(scan::provider(Arc::new(self.0.table(table).await?)))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        let table = self.0.table(&request.table).await?;
        Ok(Reading {
            batches: scan::load(&table, request).await?,
            version: None,
        })
    }

    async fn health(&self) -> Result<Health, SourceError> {
        within(self.0.look_time_max, async {
            let mut connection = self.0.connect().await?;
            let row = sqlx::query("SELECT sqlite_version(), (SELECT count(*) FROM sqlite_schema)");
            let row = row.fetch_one(&mut connection).await;
            let row = row.map_err(|error| sqlite_error(&error))?;
            let version: String = row.try_get(0).map_err(|error| sqlite_error(&error))?;
            Ok(Health {
                server: format!("SQLite {version}"),
                may_write: Vec::new(),
                verified_tls: None,
            })
        })
        .await
    }
}

/// SQLite's own code for what happened; its message may quote names and values.
fn sqlite_error(error: &sqlx::Error) -> SourceError {
    match error {
        sqlx::Error::Database(database) => match database.code().as_deref() {
            // SQLITE_INTERRUPT: only we interrupt, when nobody waits any more or for too long.
            Some("9") => SourceError::TimedOut,
            Some("23" | "3") => SourceError::AccountRefused,
            Some("14") => SourceError::Unreachable,
            code => SourceError::Failed {
                code: code.map(|code| format!("SQLITE {code}")),
            },
        },
        sqlx::Error::Io(_) => SourceError::Unreachable,
        sqlx::Error::WorkerCrashed => failed("worker"),
        _ => SourceError::Failed { code: None },
    }
}
