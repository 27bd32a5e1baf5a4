//! Where batches lie in a segment that is full: a file for each, written once, so that no index of them is in memory.
//!
//! Everything in it follows from the segment: a file that is missing or damaged is made again by reading the segment, and
//! one that lies leads to a frame that does not hold what is looked for, which is an error and no answer. A few are kept
//! in memory. All numbers are big-endian; the last 32 bytes are the SHA-256 of all before.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use lingqu_journal::{LogId, Sealed, WalReader};
use lingqu_tlog::{Intl, Suite};

use super::archive::{ArchiveError, Location};
use super::files::Files;
use super::frame::{self, Fact, FrameMalformed, Reader, put, put_len};

const MAGIC: &[u8; 4] = b"LQX1";
const DIGEST_LEN: usize = 32;
/// Segments whose batches are kept in memory. At the default length one takes 0.5 MiB for each 32,768 batches.
const CACHED_MAX: usize = 16;

/// The batches of one stream in a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfStream {
    /// The first entry of each, and its frame, in ascending order.
    batches: Vec<(u64, Location)>,
    /// The index after the last entry.
    end: u64,
}

/// The batches of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batches {
    segment: u64,
    first_frame: Location,
    streams: BTreeMap<String, OfStream>,
}

impl Batches {
    /// Those of a segment that begins with this frame; none yet.
    pub(crate) fn new(segment: u64, first_frame: Location) -> Batches {
        Batches {
            segment,
            first_frame,
            streams: BTreeMap::new(),
        }
    }

    /// Enters what is in a frame.
    pub(crate) fn take(&mut self, frame: Location, facts: &[Fact]) {
        for fact in facts {
            if let Fact::Batch(batch) = fact {
                let stream = self.streams.entry(batch.origin.clone()).or_default();
                stream.batches.push((batch.first, frame));
                stream.end = batch.first + batch.entries.len() as u64;
            }
        }
    }

    /// The streams with entries in it, and the first of these entries.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = (&str, u64)> {
        let streams = self.streams.iter();
        streams.filter_map(|(origin, of)| Some((origin.as_str(), of.batches.first()?.0)))
    }

    /// The frame with entry `index` of a stream, and the index after that batch.
    pub(crate) fn find(&self, origin: &str, index: u64) -> Option<(Location, u64)> {
        let stream = self.streams.get(origin).filter(|of| index < of.end)?;
        let after = stream.batches.partition_point(|(first, _)| *first <= index);
        let (_, location) = stream.batches.get(after.checked_sub(1)?)?;
        let end = stream
            .batches
            .get(after)
            .map_or(stream.end, |(first, _)| *first);
        Some((*location, end))
    }

    /// Those of a segment with frames before `end`, from the segment itself.
    ///
    /// # Errors
    /// [`ArchiveError`] when it cannot be read.
    pub(crate) fn scan(
        sealed: &Sealed,
        end: Location,
        reader: &WalReader,
    ) -> Result<Batches, ArchiveError> {
        let mut batches = Batches::new(sealed.segment, sealed.first_frame);
        let mut frame = sealed.first_frame;
        let mut malformed = None;
        reader.read(sealed.first_frame, |payload| {
            match frame::decode(payload) {
                Ok(facts) => batches.take(frame, &facts),
                Err(error) => malformed = Some(error),
            }
            frame += 1;
            if frame == end || malformed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        match malformed {
            Some(error) => Err(error.into()),
            None if frame == end => Ok(batches),
            None => Err(ArchiveError::Lost),
        }
    }

    /// The file's name.
    pub(crate) fn name(segment: u64) -> String {
        format!("{segment:016x}.batches")
    }

    /// Removes every index of a segment before `front`.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn remove_before(files: &Files, front: u64) -> std::io::Result<()> {
        for name in files.names()? {
            let segment = name.strip_suffix(".batches");
            let segment = segment.and_then(|number| u64::from_str_radix(number, 16).ok());
            if segment.is_some_and(|segment| segment < front && Batches::name(segment) == name) {
                files.remove(&name)?;
            }
        }
        Ok(())
    }

    pub(crate) fn encode(&self, log: LogId) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&log.0);
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.first_frame.to_be_bytes());
        put_len(&mut bytes, self.streams.len());
        for (origin, of) in &self.streams {
            put(&mut bytes, origin.as_bytes());
            bytes.extend_from_slice(&of.end.to_be_bytes());
            put_len(&mut bytes, of.batches.len());
            for (first, frame) in &of.batches {
                bytes.extend_from_slice(&first.to_be_bytes());
                bytes.extend_from_slice(&frame.to_be_bytes());
            }
        }
        let digest = Intl::digest(&[&bytes]);
        bytes.extend_from_slice(&digest.0);
        bytes
    }

    /// Reads what [`Batches::encode`] wrote for this segment of this log.
    pub(crate) fn decode(
        bytes: &[u8],
        log: LogId,
        sealed: &Sealed,
    ) -> Result<Batches, FrameMalformed> {
        let end = bytes.len().checked_sub(DIGEST_LEN).ok_or(FrameMalformed)?;
        let (bytes, digest) = bytes.split_at(end);
        let rest = bytes.strip_prefix(MAGIC).ok_or(FrameMalformed)?;
        let mut rest = Reader(rest);
        let is_its = digest == Intl::digest(&[bytes]).0
            && rest.array::<16>()? == log.0
            && rest.number()? == sealed.segment
            && rest.number()? == sealed.first_frame;
        if !is_its {
            return Err(FrameMalformed);
        }
        let mut batches = Batches::new(sealed.segment, sealed.first_frame);
        for _ in 0..rest.length()? {
            let origin = rest.text()?;
            let end = rest.number()?;
            let count = rest.length()?;
            if count > rest.0.len() / 16 {
                return Err(FrameMalformed);
            }
            let all = (0..count).map(|_| Ok((rest.number()?, rest.number()?)));
            let of = OfStream {
                batches: all.collect::<Result<_, FrameMalformed>>()?,
                end,
            };
            if !of.is_right(sealed) || batches.streams.insert(origin, of).is_some() {
                return Err(FrameMalformed);
            }
        }
        if rest.0.is_empty() {
            Ok(batches)
        } else {
            Err(FrameMalformed)
        }
    }
}

