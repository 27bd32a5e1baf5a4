//! The entries of an archive, from its entry bundles (C2SP tlog-tiles). What they say is only as good as the archive:
//! `audit verify` checks that.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Largest file of an archive, in bytes: a bundle holds at most 256 entries of 65,535 bytes.
const BUNDLE_LEN_MAX: u64 = 256 * (2 + 65_535);
/// Deepest directory of an archive's entries: numbers are written in groups of three digits.
const DEPTH_MAX: usize = 8;

/// Hands over every entry of the archive in `dir`. Full and partial bundles of one place hold the same entries, so some
/// come twice.
///
/// # Errors
/// What cannot be read; what `visit` says.
pub(super) fn each_entry(
    dir: &Path,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let entries = [dir.join("tile/entries"), dir.join("entries")];
    let root = entries.iter().find(|dir| dir.is_dir());
    let root = root.ok_or_else(|| Failure::file(dir, "it has no entry bundles"))?;
    for path in bundles(root, DEPTH_MAX)? {
        let length = std::fs::metadata(&path).map_err(|why| Failure::unreadable(&path, why))?;
        if length.len() > BUNDLE_LEN_MAX {
            return Err(Failure::file(&path, "it is larger than any bundle"));
        }
        let bytes = std::fs::read(&path).map_err(|why| Failure::unreadable(&path, why))?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (entry, after) = next_entry(rest)
                .ok_or_else(|| Failure::file(&path, "an entry ends in its middle"))?;
            visit(entry)?;
            rest = after;
        }
    }
    Ok(())
}

/// An entry after its length of two bytes, and what follows it.
fn next_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]])))
}

/// Every bundle below `dir`, in order of their names.
fn bundles(dir: &Path, depth: usize) -> Result<Vec<PathBuf>, Failure> {
    let listed = std::fs::read_dir(dir).map_err(|why| Failure::unreadable(dir, why))?;
    let mut paths = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|why| Failure::unreadable(dir, why))?;
        paths.push(entry.path());
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        match path.is_dir() {
            true if depth > 0 => found.extend(bundles(&path, depth - 1)?),
            true => {}
            false => found.push(path),
        }
    }
    Ok(found)
}
