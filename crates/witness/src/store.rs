//! What a witness must never forget: for each log the checkpoint that it cosigned last, and the latest time that it signed.
//!
//! One file a log, named by the SHA-256 of the origin: `lingqu/witness-state/v1`, the time, and the signed checkpoint with
//! the witness's own cosignature. A state is replaced by writing a new file, syncing it, renaming it over the old one and
//! syncing the directory; only then is the cosignature answered. After a write that failed nobody knows what the disk
//! holds, so that log is not cosigned again until a new process has read it back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lingqu_tlog::{Checkpoint, Intl, Note, Suite};

const HEADER: &str = "lingqu/witness-state/v1\n";
/// The file that says whose state this is.
const OWNER: &str = "witness";
const LOCK: &str = "lock";
const EVIDENCE: &str = "evidence";
/// Largest state of a log, in bytes.
const STATE_BYTES_MAX: u64 = 1 << 20;

/// A directory of states, locked for this process.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Held for its lock only.
    lock: File,
}

/// The state of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogState {
    /// The latest time that was signed for this log, Unix time in seconds.
    pub(crate) time_unix_s: u64,
    /// The signed checkpoint that was cosigned last, with the own cosignature; `None` before the first.
    pub(crate) cosigned: Option<(Checkpoint, String)>,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A state is not one of a witness.
    #[error("`{0}` is damaged; a witness does not start from a state that it cannot read")]
    Damaged(PathBuf),
    /// The directory belongs to a witness of another name or key.
    #[error("`{0}` is the state of another witness")]
    Foreign(PathBuf),
    /// A file cannot be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error("`{0}` is in use by another process")]
    Locked(PathBuf),
    /// There is no state for a log, or none at all.
    #[error(
        "there is no state for `{0}`: make it with `lingqu witness init`, but only if this witness has never cosigned it"
    )]
    Missing(String),
}

impl Drop for Store {
    fn drop(&mut self) {
        // Closing alone would not do: a child process that is just being started has a copy of the descriptor.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the lock of a witness's state was not given back");
        }
    }
}

impl Store {
    /// Makes the state of every log of `origins` that has none: nothing was cosigned yet. `owner` is the witness's vkey.
    /// Gives the origins that were new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn init(dir: &Path, owner: &str, origins: &[String]) -> Result<Vec<String>, StoreError> {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let store = Store::lock(dir)?;
        let path = dir.join(OWNER);
        if path.exists() {
            store.check_owner(owner)?;
        } else {
            store.replace(OWNER, format!("{owner}\n").as_bytes())?;
        }
        let mut made = Vec::new();
        for origin in origins {
            if !dir.join(file_name(origin)).exists() {
                let fresh = LogState {
                    time_unix_s: 0,
                    cosigned: None,
                };
                store.put(origin, &fresh)?;
                made.push(origin.clone());
            }
        }
        Ok(made)
    }

    /// Opens the state of the witness `owner`, which must be there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(dir: &Path, owner: &str) -> Result<Store, StoreError> {
        if !dir.join(OWNER).exists() {
            return Err(StoreError::Missing(dir.display().to_string()));
        }
        let store = Store::lock(dir)?;
        store.check_owner(owner)?;
        Ok(store)
    }

    fn lock(dir: &Path) -> Result<Store, StoreError> {
        let path = dir.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(at(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Locked(dir.to_owned()),
            TryLockError::Error(source) => StoreError::Io { path, source },
        })?;
        Ok(Store {
            dir: dir.to_owned(),
            lock,
        })
    }

    fn check_owner(&self, owner: &str) -> Result<(), StoreError> {
        let found = self.read(OWNER)?;
        if found == format!("{owner}\n") {
            Ok(())
        } else {
            Err(StoreError::Foreign(self.dir.clone()))
        }
    }

    /// The state of a log.
    pub(crate) fn get(&self, origin: &str) -> Result<LogState, StoreError> {
        let name = file_name(origin);
        if !self.dir.join(&name).exists() {
            return Err(StoreError::Missing(origin.to_owned()));
        }
        let text = self.read(&name)?;
        decode(&text, origin).ok_or_else(|| StoreError::Damaged(self.dir.join(name)))
    }

    /// Replaces the state of a log. When this returns, the new state survives any crash.
    pub(crate) fn put(&self, origin: &str, state: &LogState) -> Result<(), StoreError> {
        self.replace(&file_name(origin), encode(state).as_bytes())
    }

    /// Keeps a file of evidence, unless `max` are there or it is there already. Gives its path if it was new.
    pub(crate) fn keep_evidence(
        &self,
        name: &str,
        text: &str,
        max: usize,
    ) -> Result<Option<PathBuf>, StoreError> {
        let dir = self.dir.join(EVIDENCE);
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        let path = dir.join(name);
        let count = fs::read_dir(&dir).map_err(at(&dir))?.count();
        if path.exists() || count >= max {
            return Ok(None);
        }
        self.replace(&format!("{EVIDENCE}/{name}"), text.as_bytes())?;
        Ok(Some(path))
    }

    fn read(&self, name: &str) -> Result<String, StoreError> {
        let path = self.dir.join(name);
        let mut text = String::new();
        let file = File::open(&path).map_err(at(&path))?;
        match file.take(STATE_BYTES_MAX + 1).read_to_string(&mut text) {
            Ok(_) if text.len() as u64 <= STATE_BYTES_MAX => Ok(text),
            Ok(_) => Err(StoreError::Damaged(path)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(StoreError::Damaged(path))
            }
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        let beside = self.dir.join(format!("{name}.new"));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            // At this point the new content is durable under another name; a crash here leaves the old state.
            fs::rename(&beside, &path)?;
            File::open(path.parent().unwrap_or(&self.dir))?.sync_all()
        };
        write().map_err(at(&path))
    }
}

/// The name of a log's file, which is also its address in the HTTP interface.
pub(crate) fn file_name(origin: &str) -> String {
    Intl::digest(&[origin.as_bytes()]).to_string()
}

fn encode(state: &LogState) -> String {
    let note = state.cosigned.as_ref().map_or("", |(_, note)| note);
    format!("{HEADER}{}\n{note}", state.time_unix_s)
}

fn decode(text: &str, origin: &str) -> Option<LogState> {
    let (time, note) = text.strip_prefix(HEADER)?.split_once('\n')?;
    let cosigned = if note.is_empty() {
        None
    } else {
        let parsed = Note::parse(note).ok()?;
        let checkpoint = Checkpoint::parse(&parsed.text).ok()?;
        if checkpoint.origin != origin {
            return None;
        }
        Some((checkpoint, note.to_owned()))
    };
    let state = LogState {
        time_unix_s: time.parse().ok()?,
        cosigned,
    };
    (encode(&state) == text).then_some(state)
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
