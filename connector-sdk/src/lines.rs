//! `kind = "lines"`: every `*.txt` of a directory is a table, and every line of it a row. The first line names the
//! column; the rows are numbered from 1 as `id`.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use futures::{StreamExt as _, TryStreamExt as _};
use lingqu_connector_sdk::arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use lingqu_connector_sdk::arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_connector_sdk::async_trait::async_trait;
use lingqu_connector_sdk::datafusion::catalog::TableProvider;
use lingqu_connector_sdk::{
    Connector, ConnectorKind, Health, SettingsRefused, SourceError, StreamTable, TableInfo,
    TableName, WriteProbe, toml,
};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

/// Longest line in bytes: what a reading holds at most is this times the rows of a batch.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// `path = "notes"`, the directory.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    path: PathBuf,
}

struct LinesKind;

impl ConnectorKind for LinesKind {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let Lines { path } = settings.try_into()?;
        Ok(Arc::new(Lines {
            path: base.join(path),
        }))
    }
}

#[async_trait]
impl Connector for Lines {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let mut entries = tokio::fs::read_dir(&self.path)
            .await
            .map_err(|_| SourceError::Unreachable)?;
        let mut tables = Vec::new();
        while let Some(entry) = entries
            .next_entry()
            .await
            .map_err(|_| SourceError::Unreachable)?
        {
            let file = entry.file_name();
            let Some(Ok(name)) = file
                .to_str()
                .and_then(|file| file.strip_suffix(".txt"))
                .map(TableName::of_one)
            else {
                continue;
            };
            // One file that cannot be read does not hide the others; opening it says what is wrong.
            if let Ok(opened) = Opened::begin(&self.path, &name).await {
                tables.push(TableInfo::new(name, opened.schema));
            }
        }
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tables)
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        let (path, name) = (self.path.clone(), table.clone());
        let schema = Opened::begin(&path, &name).await?.schema;
        let declared = schema.clone();
        let read = move |columns: Vec<usize>, batch_rows| {
            let (path, name, declared) = (path.clone(), name.clone(), declared.clone());
            let batches = async move {
                // Each reading opens the file anew, and the columns must still be those that were declared.
                let opened = Opened::begin(&path, &name).await?;
                if opened.schema != declared {
                    return Err(SourceError::SchemaChanged(name));
                }
                let batches =
                    futures::stream::try_unfold(opened, move |opened| opened.batch(batch_rows));
                let projected = move |batch: RecordBatch| Ok(batch.project(&columns)?);
                Ok(batches.map(move |batch| batch.and_then(&projected)))
            };
            futures::stream::once(batches).try_flatten()
        };
        Ok(Arc::new(StreamTable::new(table.clone(), schema, read)))
    }

    async fn health(&self) -> Result<Health, SourceError> {
        // A directory that can be listed can be read; what it lists is of no interest here.
        let listed = tokio::fs::read_dir(&self.path).await;
        listed.map(drop).map_err(|_| SourceError::Unreachable)?;
        Ok(Health::without_accounts("text files"))
    }

    async fn probe_write(&self) -> Result<WriteProbe, SourceError> {
        Ok(WriteProbe::NoMeans)
    }
}

/// A file that is being read, behind its first line.
struct Opened {
    name: TableName,
    schema: SchemaRef,
    lines: BufReader<File>,
    state: Option<(u64, SystemTime)>,
    rows: i64,
}

impl Opened {
    async fn begin(dir: &Path, name: &TableName) -> Result<Opened, SourceError> {
        let missing = || SourceError::TableMissing(name.clone());
        // A name that is a path would lead out of the directory.
        let [file] = name.parts() else {
            return Err(missing());
        };
        if file.contains(['/', '\\']) || file.starts_with('.') {
            return Err(missing());
        }
        let path = dir.join(format!("{file}.txt"));
        // Opening a pipe would wait for whoever writes to it.
        if !tokio::fs::symlink_metadata(&path)
            .await
            .is_ok_and(|found| found.is_file())
        {
            return Err(missing());
        }
        let file = File::open(&path).await.map_err(|_| missing())?;
        let state = state(&file.metadata().await.map_err(|_| missing())?);
        let mut lines = BufReader::new(file);
        let column = line(&mut lines, "")
            .await?
            .filter(|column| !column.is_empty() && column != "id");
        let column = column.ok_or(SourceError::Declaration {
            what: "the first line of the file names no column",
        })?;
        let fields = vec![
            Field::new("id", DataType::Int64, false),
            Field::new(column, DataType::Utf8, false),
        ];
        Ok(Opened {
            name: name.clone(),
            schema: Arc::new(Schema::new(fields)),
            lines,
            state,
            rows: 0,
        })
    }

    /// The next rows, and the rest of the file.
    async fn batch(
        mut self,
        batch_rows: usize,
    ) -> Result<Option<(RecordBatch, Opened)>, SourceError> {
        let column = self.schema.field(1).name().clone();
        let mut texts = Vec::new();
        while texts.len() < batch_rows
            && let Some(text) = line(&mut self.lines, &column).await?
        {
            texts.push(text);
        }
        if texts.is_empty() {
            // The rows show one moment only if the file is still what it was when it was opened.
            let now = self
                .lines
                .get_ref()
                .metadata()
                .await
                .map_err(|_| SourceError::failed("io"))?;
            return match state(&now) == self.state {
                true => Ok(None),
                false => Err(SourceError::ChangedMeanwhile(self.name)),
            };
        }
        let first = self.rows + 1;
        self.rows += texts.len() as i64;
        let columns: [ArrayRef; 2] = [
            Arc::new(Int64Array::from_iter_values(first..=self.rows)),
            Arc::new(StringArray::from(texts)),
        ];
        Ok(Some((
            RecordBatch::try_new(self.schema.clone(), columns.into())?,
            self,
        )))
    }
}

/// Length and time of the last change: for a file that is all there is to tell its states apart.
fn state(of: &Metadata) -> Option<(u64, SystemTime)> {
    Some((of.len(), of.modified().ok()?))
}

/// The next line without its end; `None` at the end of the file.
async fn line(lines: &mut BufReader<File>, column: &str) -> Result<Option<String>, SourceError> {
    let mut bytes = Vec::new();
    let read = lines
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut bytes)
        .await;
    let read = read.map_err(|_| SourceError::failed("io"))?;
    if bytes.pop_if(|last| *last == b'\n').is_none() && read as u64 == LINE_BYTES_MAX {
        return Err(SourceError::TooLarge);
    }
    // Text is never replaced: what is not UTF-8 is an error, which names the column and not the value.
    let text = String::from_utf8(bytes).map_err(|_| SourceError::ValueUnfit {
        column: column.to_owned(),
    })?;
    Ok((read > 0).then_some(text))
}

#[cfg(test)]
mod tests;
