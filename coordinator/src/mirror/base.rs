//! Where replay begins: what all frames before a segment give, in one checked file beside the log.
//!
//! It is believed no more than the log is. It is signed with the key of the coordinator's own stream, so that nobody
//! else's fits; each stream's tree must have the root of the checkpoint that stands beside it, signed by the stream's
//! registered key and cosigned by this mirror at the time that stands there; each head log's likewise by the
//! coordinator's own key ([`super::restore`]). All numbers are big-endian. Reading is strict.

use lingqu_core::{Region, Timestamp};
use lingqu_journal::{LogId, Sealed, Start};
use lingqu_tlog::{Frontier, Hash, Intl, Note, Signer, Suite, VerifierKey, sign_note};

use super::files::Files;
use super::frame::{FrameMalformed, Reader, put, put_len};

/// The file's name.
pub(crate) const NAME: &str = "base";
const MAGIC: &[u8; 4] = b"LQB1";
/// First line of the text that is signed; the digest of the file's content is the second.
const SIGNED: &str = "lingqu/mirror-base/v1";
/// Most hashes of one frontier or proof.
const HASHES_MAX: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    /// Where the log is taken up, and the segments before it that are there.
    pub(crate) start: Start,
    pub(crate) streams: Vec<OfStream>,
    pub(crate) regions: Vec<OfRegion>,
    /// Bytes of the own stream's entries that are kept apart; their number is the own stream's size.
    pub(crate) own_bytes: u64,
}

/// A stream as of the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfStream {
    pub(crate) origin: String,
    pub(crate) frontier: Frontier<Intl>,
    pub(crate) last_time: Timestamp,
    /// Time of the last cosignature.
    pub(crate) taken: Timestamp,
    /// Its newest checkpoint with its own signature and the mirror's cosignature.
    pub(crate) note: String,
    /// Entries that the head log covers.
    pub(crate) headed: u64,
    /// Index of its newest head in the head log.
    pub(crate) last_head: Option<u64>,
    /// The segments with entries of it: the first of them there, and the segment's number.
    pub(crate) sealed: Vec<(u64, u64)>,
    pub(crate) course: OfCourse,
    /// Whether its entries were dropped.
    pub(crate) is_dropped: bool,
}

/// Where a stream is between its beginning and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OfCourse {
    /// Balances are still coming: all its entries so far.
    Opening(Vec<Vec<u8>>),
    /// Between the two.
    Open,
    /// Its last record, and the proof that it is in the newest checkpoint.
    Ended(Vec<u8>, Vec<Hash>),
}

/// A head log as of the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfRegion {
    pub(crate) region: Region,
    pub(crate) frontier: Frontier<Intl>,
    /// Its newest signed checkpoint.
    pub(crate) checkpoint: String,
    /// Bytes of its leaves, which are kept apart.
    pub(crate) bytes: u64,
}

/// Why a base is not used. Removing the directory that it is in makes the next start read the whole log, as long as
/// nothing of it was dropped.
#[derive(Debug, thiserror::Error)]
pub enum BaseRefused {
    /// It is none, or not as it was written.
    #[error("the base of the mirror's log is damaged")]
    Damaged,
    /// It cannot be read.
    #[error("the base of the mirror's log cannot be read: {0}")]
    Io(std::io::Error),
    /// It is another log's, or another key's.
    #[error("the base is of another coordinator's log")]
    Other,
}

impl From<FrameMalformed> for BaseRefused {
    fn from(_: FrameMalformed) -> BaseRefused {
        BaseRefused::Damaged
    }
}

impl Base {
    /// The stream of this origin.
    pub(crate) fn stream(&self, origin: &str) -> Option<&OfStream> {
        let at = self
            .streams
            .binary_search_by(|of| of.origin.as_str().cmp(origin));
        self.streams.get(at.ok()?)
    }

    /// The first segment that there is.
    pub(crate) fn front(&self) -> u64 {
        let first = self.start.sealed.first();
        first.map_or(self.start.segment, |sealed| sealed.segment)
    }

    /// Reads the base of this log, signed by this key; nothing if there is none.
    ///
    /// # Errors
    /// [`BaseRefused`].
    pub(crate) fn load(
        files: &Files,
        log: LogId,
        key: &VerifierKey<Intl>,
    ) -> Result<Option<(Base, u64)>, BaseRefused> {
        let Some(bytes) = files.read(NAME).map_err(BaseRefused::Io)? else {
            return Ok(None);
        };
        let base = Base::decode(&bytes, log, key)?;
        Ok(Some((base, bytes.len() as u64)))
    }

