//! Where frames are: for each segment the number of its first frame, and a mark at every 64th frame after it.
//!
//! The marks of segments that this process has read or written are in memory. Those of older ones are made again by
//! whoever reads there, and a few of them are kept, so that memory grows with the number of segments and not with the
//! number of frames.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Position;

/// Frames from one mark to the next.
pub(super) const MARK_EVERY: u64 = 64;
/// Segments whose marks were made again and are kept.
const REMADE_MAX: usize = 16;

/// A segment that is full, as somebody remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub segment: u64,
    /// The number of its first frame.
    pub first_frame: u64,
    /// Bytes of its frames, their padding included.
    pub used_bytes: u64,
}

/// Where a log is taken up: at the first frame of a segment, or at its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The segment that is read first.
    pub segment: u64,
    /// The number of its first frame.
    pub frame: u64,
    /// The segments before it that are still there, in order; each begins where the one before ends.
    pub sealed: Vec<Sealed>,
}

/// The offsets of the marks of a segment.
pub(super) type Marks = Arc<Vec<u64>>;

/// Where frames are, shared with readers.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// In order, without a gap.
    segments: VecDeque<Entry>,
    /// Marks that were made again, the newest last.
    remade: VecDeque<(u64, Marks)>,
    /// Number of the next frame.
    frames: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    len: u64,
    first_frame: u64,
    used_bytes: u64,
    /// None for a segment that this process did not read.
    marks: Option<Vec<u64>>,
}

/// Where a reader begins to look for a frame.
pub(super) struct Place {
    pub(super) position: Position,
    /// The number of the frame there.
    pub(super) frame: u64,
}

/// What the index knows of the place of a frame.
pub(super) enum Found {
    /// There is no such frame, or it is not there any more.
    Nowhere,
    /// From here on.
    At(Place),
    /// In this segment, whose marks have to be made again first: its number, its first frame, the frame after its last.
    Unmarked(u64, u64, u64),
}

impl Index {
    /// An index that begins with what is known of the segments before `start`.
    pub(super) fn from_start(start: &Start) -> Index {
        Index {
            frames: start.frame,
            ..Index::default()
        }
    }

    /// Enters a segment that is not read.
    pub(super) fn enter(&mut self, sealed: Sealed, len: u64) {
        self.segments.push_back(Entry {
            id: sealed.segment,
            len,
            first_frame: sealed.first_frame,
            used_bytes: sealed.used_bytes,
            marks: None,
        });
    }

    /// Enters a segment whose first frame is the next one.
    pub(super) fn begin_segment(&mut self, id: u64, len: u64) {
        self.segments.push_back(Entry {
            id,
            len,
            first_frame: self.frames,
            used_bytes: 0,
            marks: Some(Vec::new()),
        });
    }

    /// Enters a frame of the last segment.
    pub(super) fn push(&mut self, position: Position, len: usize) {
        let number = self.frames;
        self.frames += 1;
        let last = self.segments.back_mut();
        let last = last.expect("a segment is entered before its frames");
        last.used_bytes += len as u64;
        if (number - last.first_frame).is_multiple_of(MARK_EVERY)
            && let Some(marks) = &mut last.marks
        {
            marks.push(position.offset);
        }
    }

    /// Number of the next frame.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.segments.iter().map(|entry| entry.used_bytes).sum()
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|entry| entry.len).sum()
    }

    /// Zero for a segment that is not there.
    pub(super) fn segment_len(&self, segment: u64) -> u64 {
        self.entry(segment).map_or(0, |entry| entry.len)
    }

    /// The segments that are full, and the one that is written with its first frame.
    pub(super) fn segments(&self) -> Vec<Sealed> {
        let sealed = self.segments.iter().map(|entry| Sealed {
            segment: entry.id,
            first_frame: entry.first_frame,
            used_bytes: entry.used_bytes,
        });
        sealed.collect()
    }

    pub(super) fn find(&self, frame: u64) -> Found {
        if frame >= self.frames {
            return Found::Nowhere;
        }
        let after = self
            .segments
            .partition_point(|entry| entry.first_frame <= frame);
        let Some(entry) = after.checked_sub(1).and_then(|at| self.segments.get(at)) else {
            return Found::Nowhere;
        };
        let end = self
            .segments
            .get(after)
            .map_or(self.frames, |next| next.first_frame);
        let remade = || {
            let remade = self.remade.iter().find(|(id, _)| *id == entry.id);
            remade.map(|(_, marks)| marks.as_slice())
        };
        let Some(marks) = entry.marks.as_deref().or_else(remade) else {
            return Found::Unmarked(entry.id, entry.first_frame, end);
        };
        let mark = (frame - entry.first_frame) / MARK_EVERY;
        let offset = usize::try_from(mark).ok().and_then(|at| marks.get(at));
        offset.map_or(Found::Nowhere, |offset| {
            Found::At(Place {
                position: Position {
                    segment: entry.id,
                    offset: *offset,
                },
                frame: entry.first_frame + mark * MARK_EVERY,
            })
        })
    }

    /// Keeps marks that were made again, for a while.
    pub(super) fn keep_remade(&mut self, segment: u64, marks: Vec<u64>) {
        self.remade.retain(|(id, _)| *id != segment);
        self.remade.push_back((segment, Arc::new(marks)));
        while self.remade.len() > REMADE_MAX {
            self.remade.pop_front();
        }
    }

    /// Gives up the marks of all segments before this one: they are made again where somebody reads there.
    pub(super) fn forget_marks(&mut self, segment: u64) {
        for entry in self.segments.iter_mut().filter(|entry| entry.id < segment) {
            entry.marks = None;
        }
    }

    /// The first segment that is there.
    pub(super) fn front(&self) -> Option<u64> {
        self.segments.front().map(|entry| entry.id)
    }

    /// Leaves out the first segment, unless it is the last one.
    pub(super) fn drop_front(&mut self) {
        if self.segments.len() > 1 {
            self.segments.pop_front();
        }
    }

    fn entry(&self, segment: u64) -> Option<&Entry> {
        let front = self.front()?;
        let at = usize::try_from(segment.checked_sub(front)?).ok()?;
        self.segments.get(at)
    }
}

/// The index stays whole if a holder panics: each change is one step.
pub(super) fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}
