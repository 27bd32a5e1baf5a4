//! What one frame of the mirror's log holds: batches, heads and head log checkpoints, in the order of their effect.
//!
//! A frame is written as a whole and read as a whole, so everything that must become true together stands in one.
//! All numbers are big-endian. Reading is strict: whatever the writer would not have written is refused.

use lingqu_core::{Region, Timestamp};

const MAGIC: &[u8; 4] = b"LQM1";
const BATCH: u8 = 1;
const HEAD: u8 = 2;
const HEAD_LOG: u8 = 3;

/// One thing that became true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Entries were added to a stream.
    Batch(StoredBatch),
    /// A stream's head was added to its region's head log.
    Head(StoredHead),
    /// A region's head log was signed; it closes the heads before it.
    HeadLog(StoredHeadLog),
}

/// Entries `[first, first + entries)` of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredBatch {
    pub(crate) origin: String,
    pub(crate) first: u64,
    /// When the mirror took it: the time of its cosignature.
    pub(crate) time: Timestamp,
    pub(crate) entries: Vec<Vec<u8>>,
    /// The stream's own checkpoint at the end of the batch, signed note text.
    pub(crate) checkpoint: String,
}

/// One leaf of a head log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredHead {
    pub(crate) region: Region,
    pub(crate) index: u64,
    pub(crate) leaf: Vec<u8>,
}

/// A head log's signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredHeadLog {
    pub(crate) region: Region,
    pub(crate) checkpoint: String,
}

/// Bytes that no frame of ours has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of the mirror's log")]
pub struct FrameMalformed;

/// Appends the encoding of `facts` to `frame`.
pub(crate) fn encode(facts: &[Fact], frame: &mut Vec<u8>) {
    frame.extend_from_slice(MAGIC);
    for fact in facts {
        match fact {
            Fact::Batch(batch) => {
                frame.push(BATCH);
                put(frame, batch.origin.as_bytes());
                frame.extend_from_slice(&batch.first.to_be_bytes());
                frame.extend_from_slice(&batch.time.0.to_be_bytes());
                put(frame, batch.checkpoint.as_bytes());
                put_len(frame, batch.entries.len());
                batch.entries.iter().for_each(|entry| put(frame, entry));
            }
            Fact::Head(head) => {
                frame.push(HEAD);
                put(frame, head.region.as_str().as_bytes());
                frame.extend_from_slice(&head.index.to_be_bytes());
                put(frame, &head.leaf);
            }
            Fact::HeadLog(log) => {
                frame.push(HEAD_LOG);
                put(frame, log.region.as_str().as_bytes());
                put(frame, log.checkpoint.as_bytes());
            }
        }
    }
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(frame: &[u8]) -> Result<Vec<Fact>, FrameMalformed> {
    let mut rest = Reader(frame.strip_prefix(MAGIC).ok_or(FrameMalformed)?);
    let mut facts = Vec::new();
    while !rest.0.is_empty() {
        facts.push(match rest.array::<1>()? {
            [BATCH] => Fact::Batch(StoredBatch {
                origin: rest.text()?,
                first: u64::from_be_bytes(rest.array()?),
                time: Timestamp(i64::from_be_bytes(rest.array()?)),
                checkpoint: rest.text()?,
                entries: rest.list()?,
            }),
            [HEAD] => Fact::Head(StoredHead {
                region: rest.region()?,
                index: u64::from_be_bytes(rest.array()?),
                leaf: rest.bytes()?.to_vec(),
            }),
            [HEAD_LOG] => Fact::HeadLog(StoredHeadLog {
                region: rest.region()?,
                checkpoint: rest.text()?,
            }),
            [_] => return Err(FrameMalformed),
        });
    }
    Ok(facts)
}

pub(super) fn put(frame: &mut Vec<u8>, bytes: &[u8]) {
    put_len(frame, bytes.len());
    frame.extend_from_slice(bytes);
}

pub(super) fn put_len(frame: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("batches and notes are bounded far below 4 GiB");
    frame.extend_from_slice(&length.to_be_bytes());
}

/// What is left to be read, strictly.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameMalformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FrameMalformed)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn number(&mut self) -> Result<u64, FrameMalformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn length(&mut self) -> Result<usize, FrameMalformed> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| FrameMalformed)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FrameMalformed> {
        let length = self.length()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or(FrameMalformed)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn text(&mut self) -> Result<String, FrameMalformed> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| FrameMalformed)?;
        Ok(text.to_owned())
    }

    pub(super) fn region(&mut self) -> Result<Region, FrameMalformed> {
        self.text()?.parse().map_err(|_| FrameMalformed)
    }

    pub(super) fn list(&mut self) -> Result<Vec<Vec<u8>>, FrameMalformed> {
        let count = self.length()?;
        // Each item has at least its length before it, so a count beyond that is a lie, told before memory is taken.
        if count > self.0.len() / 4 {
            return Err(FrameMalformed);
        }
        (0..count)
            .map(|_| self.bytes().map(<[u8]>::to_vec))
            .collect()
    }
}

#[cfg(test)]
mod tests;
