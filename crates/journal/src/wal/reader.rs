//! Reading durable frames back while the writer goes on.
//!
//! A reader starts at the nearest mark before the wanted frame and walks from head to head; it never looks beyond the
//! last durable frame, so that it cannot see one in flight. Frames of segments that were dropped are gone.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::index::{Found, Index, MARK_EVERY, Place, Sealed, lock};
use super::{Position, WalOptions};
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
    /// The frame was dropped with its segment.
    #[error("frame {0} is not there any more")]
    Dropped(u64),
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
        lock(&self.index).frames()
    }

    /// Bytes of all durable frames, their padding included.
    pub fn used_bytes(&self) -> u64 {
        lock(&self.index).used_bytes()
    }

    /// Bytes of all segments, room for further frames included.
    pub fn disk_bytes(&self) -> u64 {
        lock(&self.index).disk_bytes()
    }

    /// The segments with the numbers of their first frames, in order; the last one is being written.
    pub fn segments(&self) -> Vec<Sealed> {
        lock(&self.index).segments()
    }

    /// Gives up in memory where frames of segments before this one are. They are found again more slowly.
    pub fn forget_marks(&self, segment: u64) {
        lock(&self.index).forget_marks(segment);
    }

    /// Removes the segments before `segment`, the first one first: a crash leaves a log without a gap. The segment that
    /// is written stays. Whoever drops must have made durable before what the frames in them gave, and where replay
    /// begins ([`super::Start`]).
    ///
    /// # Errors
    /// [`StoreError`]: those before the one that could not be removed are gone.
    pub fn drop_before(&self, segment: u64) -> Result<(), StoreError> {
        loop {
            let front = {
                let index = lock(&self.index);
                let is_last = index.segments().len() <= 1;
                index.front().filter(|front| *front < segment && !is_last)
            };
            let Some(front) = front else {
                return Ok(());
            };
            self.store.remove(front)?;
            lock(&self.index).drop_front();
        }
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
        let Some(Place {
            mut position,
            frame: marked,
        }) = self.place(first)?
        else {
            return Ok(());
        };
        let end = self.frames();
        let mut frame = Vec::new();
        for number in marked..end {
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

    /// Where to begin to look for a frame; nothing if it is not durable yet.
    fn place(&self, frame: u64) -> Result<Option<Place>, ReadError> {
        let found = lock(&self.index).find(frame);
        match found {
            Found::At(place) => return Ok(Some(place)),
            Found::Nowhere if frame < self.frames() => return Err(ReadError::Dropped(frame)),
            Found::Nowhere => return Ok(None),
            Found::Unmarked(segment, first, end) => {
                let marks = self.marks(segment, first, end)?;
                lock(&self.index).keep_remade(segment, marks);
            }
        }
        // Somebody else's marks may have taken the place of these in the meantime; then the segment is walked through.
        let found = lock(&self.index).find(frame);
        match found {
            Found::At(place) => Ok(Some(place)),
            Found::Unmarked(segment, first, _) => Ok(Some(Place {
                position: Position {
                    segment,
                    offset: BLOCK as u64,
                },
                frame: first,
            })),
            Found::Nowhere => Err(ReadError::Dropped(frame)),
        }
    }

    /// The marks of a segment with the frames `[first, end)`, from the heads of its frames.
    fn marks(&self, segment: u64, first: u64, end: u64) -> Result<Vec<u64>, ReadError> {
        let mut marks = Vec::new();
        let mut position = Position {
            segment,
            offset: BLOCK as u64,
        };
        for number in first..end {
            let head = self.head(position, number)?;
            let head = head.ok_or(ReadError::Damaged(number))?;
            if (number - first).is_multiple_of(MARK_EVERY) {
                marks.push(position.offset);
            }
            position.offset += frame::frame_len(head.payload_len) as u64;
        }
        Ok(marks)
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
