//! What a compressed message of Arrow IPC says it will become, checked before the decoder believes it.
//!
//! The decoder allocates as many bytes as a buffer claims to have without compression. A few bytes could claim so many
//! that the process dies of it.

use arrow_ipc::{Message, RecordBatch};
use lingqu_connector_sdk::SourceError;

use crate::bounded::failed;

/// Checks the message whose flatbuffer is `header` and whose buffers are in `body`: all of its buffers together may
/// become at most `bytes_max` bytes.
pub(crate) fn check(header: &[u8], body: &[u8], bytes_max: u64) -> Result<(), SourceError> {
    let message = arrow_ipc::root_as_message(header).map_err(|_| malformed())?;
    check_message(&message, body, bytes_max)
}

/// The same for a message as it stands in a file, behind its length.
pub(crate) fn check_in_file(header: &[u8], body: &[u8], bytes_max: u64) -> Result<(), SourceError> {
    // The marker of four bytes before the length is younger than the format.
    let header = header.strip_prefix(&[0xff; 4]).unwrap_or(header);
    let message = header.get(4..).ok_or_else(malformed)?;
    let message = arrow_ipc::root_as_message(message).map_err(|_| malformed())?;
    check_message(&message, body, bytes_max)
}

fn malformed() -> SourceError {
    failed("arrow-malformed")
}

fn check_message(message: &Message<'_>, body: &[u8], bytes_max: u64) -> Result<(), SourceError> {
    let batch = message.header_as_record_batch();
    let dictionary = message.header_as_dictionary_batch();
    match batch.or_else(|| dictionary.and_then(|dictionary| dictionary.data())) {
        Some(batch) => check_batch(&batch, body, bytes_max),
        None => Ok(()),
    }
}

fn check_batch(batch: &RecordBatch<'_>, body: &[u8], bytes_max: u64) -> Result<(), SourceError> {
    let compressed = batch.compression().is_some();
    let mut claimed = 0_u64;
    for buffer in batch.buffers().iter().flatten() {
        let start = usize::try_from(buffer.offset()).map_err(|_| malformed())?;
        let length = usize::try_from(buffer.length()).map_err(|_| malformed())?;
        let end = start.checked_add(length).ok_or_else(malformed)?;
        let bytes = body.get(start..end).ok_or_else(malformed)?;
        let becomes = match bytes.first_chunk::<8>() {
            // Minus one says that this buffer is not compressed.
            Some(prefix) if compressed => match i64::from_le_bytes(*prefix) {
                -1 => length as u64,
                claim => u64::try_from(claim).map_err(|_| malformed())?,
            },
            _ => length as u64,
        };
        claimed = claimed.saturating_add(becomes);
    }
    if claimed > bytes_max {
        return Err(SourceError::TooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions};

    /// Where a buffer's claim stands in a file of one compressed column: eight bytes that say how long it becomes.
    #[tokio::test]
    async fn a_buffer_that_claims_a_terabyte_is_not_believed() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![7; 10_000]));
        let batch = arrow_array::RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .unwrap();
        let mut bytes = Vec::new();
        let mut writer =
            FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a.arrow");
        std::fs::write(&path, &bytes).unwrap();
        let source = crate::fixtures::source("file", "path = \"a.arrow\"", base.path());
        let whole = crate::fixtures::load(source.as_ref(), "a", &["id"])
            .await
            .unwrap();
        assert_eq!(whole.len(), 10_000);
        let claim = 80_000_i64.to_le_bytes();
        let at = bytes.windows(8).position(|window| window == claim).unwrap();
        for lie in [1_i64 << 40, i64::MAX, -2, 1 << 31] {
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            std::fs::write(&path, &bytes).unwrap();
            let refused = crate::fixtures::load(source.as_ref(), "a", &["id"]).await;
            assert!(refused.is_err(), "{lie}");
        }
    }
}
