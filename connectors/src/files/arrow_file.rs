//! Arrow IPC files, block by block.
//!
//! Every length that a file states is compared with the file before anything is allocated for it, and what a block holds
//! is validated. The decoder may still panic on what it does not expect; it runs where a panic is an error.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, MetadataVersion, root_as_footer};
use arrow_schema::{Schema, SchemaRef};
use datafusion::arrow::buffer::Buffer;
use datafusion::execution::SendableRecordBatchStream;
use lingqu_connector_sdk::SourceError;
use object_store::ObjectMeta;

use super::FileLimits;
use super::parts::{Looked, Parts, truncated};
use crate::bounded::{buffer_bytes, failed, pieces, produced};
use crate::scan::{Wanted, projected};

/// Length of the footer, then `ARROW1`.
const TRAILER_BYTES: u64 = 10;
/// Longest footer.
const FOOTER_BYTES_MAX: u64 = 16 << 20;

/// What a footer says.
struct Footer {
    schema: SchemaRef,
    version: MetadataVersion,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
}

/// Columns of one file.
pub(super) async fn look(
    parts: &Parts,
    meta: &ObjectMeta,
    _limits: FileLimits,
) -> Result<Looked, SourceError> {
    let footer = footer(parts, meta).await?;
    Ok(Looked {
        schema: footer.schema,
        rows: None,
    })
}

/// The wanted columns of every file in turn.
pub(super) fn read(
    parts: &Parts,
    schema: &SchemaRef,
    wanted: &Wanted,
    limits: FileLimits,
) -> SendableRecordBatchStream {
    let out = projected(schema, &wanted.columns);
    let (parts, wanted) = (parts.clone(), wanted.clone());
    produced(Arc::clone(&out), move |sender| async move {
        for meta in parts.metas.iter() {
            let footer = footer(&parts, meta).await?;
            let mut decoder = FileDecoder::new(Arc::clone(&footer.schema), footer.version);
            for block in &footer.dictionaries {
                let bytes = block_bytes(&parts, meta, block, limits).await?;
                decoder
                    .read_dictionary(block, &bytes)
                    .map_err(|_| failed("arrow-malformed"))?;
            }
            for block in &footer.batches {
                let bytes = block_bytes(&parts, meta, block, limits).await?;
                let batch = decoder.read_record_batch(block, &bytes);
                let Some(batch) = batch.map_err(|_| failed("arrow-malformed"))? else {
                    continue;
                };
                let batch = taken(&batch, &wanted, &out, limits)?;
                for piece in pieces(batch, wanted.batch_rows) {
                    if sender.send(Ok(piece)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    })
}

/// The wanted columns of a batch.
fn taken(
    batch: &RecordBatch,
    wanted: &Wanted,
    schema: &SchemaRef,
    limits: FileLimits,
) -> Result<RecordBatch, SourceError> {
    let batch = batch
        .project(&wanted.columns)
        .map_err(|_| failed("arrow-malformed"))?;
    if buffer_bytes(&batch) > limits.block_bytes_max {
        return Err(SourceError::TooLarge);
    }
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
        .map_err(|_| failed("arrow-malformed"))
}

async fn footer(parts: &Parts, meta: &ObjectMeta) -> Result<Footer, SourceError> {
    let end = meta.size.checked_sub(TRAILER_BYTES).ok_or_else(truncated)?;
    let trailer = parts.range(meta, end..meta.size).await?;
    let trailer: [u8; 10] = trailer.as_ref().try_into().map_err(|_| truncated())?;
    let length = read_footer_length(trailer).map_err(|_| truncated())? as u64;
    let start = end
        .checked_sub(length)
        .filter(|_| (1..=FOOTER_BYTES_MAX).contains(&length))
        .ok_or_else(truncated)?;
    let bytes = parts.range(meta, start..end).await?;
    // Parsing walks what a stranger may have written; a panic there is an error here.
    let parsed = tokio::task::spawn_blocking(move || parse_footer(&bytes)).await;
    let footer = parsed.ok().flatten();
    footer.ok_or_else(|| failed("arrow-malformed"))
}

fn parse_footer(bytes: &[u8]) -> Option<Footer> {
    let footer = root_as_footer(bytes).ok()?;
    let schema = fb_to_schema(footer.schema()?);
    // Metadata of a file is not part of what a table is.
    let schema = Arc::new(Schema::new(schema.fields().clone()));
    let dictionaries = footer.dictionaries();
    let batches = footer.recordBatches()?;
    Some(Footer {
        schema,
        version: footer.version(),
        dictionaries: dictionaries.map_or_else(Vec::new, |list| list.iter().copied().collect()),
        batches: batches.iter().copied().collect(),
    })
}

async fn block_bytes(
    parts: &Parts,
    meta: &ObjectMeta,
    block: &Block,
    limits: FileLimits,
) -> Result<Buffer, SourceError> {
    let range = block_range(block, meta.size).ok_or_else(|| failed("arrow-malformed"))?;
    if range.end - range.start > limits.block_bytes_max {
        return Err(SourceError::TooLarge);
    }
    let bytes = parts.range(meta, range).await?;
    let header = usize::try_from(block.metaDataLength()).map_err(|_| failed("arrow-malformed"))?;
    let (header, body) = bytes
        .split_at_checked(header)
        .ok_or_else(|| failed("arrow-malformed"))?;
    crate::ipc_claims::check_in_file(header, body, limits.block_bytes_max)?;
    Ok(Buffer::from(bytes))
}

/// Where a block lies, if it lies within the file and its parts have lengths.
fn block_range(block: &Block, size: u64) -> Option<Range<u64>> {
    let start = u64::try_from(block.offset()).ok()?;
    let meta = u64::try_from(block.metaDataLength()).ok()?;
    let body = u64::try_from(block.bodyLength()).ok()?;
    let end = start.checked_add(meta)?.checked_add(body)?;
    (meta >= 8 && end <= size).then_some(start..end)
}
