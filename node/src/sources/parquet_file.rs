//! A Parquet file that `[[resource]] path = "…"` names, as a source with one table.
//!
//! The bytes are read once: what is hashed is what is used, even if the file is exchanged meanwhile.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatchReader as _;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use async_trait::async_trait;
use axum::body::Bytes;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt as _;
use lingqu_connector_sdk::{
    Connector, Health, LoadRequest, Reading, SourceError, TableInfo, TableName,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ring::digest::{SHA256, digest};

/// What the source of a resource with a `path` is called.
pub const SOURCE: &str = "file";
/// What the one table is called.
pub const TABLE: &str = "file";

/// Largest file that is read into memory, in bytes.
const FILE_LEN_MAX: u64 = 1 << 30;

/// One file, read anew at each load.
#[derive(Clone, Debug)]
pub struct ParquetFile {
    /// Where it lies.
    pub path: PathBuf,
}

#[async_trait]
impl Connector for ParquetFile {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let file = self.clone();
        let (schema, rows) = off_thread(move || file.describe_blocking()).await?;
        let rows = u64::try_from(rows).ok();
        let name = table();
        Ok(vec![TableInfo { name, schema, rows }])
    }

    async fn open(&self, wanted: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        check(wanted)?;
        let file = self.clone();
        off_thread(move || {
            let (_, builder) = builder(file.bytes(FILE_LEN_MAX)?)?;
            let reader = builder.build().map_err(|_| unreadable())?;
            let schema = reader.schema();
            let batches = reader.collect::<Result<Vec<_>, _>>();
            let table = MemTable::try_new(schema, vec![batches.map_err(|_| unreadable())?]);
            Ok(Arc::new(table.map_err(|_| unreadable())?) as Arc<dyn TableProvider>)
        })
        .await
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        check(&request.table)?;
        let (file, asked) = (self.clone(), request.clone());
        let (version, reader) = off_thread(move || file.open_reader(&asked)).await?;
        // The reader gives columns in the order of the file, whatever the order in which they were asked for.
        let wanted: Vec<usize> = { request.columns.iter() }
            .filter_map(|name| reader.schema().index_of(name).ok())
            .collect();
        let schema = reader.schema().project(&wanted).map_err(|_| unreadable())?;
        let batches = futures::stream::iter(reader).map(move |batch| {
            batch
                .and_then(|batch| batch.project(&wanted))
                .map_err(faceless)
        });
        let batches = Box::pin(RecordBatchStreamAdapter::new(Arc::new(schema), batches));
        Ok(Reading {
            batches,
            version: Some(version),
        })
    }

    async fn health(&self) -> Result<Health, SourceError> {
        self.describe().await?;
        Ok(Health {
            server: "Parquet file".to_owned(),
            may_write: Vec::new(),
            verified_tls: None,
        })
    }
}

impl ParquetFile {
    fn describe_blocking(&self) -> Result<(SchemaRef, i64), SourceError> {
        let file = File::open(&self.path).map_err(|_| SourceError::Unreachable)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|_| unreadable())?;
        let rows = builder.metadata().file_metadata().num_rows();
        Ok((Arc::clone(builder.schema()), rows))
    }

    fn open_reader(
        &self,
        request: &LoadRequest,
    ) -> Result<(String, ParquetRecordBatchReader), SourceError> {
        let bytes = self.bytes(FILE_LEN_MAX)?;
        let version = hex::encode(digest(&SHA256, &bytes).as_ref());
        let (schema, builder) = builder(bytes)?;
        check_columns(&schema, &request.columns)?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        if rows > request.limits.rows_max {
            return Err(SourceError::TooLarge);
        }
        let names = request.columns.iter().map(String::as_str);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        let reader = builder
            .with_projection(mask)
            .with_batch_size(request.limits.batch_rows.get())
            .build()
            .map_err(|_| unreadable())?;
        Ok((version, reader))
    }

    fn bytes(&self, len_max: u64) -> Result<Vec<u8>, SourceError> {
        let file = File::open(&self.path).map_err(|_| SourceError::Unreachable)?;
        let mut bytes = Vec::new();
        let read = file
            .take(len_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| unreadable())?;
        if read as u64 > len_max {
            Err(SourceError::TooLarge)
        } else {
            Ok(bytes)
        }
    }
}

type Builder = ParquetRecordBatchReaderBuilder<Bytes>;

fn builder(bytes: Vec<u8>) -> Result<(SchemaRef, Builder), SourceError> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).map_err(|_| unreadable())?;
    Ok((Arc::clone(builder.schema()), builder))
}

fn check_columns(schema: &Schema, columns: &[String]) -> Result<(), SourceError> {
    match columns.iter().find(|name| schema.index_of(name).is_err()) {
        Some(missing) => Err(SourceError::ColumnMissing(missing.clone())),
        None => Ok(()),
    }
}

fn check(wanted: &TableName) -> Result<(), SourceError> {
    match *wanted == table() {
        true => Ok(()),
        false => Err(SourceError::TableMissing(wanted.clone())),
    }
}

fn table() -> TableName {
    TableName::new([TABLE.to_owned()]).expect("the constant is a name")
}

/// Truncated, or no Parquet. Why exactly could quote what stands in it.
fn unreadable() -> SourceError {
    SourceError::Failed { code: None }
}

/// An error of the reader could quote what it stumbled over.
fn faceless(_: ArrowError) -> DataFusionError {
    DataFusionError::External(Box::new(unreadable()))
}

/// Runs blocking work where nothing asynchronous waits for the thread.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(unreadable()))
}
