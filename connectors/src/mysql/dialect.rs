//! What the relatives say differently: how long a statement may run, how a snapshot is opened and what it is called.

use std::time::Duration;

use super::settings::{Dialect, Protocol, Settings};

/// A server, known after the first connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    MariaDb,
    MySql,
    OceanBase,
    TiDb,
}

impl Server {
    /// Of the settings, or of what the server says of its version.
    pub(super) fn of(dialect: Dialect, version: &str) -> Server {
        let version = version.to_ascii_lowercase();
        match dialect {
            Dialect::MariaDb => Server::MariaDb,
            Dialect::MySql => Server::MySql,
            Dialect::OceanBase => Server::OceanBase,
            Dialect::TiDb => Server::TiDb,
            Dialect::Auto if version.contains("mariadb") => Server::MariaDb,
            Dialect::Auto if version.contains("tidb") => Server::TiDb,
            Dialect::Auto if version.contains("oceanbase") => Server::OceanBase,
            Dialect::Auto => Server::MySql,
        }
    }

    /// Its name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Server::MariaDb => "MariaDB",
            Server::MySql => "MySQL",
            Server::OceanBase => "OceanBase",
            Server::TiDb => "TiDB",
        }
    }

    /// How rows are asked for: OceanBase may have prepared statements switched off.
    pub(super) fn protocol(self, settings: &Settings) -> Protocol {
        settings.protocol.unwrap_or(match self {
            Server::OceanBase => Protocol::Text,
            Server::MariaDb | Server::MySql | Server::TiDb => Protocol::Prepared,
        })
    }

    /// What every session is set to before anything else. The account's privileges are what protects the data; this
    /// only makes mistakes of our own harmless, and makes values mean the same everywhere.
    pub(super) fn preamble(self, settings: &Settings) -> Vec<String> {
        // With this mode alone, an apostrophe is all that a text must have doubled, and `CHAR` comes without padding.
        let mut statements = vec![
            "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'".to_owned(),
            "SET SESSION time_zone = '+00:00'".to_owned(),
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ".to_owned(),
        ];
        let lock = settings.lock_timeout_s;
        match self {
            Server::MariaDb | Server::MySql => {
                statements.push("SET SESSION TRANSACTION READ ONLY".to_owned());
                statements.push(format!(
                    "SET SESSION lock_wait_timeout = {lock}, SESSION innodb_lock_wait_timeout = {lock}, \
                     SESSION sql_auto_is_null = 0"
                ));
            }
            // A session that only reads is not something that TiDB has; OceanBase has it for transactions.
            Server::OceanBase | Server::TiDb => {}
        }
        statements
    }

    /// Opens a transaction that sees one state and writes nothing, whose statements run no longer than this.
    pub(super) fn begin(self, longest: Duration) -> Vec<String> {
        let ms = longest.as_millis().clamp(1, 86_400_000);
        let seconds = ms.div_ceil(1_000);
        let limits = match self {
            Server::MariaDb => format!(
                "SET SESSION max_statement_time = {}.{:03}, SESSION net_write_timeout = {seconds}",
                ms / 1_000,
                ms % 1_000
            ),
            Server::MySql => format!(
                "SET SESSION max_execution_time = {ms}, SESSION net_write_timeout = {seconds}"
            ),
            Server::OceanBase => {
                let us = ms * 1_000;
                format!("SET SESSION ob_query_timeout = {us}, SESSION ob_trx_timeout = {us}")
            }
            Server::TiDb => format!("SET SESSION max_execution_time = {ms}"),
        };
        let start = match self {
            Server::MariaDb | Server::MySql => {
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
            Server::OceanBase => "START TRANSACTION READ ONLY",
            Server::TiDb => "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        };
        vec![limits, start.to_owned()]
    }

    /// A query for the name of the state that the transaction sees, where there is one.
    pub(super) fn version(self) -> Option<&'static str> {
        match self {
            Server::MariaDb => Some("SELECT @@GLOBAL.gtid_current_pos"),
            Server::MySql => Some("SELECT @@GLOBAL.gtid_executed"),
            Server::TiDb => Some("SELECT @@tidb_current_ts"),
            Server::OceanBase => None,
        }
    }
}
