//! The footer of a Parquet file: read within a bound, and believed only as far as it keeps within the file.

use std::sync::Arc;

use arrow_schema::Schema;
use lingqu_connector_sdk::SourceError;
use object_store::ObjectMeta;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::super::FileLimits;
use super::super::parts::{Looked, Parts, truncated};
use super::plan::Piece;
use crate::bounded::failed;

/// Length of the footer, then `PAR1`.
const TRAILER_BYTES: u64 = 8;
/// Longest footer.
const FOOTER_BYTES_MAX: u64 = 64 << 20;
/// Smallest piece of a file that is worth a task of its own, in bytes.
const PIECE_BYTES_MIN: i64 = 1 << 20;
/// Bytes of batches of one piece that may wait for the pieces before it.
const WAITING_BYTES: u64 = 64 << 20;
/// The same in batches.
const BATCHES_WAITING_MAX: usize = 1_024;

pub(super) async fn look(
    parts: &Parts,
    meta: &ObjectMeta,
    limits: FileLimits,
) -> Result<Looked, SourceError> {
    let size = meta.size;
    parsed(parts, meta, move |metadata| {
        within_limits(metadata, size, limits)?;
        looked(metadata)
    })
    .await
}

/// Where the files are cut into pieces that can be decoded apart.
pub(super) struct Cuts {
    pub(super) ranges: Vec<Piece>,
    /// Rows of all files.
    pub(super) rows: u64,
    /// How many batches of a piece may wait while the pieces before it are read.
    pub(super) ahead: usize,
}

/// Pieces of one row group or of several small ones, in their order.
pub(super) async fn cuts(parts: &Parts, batch_rows: usize) -> Result<Cuts, SourceError> {
    let mut ranges = Vec::new();
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for (file, meta) in parts.metas.iter().enumerate() {
        let size = i64::try_from(meta.size).map_err(|_| SourceError::TooLarge)?;
        let groups = parsed(parts, meta, |metadata| Ok(groups(metadata))).await?;
        ranges.extend(pieces(file, size, &groups));
        rows = groups
            .iter()
            .fold(rows, |sum, group| sum.saturating_add(group.rows));
        bytes = groups
            .iter()
            .fold(bytes, |sum, group| sum.saturating_add(group.bytes));
    }
    let of_batch = (bytes / rows.max(1))
        .saturating_mul(batch_rows as u64)
        .max(1);
    let ahead = usize::try_from(WAITING_BYTES / of_batch).unwrap_or(usize::MAX);
    Ok(Cuts {
        ranges,
        rows,
        ahead: ahead.clamp(2, BATCHES_WAITING_MAX),
    })
}

/// The pieces of one file. Together they are the whole file, so that no row group is missed or read twice.
fn pieces(file: usize, size: i64, groups: &[Group]) -> Vec<Piece> {
    let mut bounds = vec![0];
    // Row groups that do not lie in their order cannot be cut apart without changing it.
    if groups.is_sorted_by(|one, other| one.start < other.start) {
        for group in groups.iter().skip(1) {
            let last = bounds.last().copied().unwrap_or(0);
            if group.start - last >= PIECE_BYTES_MIN && group.start < size {
                bounds.push(group.start);
            }
        }
    }
    let ends = bounds.iter().skip(1).copied().chain([size]);
    let piece = |(&start, end)| Piece { file, start, end };
    bounds.iter().zip(ends).map(piece).collect()
}

/// Where a row group begins, as DataFusion tells to which part of a file it belongs, and how much is in it.
struct Group {
    start: i64,
    rows: u64,
    bytes: u64,
}

fn groups(metadata: &ParquetMetaData) -> Vec<Group> {
    let group = |group: &parquet::file::metadata::RowGroupMetaData| {
        let first = group.columns().first()?;
        Some(Group {
            start: first
                .dictionary_page_offset()
                .unwrap_or(first.data_page_offset()),
            rows: u64::try_from(group.num_rows()).ok()?,
            bytes: u64::try_from(group.total_byte_size()).ok()?,
        })
    };
    metadata.row_groups().iter().filter_map(group).collect()
}

/// What `take` finds in the footer of a file.
async fn parsed<T: Send + 'static>(
    parts: &Parts,
    meta: &ObjectMeta,
    take: impl FnOnce(&ParquetMetaData) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let end = meta.size.checked_sub(TRAILER_BYTES).ok_or_else(truncated)?;
    let trailer = parts.range(meta, end..meta.size).await?;
    let (length, magic) = trailer.split_at(4);
    if magic != b"PAR1" {
        return Err(truncated());
    }
    let length = u64::from(u32::from_le_bytes(
        length.try_into().expect("it has four bytes"),
    ));
    if length == 0 {
        return Err(truncated());
    }
    if length > FOOTER_BYTES_MAX {
        return Err(SourceError::TooLarge);
    }
    let start = end.checked_sub(length).ok_or_else(truncated)?;
    let bytes = parts.range(meta, start..end).await?;
    // Parsing walks what a stranger may have written; a panic there is an error here.
    let parsed = tokio::task::spawn_blocking(move || {
        let metadata = ParquetMetaDataReader::decode_metadata(&bytes);
        take(&metadata.map_err(|_| failed("parquet-malformed"))?)
    });
    parsed
        .await
        .unwrap_or_else(|_| Err(failed("parquet-malformed")))
}

/// Checks what the reader will allocate by, before it does.
fn within_limits(
    metadata: &ParquetMetaData,
    size: u64,
    limits: FileLimits,
) -> Result<(), SourceError> {
    let malformed = || failed("parquet-malformed");
    let mut rows = 0_i64;
    for group in metadata.row_groups() {
        let of_group = Some(group.num_rows()).filter(|rows| *rows >= 0);
        rows = of_group
            .and_then(|some| rows.checked_add(some))
            .ok_or_else(malformed)?;
        for column in group.columns() {
            let bytes = u64::try_from(column.uncompressed_size()).map_err(|_| malformed())?;
            if bytes > limits.block_bytes_max {
                return Err(SourceError::TooLarge);
            }
            let start = column
                .dictionary_page_offset()
                .unwrap_or(column.data_page_offset());
            let start = u64::try_from(start).map_err(|_| malformed())?;
            let length = u64::try_from(column.compressed_size()).map_err(|_| malformed())?;
            let end = start.checked_add(length).ok_or_else(malformed)?;
            if end > size {
                return Err(truncated());
            }
            if start >= size {
                return Err(malformed());
            }
        }
    }
    if rows == metadata.file_metadata().num_rows() {
        Ok(())
    } else {
        Err(malformed())
    }
}

fn looked(metadata: &ParquetMetaData) -> Result<Looked, SourceError> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata());
    let schema = schema.map_err(|_| failed("parquet-malformed"))?;
    // What writers note beside the columns (pandas its index, others their version) is not what a table is.
    let plain = |field: &Arc<arrow_schema::Field>| {
        let field = field.as_ref().clone();
        Arc::new(field.with_metadata(std::collections::HashMap::new()))
    };
    let schema = Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>());
    Ok(Looked {
        schema: Arc::new(schema),
        rows: u64::try_from(file.num_rows()).ok(),
    })
}
