//! Segments as files of one directory, `0000000000000000.wal` onwards, and the lock that keeps a second writer out.
//!
//! The lock is the operating system's, on the file `lock`: it ends with the process, however that ends. A segment is
//! written full of zeros before it is used; when the one in use is half full, a thread does that for the next one, so
//! that no write waits for it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use super::{Segment, Store, StoreError};

const SUFFIX: &str = ".wal";
const UNFINISHED_SUFFIX: &str = ".new";
const LOCK: &str = "lock";
/// The next segment while it is made ahead, and until it gets its number.
const AHEAD: &str = "ahead.new";

/// A directory of segment files, locked for this process.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    /// Held for its lock only.
    lock: File,
    /// The segment written last. It stays open as long as it is written to: the kernel reports a failed write-back to
    /// open files only.
    writing: Slot,
    /// The segment read last.
    reading: Slot,
    ahead: Mutex<Ahead>,
}

type Slot = Mutex<Option<Open>>;

/// An open segment.
#[derive(Clone, Debug)]
struct Open {
    id: u64,
    len: u64,
    file: Arc<File>,
}

/// The segment that is made ahead.
#[derive(Debug, Default)]
enum Ahead {
    #[default]
    None,
    /// Being filled with so many zeros.
    Making(u64, JoinHandle<io::Result<()>>),
    /// It could not be made. It is tried again when the segment is needed, where a full disk is an error.
    Failed,
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // The thread writes below the lock: it ends before the lock does.
        let ahead = self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ahead::Making(_, thread) = mem::take(ahead) {
            let _ = thread.join();
        }
        // Closing the file would not do: a process that is just being started somewhere else in this program has a copy
        // of the descriptor until it becomes another program, and the lock would be held that long.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the lock of a store was not given back");
        }
    }
}

impl FileStore {
    /// Opens `dir`, making it if it is not there, and takes the writer's lock.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has the lock, [`StoreError::Io`] for what the system refuses.
    pub fn open(dir: impl AsRef<Path>) -> Result<FileStore, StoreError> {
        let dir = dir.as_ref().to_path_buf();
        fs::create_dir_all(&dir).map_err(StoreError::io("create"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK))
            .map_err(StoreError::io("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Locked,
            TryLockError::Error(source) => StoreError::Io {
                doing: "lock",
                source,
            },
        })?;
        let store = FileStore {
            dir,
            lock,
            writing: Mutex::default(),
            reading: Mutex::default(),
            ahead: Mutex::default(),
        };
        store.drop_unfinished()?;
        // The directory itself must survive as well, or everything in it is lost with its name.
        store.sync_dir()?;
        if let Some(parent) = store.dir.parent().filter(|parent| *parent != Path::new("")) {
            sync_dir(parent)?;
        }
        Ok(store)
    }