    /// Writes it in the place of the one before; gives its length in bytes.
    ///
    /// # Errors
    /// What the operating system says; one of the two is there then.
    pub(crate) fn store(
        &self,
        files: &Files,
        log: LogId,
        key: &VerifierKey<Intl>,
        signer: &dyn Signer,
    ) -> std::io::Result<u64> {
        let bytes = self.encode(log, key, signer);
        files.replace(NAME, &bytes)?;
        Ok(bytes.len() as u64)
    }

    pub(crate) fn encode(
        &self,
        log: LogId,
        key: &VerifierKey<Intl>,
        signer: &dyn Signer,
    ) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&log.0);
        put_start(&mut bytes, &self.start);
        bytes.extend_from_slice(&self.own_bytes.to_be_bytes());
        put_len(&mut bytes, self.streams.len());
        for stream in &self.streams {
            put_stream(&mut bytes, stream);
        }
        put_len(&mut bytes, self.regions.len());
        for region in &self.regions {
            put(&mut bytes, region.region.as_str().as_bytes());
            put_frontier(&mut bytes, &region.frontier);
            put(&mut bytes, region.checkpoint.as_bytes());
            bytes.extend_from_slice(&region.bytes.to_be_bytes());
        }
        let text = signed_text(&bytes);
        let signature = sign_note::<Intl>(&text, key.name(), signer)
            .expect("two lines of ASCII are the text of a note");
        let signatures = vec![signature];
        let note = Note { text, signatures }.to_string();
        // The note stands at the end with its length after it, so that the rest is exactly what it is about.
        bytes.extend_from_slice(note.as_bytes());
        put_len(&mut bytes, note.len());
        bytes
    }

    pub(crate) fn decode(
        bytes: &[u8],
        log: LogId,
        key: &VerifierKey<Intl>,
    ) -> Result<Base, BaseRefused> {
        let (bytes, len) = bytes.split_last_chunk::<4>().ok_or(BaseRefused::Damaged)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| BaseRefused::Damaged)?;
        let at = bytes.len().checked_sub(len).ok_or(BaseRefused::Damaged)?;
        let (bytes, note) = bytes.split_at(at);
        let note = std::str::from_utf8(note).map_err(|_| BaseRefused::Damaged)?;
        let note = Note::parse(note).map_err(|_| BaseRefused::Damaged)?;
        if note.text != signed_text(bytes) {
            return Err(BaseRefused::Damaged);
        }
        note.verify(std::slice::from_ref(key))
            .map_err(|_| BaseRefused::Other)?;
        let rest = bytes.strip_prefix(MAGIC).ok_or(BaseRefused::Damaged)?;
        let mut rest = Reader(rest);
        if rest.array::<16>()? != log.0 {
            return Err(BaseRefused::Other);
        }
        let start = read_start(&mut rest)?;
        let own_bytes = rest.number()?;
        let streams = rest.length()?;
        let streams = (0..streams).map(|_| read_stream(&mut rest));
        let streams: Vec<OfStream> = streams.collect::<Result<_, _>>()?;
        let regions = rest.length()?;
        let regions = (0..regions).map(|_| read_region(&mut rest));
        let regions: Vec<OfRegion> = regions.collect::<Result<_, _>>()?;
        let is_sorted = streams.is_sorted_by(|one, next| one.origin < next.origin)
            && regions.is_sorted_by(|one, next| one.region < next.region);
        if !rest.0.is_empty() || !is_sorted {
            return Err(BaseRefused::Damaged);
        }
        Ok(Base {
            start,
            streams,
            regions,
            own_bytes,
        })
    }
}

fn signed_text(bytes: &[u8]) -> String {
    let digest = Intl::digest(&[b"lingqu/mirror-base\0", bytes]);
    format!("{SIGNED}\n{}\n", digest.to_base64())
}

