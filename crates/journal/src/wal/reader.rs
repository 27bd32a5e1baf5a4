//! Reading durable frames back while the writer goes on.
//!
//! A reader starts at the nearest mark before the wanted frame and walks from head to head; it never looks beyond the
//! last durable frame, so that it cannot see one in flight.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::{Index, MARK_EVERY, Position, WalOptions, lock};
use crate::frame::{self, BLOCK, HEAD_LEN, Head};
use crate::seal::{self, StateKeys};
use crate::store::{Store, StoreError};

/// The reading end of a log.
#[derive(Clone)]
pub struct WalReader {
    store: Arc<dyn Store>,
    options: WalOptions,
    index: Arc<Mutex<Index>>,
    keys: Option<Arc<StateKeys>>,
}

/// Why frames could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A frame that was durable is no longer what was written.
    #[error("frame {0} is damaged")]
    Damaged(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WalReader {
    pub(super) fn new(
        store: Arc<dyn Store>,
        options: WalOptions,
        index: Arc<Mutex<Index>>,
        keys: Option<Arc<StateKeys>>,
    ) -> WalReader {
        WalReader {
            store,
            options,
            index,
            keys,
        }
    }

    /// Number of durable frames.
    pub fn frames(&self) -> u64 {
        lock(&self.index).frames
    }

    /// Bytes of all durable frames, their padding included.
    pub fn used_bytes(&self) -> u64 {
        lock(&self.index).used_bytes
    }

    /// Bytes of all segments, room for further frames included.
    pub fn disk_bytes(&self) -> u64 {
        lock(&self.index).segment_lens.iter().sum()
    }

    /// Hands the payloads of the durable frames from number `first` on to `visit`, until it breaks.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails or a frame's checksum does not hold.
    pub fn read(
        &self,
        first: u64,
        mut visit: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let (end, mark) = {
            let index = lock(&self.index);
            let mark = usize::try_from(first / MARK_EVERY).ok();
            (
                index.frames,
                mark.and_then(|mark| index.marks.get(mark).copied()),
            )
        };
        let Some(mut position) = mark.filter(|_| first < end) else {
            return Ok(());
        };
        let mut frame = Vec::new();
        for number in first - first % MARK_EVERY..end {
            let head = self.find(&mut position, number)?;
            let len = frame::frame_len(head.payload_len);
            if number >= first {
                frame.resize(len, 0);
                self.store
                    .read(position.segment, position.offset, &mut frame)?;
                let payload =
                    frame::payload(&frame, head.payload_len).ok_or(ReadError::Damaged(number))?;
                let flow = match &self.keys {
                    None => visit(payload),
                    Some(keys) => {
                        let opened = seal::open_frame(keys, self.options.log, number, payload);
                        visit(&opened.map_err(|_| ReadError::Damaged(number))?)
                    }
                };
                if flow.is_break() {
                    break;
                }
            }
            position.offset += len as u64;
        }
        Ok(())
    }

    /// The head of frame `number`, which is at `position` or, if it did not fit there, begins the next segment.
    fn find(&self, position: &mut Position, number: u64) -> Result<Head, ReadError> {
        if let Some(head) = self.head(*position, number)? {
            return Ok(head);
        }
        *position = Position {
            segment: position.segment + 1,
            offset: BLOCK as u64,
        };
        self.head(*position, number)?
            .ok_or(ReadError::Damaged(number))
    }

    fn head(&self, position: Position, number: u64) -> Result<Option<Head>, ReadError> {
        let end = lock(&self.index).segment_len(position.segment);
        if position.offset + BLOCK as u64 > end {
            return Ok(None);
        }
        let mut bytes = [0; HEAD_LEN];
        self.store
            .read(position.segment, position.offset, &mut bytes)?;
        let head = frame::read_head(&bytes, self.options.log);
        let fits = |head: &Head| {
            head.sequence == number
                && head.payload_len <= self.options.payload_len_max
                && position.offset + frame::frame_len(head.payload_len) as u64 <= end
        };
        Ok(head.filter(fits))
    }
}
