//! A log of opaque payloads over a [`Store`]: each append is one frame, durable when `append` returns.
//!
//! There is one writer and only one frame is ever in flight, so that a crash can leave at most one torn frame, and only
//! at the end. [`Wal::open`] tells that apart from damage: see `wal/recover.rs`. Payloads mean nothing here; nodes and
//! coordinators both build on it.

mod index;
mod reader;
mod recover;

use std::sync::{Arc, Mutex};

use index::{Index, lock};
pub use index::{Sealed, Start};
pub use reader::{ReadError, WalReader};

use crate::frame::{self, BLOCK, LogId};
use crate::seal::{self, FrameSealer, StateKeys};
use crate::store::{Store, StoreError};

/// How a log is laid out.
#[derive(Clone, Copy, Debug)]
pub struct WalOptions {
    /// The log's identity: frames of another log are refused.
    pub log: LogId,
    /// Length of a new segment in bytes, a multiple of 4,096. Existing segments keep theirs.
    pub segment_len: u64,
    /// Longest payload in bytes. A log must never be opened with less than it was written with.
    pub payload_len_max: usize,
}

/// Where a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    segment: u64,
    offset: u64,
}

/// The writing end of a log.
pub struct Wal {
    store: Arc<dyn Store>,
    options: WalOptions,
    /// Where the next frame goes.
    tail: Position,
    /// Length of the segment that the tail is in.
    tail_len: u64,
    /// Number of the next frame, from 0.
    sequence: u64,
    index: Arc<Mutex<Index>>,
    frame: Vec<u8>,
    /// Seals payloads, and the sealed one.
    sealer: Option<(FrameSealer, Vec<u8>)>,
    keys: Option<Arc<StateKeys>>,
    /// After a failed write nobody knows what the disk holds: nothing is written any more.
    poisoned: bool,
    was_torn: bool,
}

/// Why a log was not opened. Nothing has been changed then.
#[derive(Debug, thiserror::Error)]
pub enum WalOpenError<E> {
    /// Keys were given, and the log is in clear. It has to be migrated first.
    #[error("the log is not sealed")]
    Clear,
    /// A frame or segment that was acknowledged once is damaged or missing.
    #[error("segment {segment} is damaged at byte {offset}: {what}")]
    Corrupt {
        /// Number of the segment.
        segment: u64,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The lengths in [`WalOptions`] do not fit each other.
    #[error("a segment must be a multiple of {BLOCK} bytes and hold the longest frame")]
    Options,
    /// The store holds another log.
    #[error("the store holds another log")]
    OtherLog,
    /// The closure refused a payload.
    #[error(transparent)]
    Refused(E),
    /// The log is sealed, and no keys were given.
    #[error("the log is sealed and needs its state keys")]
    Sealed,
    /// The store failed.
    #[error("store: {0}")]
    Store(StoreError),
}

impl<E> From<StoreError> for WalOpenError<E> {
    fn from(error: StoreError) -> Self {
        WalOpenError::Store(error)
    }
}

/// Why a payload was not appended. It may be durable all the same, and the log takes nothing more.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// An earlier append failed.
    #[error("an earlier write to the log failed")]
    Poisoned,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payload is longer than the options allow; nothing was written.
    #[error("payload of {len} bytes is longer than {max}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest allowed.
        max: usize,
    },
}

