//! Tables made of files: the same for files on disk and for objects in a store.
//!
//! A table is one file or several in the order of their names. Each reading begins with a look at what is there now and
//! then reads exactly that: every later request is bound to the entity tags that were seen, so that a file that changes
//! meanwhile ends the reading instead of mixing two states.

mod arrow_file;
mod csv;
mod decode;
mod json;
mod parquet_file;
mod parts;
mod pattern;
mod pinned;
mod settings;
mod text;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use lingqu_connector_sdk::{
    Connector, Health, LoadRequest, Reading, SourceError, TableInfo, TableName,
};
use object_store::ObjectStore;

pub(crate) use json::JsonRows;
pub(crate) use pattern::{Pattern, part_matches};
pub(crate) use pinned::not_offered;
pub(crate) use settings::{FilesSettings, Format, TableRule, TableSettings, parse};

use crate::bounded::{failed, within};
use crate::scan;
use parts::Parts;

/// Where files lie. Listing bounds itself; reading honours `if_match`.
#[async_trait]
pub(crate) trait Shelf: fmt::Debug + Send + Sync + 'static {
    /// What reads the files.
    async fn store(&self) -> Result<Arc<dyn ObjectStore>, SourceError>;

    /// The files that match, in no order; an error if there are more than `max`.
    async fn list(
        &self,
        pattern: &Pattern,
        max: usize,
    ) -> Result<Vec<object_store::ObjectMeta>, SourceError>;

    /// What `health` says of it: name, and whether a connection is encrypted and verified.
    fn server(&self) -> (String, Option<bool>);
}

/// Bounds that hold for every table of a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileLimits {
    /// Files of one table.
    pub(crate) files_max: usize,
    /// Uncompressed bytes of one column in one row group, and of one batch of an Arrow file.
    pub(crate) block_bytes_max: u64,
    /// Bytes of one record of CSV or JSON.
    pub(crate) record_bytes_max: usize,
    /// Time for listing and for reading what a table looks like.
    pub(crate) look_time_max: Duration,
}

/// A source whose tables are files.
#[derive(Debug)]
pub(crate) struct Files {
    shelf: Arc<dyn Shelf>,
    /// Empty: each Parquet or Arrow file is a table.
    rules: Vec<TableRule>,
    limits: FileLimits,
}

impl Files {
    pub(crate) fn new(shelf: Arc<dyn Shelf>, settings: (Vec<TableRule>, FileLimits)) -> Files {
        let (rules, limits) = settings;
        Files {
            shelf,
            rules,
            limits,
        }
    }

    async fn rules(&self) -> Result<Vec<TableRule>, SourceError> {
        if !self.rules.is_empty() {
            return Ok(self.rules.clone());
        }
        let every = Pattern::every_file();
        let found = self.shelf.list(&every, self.limits.files_max).await?;
        let names = found.iter().filter_map(|meta| meta.location.filename());
        let mut rules: Vec<TableRule> = names.filter_map(TableRule::of_file).collect();
        rules.sort_by(|one, other| one.name.cmp(&other.name));
        // `people.parquet` beside `people.arrow`: nobody can say which of them is the table.
        if rules.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return Err(failed("two-files-of-one-name"));
        }
        Ok(rules)
    }

    async fn rule(&self, table: &TableName) -> Result<TableRule, SourceError> {
        let rules = self.rules().await?;
        let found = rules.into_iter().find(|rule| rule.name == *table);
        found.ok_or_else(|| SourceError::TableMissing(table.clone()))
    }

    async fn table(&self, table: &TableName) -> Result<FileTable, SourceError> {
        within(self.limits.look_time_max, async {
            let rule = self.rule(table).await?;
            let parts = Parts::find(self.shelf.as_ref(), &rule, self.limits).await?;
            let looked = parts.look(&rule, self.limits).await?;
            Ok(FileTable {
                shelf: Arc::clone(&self.shelf),
                rule,
                limits: self.limits,
                schema: looked.schema,
                rows: looked.rows,
            })
        })
        .await
    }
}

