//! Canaries: made-up personal values that tests put into data and that must never come out in
//! any output.
//!
//! Everything a test run prints or logs is searched for them. A hit is reported by file and line
//! only, since repeating the line would leak what the check is there to protect.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The list in the repository: one canary per line, `#` starts a comment line.
pub(crate) const LIST: &str = "tests/canaries.txt";

/// Why canaries could not be searched for.
#[derive(Debug)]
pub(crate) enum CanaryError {
    /// The list names none, and a search for nothing would always succeed.
    Empty(PathBuf),
    /// The list, or a file to be searched, cannot be read.
    Read { path: PathBuf, source: io::Error },
}

impl fmt::Display for CanaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(path) => write!(f, "`{}` lists no canary", path.display()),
            Self::Read { path, source } => write!(f, "cannot read `{}`: {source}", path.display()),
        }
    }
}

/// The line of a file in which a canary stands, counted from 1.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Hit {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: holds a canary", self.file.display(), self.line)
    }
}

/// Reads the list of canaries.
///
/// # Errors
///
/// The file cannot be read, or names no canary.
pub(crate) fn read(list: &Path) -> Result<Vec<String>, CanaryError> {
    let text = std::fs::read_to_string(list).map_err(|source| CanaryError::Read {
        path: list.to_owned(),
        source,
    })?;
    let canaries: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    if canaries.is_empty() {
        return Err(CanaryError::Empty(list.to_owned()));
    }
    Ok(canaries)
}

/// Every line with a canary in any file under `directory`, sorted.
///
/// Files are searched as bytes, since a log need not be valid text.
///
/// # Errors
///
/// A file or directory cannot be read: what was not searched is not known to be clean.
pub(crate) fn search(directory: &Path, canaries: &[String]) -> Result<Vec<Hit>, CanaryError> {
    let mut hits = Vec::new();
    let mut paths = vec![directory.to_owned()];
    while let Some(path) = paths.pop() {
        let read_error = |source| CanaryError::Read {
            path: path.clone(),
            source,
        };
        let metadata = std::fs::symlink_metadata(&path).map_err(read_error)?;
        if metadata.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(read_error)? {
                paths.push(entry.map_err(read_error)?.path());
            }
        } else if metadata.is_file() {
            // Sockets and links hold no output; what a link points to is searched where it lies.
            let content = std::fs::read(&path).map_err(read_error)?;
            hits.extend(lines_with(&content, canaries).map(|line| Hit {
                file: path.clone(),
                line,
            }));
        }
    }
    hits.sort();
    Ok(hits)
}

fn lines_with(content: &[u8], canaries: &[String]) -> impl Iterator<Item = usize> {
    content
        .split(|byte| *byte == b'\n')
        .zip(1..)
        .filter(|(line, _)| {
            let holds =
                |canary: &String| line.windows(canary.len()).any(|w| w == canary.as_bytes());
            canaries.iter().any(holds)
        })
        .map(|(_, number)| number)
}
