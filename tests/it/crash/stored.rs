//! What a journal's directory holds, read without changing it: through the public log reader, over a store that writes
//! nothing, and from there by hand. So the test does not believe the code that it judges.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lingqu_core::record::StreamId;
use lingqu_journal::{LogId, Segment, Store, StoreError, Wal, WalOptions};
use lingqu_tlog::{Hash, Intl};
use rand::Rng;
use rand::rngs::StdRng;

/// Bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// One group commit.
pub(crate) struct Frame {
    /// Number of entries in the log after it.
    pub(crate) end: u64,
    pub(crate) root: Hash,
    pub(crate) signature: Vec<u8>,
}

/// What the log's files hold.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) frames: Vec<Frame>,
    /// The next start will drop an unfinished frame.
    pub(crate) torn: bool,
    /// The next start will drop an unfinished segment.
    pub(crate) unfinished: bool,
    /// Where the last frame lies.
    last: Option<Written>,
}

/// Bytes that recovery would have written.
struct Written {
    segment: u64,
    offset: u64,
    bytes: Vec<u8>,
}

impl Stored {
    /// Reads the journal of `origin` in `dir`.
    pub(crate) fn read(dir: &Path, origin: &str, segment_len: u64, frame_len_max: usize) -> Stored {
        let store = Arc::new(ReadOnly {
            dir: dir.to_owned(),
            writes: Mutex::default(),
        });
        let options = WalOptions {
            log: LogId(StreamId::of::<Intl>(origin).0),
            segment_len,
            payload_len_max: frame_len_max,
        };
        let mut stored = Stored::default();
        let dyn_store: Arc<dyn Store> = store.clone();
        Wal::open(dyn_store, options, |payload| {
            stored.take(payload).ok_or("a frame cannot be read")
        })
        .map(drop)
        .expect("a journal that was killed reads back");
        for written in store.writes.lock().unwrap().drain(..) {
            if written.bytes.iter().all(|byte| *byte == 0) {
                stored.torn = true;
            } else {
                stored.last = Some(written);
            }
        }
        let names = fs::read_dir(dir).into_iter().flatten();
        stored.unfinished = names
            .map(|name| name.unwrap().file_name())
            .any(|name| name.to_string_lossy().ends_with(".new"));
        stored
    }

    /// Entries before the last frame.
    pub(crate) fn before_last(&self) -> Option<u64> {
        let before = self.frames.len().checked_sub(1)?;
        Some(before.checked_sub(1).map_or(0, |i| self.frames[i].end))
    }

    /// Takes some of the last frame's sectors away, as a power cut does to a write that nobody waited for to the end.
    pub(crate) fn cut_power(&self, dir: &Path, random: &mut StdRng) {
        let Some(last) = &self.last else { return };
        let path = dir.join(format!("{:016x}.wal", last.segment));
        let file = OpenOptions::new().write(true).open(path).unwrap();
        // At least the first one of those with content, so that the frame is not whole.
        let kept = random.random_range(0.0..1.0);
        for (number, sector) in last.bytes.chunks(SECTOR).enumerate() {
            if number == 1 || !random.random_bool(kept) {
                let offset = last.offset + (number * SECTOR) as u64;
                file.write_all_at(&vec![0; sector.len()], offset).unwrap();
            }
        }
    }

    /// A frame's payload, as `crates/journal/src/stream/payload.rs` describes it: stream 16 bytes, first u64, count u32,
    /// root 32 bytes, then signature and entries, each with its length as u16.
    fn take(&mut self, payload: &[u8]) -> Option<()> {
        let (head, mut rest) = payload.split_first_chunk::<60>()?;
        let first = u64::from_be_bytes(head[16..24].try_into().ok()?);
        let count = u32::from_be_bytes(head[24..28].try_into().ok()?);
        if first != self.entries.len() as u64 || count == 0 {
            return None;
        }
        let mut part = || {
            let (len, after) = rest.split_first_chunk::<2>()?;
            let (part, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
            rest = after;
            Some(part.to_vec())
        };
        let signature = part()?;
        for _ in 0..count {
            self.entries.push(part()?);
        }
        self.frames.push(Frame {
            end: first + u64::from(count),
            root: Hash(head[28..60].try_into().ok()?),
            signature,
        });
        rest.is_empty().then_some(())
    }
}

/// A store that remembers what it was to write instead of writing it.
struct ReadOnly {
    dir: PathBuf,
    writes: Mutex<Vec<Written>>,
}

fn io(source: std::io::Error) -> StoreError {
    StoreError::Io {
        doing: "read",
        source,
    }
}

impl Store for ReadOnly {
    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        // A child that was killed at once has made no directory.
        for entry in fs::read_dir(&self.dir).into_iter().flatten() {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(digits) = name.strip_suffix(".wal") {
                let id = u64::from_str_radix(digits, 16).expect("only segments end like this");
                let len = entry.metadata().map_err(io)?.len();
                segments.push(Segment { id, len });
            }
        }
        segments.sort_by_key(|segment| segment.id);
        Ok(segments)
    }

    fn create(&self, _: u64, _: u64, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn write(&self, segment: u64, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.writes.lock().unwrap().push(Written {
            segment,
            offset,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    fn remove(&self, _: u64) -> Result<(), StoreError> {
        Err(io(std::io::ErrorKind::ReadOnlyFilesystem.into()))
    }

    fn read(&self, id: u64, offset: u64, into: &mut [u8]) -> Result<(), StoreError> {
        let path = self.dir.join(format!("{id:016x}.wal"));
        let file = File::open(path).map_err(io)?;
        file.read_exact_at(into, offset).map_err(io)
    }
}
