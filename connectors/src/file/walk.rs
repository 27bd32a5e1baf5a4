//! From a directory to a file below it, one name after the other, never above it.
//!
//! Each step opens a name in a directory that is already open and does not follow links; what a link says is then walked
//! in the same way. So no moment exists at which somebody could exchange a directory for a link and be followed.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use lingqu_connector_sdk::SourceError;
use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

use crate::bounded::failed;

/// Most links on one way.
const LINKS_MAX: usize = 16;
/// Most steps on one way.
const STEPS_MAX: usize = 256;

/// What is at the end of a way.
pub(super) enum Place {
    Directory(OwnedFd),
    File(OwnedFd),
}

/// Opens what `names` lead to from `base`.
pub(super) fn walk<'n>(
    base: &OwnedFd,
    names: impl IntoIterator<Item = &'n OsStr>,
) -> Result<Place, SourceError> {
    let mut due: VecDeque<OsString> = names.into_iter().map(OsStr::to_owned).collect();
    // The directories on the way; a `..` of a link goes back along them and not through the file system.
    let mut above: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    let mut steps = 0;
    while let Some(name) = due.pop_front() {
        steps += 1;
        if steps > STEPS_MAX {
            return Err(failed("too-many-links"));
        }
        if name == "." || name.is_empty() {
            continue;
        }
        if name == ".." {
            above.pop().ok_or_else(|| failed("link-leads-out"))?;
            continue;
        }
        let here = above.last().unwrap_or(base);
        match step(here, &name)? {
            Step::Entered(Place::Directory(directory)) => above.push(directory),
            Step::Entered(file) if due.is_empty() => return Ok(file),
            Step::Entered(_) => return Err(failed("no-directory")),
            Step::Link(target) => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(failed("too-many-links"));
                }
                if target.as_bytes().first() == Some(&b'/') {
                    return Err(failed("link-leads-out"));
                }
                for part in target.as_bytes().split(|byte| *byte == b'/').rev() {
                    due.push_front(OsStr::from_bytes(part).to_owned());
                }
            }
        }
    }
    match above.pop() {
        Some(directory) => Ok(Place::Directory(directory)),
        None => {
            let again = base.try_clone().map_err(|_| failed("io"))?;
            Ok(Place::Directory(again))
        }
    }
}

enum Step {
    Entered(Place),
    Link(OsString),
}

fn step(here: &OwnedFd, name: &OsStr) -> Result<Step, SourceError> {
    // A pipe would wait for a writer: without waiting it opens, and is refused as what it is.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(here, name, flags, Mode::empty()) {
        Ok(opened) => {
            let stat = fstat(&opened).map_err(|_| failed("io"))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Ok(Step::Entered(Place::Directory(opened))),
                FileType::RegularFile => Ok(Step::Entered(Place::File(opened))),
                _ => Err(failed("no-regular-file")),
            }
        }
        Err(Errno::LOOP) => {
            let target = readlinkat(here, name, Vec::new()).map_err(|_| failed("io"))?;
            Ok(Step::Link(OsStr::from_bytes(target.as_bytes()).to_owned()))
        }
        Err(error) => Err(opening(error)),
    }
}

/// Why something cannot be opened, without its name.
pub(super) fn opening(error: Errno) -> SourceError {
    match error {
        Errno::NOENT | Errno::NOTDIR => failed("file-missing"),
        Errno::ACCESS | Errno::PERM => SourceError::AccountRefused,
        Errno::NXIO => failed("no-regular-file"),
        _ => failed("io"),
    }
}
