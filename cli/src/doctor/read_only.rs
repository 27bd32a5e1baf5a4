//! A log's files, read and never written: what the journal would write while it opens stays in memory.
//!
//! So the examination opens a journal with the very code that the node opens it with, and leaves the disk alone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lingqu_journal::{Segment, Store, StoreError};

/// Segments of one directory, with what was written since it was opened laid over them.
#[derive(Debug)]
pub(crate) struct ReadOnly {
    dir: PathBuf,
    over: Mutex<Over>,
}

#[derive(Debug, Default)]
struct Over {
    made: BTreeMap<u64, Vec<u8>>,
    written: Vec<(u64, u64, Vec<u8>)>,
}

impl ReadOnly {
    /// The segments in `dir`.
    pub(crate) fn new(dir: &Path) -> ReadOnly {
        ReadOnly {
            dir: dir.to_owned(),
            over: Mutex::default(),
        }
    }

    fn path(&self, id: u64) -> PathBuf {
        self.dir.join(format!("{id:016x}.wal"))
    }
}

/// Whether another process has the log. Nothing is locked for longer than this takes to find out.
pub(crate) fn is_locked(dir: &Path) -> bool {
    let Ok(lock) = OpenOptions::new().write(true).open(dir.join("lock")) else {
        return false;
    };
    match lock.try_lock() {
        Ok(()) => {
            // Dropping the file gives the lock back too; saying so does it at once.
            let _ = lock.unlock();
            false
        }
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}

impl Store for ReadOnly {
    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(|error| failed("list", error))? {
            let entry = entry.map_err(|error| failed("list", error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A segment that was never finished holds nothing; the next start removes it.
            if name == "lock" || name.ends_with(".new") {
                continue;
            }
            let digits = name
                .strip_suffix(".wal")
                .filter(|digits| digits.len() == 16);
            let id = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            let id = id.ok_or_else(|| StoreError::Stranger(name.clone()))?;
            let len = entry
                .metadata()
                .map_err(|error| failed("list", error))?
                .len();
            segments.push(Segment { id, len });
        }
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        segments.extend(over.made.iter().map(|(id, bytes)| Segment {
            id: *id,
            len: bytes.len() as u64,
        }));
        segments.sort_by_key(|segment| segment.id);
        Ok(segments)
    }

    fn create(&self, id: u64, len: u64, head: &[u8]) -> Result<(), StoreError> {
        let mut bytes = head.to_vec();
        bytes.resize(usize::try_from(len).unwrap_or(head.len()), 0);
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.made.insert(id, bytes);
        Ok(())
    }

    fn write(&self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.written.push((id, offset, bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, _: u64) -> Result<(), StoreError> {
        // Nothing here is ever changed, and opening a log to look at it removes nothing.
        Err(failed(
            "remove",
            std::io::ErrorKind::ReadOnlyFilesystem.into(),
        ))
    }

    fn read(&self, id: u64, offset: u64, into: &mut [u8]) -> Result<(), StoreError> {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        match over.made.get(&id) {
            Some(bytes) => {
                let begin = usize::try_from(offset).unwrap_or(usize::MAX);
                let found = bytes.get(begin..begin.saturating_add(into.len()));
                let found = found
                    .ok_or_else(|| failed("read", std::io::ErrorKind::UnexpectedEof.into()))?;
                into.copy_from_slice(found);
            }
            None => File::open(self.path(id))
                .and_then(|file| file.read_exact_at(into, offset))
                .map_err(|error| failed("read", error))?,
        }
        for (_, at, bytes) in over.written.iter().filter(|(of, _, _)| *of == id) {
            lay_over(into, offset, bytes, *at);
        }
        Ok(())
    }
}

/// Puts the part of `bytes`, which stand at `at`, that falls into `into`, which begins at `offset`.
fn lay_over(into: &mut [u8], offset: u64, bytes: &[u8], at: u64) {
    for (byte, place) in bytes.iter().zip(at..) {
        let index = place
            .checked_sub(offset)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(target) = index.and_then(|index| into.get_mut(index)) {
            *target = *byte;
        }
    }
}

fn failed(doing: &'static str, source: std::io::Error) -> StoreError {
    StoreError::Io { doing, source }
}

#[cfg(test)]
mod tests;
