//! What a frame of a stream carries: its place, its entries, and the checkpoint after them.
//!
//! Layout, big-endian: stream id 16 bytes, index of the first entry u64, number of entries u32, root after the last
//! entry 32 bytes, signature u16 length and bytes (the node's, on the checkpoint note), then each entry as u16 length
//! and bytes.

use lingqu_core::record::StreamId;
use lingqu_tlog::Hash;

/// Bytes before the signature's length.
const BEFORE_SIGNATURE: usize = 16 + 8 + 4 + 32;
/// Bytes that a payload takes besides its signature and its entries.
pub(crate) const HEAD_LEN: usize = BEFORE_SIGNATURE + 2;
/// Bytes that an entry takes besides its own.
pub(crate) const ENTRY_OVERHEAD: usize = 2;
/// Bytes that a payload takes besides its entries, with room for the signatures of any suite.
pub(crate) const PAYLOAD_OVERHEAD: usize = HEAD_LEN + 8 * 1024;

/// A payload, read in place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload<'a> {
    pub(crate) stream: StreamId,
    pub(crate) first: u64,
    pub(crate) root: Hash,
    pub(crate) signature: &'a [u8],
    pub(crate) entries: Vec<&'a [u8]>,
}

impl<'a> Payload<'a> {
    /// Size of the tree after the payload.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Appends the payload to `bytes`. Operation writes as [`PayloadWriter`] does; tests make payloads that it would not.
    #[cfg(test)]
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let count = u32::try_from(self.entries.len()).expect("a frame holds fewer entries");
        bytes.extend_from_slice(&self.stream.0);
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&self.root.0);
        write_part(bytes, self.signature);
        for entry in &self.entries {
            write_part(bytes, entry);
        }
    }

    /// Reads a payload; nothing for whatever [`Payload::write`] would not write.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Payload<'a>> {
        let (head, rest) = bytes.split_first_chunk::<BEFORE_SIGNATURE>()?;
        let count = u32::from_be_bytes(head[24..28].try_into().ok()?);
        let (signature, mut rest) = read_part(rest)?;
        // The count may lie: what is set aside is bounded by what is there.
        let mut entries = Vec::with_capacity((count as usize).min(rest.len() / ENTRY_OVERHEAD));
        for _ in 0..count {
            let (entry, after) = read_part(rest)?;
            entries.push(entry);
            rest = after;
        }
        let first = u64::from_be_bytes(head[16..24].try_into().ok()?);
        let is_whole = rest.is_empty() && first.checked_add(u64::from(count)).is_some();
        is_whole.then_some(Payload {
            stream: StreamId(head[..16].try_into().ok()?),
            first,
            root: Hash(head[28..60].try_into().ok()?),
            signature,
            entries,
        })
    }
}

/// Writes a payload entry by entry; root and signature, which follow from the entries, are filled in at the end. What
/// comes out is what [`Payload::write`] writes.
pub(crate) struct PayloadWriter<'b> {
    bytes: &'b mut Vec<u8>,
    signature_len: usize,
    count: u32,
}

/// Where root and count stand.
const COUNT_AT: usize = 24;
const ROOT_AT: usize = 28;

impl<'b> PayloadWriter<'b> {
    /// Begins a payload in `bytes`, which must be empty.
    pub(crate) fn new(
        bytes: &'b mut Vec<u8>,
        stream: StreamId,
        first: u64,
        signature_len: usize,
    ) -> PayloadWriter<'b> {
        debug_assert!(bytes.is_empty());
        bytes.extend_from_slice(&stream.0);
        bytes.extend_from_slice(&first.to_be_bytes());
        let len = u16::try_from(signature_len).expect("signatures are shorter than 64 KiB");
        bytes.resize(BEFORE_SIGNATURE, 0);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.resize(HEAD_LEN + signature_len, 0);
        PayloadWriter {
            bytes,
            signature_len,
            count: 0,
        }
    }

    /// Adds an entry.
    pub(crate) fn push(&mut self, entry: &[u8]) {
        write_part(self.bytes, entry);
        self.count += 1;
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Fills in what follows from the entries.
    pub(crate) fn finish(self, root: Hash, signature: &[u8]) {
        assert_eq!(signature.len(), self.signature_len, "as long as announced");
        self.bytes[COUNT_AT..ROOT_AT].copy_from_slice(&self.count.to_be_bytes());
        self.bytes[ROOT_AT..BEFORE_SIGNATURE].copy_from_slice(&root.0);
        self.bytes[HEAD_LEN..][..self.signature_len].copy_from_slice(signature);
    }

    /// Takes everything back: there is no payload.
    pub(crate) fn abandon(self) {
        self.bytes.clear();
    }
}

fn write_part(bytes: &mut Vec<u8>, part: &[u8]) {
    let len = u16::try_from(part.len()).expect("records and signatures are shorter than 64 KiB");
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(part);
}

fn read_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

#[cfg(test)]
mod tests;
