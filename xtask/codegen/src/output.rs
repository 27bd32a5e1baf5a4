//! The generated files as a set: written to a directory, or compared with it.
//!
//! Both treat the directory as wholly generated, so a file whose `.proto` package is gone does
//! not stay behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// File names with their content.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Makes `directory` hold exactly `files`.
///
/// # Errors
///
/// The first operation of the file system that fails.
pub(crate) fn write(files: &Files, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for name in names(directory)? {
        if !files.contains_key(&name) {
            std::fs::remove_file(directory.join(name))?;
        }
    }
    for (name, content) in files {
        let path = directory.join(name);
        // An untouched file keeps its time, so that cargo does not rebuild what did not change.
        if std::fs::read(&path).ok().as_ref() != Some(content) {
            std::fs::write(path, content)?;
        }
    }
    Ok(())
}

/// The names of the files in which `directory` and `files` differ: changed, missing or left over.
///
/// # Errors
///
/// The first operation of the file system that fails; a missing directory counts as empty.
#[cfg(test)]
pub(crate) fn differences(files: &Files, directory: &Path) -> io::Result<Vec<String>> {
    let committed = if directory.exists() {
        names(directory)?
    } else {
        BTreeSet::new()
    };
    let mut differing = Vec::new();
    for name in committed
        .iter()
        .chain(files.keys())
        .collect::<BTreeSet<_>>()
    {
        let content = match committed.contains(name) {
            true => Some(std::fs::read(directory.join(name))?),
            false => None,
        };
        if content.as_ref() != files.get(name) {
            differing.push(name.clone());
        }
    }
    Ok(differing)
}

fn names(directory: &Path) -> io::Result<BTreeSet<String>> {
    std::fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}
