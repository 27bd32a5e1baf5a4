//! The settings of a PostgreSQL source. Every key is documented here and in `docs/sources/postgresql.md`.

use std::collections::BTreeMap;
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
        let fits =
            |&(precision, scale): &(u8, u8)| (1..=38).contains(&precision) && scale <= precision;
        if !self.numeric.values().all(fits) {
            return unusable(
                "numeric",
                "has a precision outside 1 to 38 or a scale above its precision",
            );
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
    5_432
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
