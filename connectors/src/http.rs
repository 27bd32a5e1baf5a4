//! `kind = "http"`: an interface that answers JSON over HTTP, page by page.
//!
//! Only what the settings name is asked: one scheme, host and port, whatever a redirect, a link or a cursor says.
//! Secrets go into headers and nowhere else, and no address is ever logged.

mod client;
mod paging;
mod pointer;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use lingqu_connector_sdk::{
    Connector, ConnectorKind, Health, LoadRequest, Reading, SecretSource, SettingsRefused,
    SourceError, TableInfo, TableName,
};
use reqwest::Url;
use reqwest::header::HeaderName;
use serde::Deserialize;

use crate::declared::{ColumnSettings, Columns};
use crate::net;
use crate::scan;
use client::Client;
use paging::Paging;
use pointer::Pointer;
use read::HttpTable;

/// The kind.
pub(crate) struct HttpKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// `https://host[:port]/path/`; `http` to this machine only. Tables' paths are relative to it.
    base_url: String,
    /// Certificates of the authorities that the server's certificate may come from, instead of the public ones.
    ca_file: Option<PathBuf>,
    /// Headers of every request; their values are secrets.
    #[serde(default)]
    headers: BTreeMap<String, SecretSource>,
    /// Seconds for one request, its answer included; 30.
    request_time_max_s: Option<u64>,
    /// Attempts after the first when the server is busy or away; 3, at most 10.
    retries_max: Option<u32>,
    /// Most bytes of one page; 16 MiB.
    page_bytes_max: Option<usize>,
    /// Most pages of one reading; 10,000.
    pages_max: Option<usize>,
    /// Tables.
    tables: Vec<TableSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSettings {
    /// What the table is called.
    name: String,
    /// Relative to the base; may have a query.
    path: String,
    /// JSON pointer (RFC 6901) to the list of rows in a page; empty if the page is the list.
    #[serde(default)]
    rows: String,
    /// The columns, by the keys of a row.
    columns: Vec<ColumnSettings>,
    /// How one page leads to the next.
    #[serde(default)]
    paging: Paging,
}

impl ConnectorKind for HttpKind {
    fn name(&self) -> &'static str {
        "http"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings: Settings = settings.try_into()?;
        let url = base_url(&settings.base_url)?;
        let tables = tables(settings.tables, &url)?;
        let headers = headers(settings.headers)?;
        let client = Client {
            base: base.to_owned(),
            origin: url,
            ca_file: settings.ca_file.map(|file| base.join(file)),
            headers,
            request_time_max: Duration::from_secs(settings.request_time_max_s.unwrap_or(30).max(1)),
            retries_max: settings.retries_max.unwrap_or(3).min(10),
            page_bytes_max: settings.page_bytes_max.unwrap_or(16 << 20),
            pages_max: settings.pages_max.unwrap_or(10_000),
        };
        Ok(Arc::new(Http {
            client: Arc::new(client),
            tables,
        }))
    }
}

fn refused(key: &'static str, why: impl Into<String>) -> SettingsRefused {
    let why = why.into();
    SettingsRefused::Unusable { key, why }
}

fn base_url(text: &str) -> Result<Url, SettingsRefused> {
    let url: Url = text.parse().map_err(|_| refused("base_url", "is no URL"))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare || !url.path().ends_with('/') {
        return Err(refused(
            "base_url",
            "is not of the form `https://host:port/path/`, without a user and a query",
        ));
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if net::is_loopback(host) => Ok(url),
        _ => Err(refused(
            "base_url",
            "is not encrypted, and not this machine",
        )),
    }
}

fn tables(settings: Vec<TableSettings>, base: &Url) -> Result<Vec<Arc<Declared>>, SettingsRefused> {
    let mut tables: Vec<Arc<Declared>> = Vec::new();
    for table in settings {
        let name = TableName::new([table.name])
            .map_err(|error| refused("name", format!("is unusable: {error}")))?;
        if tables.iter().any(|other| other.name == name) {
            return Err(refused("tables", format!("name `{name}` twice")));
        }
        let url = base.join(&table.path).ok();
        let url =
            url.filter(|url| url.origin() == base.origin() && url.path().starts_with(base.path()));
        let url = url.ok_or_else(|| {
            refused(
                "path",
                format!("of table `{name}` leads away from the base"),
            )
        })?;
        let rows = Pointer::parse(&table.rows)
            .ok_or_else(|| refused("rows", format!("of table `{name}` is no JSON pointer")))?;
        table.paging.check().map_err(|why| refused("paging", why))?;
        tables.push(Arc::new(Declared {
            name,
            url,
            rows,
            columns: Columns::parse(table.columns)?,
            paging: table.paging,
        }));
    }
    if tables.is_empty() {
        return Err(refused("tables", "are none"));
    }
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tables)
}

fn headers(
    settings: BTreeMap<String, SecretSource>,
) -> Result<Vec<(HeaderName, SecretSource)>, SettingsRefused> {
    let header = |(name, secret): (String, SecretSource)| {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        // These say what a request is and where it goes; they are ours.
        let ours = [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "upgrade",
        ];
        let parsed = parsed.filter(|name| !ours.contains(&name.as_str()));
        let name =
            parsed.ok_or_else(|| refused("headers", format!("have the unusable name `{name}`")))?;
        Ok((name, secret))
    };
    settings.into_iter().map(header).collect()
}

/// A table as the settings declare it.
struct Declared {
    name: TableName,
    url: Url,
    rows: Pointer,
    columns: Columns,
    paging: Paging,
}

impl std::fmt::Debug for Declared {
    // An address may have a secret in its query, against all advice.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Declared({})", self.name)
    }
}

#[derive(Debug)]
struct Http {
    client: Arc<Client>,
    tables: Vec<Arc<Declared>>,
}

impl Http {
    fn table(&self, name: &TableName) -> Result<HttpTable, SourceError> {
        let found = self.tables.iter().find(|table| table.name == *name);
        let declared = found.ok_or_else(|| SourceError::TableMissing(name.clone()))?;
        Ok(HttpTable {
            client: Arc::clone(&self.client),
            declared: Arc::clone(declared),
        })
    }
}

#[async_trait]
impl Connector for Http {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let info =
            |table: &Arc<Declared>| TableInfo::new(table.name.clone(), table.columns.schema());
        Ok(self.tables.iter().map(info).collect())
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        Ok(scan::provider(Arc::new(self.table(table)?)))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        let table = self.table(&request.table)?;
        Ok(Reading {
            batches: scan::load(&table, request).await?,
            version: None,
        })
    }

    async fn health(&self) -> Result<Health, SourceError> {
        let first = self.tables.first().ok_or(SourceError::Unreachable)?;
        let connection = self.client.connect()?;
        let url = first.paging.first(&first.url);
        connection.page(url).await?;
        Ok(Health {
            server: "HTTP".to_owned(),
            may_write: Vec::new(),
            verified_tls: Some(self.client.origin.scheme() == "https"),
        })
    }
}