    /// Removes segments whose creation did not come to its end: nothing was ever written to them.
    fn drop_unfinished(&self) -> Result<(), StoreError> {
        for name in self.names()? {
            if name.ends_with(UNFINISHED_SUFFIX) {
                fs::remove_file(self.dir.join(name)).map_err(StoreError::io("tidy"))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, StoreError> {
        let entries = fs::read_dir(&self.dir).map_err(StoreError::io("list"))?;
        entries
            .map(|entry| {
                let entry = entry.map_err(StoreError::io("list"))?;
                Ok(entry.file_name().to_string_lossy().into_owned())
            })
            .collect()
    }

    fn path(&self, id: u64) -> PathBuf {
        self.dir.join(format!("{id:016x}{SUFFIX}"))
    }

    fn sync_dir(&self) -> Result<(), StoreError> {
        sync_dir(&self.dir)
    }

    /// Segment `id`, open, kept in `slot` for the next time.
    fn open_segment(&self, slot: &Slot, id: u64) -> Result<Open, StoreError> {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = slot.as_ref().filter(|open| open.id == id) {
            return Ok(open.clone());
        }
        let open = || {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(self.path(id))?;
            let len = file.metadata()?.len();
            let file = Arc::new(file);
            Ok(Open { id, len, file })
        };
        let open = open().map_err(StoreError::io("open"))?;
        *slot = Some(open.clone());
        Ok(open)
    }

    /// Begins to make the next segment, once the one in use is half full.
    fn look_ahead(&self, open: &Open, offset: u64) {
        if offset < open.len / 2 {
            return;
        }
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*ahead, Ahead::None) {
            let (path, len) = (self.dir.join(AHEAD), open.len);
            let thread = thread::Builder::new().name("segment".to_owned());
            *ahead = match thread.spawn(move || fill(&path, &[], len)) {
                Ok(thread) => Ahead::Making(len, thread),
                Err(_) => Ahead::Failed,
            };
        }
    }

    /// Waits for the segment that is being made ahead, and says whether there is one of this length.
    fn is_ahead(&self, len: u64) -> bool {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::take(&mut *ahead) {
            Ahead::Making(made, thread) => {
                let outcome = thread.join();
                made == len && outcome.is_ok_and(|made| made.is_ok())
            }
            Ahead::None | Ahead::Failed => false,
        }
    }

    /// Makes the segment under a name that says that it is not finished.
    fn make(&self, len: u64, head: &[u8], unfinished: &Path) -> io::Result<()> {
        if !self.is_ahead(len) {
            return fill(unfinished, head, len);
        }
        let ahead = self.dir.join(AHEAD);
        let file = OpenOptions::new().write(true).open(&ahead)?;
        file.write_all_at(head, 0)?;
        file.sync_all()?;
        fs::rename(ahead, unfinished)
    }
}

/// Writes a file of `len` bytes that begins with `head`, zeros after it, and makes it durable.
fn fill(path: &Path, head: &[u8], len: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(head)?;
    // Written zeros, not a hole: later writes then change no metadata and cannot run out of space.
    let zeros = vec![0; 1 << 20];
    let mut left = len.saturating_sub(head.len() as u64);
    while left > 0 {
        let piece = left.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(piece).unwrap_or(zeros.len())])?;
        // Piece by piece onto the disk: frames of the segment in use would otherwise wait behind all of it.
        file.sync_data()?;
        left -= piece;
    }
    file.sync_all()
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(StoreError::io("sync"))
}

impl Store for FileStore {
    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        for name in self.names()? {
            if name == LOCK || name == AHEAD {
                continue;
            }
            // A stranger is refused, not skipped: a renamed segment would otherwise be a lost one.
            let id = name
                .strip_suffix(SUFFIX)
                .filter(|digits| digits.len() == 16)
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .ok_or_else(|| StoreError::Stranger(name.clone()))?;
            let len = fs::metadata(self.dir.join(&name))
                .map_err(StoreError::io("list"))?
                .len();
            segments.push(Segment { id, len });
        }
        segments.sort_by_key(|segment| segment.id);
        Ok(segments)
    }

    fn create(&self, id: u64, len: u64, head: &[u8]) -> Result<(), StoreError> {
        let unfinished = self.dir.join(format!("{id:016x}{UNFINISHED_SUFFIX}"));
        let make = || {
            self.make(len, head, &unfinished)?;
            fs::rename(&unfinished, self.path(id))
        };
        make().map_err(StoreError::io("extend"))?;
        self.sync_dir()
    }

    fn write(&self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let open = self.open_segment(&self.writing, id)?;
        open.file
            .write_all_at(bytes, offset)
            .map_err(StoreError::io("write"))?;
        // The length does not change, so that the data alone has to reach the disk.
        open.file.sync_data().map_err(StoreError::io("sync"))?;
        self.look_ahead(&open, offset);
        Ok(())
    }

    fn remove(&self, id: u64) -> Result<(), StoreError> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.as_ref().is_some_and(|open| open.id == id) {
            *reading = None;
        }
        drop(reading);
        fs::remove_file(self.path(id)).map_err(StoreError::io("remove"))?;
        self.sync_dir()
    }

    fn read(&self, id: u64, offset: u64, into: &mut [u8]) -> Result<(), StoreError> {
        self.open_segment(&self.reading, id)?
            .file
            .read_exact_at(into, offset)
            .map_err(StoreError::io("read"))
    }
}

#[cfg(test)]
mod tests;
