//! `kind = "s3"`: objects in a store that speaks S3, such as those of the clouds or one that the unit runs itself.
//!
//! The account needs to list and to get, nothing else; nothing here can put or delete. Without encryption only this
//! machine itself is spoken to. Secrets are read anew for each look, so that an exchanged key counts from then on.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use lingqu_connector_sdk::{Connector, ConnectorKind, SecretSource, SettingsRefused, SourceError};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, ObjectMeta, ObjectStore, RetryConfig,
};
use serde::Deserialize;

use crate::files::{Files, FilesSettings, Pattern, Shelf, TableSettings, parse, store_error};
use crate::net;

/// Most objects below a prefix that one look goes through.
const OBJECTS_MAX: usize = 100_000;

/// The kind.
pub(crate) struct S3Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// `https://host[:port]`; `http` to this machine only.
    endpoint: String,
    /// The bucket.
    bucket: String,
    /// Names begin with this and a slash; the tables' files are relative to it.
    #[serde(default)]
    prefix: String,
    /// The region that requests are signed for; `us-east-1` unless said otherwise, as most stores of one's own want it.
    region: Option<String>,
    /// Whether the bucket is in the host's name (`bucket.host`) instead of the path; false.
    #[serde(default)]
    virtual_hosted: bool,
    /// Certificates of authorities that the store's certificate may come from, besides the public ones.
    ca_file: Option<PathBuf>,
    /// The account.
    access_key_id: SecretSource,
    /// Its secret.
    secret_access_key: SecretSource,
    /// Seconds for one request without an answer; 30.
    request_time_max_s: Option<u64>,
    /// Attempts after the first when the store is busy or away; 3.
    retries_max: Option<usize>,
    /// Tables; without any, each `.parquet` and each `.arrow` object is one.
    #[serde(default)]
    tables: Vec<TableSettings>,
    /// Bounds.
    #[serde(default)]
    limits: FilesSettings,
}

impl ConnectorKind for S3Kind {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings: Settings = settings.try_into()?;
        let parsed = parse(&settings.limits, settings.tables)?;
        let encrypted = check_endpoint(&settings.endpoint)?;
        let prefix =
            ObjectPath::parse(&settings.prefix).map_err(|_| refused("prefix", "is no path"))?;
        if settings.bucket.is_empty() {
            return Err(refused("bucket", "is empty"));
        }
        let bucket = Bucket {
            base: base.to_owned(),
            endpoint: settings.endpoint,
            encrypted,
            bucket: settings.bucket,
            prefix,
            region: settings.region.unwrap_or_else(|| "us-east-1".to_owned()),
            virtual_hosted: settings.virtual_hosted,
            ca_file: settings.ca_file.map(|file| base.join(file)),
            access_key_id: settings.access_key_id,
            secret_access_key: settings.secret_access_key,
            request_time_max: Duration::from_secs(settings.request_time_max_s.unwrap_or(30).max(1)),
            retries_max: settings.retries_max.unwrap_or(3).min(10),
        };
        Ok(Arc::new(Files::new(Arc::new(bucket), parsed)))
    }
}

fn refused(key: &'static str, why: &str) -> SettingsRefused {
    SettingsRefused::Unusable {
        key,
        why: why.to_owned(),
    }
}

/// Whether the endpoint is encrypted; refused unless it is, or this machine itself.
fn check_endpoint(endpoint: &str) -> Result<bool, SettingsRefused> {
    let url: reqwest::Url = endpoint
        .parse()
        .map_err(|_| refused("endpoint", "is no URL"))?;
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) if bare => Ok(true),
        ("http", Some(host)) if bare && net::is_loopback(host) => Ok(false),
        ("http", _) => Err(refused(
            "endpoint",
            "is not encrypted, and not this machine",
        )),
        _ => Err(refused(
            "endpoint",
            "is not of the form `https://host:port`",
        )),
    }
}

/// One bucket.
#[derive(Debug)]
struct Bucket {
    base: PathBuf,
    endpoint: String,
    encrypted: bool,
    bucket: String,
    prefix: ObjectPath,
    region: String,
    virtual_hosted: bool,
    ca_file: Option<PathBuf>,
    access_key_id: SecretSource,
    secret_access_key: SecretSource,
    request_time_max: Duration,
    retries_max: usize,
}

impl Bucket {
    fn connect(&self) -> Result<PrefixStore<AmazonS3>, SourceError> {
        let mut client = ClientOptions::new()
            .with_allow_http(!self.encrypted)
            .with_connect_timeout(Duration::from_secs(10).min(self.request_time_max))
            .with_timeout(self.request_time_max)
            .with_user_agent(http_header("lingqu"));
        if let Some(file) = &self.ca_file {
            let unusable = |_| crate::bounded::failed("pem-file");
            let pem = net::pem_file(file)?;
            for certificate in Certificate::from_pem_bundle(&pem).map_err(unusable)? {
                client = client.with_root_certificate(certificate);
            }
        }
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: self.retries_max,
            retry_timeout: self.request_time_max * 4,
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_access_key_id(self.access_key_id.read(&self.base)?.expose())
            .with_secret_access_key(self.secret_access_key.read(&self.base)?.expose())
            .with_allow_http(!self.encrypted)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .map_err(|_| SourceError::Failed { code: None })?;
        Ok(PrefixStore::new(store, self.prefix.clone()))
    }
}

fn http_header(text: &'static str) -> object_store::HeaderValue {
    object_store::HeaderValue::from_static(text)
}

#[async_trait]
impl Shelf for Bucket {
    async fn store(&self) -> Result<Arc<dyn ObjectStore>, SourceError> {
        Ok(Arc::new(self.connect()?))
    }

    async fn list(&self, pattern: &Pattern, max: usize) -> Result<Vec<ObjectMeta>, SourceError> {
        let store = self.connect()?;
        let fixed = ObjectPath::from_iter(pattern.fixed().iter().map(String::as_str));
        let prefix = (!fixed.as_ref().is_empty()).then_some(fixed);
        let mut objects = store.list(prefix.as_ref());
        let mut found = Vec::new();
        let mut seen = 0;
        while let Some(meta) = objects.next().await {
            let meta = meta.map_err(|error| store_error(&error))?;
            seen += 1;
            if seen > OBJECTS_MAX {
                return Err(SourceError::TooLarge);
            }
            if pattern.matches(meta.location.as_ref().split('/')) {
                if found.len() == max {
                    return Err(SourceError::TooLarge);
                }
                found.push(meta);
            }
        }
        Ok(found)
    }

    fn server(&self) -> (String, Option<bool>) {
        ("S3".to_owned(), Some(self.encrypted))
    }
}
