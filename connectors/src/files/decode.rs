//! From the bytes of files to batches, for formats that are read from the first byte to the last.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt as _;
use lingqu_connector_sdk::SourceError;

use super::parts::{Parts, truncated};
use super::store_error;
use crate::bounded::produced;

/// Bytes that are decoded in one go.
const SLICE_BYTES: usize = 256 << 10;

/// Bytes of text after which a batch is handed on although more rows would fit.
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// Decodes one file.
pub(crate) trait Decode: Send {
    /// Takes more bytes; `last` if the file ends with them.
    fn feed(&mut self, bytes: &[u8], last: bool);

    /// The next batch; `None` if more bytes are needed, or after the last ones there are no more rows.
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError>;
}

/// Every file in turn, each with a decoder of its own.
pub(super) fn decoded(
    parts: &Parts,
    schema: SchemaRef,
    decoder: impl Fn() -> Box<dyn Decode> + Send + Sync + 'static,
) -> SendableRecordBatchStream {
    let parts = parts.clone();
    produced(Arc::clone(&schema), move |sender| async move {
        for meta in parts.metas.iter() {
            let mut decoder = decoder();
            let mut bytes = parts.bytes(meta).await?;
            let mut seen = 0_u64;
            loop {
                let chunk = bytes.next().await.transpose();
                let chunk = chunk.map_err(|error| store_error(&error))?;
                let last = chunk.is_none();
                let chunk = chunk.unwrap_or_default();
                seen += chunk.len() as u64;
                if last && seen != meta.size {
                    return Err(truncated());
                }
                let slices = chunk.chunks(SLICE_BYTES);
                let ending = last.then_some(&[][..]);
                for slice in slices.chain(ending) {
                    decoder.feed(slice, last);
                    while let Some(batch) = decoder.next()? {
                        if sender.send(Ok(batch)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
                if last {
                    break;
                }
            }
        }
        Ok(())
    })
}
