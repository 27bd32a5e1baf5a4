//! The settings of a MySQL source. Every key is documented here and in `docs/sources/mysql.md`.

use std::path::PathBuf;
use std::time::Duration;

use lingqu_connector_sdk::{ReadLimits, SecretSource, SettingsRefused};
use serde::Deserialize;

use crate::server::settings::{self as server, Reach, TlsMode};

/// Typed settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Name or address of the server; with a leading `/`, its Unix socket.
    pub(super) host: String,
    /// Its port.
    #[serde(default = "port")]
    pub(super) port: u16,
    /// The database whose tables are offered.
    pub(super) database: String,
    /// The account, which should be able to read and nothing else.
    pub(super) user: String,
    /// Its password; none where the server asks for none.
    #[serde(default)]
    pub(super) password: Option<SecretSource>,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub(super) tls: TlsMode,
    /// File with the PEM certificates of the authorities that the server's certificate may come from.
    #[serde(default)]
    pub(super) ca: Option<PathBuf>,
    /// What the server is.
    #[serde(default)]
    pub(super) dialect: Dialect,
    /// How rows are asked for.
    #[serde(default)]
    pub(super) protocol: Option<Protocol>,
    /// What `0000-00-00` and dates with a month or day of 0 are.
    #[serde(default)]
    pub(super) zero_dates: ZeroDates,
    /// Connections at once at most, besides those that stop a query.
    #[serde(default = "server::connections_max")]
    pub(super) connections_max: usize,
    /// Longest time to connect, and to wait for a free connection, in seconds.
    #[serde(default = "server::connect_timeout_s")]
    pub(super) connect_timeout_s: u64,
    /// Longest time of one query of a scan, in seconds. A load has a limit of its own.
    #[serde(default = "server::statement_timeout_s")]
    pub(super) statement_timeout_s: u64,
    /// Longest time to wait for a lock that somebody else holds, in seconds.
    #[serde(default = "server::lock_timeout_s")]
    pub(super) lock_timeout_s: u64,
    /// Most rows of one scan.
    #[serde(default = "server::scan_rows_max")]
    pub(super) scan_rows_max: u64,
    /// Most bytes of Arrow buffers of one scan.
    #[serde(default = "server::scan_bytes_max")]
    pub(super) scan_bytes_max: u64,
}

/// What the server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Dialect {
    /// What it says of itself.
    #[default]
    Auto,
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
    /// OceanBase in MySQL mode.
    OceanBase,
    /// TiDB.
    TiDb,
}

/// How rows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// By a prepared statement, in binary form.
    Prepared,
    /// As text, where the server or a proxy has no prepared statements.
    Text,
}

/// Dates that are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ZeroDates {
    /// The unit has said that they mean "unknown".
    Null,
    /// The reading fails.
    #[default]
    Refuse,
}

impl Settings {
    pub(super) fn parse(table: toml::Table) -> Result<Settings, SettingsRefused> {
        let settings: Settings = table.try_into()?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsRefused> {
        self.reach().check()
    }

    fn reach(&self) -> Reach<'_> {
        Reach {
            host: &self.host,
            port: self.port,
            database: &self.database,
            user: &self.user,
            tls: self.tls,
            has_ca: self.ca.is_some(),
            connections_max: self.connections_max,
            connect_timeout_s: self.connect_timeout_s,
            statement_timeout_s: self.statement_timeout_s,
            lock_timeout_s: self.lock_timeout_s,
        }
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_s)
    }

    /// Bounds of a scan.
    pub(super) fn scan_limits(&self, batch_rows: usize) -> ReadLimits {
        server::scan_limits(
            self.scan_rows_max,
            self.scan_bytes_max,
            batch_rows,
            self.statement_timeout_s,
        )
    }
}

fn port() -> u16 {
    3_306
}

#[cfg(test)]
mod tests;
