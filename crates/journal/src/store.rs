//! Where the world begins: numbered segments of bytes that outlive the process.
//!
//! [`Store`] is the contract; [`FileStore`] keeps it with one file per segment. Everything above knows bytes and
//! offsets only, so that tests can put a store underneath that fails in every way a disk can.

mod file;

#[cfg(test)]
pub(crate) mod faulty;

use std::io;

pub use file::FileStore;

/// One segment as it lies in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub id: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// A place for segments with a single writer.
///
/// Contract:
/// - `create` is atomic and durable: after `Ok` the segment exists with its whole length, after a crash it exists
///   whole or not at all. Bytes after `head` are zero, and their space on the disk is allocated.
/// - `write` is durable: after `Ok` the bytes survive a crash. After an error, or a crash before it returned, any part
///   of the bytes may have survived; no byte outside `offset..offset + bytes.len()` has changed.
/// - `remove` is atomic and durable: after `Ok` the segment is gone, after a crash it is there whole or gone.
/// - `read` fills the whole buffer or fails, and may run at the same time as a `write` elsewhere.
/// - Nobody else writes while the store is open. Opening a store is where a second writer is refused.
///
/// A caller that has seen `create` or `write` fail must not write again: what the disk holds is not known until a new
/// process has read it back.
pub trait Store: Send + Sync {
    /// The segments, in ascending order of their numbers.
    fn segments(&self) -> Result<Vec<Segment>, StoreError>;
    /// Makes segment `id` of `len` bytes that begins with `head`.
    fn create(&self, id: u64, len: u64, head: &[u8]) -> Result<(), StoreError>;
    /// Writes `bytes` at `offset` and makes them durable. Never extends a segment.
    fn write(&self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), StoreError>;
    /// Removes segment `id`, the first one there is.
    fn remove(&self, id: u64) -> Result<(), StoreError>;
    /// Reads `into.len()` bytes at `offset`.
    fn read(&self, id: u64, offset: u64, into: &mut [u8]) -> Result<(), StoreError>;
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {doing} the journal's files: {source}")]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error("the journal is open in another process")]
    Locked,
    /// The directory holds a file that is not one of a journal's.
    #[error("the journal's directory holds `{0}`, which is no segment")]
    Stranger(String),
}

impl StoreError {
    fn io(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        move |source| StoreError::Io { doing, source }
    }
}
