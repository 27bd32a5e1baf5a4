//! The frame: one durable step of a log, and the head of a segment.
//!
//! Frame, big-endian: `"WALF"`, payload length u32, log id 16 bytes, sequence number u64, payload, CRC-32C u32 over all
//! before it, zeros up to the next multiple of 4 KiB. Segment head, in a block of its own: `"WALS"`, version u32, log
//! id 16 bytes, segment number u64, segment length u64, CRC-32C u32. In segments of version 1 payloads are in clear, in
//! those of version 2 they are sealed (`seal.rs`). The checksum finds accidents; what finds forgery
//! is the Merkle root and the signature in the payload.

/// Frames begin at multiples of this many bytes, so that no two share a page.
pub(crate) const BLOCK: usize = 4_096;
/// Length of a frame's head.
pub(crate) const HEAD_LEN: usize = 32;
const CRC_LEN: usize = 4;
const MAGIC: &[u8; 4] = b"WALF";
const SEGMENT_MAGIC: &[u8; 4] = b"WALS";
/// Version of segments whose payloads are in clear.
const CLEAR: u32 = 1;
/// Version of segments whose payloads are sealed.
const SEALED: u32 = 2;
const SEGMENT_HEAD_LEN: usize = 44;

/// Which log a frame belongs to: frames of another are not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogId(pub [u8; 16]);

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) payload_len: usize,
    pub(crate) sequence: u64,
}

/// Length of the frame around a payload, its padding included.
pub(crate) fn frame_len(payload_len: usize) -> usize {
    (HEAD_LEN + payload_len + CRC_LEN).next_multiple_of(BLOCK)
}

/// Writes the frame over whatever `frame` held.
pub(crate) fn write(frame: &mut Vec<u8>, log: LogId, sequence: u64, payload: &[u8]) {
    let payload_len = u32::try_from(payload.len()).expect("a frame is shorter than its segment");
    frame.clear();
    frame.extend_from_slice(MAGIC);
    frame.extend_from_slice(&payload_len.to_be_bytes());
    frame.extend_from_slice(&log.0);
    frame.extend_from_slice(&sequence.to_be_bytes());
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32c::crc32c(frame).to_be_bytes());
    frame.resize(frame_len(payload.len()), 0);
}

/// Reads a head of this log; nothing for anything else.
pub(crate) fn read_head(head: &[u8; HEAD_LEN], log: LogId) -> Option<Head> {
    let is_own = head[..4] == *MAGIC && head[8..24] == log.0;
    is_own.then(|| Head {
        payload_len: u32::from_be_bytes(array(head, 4)) as usize,
        sequence: u64::from_be_bytes(array(head, 24)),
    })
}

/// The payload of a whole frame, if its checksum holds.
pub(crate) fn payload(frame: &[u8], payload_len: usize) -> Option<&[u8]> {
    let (covered, rest) = frame.split_at_checked(HEAD_LEN + payload_len)?;
    let crc = rest.first_chunk::<CRC_LEN>()?;
    (crc32c::crc32c(covered) == u32::from_be_bytes(*crc)).then(|| &covered[HEAD_LEN..])
}

/// Whether `head` can be what a write of frame `sequence` left that did not come to its end: each byte is the one that
/// was to be written, or still zero. Anything else is damage to a frame that once was whole.
pub(crate) fn is_torn_head(head: &[u8; HEAD_LEN], log: LogId, sequence: u64) -> bool {
    let mut whole = [0; HEAD_LEN];
    whole[..4].copy_from_slice(MAGIC);
    whole[8..24].copy_from_slice(&log.0);
    whole[24..].copy_from_slice(&sequence.to_be_bytes());
    let is_length = |at: usize| (4..8).contains(&at);
    (0..HEAD_LEN).all(|at| is_length(at) || head[at] == 0 || head[at] == whole[at])
}

/// The head of a segment, a block long.
pub(crate) fn segment_head(log: LogId, id: u64, len: u64, is_sealed: bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(BLOCK);
    head.extend_from_slice(SEGMENT_MAGIC);
    let version = if is_sealed { SEALED } else { CLEAR };
    head.extend_from_slice(&version.to_be_bytes());
    head.extend_from_slice(&log.0);
    head.extend_from_slice(&id.to_be_bytes());
    head.extend_from_slice(&len.to_be_bytes());
    head.extend_from_slice(&crc32c::crc32c(&head).to_be_bytes());
    debug_assert_eq!(head.len(), SEGMENT_HEAD_LEN);
    head.resize(BLOCK, 0);
    head
}

/// The log that a segment head names, and whether its payloads are sealed, if the head is whole and of a known version.
pub(crate) fn segment_log(head: &[u8]) -> Option<(LogId, bool)> {
    let head: &[u8; SEGMENT_HEAD_LEN] = head.first_chunk()?;
    let is_whole = head[..4] == *SEGMENT_MAGIC
        && crc32c::crc32c(&head[..40]) == u32::from_be_bytes(array(head, 40));
    let is_sealed = match u32::from_be_bytes(array(head, 4)) {
        CLEAR => false,
        SEALED => true,
        _ => return None,
    };
    is_whole.then(|| (LogId(array(head, 8)), is_sealed))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N]
        .try_into()
        .expect("the slice has the array's length")
}

#[cfg(test)]
mod tests;
