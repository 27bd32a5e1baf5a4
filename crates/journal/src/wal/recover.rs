//! Reading a log back after whatever happened, and telling a torn end from damage.
//!
//! A frame is written only after the one before it is durable, and a segment is made only when all frames before it
//! are. So a crash leaves: whole frames with consecutive numbers, then at most one torn frame, then zeros. Whatever
//! else is found means that something acknowledged is damaged or missing, and the log refuses to open:
//! - a bad frame with a whole one of this log after it, in its segment or a later one;
//! - a number left out, which is what a hole of zeros, a missing segment or a cut one leave;
//! - bytes beyond the length that the torn frame can have, or a head that no unfinished write leaves.
//!
//! What cannot be seen here is the loss of the last frames as a whole; comparing with the mirror finds that.

use super::index::{Index, Start};
use super::{Position, WalOpenError, WalOptions};
use crate::frame::{self, BLOCK, HEAD_LEN};
use crate::seal::{self, StateKeys};
use crate::store::{Segment, Store, StoreError};

/// Where a log ends, and what has to be done before it can be written to.
pub(super) struct End {
    pub(super) tail: Position,
    /// Length of the tail's segment; zero when there is none yet.
    pub(super) tail_len: u64,
    pub(super) index: Index,
    /// Bytes after the tail that a torn frame may have left.
    pub(super) torn_len: usize,
    last: Option<(Position, Vec<u8>)>,
}

