//! Secrets: named in the settings, kept elsewhere, never printed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

/// Where a secret is kept. In settings: `{ file = "…" }` or `{ env = "…" }`; a secret itself never stands in them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SecretSource {
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A secret that was read. `Debug` says nothing of it, and its memory is cleared.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a secret cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretUnavailable {
    /// The file is missing, unreadable, empty or not UTF-8.
    #[error("the secret file `{0}` cannot be read")]
    File(PathBuf),
    /// Others than its owner can read the file.
    #[error("the secret file `{0}` is readable by others than its owner; `chmod 600` mends it")]
    Permissions(PathBuf),
    /// The variable is unset, empty or not UTF-8.
    #[error("the environment variable `{0}` is not set")]
    Env(String),
}

/// Longest secret file in bytes.
const BYTES_MAX: u64 = 64 << 10;

impl SecretSource {
    /// Reads the secret as it is now, so that an exchanged file counts from the next connection on. Relative paths are
    /// relative to `base`.
    ///
    /// # Errors
    /// There is none, or others can read its file.
    pub fn read(&self, base: &Path) -> Result<Secret, SecretUnavailable> {
        let text = match self {
            SecretSource::File(path) => first_line(&base.join(path))?,
            SecretSource::Env(name) => std::env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .ok_or_else(|| SecretUnavailable::Env(name.clone()))?,
        };
        Ok(Secret(Zeroizing::new(text)))
    }
}

fn first_line(path: &Path) -> Result<String, SecretUnavailable> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |_| SecretUnavailable::File(path.to_owned());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretUnavailable::Permissions(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(SecretUnavailable::File(path.to_owned())),
    }
}

impl Secret {
    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
