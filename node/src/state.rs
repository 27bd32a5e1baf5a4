//! Files of the node's state directory: written whole, durable before they count, readable by the owner only, and
//! sealed when there is a state key.
//!
//! The key comes from outside the directory; what it opens, `state.keys`, seals the journal's frames and every file but
//! the stream's name, which is public. A directory is sealed or in clear as a whole: [`State::open`] refuses the other
//! kind, and [`migrating`] turns one into the other.

pub mod migrating;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_journal::{StateKey, StateKeys, StateKeysRefused, is_sealed_file};

/// Largest state file that is read.
const FILE_LEN_MAX: u64 = 4 << 20;
/// Of these, room for what a seal adds.
const SEAL_ROOM: u64 = 1_024;
/// The wrapped keys.
const KEYS_FILE: &str = "state.keys";
/// What a directory of a node that has run holds, in clear or sealed.
const TRACES: [&str; 4] = ["retry.key", "epoch.env", "stops", "journal"];

/// The state directory of one node.
#[derive(Clone, Debug)]
pub struct State {
    dir: Arc<Path>,
    keys: Option<Arc<StateKeys>>,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateUnusable {
    /// A state key is configured, and what an earlier run left is in clear.
    #[error("the state directory is in clear: seal it with `lingqu node state seal`")]
    Clear,
    /// A file cannot be read or written.
    #[error("state directory: {0}")]
    Io(#[from] io::Error),
    /// The key lies where it protects from nobody.
    #[error("the state key lies inside the state directory")]
    KeyInside,
    /// The wrapped keys do not open.
    #[error("`{KEYS_FILE}`: {0}")]
    Keys(#[from] StateKeysRefused),
    /// The directory is sealed, and no state key is configured.
    #[error("the state directory is sealed and no state key is configured")]
    Sealed,
}

impl State {
    /// Opens `dir`, making it if it is not there. With an `outer` key a new directory is sealed from its first file on.
    ///
    /// # Errors
    /// [`StateUnusable`]; nothing that was there has changed then.
    pub fn open(dir: &Path, outer: Option<&StateKey>) -> Result<State, StateUnusable> {
        create_dir(dir)?;
        let keys = match (outer, State::keys_of(dir, outer)?) {
            (Some(outer), None) => {
                if TRACES.iter().any(|trace| dir.join(trace).exists()) {
                    return Err(StateUnusable::Clear);
                }
                let keys = StateKeys::generate();
                // Durable before anything is sealed with them.
                write_file(&dir.join(KEYS_FILE), &keys.wrap(outer))?;
                Some(Arc::new(keys))
            }
            (_, keys) => keys,
        };
        Ok(State {
            dir: dir.into(),
            keys,
        })
    }

    /// The keys that `dir` is sealed with; none if it is in clear. Nothing is written.
    ///
    /// # Errors
    /// [`StateUnusable`] when it is sealed and `outer` does not open it.
    pub fn keys_of(
        dir: &Path,
        outer: Option<&StateKey>,
    ) -> Result<Option<Arc<StateKeys>>, StateUnusable> {
        match (outer, read_bounded(&dir.join(KEYS_FILE), FILE_LEN_MAX)) {
            (Some(outer), Ok(wrapped)) => {
                Ok(Some(Arc::new(StateKeys::unwrap_with(&wrapped, outer)?)))
            }
            (None, Ok(_)) => Err(StateUnusable::Sealed),
            (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            (_, Err(error)) => Err(error.into()),
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the journal is sealed with.
    pub fn keys(&self) -> Option<Arc<StateKeys>> {
        self.keys.clone()
    }

    /// Replaces `path` by `bytes`: after this returns, a crash finds the new content, and at no time half of it. What
    /// [`State::read`] would refuse for its length is for [`State::write_large`].
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > FILE_LEN_MAX - SEAL_ROOM {
            return Err(too_large());
        }
        self.write_large(path, bytes)
    }

    /// The same for content of any length, which [`State::read_large`] reads.
    pub fn write_large(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match &self.keys {
            None => write_file(path, bytes),
            Some(keys) => write_file(path, &keys.seal_file(&self.place(path), bytes)),
        }
    }

    /// The content of one file. In a sealed directory a file in clear, or one of another place, is an error: it may be
    /// what somebody put there.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_large(path, FILE_LEN_MAX)
    }

    /// As [`State::read`], for a file of at most this many bytes.
    pub fn read_large(&self, path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
        let bytes = read_bounded(path, len_max)?;
        match &self.keys {
            None if is_sealed_file(&bytes) => Err(io::Error::other(
                "a state file is sealed and no state key is configured",
            )),
            None => Ok(bytes),
            Some(keys) => keys
                .open_file(&self.place(path), &bytes)
                .map_err(io::Error::other),
        }
    }

    /// The files of `dir` with the ending `extension`, by name, each with its content.
    pub fn read_all(&self, dir: &Path, extension: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
            .collect::<io::Result<Vec<_>>>()?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        paths.sort();
        let files = paths.into_iter().map(|path| {
            let bytes = self.read(&path)?;
            Ok((path, bytes))
        });
        files.collect()
    }

    /// Wraps the keys with `outer` from now on, and seals what comes with a new one. What was sealed stays readable, so
    /// that nothing of it is written again; the old outer key opens nothing here any more.
    ///
    /// # Errors
    /// [`StateUnusable`]; nothing has changed then.
    pub fn rotate(dir: &Path, from: &StateKey, to: &StateKey) -> Result<u32, StateUnusable> {
        let path = dir.join(KEYS_FILE);
        let keys = StateKeys::unwrap_with(&read_bounded(&path, FILE_LEN_MAX)?, from)?.rotated()?;
        write_file(&path, &keys.wrap(to))?;
        Ok(keys.newest_generation())
    }

    /// Which file it is, whatever the directory is called: a directory may be moved.
    fn place(&self, path: &Path) -> String {
        let within = path.strip_prefix(&self.dir).unwrap_or(path);
        within.to_string_lossy().into_owned()
    }
}

/// Refuses a key file inside the directory that it protects.
pub fn key_outside(key: &Path, dir: &Path) -> Result<(), StateUnusable> {
    // A directory that is not there yet holds nothing.
    let Ok(dir) = fs::canonicalize(dir) else {
        return Ok(());
    };
    if fs::canonicalize(key)?.starts_with(dir) {
        return Err(StateUnusable::KeyInside);
    }
    Ok(())
}

/// Creates a directory for the owner only, if it is not there.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Replaces a file by these very bytes.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = dir.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename itself is durable only once the directory is.
    File::open(dir)?.sync_all()
}

fn read_bounded(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > len_max {
        return Err(too_large());
    }
    fs::read(path)
}

fn too_large() -> io::Error {
    io::Error::other("a state file is larger than any that the node writes")
}

#[cfg(test)]
mod tests;
