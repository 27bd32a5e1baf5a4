//! Reading the journal of a stream that has ended, to decide whether anything in it must still be kept.

use std::sync::Arc;

use lingqu_core::record::{RecordMalformed, RecordView, StreamId};
use lingqu_tlog::Suite;

use super::options::JournalLimits;
use super::payload::Payload;
use crate::frame::LogId;
use crate::seal::StateKeys;
use crate::store::Store;
use crate::wal::{Wal, WalOpenError, WalOptions};

/// Why a past journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PastUnreadable {
    /// A frame is no payload, or of another stream.
    #[error("a frame is not one of this stream")]
    Frame,
    /// The log's files.
    #[error("{0}")]
    Log(String),
    /// An entry is no record.
    #[error("an entry is no record: {0}")]
    Record(#[from] RecordMalformed),
}

/// Visits every record of the stream of this origin, in order. Blocking. The store is only read, apart from what every
/// opening mends.
///
/// # Errors
/// [`PastUnreadable`]
pub fn read_past<S: Suite>(
    origin: &str,
    store: Arc<dyn Store>,
    limits: &JournalLimits,
    keys: Option<Arc<StateKeys>>,
    mut visit: impl FnMut(&RecordView<'_>),
) -> Result<(), PastUnreadable> {
    let stream = StreamId::of::<S>(origin);
    let options = WalOptions {
        log: LogId(stream.0),
        segment_len: limits.segment_len,
        payload_len_max: limits.frame_bytes_max,
    };
    let opened = Wal::open_with(store, options, keys, |bytes| {
        let payload = Payload::read(bytes).filter(|payload| payload.stream == stream);
        for entry in payload.ok_or(PastUnreadable::Frame)?.entries {
            visit(&RecordView::read::<S>(entry)?);
        }
        Ok(())
    });
    match opened {
        Ok(_) => Ok(()),
        Err(WalOpenError::Refused(refused)) => Err(refused),
        Err(error) => Err(PastUnreadable::Log(error.to_string())),
    }
}
