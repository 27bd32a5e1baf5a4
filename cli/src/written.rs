//! Files that commands write: whole or not at all, and never over something that is somebody's only copy.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody whom the user's umask admits.
    Everybody,
    /// The owner alone.
    Owner,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Access::Everybody => 0o644,
            Access::Owner => 0o600,
        }
    }
}

/// Writes a file that must not exist yet.
pub(crate) fn create(path: &Path, bytes: &[u8], access: Access) -> Result<(), Failure> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(access.mode())
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Failure::unwritable(path, error))
}

/// Replaces a file: its readers see the old contents or the new, also after a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    // A link stays one, and what only its owner could read does too.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(&target).map_or(0o644, |known| known.permissions().mode());
    let access = match mode & 0o077 {
        0 => Access::Owner,
        _ => Access::Everybody,
    };
    // A name of this process's own: another run may be doing the same, and files of others are not touched.
    let beside = beside(&target, &format!("{}.new", std::process::id()));
    create(&beside, bytes, access)?;
    let rename = || {
        fs::rename(&beside, &target)?;
        let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
    };
    rename().map_err(|error| {
        // Nobody else has it.
        let _ = fs::remove_file(&beside);
        Failure::unwritable(path, error)
    })
}

/// Refuses a path that something has already, before anything is done that could not be done twice.
pub(crate) fn must_be_new(path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        Err(Failure::unwritable(path, "is there already"))
    } else {
        Ok(())
    }
}

/// `path` with `.suffix` after its whole name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Reads a file of text.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::unreadable(path, error))
}