impl Wal {
    /// Opens the log, hands every payload to `replay` in order and makes the end ready for writing.
    ///
    /// # Errors
    /// [`WalOpenError`]; the store is as it was then, except when the store itself failed.
    pub fn open<E>(
        store: Arc<dyn Store>,
        options: WalOptions,
        replay: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Wal, WalOpenError<E>> {
        Wal::open_with(store, options, None, replay)
    }

    /// As [`Wal::open`], a log whose payloads are sealed with `keys` on the disk; in clear without. A log is one or the
    /// other as a whole: [`WalOpenError::Clear`] and [`WalOpenError::Sealed`] say that it is the other one.
    ///
    /// # Errors
    /// [`WalOpenError`]; the store is as it was then, except when the store itself failed.
    pub fn open_with<E>(
        store: Arc<dyn Store>,
        options: WalOptions,
        keys: Option<Arc<StateKeys>>,
        replay: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Wal, WalOpenError<E>> {
        Wal::open_at(store, options, keys, &Start::default(), replay)
    }

    /// As [`Wal::open_with`], from `start` on: what the frames before it give is known from elsewhere, and they are not
    /// read. Their segments must be there, but for those at the front that `start` does not name.
    ///
    /// # Errors
    /// [`WalOpenError`]; the store is as it was then, except when the store itself failed.
    pub fn open_at<E>(
        store: Arc<dyn Store>,
        mut options: WalOptions,
        keys: Option<Arc<StateKeys>>,
        start: &Start,
        replay: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Wal, WalOpenError<E>> {
        if keys.is_some() {
            // From here on the longest payload is the longest that stands in a frame.
            options.payload_len_max = options.payload_len_max.saturating_add(seal::FRAME_OVERHEAD);
        }
        let longest = (BLOCK + frame::frame_len(options.payload_len_max)) as u64;
        let is_aligned = options.segment_len.is_multiple_of(BLOCK as u64);
        if !is_aligned
            || options.segment_len < longest
            || u32::try_from(options.payload_len_max).is_err()
        {
            return Err(WalOpenError::Options);
        }
        let end = recover::recover(store.as_ref(), &options, keys.as_deref(), start, replay)?;
        recover::repair(store.as_ref(), &end)?;
        let mut wal = Wal {
            store,
            options,
            tail: end.tail,
            tail_len: end.tail_len,
            sequence: end.index.frames(),
            index: Arc::new(Mutex::new(end.index)),
            frame: Vec::new(),
            sealer: keys
                .as_deref()
                .map(|keys| (FrameSealer::new(keys, options.log), Vec::new())),
            keys,
            poisoned: false,
            was_torn: end.torn_len > 0,
        };
        if wal.tail_len == 0 {
            wal.add_segment(0)?;
        }
        Ok(wal)
    }

    /// Whether opening dropped a frame that was not whole. It was never acknowledged, unless the disk lost part of it later.
    pub fn was_torn(&self) -> bool {
        self.was_torn
    }

    /// Appends one frame and gives its number. When this returns `Ok`, the payload is durable.
    ///
    /// A new segment is allocated when the current one is full; a full disk shows there.
    ///
    /// # Errors
    /// [`WalError`]; after [`WalError::Store`] every later append fails.
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, WalError> {
        if self.poisoned {
            return Err(WalError::Poisoned);
        }
        let (len, max) = (payload.len(), self.payload_len_max());
        if len > max {
            return Err(WalError::TooLong { len, max });
        }
        let written = self.write(payload);
        self.poisoned = written.is_err();
        written?;
        // At this point the frame is durable. A crash from here on finds it at recovery.
        let (sequence, position) = (self.sequence, self.tail);
        self.tail.offset += self.frame.len() as u64;
        self.sequence += 1;
        lock(&self.index).push(position, self.frame.len());
        Ok(sequence)
    }

    /// A reading end, which sees the frames that are durable.
    pub fn reader(&self) -> WalReader {
        WalReader::new(
            Arc::clone(&self.store),
            self.options,
            Arc::clone(&self.index),
            self.keys.clone(),
        )
    }

    fn payload_len_max(&self) -> usize {
        let overhead = self.sealer.as_ref().map_or(0, |_| seal::FRAME_OVERHEAD);
        self.options.payload_len_max - overhead
    }

    fn write(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        let payload = match &mut self.sealer {
            Some((sealer, sealed)) => {
                // Once for each number: after a failed write nothing more is written under this opening's key.
                sealer.seal(self.sequence, payload, sealed);
                sealed.as_slice()
            }
            None => payload,
        };
        frame::write(&mut self.frame, self.options.log, self.sequence, payload);
        if self.tail.offset + self.frame.len() as u64 > self.tail_len {
            self.add_segment(self.tail.segment + 1)?;
        }
        self.store
            .write(self.tail.segment, self.tail.offset, &self.frame)
    }

    fn add_segment(&mut self, id: u64) -> Result<(), StoreError> {
        let len = self.options.segment_len;
        let head = frame::segment_head(self.options.log, id, len, self.sealer.is_some());
        self.store.create(id, len, &head)?;
        self.tail = Position {
            segment: id,
            offset: BLOCK as u64,
        };
        self.tail_len = len;
        lock(&self.index).begin_segment(id, len);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
