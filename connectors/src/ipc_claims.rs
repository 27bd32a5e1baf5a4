//! What a compressed message of Arrow IPC says it will become, checked before the decoder believes it.
//!
//! The decoder allocates as many bytes as a buffer claims to have without compression. A few bytes could claim so many
//! that the process dies of it.

use arrow_ipc::{Message, RecordBatch, size_prefixed_root_as_message};
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
    let message = size_prefixed_root_as_message(header).map_err(|_| malformed())?;
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
