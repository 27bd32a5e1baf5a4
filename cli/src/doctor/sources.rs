//! The resources of a node: each opens, its columns can be read, it is not larger than allowed and not too old.
//!
//! Only a file's own description is read, never a row.

use std::fs::File;

use arrow_schema::DataType;
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_node::NodeConfig;
use lingqu_node::config::ResourceSection;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Findings;

/// Data older than this should be explained.
const OLD_DAYS: i64 = 366;

/// What a resource says of itself.
#[derive(Debug)]
pub(crate) struct Read {
    /// How many rows there are.
    pub(crate) rows: u64,
    /// The date that it speaks for.
    pub(crate) as_of: Timestamp,
    /// Each column's name and type.
    pub(crate) columns: Vec<(String, DataType)>,
}

/// Why a resource does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFailed {
    /// `as_of` is no date.
    #[error("`as_of`: {0}")]
    AsOf(lingqu_core::time::TimestampRefused),
    /// The file is not there, or cannot be opened.
    #[error("`{path}`: {kind}")]
    File {
        /// The file.
        path: String,
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// The file is no whole Parquet file.
    #[error("`{0}` is no whole Parquet file")]
    Format(String),
}

impl ReadFailed {
    /// The code under which it is reported.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            ReadFailed::AsOf(_) => ErrorCode::ResourceDateInvalid,
            ReadFailed::File { .. } | ReadFailed::Format(_) => ErrorCode::ResourceUnavailable,
        }
    }
}

/// Reads what a resource says of itself.
///
/// # Errors
/// [`ReadFailed`].
pub(crate) fn read(resource: &ResourceSection) -> Result<Read, ReadFailed> {
    let path = resource.path.display().to_string();
    let as_of = resource.as_of.parse().map_err(ReadFailed::AsOf)?;
    let file = File::open(&resource.path).map_err(|error| ReadFailed::File {
        path: path.clone(),
        kind: error.kind(),
    })?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|_| ReadFailed::Format(path))?;
    let rows = builder.metadata().file_metadata().num_rows();
    let fields = builder.schema().fields().iter();
    Ok(Read {
        rows: u64::try_from(rows).unwrap_or(0),
        as_of,
        columns: fields
            .map(|field| (field.name().clone(), field.data_type().clone()))
            .collect(),
    })
}

pub(crate) fn examine(node: &NodeConfig, now: Timestamp, findings: &mut Findings) {
    if node.resources.is_empty() {
        findings.warn(
            "source",
            ErrorCode::ResourceUnavailable,
            "no resource is configured",
            "未配置数据资源",
        );
    }
    for resource in &node.resources {
        let name = format!("{} ({})", resource.name, resource.environments.join(", "));
        match read(resource) {
            Ok(found) => judge(&name, &found, node.limits.rows_max as u64, now, findings),
            Err(error) => findings.fail(
                "source",
                error.code(),
                format!("{name}: {error}"),
                format!("{name}：{error}"),
            ),
        }
    }
}

fn judge(name: &str, found: &Read, rows_max: u64, now: Timestamp, findings: &mut Findings) {
    let (rows, columns, as_of) = (found.rows, found.columns.len(), found.as_of);
    let age_days = now.since(as_of).as_secs() / 86_400;
    if rows > rows_max {
        findings.fail(
            "source",
            ErrorCode::ResourceTooLarge,
            format!("{name}: {rows} rows, at most {rows_max} are allowed"),
            format!("{name}：{rows} 行，上限为 {rows_max}"),
        );
    } else if as_of > now {
        findings.fail(
            "source",
            ErrorCode::ResourceDateInvalid,
            format!("{name}: speaks for {as_of}"),
            format!("{name}：数据日期为 {as_of}"),
        );
    } else if age_days >= OLD_DAYS.unsigned_abs() {
        findings.warn(
            "source",
            ErrorCode::ResourceStale,
            format!("{name}: {rows} rows, {columns} columns, {age_days} days old"),
            format!("{name}：{rows} 行，{columns} 列，距今 {age_days} 日"),
        );
    } else {
        findings.ok(
            "source",
            format!("{name}: {rows} rows, {columns} columns, {age_days} days old"),
            format!("{name}：{rows} 行，{columns} 列，距今 {age_days} 日"),
        );
    }
}