#[async_trait]
impl Connector for Files {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let mut tables = Vec::new();
        for rule in within(self.limits.look_time_max, self.rules()).await? {
            match self.table(&rule.name).await {
                Ok(table) => tables.push(TableInfo {
                    name: rule.name,
                    schema: table.schema,
                    rows: table.rows,
                }),
                // Its files are not there yet.
                Err(SourceError::TableMissing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tables)
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        let table = Arc::new(self.table(table).await?);
        Ok(match table.rule.format {
            Format::Parquet => parquet_file::provider(table),
            _ => scan::provider(table),
        })
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        within(request.limits.time_max, async {
            let table = self.table(&request.table).await?;
            let parts = table.parts().await?;
            let version = parts.version();
            let pinned = PinnedTable { table, parts };
            let batches = scan::load(&pinned, request).await?;
            Ok(Reading {
                batches,
                version: Some(version),
            })
        })
        .await
    }

    async fn health(&self) -> Result<Health, SourceError> {
        within(self.limits.look_time_max, async {
            let every = Pattern::every_file();
            match self.shelf.list(&every, self.limits.files_max).await {
                // That there are many files is no illness.
                Ok(_) | Err(SourceError::TooLarge) => {}
                Err(error) => return Err(error),
            }
            let (server, verified_tls) = self.shelf.server();
            Ok(Health {
                server,
                may_write: Vec::new(),
                verified_tls,
            })
        })
        .await
    }
}

/// One table, read anew each time.
#[derive(Debug)]
pub(crate) struct FileTable {
    shelf: Arc<dyn Shelf>,
    rule: TableRule,
    limits: FileLimits,
    schema: SchemaRef,
    rows: Option<u64>,
}

impl FileTable {
    /// The files as they are now, if they still have the columns that were seen when the table was opened.
    async fn parts(&self) -> Result<Parts, SourceError> {
        within(self.limits.look_time_max, async {
            let parts = Parts::find(self.shelf.as_ref(), &self.rule, self.limits).await?;
            let looked = parts.look(&self.rule, self.limits).await?;
            if looked.schema == self.schema {
                Ok(parts)
            } else {
                Err(SourceError::SchemaChanged(self.rule.name.clone()))
            }
        })
        .await
    }

    async fn read_parts(
        &self,
        parts: &Parts,
        wanted: scan::Wanted,
    ) -> Result<datafusion::execution::SendableRecordBatchStream, SourceError> {
        match &self.rule.format {
            Format::Parquet => parquet_file::read(parts, &self.schema, &wanted).await,
            Format::Arrow => Ok(arrow_file::read(parts, &self.schema, &wanted, self.limits)),
            Format::Csv(form) => Ok(csv::read(parts, form, &self.rule.name, &wanted)),
            Format::Json(form) => Ok(json::read(parts, form, &wanted)),
        }
    }
}

#[async_trait]
impl scan::Rows for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn read(
        &self,
        wanted: scan::Wanted,
    ) -> Result<datafusion::execution::SendableRecordBatchStream, SourceError> {
        let parts = self.parts().await?;
        self.read_parts(&parts, wanted).await
    }
}

/// A table in one state.
#[derive(Debug)]
struct PinnedTable {
    table: FileTable,
    parts: Parts,
}

#[async_trait]
impl scan::Rows for PinnedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    async fn read(
        &self,
        wanted: scan::Wanted,
    ) -> Result<datafusion::execution::SendableRecordBatchStream, SourceError> {
        self.table.read_parts(&self.parts, wanted).await
    }
}

/// What went wrong at a store, without its words: they may quote addresses and keys.
pub(crate) fn store_error(error: &object_store::Error) -> SourceError {
    match error {
        object_store::Error::Precondition { .. } => failed("changed-while-read"),
        object_store::Error::NotFound { .. } => failed("file-missing"),
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => SourceError::AccountRefused,
        object_store::Error::Generic { source, .. } => generic(source.as_ref()),
        _ => SourceError::Failed { code: None },
    }
}

/// What lies below a store's general error: one of ours, a refused certificate, a time-out, or no connection.
fn generic(error: &(dyn std::error::Error + 'static)) -> SourceError {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<SourceError>() {
            return found.clone();
        }
        if crate::net::refused_certificate(error) {
            return SourceError::Untrusted;
        }
        if let Some(error) = error.downcast_ref::<reqwest::Error>()
            && error.is_timeout()
        {
            return SourceError::TimedOut;
        }
        next = error.source();
    }
    SourceError::Unreachable
}
