//! What a frame of a stream carries: its place, its entries, and the checkpoint after them.
//!
//! Layout, big-endian: stream id 16 bytes, index of the first entry u64, number of entries u32, root after the last
//! entry 32 bytes, signature u16 length and bytes (the node's, on the checkpoint note), then each entry as u16 length
//! and bytes.

use lingqu_core::record::StreamId;
use lingqu_tlog::Hash;

/// Bytes before the signature.
const HEAD_LEN: usize = 16 + 8 + 4 + 32;
/// Bytes that an entry takes besides its own.
pub(crate) const ENTRY_OVERHEAD: usize = 2;
/// Bytes that a payload takes besides its entries, with room for the signatures of any suite.
pub(crate) const PAYLOAD_OVERHEAD: usize = HEAD_LEN + 2 + 8 * 1024;

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

    /// Appends the payload to `bytes`.
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
        let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
        let count = u32::from_be_bytes(head[24..28].try_into().ok()?);
        let (signature, mut rest) = read_part(rest)?;
        let mut entries = Vec::new();
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
