//! The settings of a PostgreSQL source. Every key is documented here and in `docs/sources/postgresql.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lingqu_connector_sdk::{ReadLimits, SecretSource, SettingsRefused};
use serde::Deserialize;

use crate::server::settings::{self as server, Reach, TlsMode};

/// Typed settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Name or address of the server; with a leading `/`, the directory of its Unix socket.
    pub(super) host: String,
    /// Its port.
    #[serde(default = "port")]
    pub(super) port: u16,
    /// The database.
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
    /// Certificate chain and key (PEM) with which this side proves itself, for servers that ask for it.
    #[serde(default)]
    pub(super) client: Option<ClientIdentity>,
    /// Schemas whose tables are offered; all that the account may use if empty.
    #[serde(default)]
    pub(super) schemas: Vec<String>,
    /// What to do where row-level security would hide rows from the account.
    #[serde(default)]
    pub(super) row_security: RowSecurity,
    /// Precision and scale of `numeric` columns that are declared without: `"schema.table.column" = [18, 2]`.
    #[serde(default)]
    pub(super) numeric: BTreeMap<String, (u8, u8)>,
    /// Connections at once at most.
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

/// How this side proves itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientIdentity {
    /// The chain, PEM, its own certificate first.
    pub(super) certificate: PathBuf,
    /// The key, PEM; a file that only its owner can read.
    pub(super) key: PathBuf,
}

/// Row-level security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RowSecurity {
    /// A table whose rows are filtered for the account cannot be read: a register with silent gaps answers wrongly.
    #[default]
    Refuse,
    /// The account is meant to see only some rows.
    Apply,
}

impl Settings {
    pub(super) fn parse(table: toml::Table) -> Result<Settings, SettingsRefused> {
        let settings: Settings = table.try_into()?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsRefused> {
        self.reach().check()?;
        let fits =
            |&(precision, scale): &(u8, u8)| (1..=38).contains(&precision) && scale <= precision;
        if !self.numeric.values().all(fits) {
            return Err(SettingsRefused::Unusable {
                key: "numeric",
                why: "has a precision outside 1 to 38 or a scale above its precision".to_owned(),
            });
        }
        Ok(())
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
    5_432
}

#[cfg(test)]
mod tests;