impl OfStream {
    fn is_right(&self, sealed: &Sealed) -> bool {
        let Some((last, _)) = self.batches.last() else {
            return false;
        };
        let grows =
            |one: &(u64, Location), next: &(u64, Location)| one.0 < next.0 && one.1 <= next.1;
        *last < self.end
            && self.batches.is_sorted_by(grows)
            && self.batches[0].1 >= sealed.first_frame
    }
}

/// The batches of all full segments, read when they are needed.
#[derive(Clone)]
pub(crate) struct Indices {
    files: Arc<Files>,
    log: LogId,
    cached: Arc<Mutex<VecDeque<Arc<Batches>>>>,
}

impl Indices {
    pub(crate) fn new(files: Arc<Files>, log: LogId) -> Indices {
        Indices {
            files,
            log,
            cached: Arc::default(),
        }
    }

    /// Those of a segment that is full.
    ///
    /// # Errors
    /// [`ArchiveError`] when neither the file nor the segment can be read.
    pub(crate) fn of(
        &self,
        segment: u64,
        reader: &WalReader,
    ) -> Result<Arc<Batches>, ArchiveError> {
        let cached = {
            let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
            cached.iter().find(|one| one.segment == segment).cloned()
        };
        if let Some(batches) = cached {
            return Ok(batches);
        }
        let segments = reader.segments();
        let at = segments.iter().position(|one| one.segment == segment);
        let at = at.ok_or(ArchiveError::Lost)?;
        // The one that is written is not full.
        let next = segments.get(at + 1).ok_or(ArchiveError::Lost)?;
        let stored = self.files.read(&Batches::name(segment)).ok().flatten();
        let stored = stored.and_then(|bytes| Batches::decode(&bytes, self.log, &segments[at]).ok());
        let batches = Arc::new(match stored {
            Some(batches) => batches,
            None => self.again(&segments[at], next.first_frame, reader)?,
        });
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.push_back(Arc::clone(&batches));
        while cached.len() > CACHED_MAX {
            cached.pop_front();
        }
        Ok(batches)
    }

    /// Makes a file again that is missing or damaged.
    fn again(
        &self,
        sealed: &Sealed,
        end: Location,
        reader: &WalReader,
    ) -> Result<Batches, ArchiveError> {
        tracing::warn!(
            segment = sealed.segment,
            "the index of a segment is missing or damaged, and is made again"
        );
        let batches = Batches::scan(sealed, end, reader)?;
        let bytes = batches.encode(self.log);
        if let Err(error) = self.files.replace(&Batches::name(sealed.segment), &bytes) {
            // What was asked for is found all the same.
            tracing::warn!(%error, "the index of a segment could not be written");
        }
        Ok(batches)
    }
}