/// Reads everything and changes nothing.
pub(super) fn recover<E>(
    store: &dyn Store,
    options: &WalOptions,
    keys: Option<&StateKeys>,
    start: &Start,
    mut replay: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<End, WalOpenError<E>> {
    let mut segments = store.segments()?;
    let mut end = End {
        tail: Position {
            segment: start.segment,
            offset: 0,
        },
        tail_len: 0,
        index: Index::from_start(start),
        torn_len: 0,
        last: None,
    };
    let before = segments.partition_point(|segment| segment.id < start.segment);
    let read = segments.split_off(before);
    enter_sealed(store, options, keys, start, &segments, &mut end.index)?;
    // Where a log is taken up, there was a segment when that was written down.
    if read.is_empty() && *start != Start::default() {
        return Err(corrupt(end.tail, "the segment is missing"));
    }
    for (segment, expected) in read.iter().zip(start.segment..) {
        check_segment(store, options, *segment, (expected, keys.is_some()))?;
        let is_last = Some(segment) == read.last();
        let mut offset = BLOCK as u64;
        end.index.begin_segment(segment.id, segment.len);
        let before = end.index.frames();
        while let Some((sequence, payload_len, frame)) =
            read_frame(store, options, *segment, offset)?
        {
            let position = Position {
                segment: segment.id,
                offset,
            };
            if sequence != end.index.frames() {
                return Err(corrupt(position, "a frame before this one is missing"));
            }
            let payload = frame::payload(&frame, payload_len).expect("the frame was checked");
            match keys {
                None => replay(payload).map_err(WalOpenError::Refused)?,
                Some(keys) => {
                    // The checksum held, so this is no accident: other keys, or another hand.
                    let opened = seal::open_frame(keys, options.log, sequence, payload)
                        .map_err(|_| corrupt(position, "a frame is not sealed with these keys"))?;
                    replay(&opened).map_err(WalOpenError::Refused)?;
                }
            }
            end.index.push(position, frame.len());
            offset += frame.len() as u64;
            end.last = Some((position, frame));
        }
        end.tail = Position {
            segment: segment.id,
            offset,
        };
        end.tail_len = segment.len;
        end.torn_len = check_rest(store, options, *segment, offset, end.index.frames())?;
        if !is_last && end.torn_len > 0 {
            return Err(corrupt(end.tail, "a damaged frame before a later segment"));
        }
        if !is_last && before == end.index.frames() {
            return Err(corrupt(end.tail, "an empty segment before a later one"));
        }
    }
    Ok(end)
}

/// Enters the segments before the start: exactly those that it names must be there, each with its head.
fn enter_sealed<E>(
    store: &dyn Store,
    options: &WalOptions,
    keys: Option<&StateKeys>,
    start: &Start,
    segments: &[Segment],
    index: &mut Index,
) -> Result<(), WalOpenError<E>> {
    let mut sealed = start.sealed.iter();
    let first = start
        .sealed
        .first()
        .map_or(start.segment, |one| one.segment);
    for (segment, expected) in segments.iter().zip(first..) {
        check_segment(store, options, *segment, (expected, keys.is_some()))?;
        let known = sealed.next().filter(|known| known.segment == segment.id);
        let here = Position {
            segment: segment.id,
            offset: 0,
        };
        let known = known.ok_or_else(|| corrupt(here, "the segment is not known any more"))?;
        index.enter(*known, segment.len);
    }
    match sealed.next() {
        None => Ok(()),
        Some(missing) => {
            let there = Position {
                segment: missing.segment,
                offset: 0,
            };
            Err(corrupt(there, "the segment is missing"))
        }
    }
}

/// Makes the end safe to build on. Nothing has been appended yet, and doing this again after a crash is harmless.
pub(super) fn repair(store: &dyn Store, end: &End) -> Result<(), StoreError> {
    // Whether the last frame is on the disk or only in the page cache is not known: a process that saw its write fail
    // may have ended without the machine. Writing the same bytes again makes what was replayed durable.
    if let Some((position, frame)) = &end.last {
        store.write(position.segment, position.offset, frame)?;
    }
    // The torn frame was never acknowledged. It must be gone before another frame takes its place, or its remains
    // could be read as the end of that one.
    if end.torn_len > 0 {
        tracing::warn!(
            segment = end.tail.segment,
            offset = end.tail.offset,
            "dropping one unfinished frame"
        );
        store.write(end.tail.segment, end.tail.offset, &vec![0; end.torn_len])?;
    }
    Ok(())
}

fn check_segment<E>(
    store: &dyn Store,
    options: &WalOptions,
    segment: Segment,
    (expected, is_sealed): (u64, bool),
) -> Result<(), WalOpenError<E>> {
    let start = Position {
        segment: expected,
        offset: 0,
    };
    if segment.id != expected {
        return Err(corrupt(start, "the segment is missing"));
    }
    if segment.len < BLOCK as u64 {
        return Err(corrupt(start, "the segment is cut off"));
    }
    let mut head = vec![0; BLOCK];
    store.read(segment.id, 0, &mut head)?;
    match frame::segment_log(&head) {
        Some((log, _)) if log != options.log => Err(WalOpenError::OtherLog),
        Some((_, true)) if !is_sealed => Err(WalOpenError::Sealed),
        Some((_, false)) if is_sealed => Err(WalOpenError::Clear),
        Some(_) if head == frame::segment_head(options.log, segment.id, segment.len, is_sealed) => {
            Ok(())
        }
        Some(_) => Err(corrupt(start, "the segment has another number or length")),
        None => Err(corrupt(start, "the segment's head is damaged")),
    }
}

/// The whole frame at `offset`, with its number and the length of its payload; nothing if there is none.
fn read_frame(
    store: &dyn Store,
    options: &WalOptions,
    segment: Segment,
    offset: u64,
) -> Result<Option<(u64, usize, Vec<u8>)>, StoreError> {
    if offset + BLOCK as u64 > segment.len {
        return Ok(None);
    }
    let mut bytes = [0; HEAD_LEN];
    store.read(segment.id, offset, &mut bytes)?;
    let Some(head) = frame::read_head(&bytes, options.log) else {
        return Ok(None);
    };
    let len = frame::frame_len(head.payload_len);
    if head.payload_len > options.payload_len_max || offset + len as u64 > segment.len {
        return Ok(None);
    }
    let mut frame = vec![0; len];
    store.read(segment.id, offset, &mut frame)?;
    let is_whole = frame::payload(&frame, head.payload_len).is_some();
    Ok(is_whole.then_some((head.sequence, head.payload_len, frame)))
}

/// Looks at all that follows the last whole frame, and gives the number of bytes that a torn frame left: zero if
/// everything is zero.
fn check_rest<E>(
    store: &dyn Store,
    options: &WalOptions,
    segment: Segment,
    start: u64,
    sequence: u64,
) -> Result<usize, WalOpenError<E>> {
    let mut block = vec![0; BLOCK];
    let mut dirty_end = start;
    for offset in (start..segment.len).step_by(BLOCK) {
        store.read(segment.id, offset, &mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        dirty_end = offset + BLOCK as u64;
        if offset > start && read_frame(store, options, segment, offset)?.is_some() {
            let at = Position {
                segment: segment.id,
                offset: start,
            };
            return Err(corrupt(at, "a damaged frame before whole ones"));
        }
    }
    let dirty_len = usize::try_from(dirty_end - start).unwrap_or(usize::MAX);
    if dirty_len == 0 {
        return Ok(0);
    }
    let at = Position {
        segment: segment.id,
        offset: start,
    };
    let mut head = [0; HEAD_LEN];
    store.read(segment.id, start, &mut head)?;
    if !frame::is_torn_head(&head, options.log, sequence) {
        return Err(corrupt(at, "the head of a frame is damaged"));
    }
    // If the head arrived, it says how long the frame was to be.
    let longest = match frame::read_head(&head, options.log) {
        Some(head) => head.payload_len,
        None => options.payload_len_max,
    };
    let room = segment.len - start;
    if longest > options.payload_len_max || dirty_len > frame::frame_len(longest) {
        return Err(corrupt(at, "more than one frame is damaged"));
    }
    if longest < options.payload_len_max && frame::frame_len(longest) as u64 > room {
        return Err(corrupt(at, "a frame is longer than its segment"));
    }
    Ok(dirty_len)
}

fn corrupt<E>(at: Position, what: &'static str) -> WalOpenError<E> {
    WalOpenError::Corrupt {
        segment: at.segment,
        offset: at.offset,
        what,
    }
}
