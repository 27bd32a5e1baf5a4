//! The settings of a MySQL source. Every key is documented here and in `docs/sources/mysql.md`.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use lingqu_connector_sdk::{ReadLimits, SecretSource, SettingsRefused};
use serde::Deserialize;

/// Most connections at once that may be asked for.
const CONNECTIONS_MAX: usize = 64;
/// Longest time that may be asked for, in seconds: a day.
const TIME_MAX_S: u64 = 86_400;

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
    #[serde(default = "connections_max")]
    pub(super) connections_max: usize,
    /// Longest time to connect, and to wait for a free connection, in seconds.
    #[serde(default = "connect_timeout_s")]
    pub(super) connect_timeout_s: u64,
    /// Longest time of one query of a scan, in seconds. A load has a limit of its own.
    #[serde(default = "statement_timeout_s")]
    pub(super) statement_timeout_s: u64,
    /// Longest time to wait for a lock that somebody else holds, in seconds.
    #[serde(default = "lock_timeout_s")]
    pub(super) lock_timeout_s: u64,
    /// Most rows of one scan.
    #[serde(default = "scan_rows_max")]
    pub(super) scan_rows_max: u64,
    /// Most bytes of Arrow buffers of one scan.
    #[serde(default = "scan_bytes_max")]
    pub(super) scan_bytes_max: u64,
}

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TlsMode {
    /// The server proves its name by a certificate of `ca`; anything else is refused.
    #[default]
    Verify,
    /// Not encrypted; only where the bytes never leave the machine.
    OffLoopbackOnly,
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
        let unusable = |key, why: &str| {
            Err(SettingsRefused::Unusable {
                key,
                why: why.to_owned(),
            })
        };
        let texts = [
            ("host", &self.host),
            ("database", &self.database),
            ("user", &self.user),
        ];
        for (key, text) in texts {
            if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
                return unusable(key, "is empty, too long or has a control character");
            }
        }
        if self.port == 0 {
            return unusable("port", "is 0");
        }
        match self.tls {
            TlsMode::Verify if self.is_socket() => {
                return unusable(
                    "tls",
                    "cannot be `verify` over a Unix socket; say `off-loopback-only`",
                );
            }
            TlsMode::Verify if self.ca.is_none() => {
                return unusable("ca", "is missing: the server has to prove its name");
            }
            TlsMode::OffLoopbackOnly if !self.is_loopback() => {
                return unusable(
                    "tls",
                    "may be `off-loopback-only` only for a Unix socket or an address such as `127.0.0.1` or `::1`",
                );
            }
            TlsMode::Verify | TlsMode::OffLoopbackOnly => {}
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            return unusable("connections_max", "is not between 1 and 64");
        }
        for (key, seconds) in [
            ("connect_timeout_s", self.connect_timeout_s),
            ("statement_timeout_s", self.statement_timeout_s),
            ("lock_timeout_s", self.lock_timeout_s),
        ] {
            if !(1..=TIME_MAX_S).contains(&seconds) {
                return unusable(key, "is not between 1 second and a day");
            }
        }
        Ok(())
    }

    /// Whether it is a Unix socket.
    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Only what cannot be resolved to another machine.
    fn is_loopback(&self) -> bool {
        self.is_socket()
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_s)
    }

    /// Bounds of a scan.
    pub(super) fn scan_limits(&self, batch_rows: usize) -> ReadLimits {
        ReadLimits {
            rows_max: self.scan_rows_max,
            bytes_max: self.scan_bytes_max,
            batch_rows: NonZeroUsize::new(batch_rows).unwrap_or(NonZeroUsize::MIN),
            time_max: Duration::from_secs(self.statement_timeout_s),
        }
    }
}

fn port() -> u16 {
    3_306
}

fn connections_max() -> usize {
    4
}

fn connect_timeout_s() -> u64 {
    10
}

fn statement_timeout_s() -> u64 {
    300
}

fn lock_timeout_s() -> u64 {
    10
}

fn scan_rows_max() -> u64 {
    ReadLimits::default().rows_max
}

fn scan_bytes_max() -> u64 {
    ReadLimits::default().bytes_max
}

#[cfg(test)]
mod tests;
