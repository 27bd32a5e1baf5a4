//! `kind = "flight_sql"`: another program that answers Flight SQL: a database, or `lingqu-odbc` on this machine.
//!
//! Over TLS, with a certificate of our own if the other side wants one, or over a Unix socket. Tables are described by
//! `CommandGetTables`, read by `CommandStatementQuery`, and a dropped stream resets the call. Nobody is dialled whom the
//! settings do not name, whatever locations an answer gives.

mod answer;
mod client;
mod dial;
mod dialect;
mod read;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use lingqu_connector_sdk::{
    Connector, ConnectorKind, Health, LoadRequest, Reading, SecretSource, SettingsRefused,
    SourceError, TableInfo, TableName,
};
use serde::Deserialize;

use crate::bounded::within;
use crate::scan;
use client::Upstream;
use dial::{Target, TlsFiles};
use dialect::Dialect;
use read::FlightTable;

/// The kind.
pub(crate) struct FlightSqlKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// `https://host:port`; this or `socket`.
    url: Option<String>,
    /// A Unix socket on this machine.
    socket: Option<PathBuf>,
    /// The SQL that is understood there: `datafusion`, `odbc` (that of `lingqu-odbc`), `ansi`, `mysql` or `sql_server`.
    dialect: Dialect,
    /// For `url`: certificates of the authorities that the server's certificate may come from; no others count.
    ca_file: Option<PathBuf>,
    /// For `url`: a certificate of our own, with those between it and its authority.
    cert_file: Option<PathBuf>,
    /// Its key.
    key_file: Option<PathBuf>,
    /// A token for `authorization: Bearer …`.
    bearer: Option<SecretSource>,
    /// The account for `authorization: Basic …`.
    user: Option<String>,
    /// Its password.
    password: Option<SecretSource>,
    /// Seconds for anything but reading rows; 30.
    request_time_max_s: Option<u64>,
    /// Most bytes of one message, as it comes and after decompression; 64 MiB.
    message_bytes_max: Option<usize>,
}

impl ConnectorKind for FlightSqlKind {
    fn name(&self) -> &'static str {
        "flight_sql"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings: Settings = settings.try_into()?;
        let target = target(&settings, base)?;
        let authorization = authorization(&settings)?;
        let upstream = Upstream::new(
            target,
            authorization,
            base.to_owned(),
            Duration::from_secs(settings.request_time_max_s.unwrap_or(30).max(1)),
            settings.message_bytes_max.unwrap_or(64 << 20),
        );
        Ok(Arc::new(FlightSql {
            upstream: Arc::new(upstream),
            dialect: settings.dialect,
        }))
    }
}

fn refused(key: &'static str, why: &str) -> SettingsRefused {
    SettingsRefused::Unusable {
        key,
        why: why.to_owned(),
    }
}

fn target(settings: &Settings, base: &Path) -> Result<Target, SettingsRefused> {
    let tls =
        settings.ca_file.is_some() || settings.cert_file.is_some() || settings.key_file.is_some();
    match (&settings.url, &settings.socket) {
        (None, Some(_)) if tls => Err(refused("socket", "has no TLS")),
        (None, Some(socket)) => Ok(Target::Socket(base.join(socket))),
        (Some(url), None) => {
            let (host, port) = dial::host_and_port(url)
                .ok_or_else(|| refused("url", "is not of the form `https://host:port`"))?;
            let ca_file = settings.ca_file.as_ref();
            let ca_file = ca_file.ok_or_else(|| refused("ca_file", "is missing"))?;
            let identity = match (&settings.cert_file, &settings.key_file) {
                (Some(cert), Some(key)) => Some((base.join(cert), base.join(key))),
                (None, None) => None,
                _ => return Err(refused("key_file", "goes with `cert_file`")),
            };
            Ok(Target::Tls {
                host,
                port,
                files: TlsFiles {
                    ca_file: base.join(ca_file),
                    identity,
                },
            })
        }
        _ => Err(refused("url", "or `socket` is needed, and not both")),
    }
}

fn authorization(settings: &Settings) -> Result<client::Authorization, SettingsRefused> {
    match (&settings.bearer, &settings.user, &settings.password) {
        (None, None, None) => Ok(client::Authorization::None),
        (Some(token), None, None) => Ok(client::Authorization::Bearer(token.clone())),
        (None, Some(user), Some(password)) if !user.contains(':') => {
            Ok(client::Authorization::Basic(user.clone(), password.clone()))
        }
        _ => Err(refused(
            "bearer",
            "or `user` without a colon and `password` together, or none of them",
        )),
    }
}

#[derive(Debug)]
struct FlightSql {
    upstream: Arc<Upstream>,
    dialect: Dialect,
}

impl FlightSql {
    async fn table(&self, name: &TableName) -> Result<FlightTable, SourceError> {
        let schema = within(self.upstream.request_time_max, async {
            let mut session = self.upstream.session()?;
            session.table(name).await
        })
        .await?;
        Ok(FlightTable {
            upstream: Arc::clone(&self.upstream),
            dialect: self.dialect,
            name: name.clone(),
            schema,
        })
    }
}

#[async_trait]
impl Connector for FlightSql {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        within(self.upstream.request_time_max, async {
            let mut tables = self.upstream.session()?.tables(None).await?;
            tables.sort_by(|one, other| one.0.cmp(&other.0));
            let info = |(name, schema)| TableInfo::new(name, schema);
            Ok(tables.into_iter().map(info).collect())
        })
        .await
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        Ok(scan::provider(Arc::new(self.table(table).await?)))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        let table = self.table(&request.table).await?;
        Ok(Reading {
            batches: scan::load(&table, request).await?,
            version: None,
        })
    }

    async fn health(&self) -> Result<Health, SourceError> {
        within(self.upstream.request_time_max, async {
            let info = self.upstream.session()?.info().await?;
            let may_write = match info.read_only {
                Some(true) => Vec::new(),
                // What does not say that it only reads, may write.
                Some(false) | None => vec!["FLIGHT_SQL_SERVER_READ_ONLY is not set".to_owned()],
            };
            Ok(Health {
                server: info.server,
                may_write,
                verified_tls: self.upstream.target.verified_tls(),
            })
        })
        .await
    }
}
