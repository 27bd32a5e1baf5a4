//! Segments as files of one directory, `0000000000000000.wal` onwards, and the lock that keeps a second writer out.
//!
//! The lock is the operating system's, on the file `lock`: it ends with the process, however that ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Segment, Store, StoreError};

const SUFFIX: &str = ".wal";
const UNFINISHED_SUFFIX: &str = ".new";
const LOCK: &str = "lock";

/// A directory of segment files, locked for this process.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    /// Held for its lock only.
    lock: File,
    /// The segment written last. It stays open as long as it is written to: the kernel reports a failed write-back to
    /// open files only.
    writing: Mutex<Option<(u64, Arc<File>)>>,
    /// The segment read last.
    reading: Mutex<Option<(u64, Arc<File>)>>,
}

impl Drop for FileStore {
    fn drop(&mut self) {
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

    /// The open file of segment `id`, kept in `slot` for the next time.
    fn file(
        &self,
        slot: &Mutex<Option<(u64, Arc<File>)>>,
        id: u64,
    ) -> Result<Arc<File>, StoreError> {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((open, file)) = slot.as_ref()
            && *open == id
        {
            return Ok(Arc::clone(file));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(id))
            .map_err(StoreError::io("open"))?;
        let file = Arc::new(file);
        *slot = Some((id, Arc::clone(&file)));
        Ok(file)
    }
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
            if name == LOCK {
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
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(head)?;
            // Written zeros, not a hole: later writes then change no metadata and cannot run out of space.
            let zeros = vec![0; 1 << 20];
            let mut left = len.saturating_sub(head.len() as u64);
            while left > 0 {
                let piece = left.min(zeros.len() as u64);
                file.write_all(&zeros[..usize::try_from(piece).unwrap_or(zeros.len())])?;
                left -= piece;
            }
            file.sync_all()?;
            fs::rename(&unfinished, self.path(id))
        };
        write().map_err(StoreError::io("extend"))?;
        self.sync_dir()
    }

    fn write(&self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.file(&self.writing, id)?;
        file.write_all_at(bytes, offset)
            .map_err(StoreError::io("write"))?;
        // The length does not change, so that the data alone has to reach the disk.
        file.sync_data().map_err(StoreError::io("sync"))
    }

    fn read(&self, id: u64, offset: u64, into: &mut [u8]) -> Result<(), StoreError> {
        self.file(&self.reading, id)?
            .read_exact_at(into, offset)
            .map_err(StoreError::io("read"))
    }
}

#[cfg(test)]
mod tests;
