//! `kind = "file"`: files on the node's own disks, in one directory or one file.
//!
//! Names are followed part by part from the directory that the settings name. A symbolic link may lead to another
//! place in that directory and nowhere else. Nothing here opens a file for writing.

mod confined;
#[cfg(test)]
mod tests;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lingqu_connector_sdk::{Connector, ConnectorKind, SettingsRefused, SourceError};
use object_store::{ObjectMeta, ObjectStore};
use serde::Deserialize;

use crate::bounded::failed;
use crate::files::{Files, FilesSettings, Pattern, Shelf, TableSettings, parse};
use confined::Confined;

/// The kind.
pub(crate) struct FileKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// A directory, or one file.
    path: PathBuf,
    /// Tables; without any, each `.parquet` and each `.arrow` file is one.
    #[serde(default)]
    tables: Vec<TableSettings>,
    /// Bounds.
    #[serde(default)]
    limits: FilesSettings,
}

impl ConnectorKind for FileKind {
    fn name(&self) -> &'static str {
        "file"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings: Settings = settings.try_into()?;
        let parsed = parse(&settings.limits, settings.tables)?;
        let shelf = Disk {
            path: base.join(settings.path),
        };
        Ok(Arc::new(Files::new(Arc::new(shelf), parsed)))
    }
}

/// A directory or a file, opened anew for each look at it.
#[derive(Debug)]
struct Disk {
    path: PathBuf,
}

impl Disk {
    async fn confined(&self) -> Result<Confined, SourceError> {
        let path = self.path.clone();
        let opened = tokio::task::spawn_blocking(move || Confined::open(&path)).await;
        opened.unwrap_or_else(|_| Err(failed("io")))
    }
}

#[async_trait]
impl Shelf for Disk {
    async fn store(&self) -> Result<Arc<dyn ObjectStore>, SourceError> {
        Ok(Arc::new(self.confined().await?))
    }

    async fn list(&self, pattern: &Pattern, max: usize) -> Result<Vec<ObjectMeta>, SourceError> {
        let confined = self.confined().await?;
        let pattern = pattern.clone();
        let listed = tokio::task::spawn_blocking(move || confined.find(&pattern, max)).await;
        listed.unwrap_or_else(|_| Err(failed("io")))
    }

    fn server(&self) -> (String, Option<bool>) {
        ("files".to_owned(), None)
    }
}
