//! An archive: logs as directories of files, in the layout of C2SP tlog-tiles, so that anybody's tools can read them.
//!
//! Each log lies below its own origin: `<origin>/checkpoint`, `<origin>/tile/<level>/…` and
//! `<origin>/tile/entries/…`. Of a stream whose records were dropped there is `<origin>/dropped` instead, the receipt of its
//! last record. Start reading at [`ArchiveWriter`], then [`LogFiles`] for one log and [`verify_all`] for all
//! of an archive. What is read comes from strangers: every file is bounded, links are not followed.

mod dropped;
mod files;
mod heading;
mod proving;
mod verify;
mod write;

use std::io;
use std::path::PathBuf;

use lingqu_tlog::NotAccepted;

pub use dropped::write_dropped;
pub use files::LogFiles;
pub use heading::{Headed, head_log_beside, receipt_of};
pub use proving::ProveFailed;
pub use verify::{LogKind, LogReport, Verified, first_records, verify, verify_all};
pub use write::ArchiveWriter;

/// Why an archive was not written, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFailed {
    /// The checkpoint is not authentic to whoever trusts the given keys.
    #[error("`{origin}`: {why}")]
    NotAuthentic {
        /// The log.
        origin: String,
        /// Why.
        why: NotAccepted,
    },
    /// The checkpoint cannot be read.
    #[error("`{path}` is not a signed checkpoint")]
    Checkpoint {
        /// The file.
        path: PathBuf,
    },
    /// A head of the head log contradicts the stream that it is about: entries were dropped, altered or added.
    #[error("head {head} of `{head_log}` contradicts the stream `{origin}` at size {size}")]
    Contradiction {
        /// The head log.
        head_log: String,
        /// The head's index.
        head: u64,
        /// The stream.
        origin: String,
        /// The size at which the two differ.
        size: u64,
    },
    /// The directory is in use by something else.
    #[error("`{0}` is there already")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A stream, or a part of one, that a head is about is missing.
    #[error(
        "`{origin}` is missing, or ends before size {size}, which head {head} of `{head_log}` is about"
    )]
    Incomplete {
        /// The head log.
        head_log: String,
        /// The head's index.
        head: u64,
        /// The stream.
        origin: String,
        /// The size that the head says it has.
        size: u64,
    },
    /// A stream does not follow the one before as it says, or goes on behind its end.
    #[error("`{origin}`: {why}")]
    Succession {
        /// The stream.
        origin: String,
        /// Why.
        why: String,
    },
    /// There is nothing to check.
    #[error("`{0}` holds no log")]
    NoLog(PathBuf),
    /// The origin cannot name a directory.
    #[error("the origin `{0}` cannot name a directory")]
    Origin(String),
    /// The entries do not lead to the checkpoint.
    #[error("`{origin}`: the entries do not lead to the root of size {size}")]
    Root {
        /// The log.
        origin: String,
        /// The checkpoint's size.
        size: u64,
    },
    /// A file is missing, cut, too long, or not what the entries lead to.
    #[error("`{0}` is missing, or not what it must be")]
    Tile(PathBuf),
    /// An entry is not a record, or head, of its place.
    #[error("`{origin}`: entry {index} is not what its place says")]
    Entry {
        /// The log.
        origin: String,
        /// The entry's index.
        index: u64,
    },
    /// More logs than anybody has.
    #[error("`{0}` holds too many logs")]
    TooMany(PathBuf),
}

impl From<(PathBuf, io::Error)> for ArchiveFailed {
    fn from((path, source): (PathBuf, io::Error)) -> ArchiveFailed {
        ArchiveFailed::File { path, source }
    }
}

#[cfg(test)]
mod tests;