fn put_start(bytes: &mut Vec<u8>, start: &Start) {
    bytes.extend_from_slice(&start.segment.to_be_bytes());
    bytes.extend_from_slice(&start.frame.to_be_bytes());
    put_len(bytes, start.sealed.len());
    for sealed in &start.sealed {
        for number in [sealed.segment, sealed.first_frame, sealed.used_bytes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn read_start(rest: &mut Reader<'_>) -> Result<Start, FrameMalformed> {
    let (segment, frame) = (rest.number()?, rest.number()?);
    let count = rest.length()?;
    let sealed = (0..count).map(|_| {
        Ok(Sealed {
            segment: rest.number()?,
            first_frame: rest.number()?,
            used_bytes: rest.number()?,
        })
    });
    let sealed: Vec<Sealed> = sealed.collect::<Result<_, FrameMalformed>>()?;
    let follows = |one: &Sealed, next: &Sealed| {
        one.segment.checked_add(1) == Some(next.segment) && one.first_frame < next.first_frame
    };
    let is_right = sealed.is_sorted_by(follows)
        && sealed.last().is_none_or(|last| {
            last.segment.checked_add(1) == Some(segment) && last.first_frame < frame
        });
    if is_right {
        Ok(Start {
            segment,
            frame,
            sealed,
        })
    } else {
        Err(FrameMalformed)
    }
}

fn put_stream(bytes: &mut Vec<u8>, stream: &OfStream) {
    put(bytes, stream.origin.as_bytes());
    put_frontier(bytes, &stream.frontier);
    bytes.extend_from_slice(&stream.last_time.0.to_be_bytes());
    bytes.extend_from_slice(&stream.taken.0.to_be_bytes());
    put(bytes, stream.note.as_bytes());
    bytes.extend_from_slice(&stream.headed.to_be_bytes());
    // Indices are below 2^63, so that the one after is never zero for another reason.
    let last_head = stream.last_head.map_or(0, |index| index + 1);
    bytes.extend_from_slice(&last_head.to_be_bytes());
    put_len(bytes, stream.sealed.len());
    for (first, segment) in &stream.sealed {
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&segment.to_be_bytes());
    }
    match &stream.course {
        OfCourse::Opening(entries) => {
            bytes.push(1);
            put_len(bytes, entries.len());
            entries.iter().for_each(|entry| put(bytes, entry));
        }
        OfCourse::Open => bytes.push(2),
        OfCourse::Ended(entry, proof) => {
            bytes.push(3);
            put(bytes, entry);
            put_hashes(bytes, proof);
        }
    }
    bytes.push(u8::from(stream.is_dropped));
}

fn read_stream(rest: &mut Reader<'_>) -> Result<OfStream, FrameMalformed> {
    let origin = rest.text()?;
    let frontier = read_frontier(rest)?;
    let last_time = Timestamp(i64::from_be_bytes(rest.array()?));
    let taken = Timestamp(i64::from_be_bytes(rest.array()?));
    let note = rest.text()?;
    let (headed, last_head) = (rest.number()?, rest.number()?.checked_sub(1));
    let count = rest.length()?;
    let sealed = (0..count).map(|_| Ok((rest.number()?, rest.number()?)));
    let sealed: Vec<(u64, u64)> = sealed.collect::<Result<_, FrameMalformed>>()?;
    let course = match rest.array::<1>()? {
        [1] => OfCourse::Opening(rest.list()?),
        [2] => OfCourse::Open,
        [3] => OfCourse::Ended(rest.bytes()?.to_vec(), read_hashes(rest)?),
        [_] => return Err(FrameMalformed),
    };
    let is_dropped = match rest.array::<1>()? {
        [0] => false,
        [1] => true,
        [_] => return Err(FrameMalformed),
    };
    let grows = |one: &(u64, u64), next: &(u64, u64)| one.0 < next.0 && one.1 < next.1;
    let is_right = headed <= frontier.size()
        && sealed.is_sorted_by(grows)
        && sealed
            .last()
            .is_none_or(|(first, _)| *first < frontier.size());
    if !is_right {
        return Err(FrameMalformed);
    }
    Ok(OfStream {
        origin,
        frontier,
        last_time,
        taken,
        note,
        headed,
        last_head,
        sealed,
        course,
        is_dropped,
    })
}

fn read_region(rest: &mut Reader<'_>) -> Result<OfRegion, FrameMalformed> {
    Ok(OfRegion {
        region: rest.region()?,
        frontier: read_frontier(rest)?,
        checkpoint: rest.text()?,
        bytes: rest.number()?,
    })
}

fn put_frontier(bytes: &mut Vec<u8>, frontier: &Frontier<Intl>) {
    bytes.extend_from_slice(&frontier.size().to_be_bytes());
    put_hashes(bytes, frontier.hashes());
}

fn read_frontier(rest: &mut Reader<'_>) -> Result<Frontier<Intl>, FrameMalformed> {
    let size = rest.number()?;
    Frontier::from_parts(size, read_hashes(rest)?).map_err(|_| FrameMalformed)
}

fn put_hashes(bytes: &mut Vec<u8>, hashes: &[Hash]) {
    put_len(bytes, hashes.len());
    hashes
        .iter()
        .for_each(|hash| bytes.extend_from_slice(&hash.0));
}

fn read_hashes(rest: &mut Reader<'_>) -> Result<Vec<Hash>, FrameMalformed> {
    let count = rest.length()?;
    if count > HASHES_MAX {
        return Err(FrameMalformed);
    }
    (0..count).map(|_| Ok(Hash(rest.array()?))).collect()
}
