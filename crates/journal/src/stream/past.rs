//! Reading the journal of a stream that has ended: to decide whether anything in it must still be kept, and to give a
//! mirror back what it lost of it. Nothing is signed here: every frame has the signature that it was written with.

use std::ops::ControlFlow;
use std::sync::Arc;

use lingqu_core::record::{RecordMalformed, RecordView, StreamId};
use lingqu_tlog::{Checkpoint, Note, NoteSignature, Suite, VerifierKey};

use super::batch::{Batch, Gathering};
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
    /// Whoever reads wants no more of it.
    #[error("the reading was stopped")]
    Stopped,
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
    read_payloads::<S>(origin, store, limits, keys, |payload| {
        for entry in &payload.entries {
            visit(&RecordView::read::<S>(entry)?);
        }
        Ok(())
    })
}

/// Visits the batches of the stream that `key` signed, from the entry `from` on, as the mirror takes them, until one is
/// refused with [`ControlFlow::Break`]. Blocking.
///
/// # Errors
/// [`PastUnreadable`]
pub fn past_batches<S: Suite>(
    key: &VerifierKey<S>,
    store: Arc<dyn Store>,
    limits: &JournalLimits,
    keys: Option<Arc<StateKeys>>,
    from: u64,
    mut visit: impl FnMut(Batch) -> ControlFlow<()>,
) -> Result<(), PastUnreadable> {
    let origin = key.name().as_str();
    let mut gathering = Gathering::new(from, limits);
    let read = read_payloads::<S>(origin, store, limits, keys, |payload| {
        if gathering.take(payload).is_break() {
            let full = std::mem::replace(&mut gathering, Gathering::new(payload.first, limits));
            // The first frame is taken however large.
            let _ = gathering.take(payload);
            if { batch(key, full) }.is_some_and(|batch| visit(batch).is_break()) {
                return Err(PastUnreadable::Stopped);
            }
        }
        Ok(())
    });
    match read {
        Ok(()) => {
            let _ = batch(key, gathering).map(visit);
            Ok(())
        }
        Err(PastUnreadable::Stopped) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What was gathered, under the checkpoint after it; nothing if there is nothing.
fn batch<S: Suite>(key: &VerifierKey<S>, gathered: Gathering<'_>) -> Option<Batch> {
    let (size, root, blob) = gathered.last?;
    let checkpoint = Checkpoint {
        origin: key.name().as_str().to_owned(),
        size,
        root,
    };
    let note = Note {
        text: checkpoint.to_text(),
        signatures: vec![NoteSignature {
            name: key.name().clone(),
            id: key.id(),
            blob,
        }],
    };
    Some(Batch {
        first: gathered.from,
        entries: gathered.entries,
        checkpoint: note.to_string(),
    })
}

fn read_payloads<S: Suite>(
    origin: &str,
    store: Arc<dyn Store>,
    limits: &JournalLimits,
    keys: Option<Arc<StateKeys>>,
    mut visit: impl FnMut(&Payload<'_>) -> Result<(), PastUnreadable>,
) -> Result<(), PastUnreadable> {
    let stream = StreamId::of::<S>(origin);
    let options = WalOptions {
        log: LogId(stream.0),
        segment_len: limits.segment_len,
        payload_len_max: limits.frame_bytes_max,
    };
    let opened = Wal::open_with(store, options, keys, |bytes| {
        let payload = Payload::read(bytes).filter(|payload| payload.stream == stream);
        visit(&payload.ok_or(PastUnreadable::Frame)?)
    });
    match opened {
        Ok(_) => Ok(()),
        Err(WalOpenError::Refused(refused)) => Err(refused),
        Err(error) => Err(PastUnreadable::Log(error.to_string())),
    }
}
