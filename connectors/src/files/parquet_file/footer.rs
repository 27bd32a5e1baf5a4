//! The footer of a Parquet file: read within a bound, and believed only as far as it keeps within the file.

use std::sync::Arc;

use arrow_schema::Schema;
use lingqu_connector_sdk::SourceError;
use object_store::ObjectMeta;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::super::FileLimits;
use super::super::parts::{Looked, Parts, truncated};
use crate::bounded::failed;

/// Length of the footer, then `PAR1`.
const TRAILER_BYTES: u64 = 8;
/// Longest footer.
const FOOTER_BYTES_MAX: u64 = 64 << 20;

pub(super) async fn look(
    parts: &Parts,
    meta: &ObjectMeta,
    limits: FileLimits,
) -> Result<Looked, SourceError> {
    let end = meta.size.checked_sub(TRAILER_BYTES).ok_or_else(truncated)?;
    let trailer = parts.range(meta, end..meta.size).await?;
    let (length, magic) = trailer.split_at(4);
    if magic != b"PAR1" {
        return Err(truncated());
    }
    let length = u64::from(u32::from_le_bytes(
        length.try_into().expect("it has four bytes"),
    ));
    if length > FOOTER_BYTES_MAX {
        return Err(SourceError::TooLarge);
    }
    let start = end.checked_sub(length).ok_or_else(truncated)?;
    let bytes = parts.range(meta, start..end).await?;
    let size = meta.size;
    // Parsing walks what a stranger may have written; a panic there is an error here.
    let parsed = tokio::task::spawn_blocking(move || {
        let metadata = ParquetMetaDataReader::decode_metadata(&bytes);
        let metadata = metadata.map_err(|_| failed("parquet-malformed"))?;
        within_limits(&metadata, size, limits)?;
        looked(&metadata)
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
