//! Files of the node's state directory: written whole, durable before they count, readable by the owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Largest state file that is read.
const FILE_LEN_MAX: u64 = 4 << 20;

/// Creates a directory for the owner only, if it is not there.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Replaces `path` by `bytes`: after this returns, a crash finds the new content, and at no time half of it.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
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

/// The files of `dir` with the ending `extension`, by name, each with its content.
pub fn read_all(dir: &Path, extension: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        if fs::metadata(&path)?.len() > FILE_LEN_MAX {
            return Err(io::Error::other(
                "a state file is larger than any that the node writes",
            ));
        }
        let bytes = fs::read(&path)?;
        files.push((path, bytes));
    }
    Ok(files)
}
