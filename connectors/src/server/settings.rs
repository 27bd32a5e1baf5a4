//! How a database server is reached, and how long and how much is read of it: the keys that all of them have.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use lingqu_connector_sdk::{ReadLimits, SettingsRefused};
use serde::Deserialize;

/// Most connections at once that may be asked for.
const CONNECTIONS_MAX: usize = 64;
/// Longest time that may be asked for, in seconds: a day.
const TIME_MAX_S: u64 = 86_400;

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsMode {
    /// The server proves its name by a certificate of `ca`; anything else is refused.
    #[default]
    Verify,
    /// Not encrypted; only where the bytes never leave the machine.
    OffLoopbackOnly,
}

/// What a server's settings say that those of every server do.
pub(crate) struct Reach<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
    pub(crate) tls: TlsMode,
    /// Whether there is a file of authorities.
    pub(crate) has_ca: bool,
    pub(crate) connections_max: usize,
    pub(crate) connect_timeout_s: u64,
    pub(crate) statement_timeout_s: u64,
    pub(crate) lock_timeout_s: u64,
}

impl Reach<'_> {
    /// Refuses what cannot be used, by its key.
    pub(crate) fn check(&self) -> Result<(), SettingsRefused> {
        let unusable = |key, why: &str| {
            Err(SettingsRefused::Unusable {
                key,
                why: why.to_owned(),
            })
        };
        let texts = [
            ("host", self.host),
            ("database", self.database),
            ("user", self.user),
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
            TlsMode::Verify if is_socket(self.host) => {
                return unusable(
                    "tls",
                    "cannot be `verify` over a Unix socket; say `off-loopback-only`",
                );
            }
            TlsMode::Verify if !self.has_ca => {
                return unusable("ca", "is missing: the server has to prove its name");
            }
            TlsMode::OffLoopbackOnly if !is_loopback(self.host) => {
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
}

/// Whether `host` is a Unix socket.
pub(crate) fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

/// Only what cannot be resolved to another machine.
fn is_loopback(host: &str) -> bool {
    is_socket(host)
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Bounds of a scan: most rows, most bytes of Arrow buffers, rows of one batch, longest time in seconds.
pub(crate) fn scan_limits(
    rows_max: u64,
    bytes_max: u64,
    batch_rows: usize,
    time_max_s: u64,
) -> ReadLimits {
    ReadLimits {
        rows_max,
        bytes_max,
        batch_rows: NonZeroUsize::new(batch_rows).unwrap_or(NonZeroUsize::MIN),
        time_max: Duration::from_secs(time_max_s),
    }
}

pub(crate) fn connections_max() -> usize {
    4
}

pub(crate) fn connect_timeout_s() -> u64 {
    10
}

pub(crate) fn statement_timeout_s() -> u64 {
    300
}

pub(crate) fn lock_timeout_s() -> u64 {
    10
}

pub(crate) fn scan_rows_max() -> u64 {
    ReadLimits::default().rows_max
}

pub(crate) fn scan_bytes_max() -> u64 {
    ReadLimits::default().bytes_max
}

#[cfg(test)]
pub(crate) mod cases;
