//! The feed as numbered files, to be carried to where no network is.
//!
//! A file is a line with the format, a line with its number, and the feed's messages as they came, each after its length in
//! four bytes, big-endian. What makes it trustworthy is inside: every span ends in a head that its node signed and the
//! mirror cosigned, and the head logs are signed by the coordinator and cosigned by its witnesses. Whoever takes the files
//! in verifies them exactly as a follower of the feed does. A file that is missing in the middle is a gap; that newer ones
//! have not been brought cannot be seen, so their reader is told how new the newest head is.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lingqu_core::Region;
use lingqu_core::trust::Trust;
use lingqu_proto::pb;
use lingqu_tlog::Intl;
use prost::Message as _;

use super::{Event, FeedBroken, Seen, Verifier};

const MAGIC: &str = "lingqu/feed/v1\n";
/// Bytes of a file from which on it is ended at the next head.
const FILE_BYTES: usize = 32 << 20;
/// Largest file that is read, in bytes: one head's span can make a file larger than [`FILE_BYTES`].
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Why a feed file was not written or taken.
#[derive(Debug, thiserror::Error)]
pub enum SpoolFailed {
    /// It does not verify.
    #[error("`{path}`: {why}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        why: FeedBroken,
    },
    /// It cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is no feed file of this number.
    #[error("`{path}` is not feed file number {number}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The number that it should have.
        number: u64,
    },
}

/// Where the feed file with this number lies.
pub fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("feed-{number:012}.lqfeed"))
}

/// Writes feed files.
pub struct SpoolWriter {
    dir: PathBuf,
    number: u64,
    messages: Vec<u8>,
    /// Bytes of them up to the end of the last whole span: only there may a file end.
    whole: usize,
}

impl SpoolWriter {
    /// Goes on in `dir` with file `number`.
    pub fn new(dir: &Path, number: u64) -> SpoolWriter {
        SpoolWriter {
            dir: dir.to_owned(),
            number,
            messages: Vec::new(),
            whole: 0,
        }
    }

    /// Adds a message that was verified.
    pub fn push(&mut self, message: &pb::FollowResponse) {
        let bytes = message.encode_to_vec();
        let length = u32::try_from(bytes.len())
            .expect("a message was received whole, and those are bounded");
        self.messages.extend_from_slice(&length.to_be_bytes());
        self.messages.extend_from_slice(&bytes);
        let ends_whole = match &message.event {
            Some(pb::follow_response::Event::Span(span)) => !span.head.is_empty(),
            Some(
                pb::follow_response::Event::Dropped(_) | pb::follow_response::Event::HeadLog(_),
            )
            | None => true,
        };
        if ends_whole {
            self.whole = self.messages.len();
        }
    }

    /// Whether there is enough for a file, and it may end here.
    pub fn is_full(&self) -> bool {
        self.whole >= FILE_BYTES && self.whole == self.messages.len()
    }

    /// Writes the whole spans that there are as the next file, durably and under its name only when it is whole; its number and path, or
    /// nothing if there was nothing.
    ///
    /// # Errors
    /// [`SpoolFailed::File`].
    pub fn finish(&mut self) -> Result<Option<(u64, PathBuf)>, SpoolFailed> {
        if self.whole == 0 {
            return Ok(None);
        }
        let path = path_of(&self.dir, self.number);
        let partial = path.with_extension("partial");
        let write = || {
            let mut file = File::create(&partial)?;
            file.write_all(format!("{MAGIC}{}\n", self.number).as_bytes())?;
            file.write_all(&self.messages[..self.whole])?;
            file.sync_data()?;
            fs::rename(&partial, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|source| SpoolFailed::File {
            path: path.clone(),
            source,
        })?;
        // What is left is a part of a span, which the next file begins with.
        self.messages.drain(..self.whole);
        self.whole = 0;
        self.number += 1;
        Ok(Some((self.number - 1, path)))
    }
}

/// Takes feed files in, one after the other.
pub struct SpoolReader {
    verifier: Verifier,
}

impl SpoolReader {
    /// Goes on after what was `seen`.
    pub fn new(
        region: &Region,
        trust: Trust<Intl>,
        head_trust: Trust<Intl>,
        seen: Seen,
    ) -> SpoolReader {
        let mut verifier = Verifier::new(region.clone(), trust, head_trust, seen);
        // Each file says anew which head logs it closes; those without news do not come again in each.
        verifier.open.clear();
        SpoolReader { verifier }
    }

    /// Takes the next file, if it is there; what it holds, verified.
    ///
    /// # Errors
    /// [`SpoolFailed`]; nothing more is to be taken then.
    pub fn next(&mut self, dir: &Path) -> Result<Option<Vec<Event>>, SpoolFailed> {
        let number = self.verifier.seen.files;
        let path = path_of(dir, number);
        let Some(messages) = read(&path, number)? else {
            return Ok(None);
        };
        let mut events = Vec::new();
        for message in messages {
            let taken = self.verifier.take(message);
            events.extend(taken.map_err(|why| SpoolFailed::Broken {
                path: path.clone(),
                why,
            })?);
        }
        if !self.verifier.parts.is_empty() {
            return Err(SpoolFailed::Malformed { path, number });
        }
        self.verifier.seen.files = number + 1;
        Ok(Some(events))
    }

    /// Whether signed head logs are over everything that was taken so far.
    ///
    /// # Errors
    /// [`FeedBroken::HeadLogGap`] names a region of which they are not: files are missing at the end.
    pub fn is_whole(&self) -> Result<(), FeedBroken> {
        self.verifier.end()
    }

    /// What has been verified.
    pub fn seen(&self) -> &Seen {
        &self.verifier.seen
    }
}

/// The messages of a file; nothing if it is not there.
fn read(path: &Path, number: u64) -> Result<Option<Vec<pb::FollowResponse>>, SpoolFailed> {
    let failed = |source| SpoolFailed::File {
        path: path.to_owned(),
        source,
    };
    let malformed = || SpoolFailed::Malformed {
        path: path.to_owned(),
        number,
    };
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        meta => meta.map_err(failed)?,
    };
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(malformed());
    }
    let bytes = fs::read(path).map_err(failed)?;
    let first = format!("{MAGIC}{number}\n");
    let mut rest = bytes.strip_prefix(first.as_bytes()).ok_or_else(malformed)?;
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed())?;
        let (message, after) = after.split_at_checked(length).ok_or_else(malformed)?;
        messages.push(pb::FollowResponse::decode(message).map_err(|_| malformed())?);
        rest = after;
    }
    Ok(Some(messages))
}

#[cfg(test)]
mod tests;
