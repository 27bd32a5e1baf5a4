//! Secrets: named in the configuration, kept elsewhere, never printed, read anew for every connection.
//!
//! The rules are those of the node's own connectors; the few lines stand here because this process shares no code with
//! the node.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

/// Where a secret is kept: `{ file = "…" }` or `{ env = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum SecretSource {
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// An environment variable of this process; workers do not inherit it.
    Env(String),
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretUnavailable {
    /// Unset, empty or not UTF-8.
    #[error("the environment variable `{0}` is not set")]
    Env(String),
    /// Missing, unreadable, empty, too long or not UTF-8.
    #[error("the secret file `{0}` cannot be read")]
    File(PathBuf),
    /// Others than its owner can read it.
    #[error("the secret file `{0}` is readable by others than its owner; `chmod 600` mends it")]
    Permissions(PathBuf),
}

/// Longest secret file in bytes.
const BYTES_MAX: u64 = 64 << 10;

/// A text that is cleared when it is dropped and that `Debug` does not show.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl SecretSource {
    /// Reads the secret as it is now. Relative paths are relative to `base`.
    ///
    /// # Errors
    /// There is none, or others can read its file.
    pub(crate) fn read(&self, base: &Path) -> Result<Secret, SecretUnavailable> {
        match self {
            SecretSource::Env(name) => std::env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .map(Secret::new)
                .ok_or_else(|| SecretUnavailable::Env(name.clone())),
            SecretSource::File(path) => first_line(&base.join(path)),
        }
    }
}

fn first_line(path: &Path) -> Result<Secret, SecretUnavailable> {
    let unreadable = || SecretUnavailable::File(path.to_owned());
    let file = std::fs::File::open(path).map_err(|_| unreadable())?;
    // The opened file is asked, not the path: what is checked is what is read.
    let metadata = file.metadata().map_err(|_| unreadable())?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(unreadable());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(SecretUnavailable::Permissions(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|_| unreadable())?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err(unreadable()),
    }
}
