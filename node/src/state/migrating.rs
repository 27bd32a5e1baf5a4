//! A state directory written anew: from clear to sealed, or sealed under new keys alone. The node must not run.
//!
//! A copy is built beside the directory, checked against it, and put into its place by two renames; the old one stays,
//! under another name, until its owner removes it. A crash between the renames is mended by running the same again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_core::record::StreamId;
use lingqu_core::succession::place;
use lingqu_journal::{FileStore, LogId, ResealFailed, StateKey, StateKeys, WalOptions, reseal};
use lingqu_tlog::Intl;

use crate::bodies;
use crate::succession::{
    BEGIN_FILE, BEGIN_LEN_MAX, CurrentStream, JOURNAL, ORIGIN_FILE, PAST, past_journals,
};

use super::{KEYS_FILE, State, StateUnusable, create_dir, write_file};

/// Directories of small files.
const DIRS: [&str; 10] = [
    "body-keys",
    "body-orders",
    "destructions",
    "noisy-answers",
    "objects",
    "source-orders",
    "sources",
    "stops",
    "subject-keys",
    "successions",
];
/// Small files that are sealed.
const SEALED: [&str; 4] = ["epoch.env", "head-log", "retry.key", BEGIN_FILE];
/// Files that are never sealed.
const CLEAR: [&str; 1] = [ORIGIN_FILE];
/// The directory whose files are never sealed.
const CLEAR_DIR: &str = crate::heads::EVIDENCE;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Where what was there before is now. Remove it when the node has run with the new one.
    pub kept: PathBuf,
    /// Frames of the journal.
    pub frames: u64,
    /// Small files.
    pub files: u64,
}

/// Why nothing was migrated. The directory is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateFailed {
    /// A copy of an earlier migration is still there.
    #[error("`{0}` is still there: remove it, or put it back")]
    Kept(PathBuf),
    /// The journal could not be copied.
    #[error(transparent)]
    Journal(#[from] ResealFailed),
    /// The journal's files cannot be used; the node may be running.
    #[error(transparent)]
    Store(#[from] lingqu_journal::StoreError),
    /// The directory holds something that no node writes.
    #[error("the state directory holds `{0}`, which no node writes")]
    Stranger(String),
    /// The directory cannot be used.
    #[error(transparent)]
    State(#[from] StateUnusable),
    /// A file.
    #[error("state directory: {0}")]
    Io(#[from] io::Error),
}

/// Writes the state in `dir` anew, sealed under fresh keys that `to` wraps. `from` is the key that it is sealed with
/// now; none if it is in clear. `journal` says how the journal is laid out.
///
/// # Errors
/// [`MigrateFailed`]
pub fn rewrite(
    dir: &Path,
    from: Option<&StateKey>,
    to: &StateKey,
    journal: (LogId, u64, usize),
) -> Result<Migrated, MigrateFailed> {
    let (kept, fresh) = (beside(dir, "before"), beside(dir, "sealing"));
    if !dir.exists() && kept.exists() && fresh.exists() {
        // The first rename was done: the copy is whole.
        fs::rename(&fresh, dir)?;
        sync_parent(dir)?;
        return Ok(Migrated {
            kept,
            frames: 0,
            files: 0,
        });
    }
    if kept.exists() {
        return Err(MigrateFailed::Kept(kept));
    }
    check_no_strangers(dir)?;
    let old = State::open(dir, from)?;
    if fresh.exists() {
        // Left by a migration that did not come to its end: it was in nobody's place.
        fs::remove_dir_all(&fresh)?;
    }
    create_dir(&fresh)?;
    let keys = StateKeys::generate();
    write_file(&fresh.join(KEYS_FILE), &keys.wrap(to))?;
    let new = State::open(&fresh, Some(to))?;
    // The lock is taken before the small files are read: a running node would change them.
    let frames = copy_journal(&old, &new, journal)?;
    copy_bodies(&old, &new)?;
    let files = copy_files(&old, &new)?;
    fs::rename(dir, &kept)?;
    fs::rename(&fresh, dir)?;
    sync_parent(dir)?;
    Ok(Migrated {
        kept,
        frames,
        files,
    })
}

fn beside(dir: &Path, what: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    dir.with_file_name(name)
}

fn sync_parent(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().filter(|parent| *parent != Path::new(""));
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Nothing may be left behind because nobody knew it.
fn check_no_strangers(dir: &Path) -> Result<(), MigrateFailed> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = [JOURNAL, KEYS_FILE, PAST, CLEAR_DIR, bodies::LOGS]
            .into_iter()
            .chain(DIRS)
            .chain(SEALED)
            .chain(CLEAR);
        // The socket is made anew at each start, and an unfinished file was never one.
        let is_passing = name.ends_with(".sock") || name.ends_with(".tmp");
        if !is_passing && !known.into_iter().any(|known| known == name) {
            return Err(MigrateFailed::Stranger(name));
        }
    }
    Ok(())
}

fn copy_journal(
    old: &State,
    new: &State,
    (log, segment_len, payload_len_max): (LogId, u64, usize),
) -> Result<u64, MigrateFailed> {
    let copy = |dir: &Path, log| {
        let options = WalOptions {
            log,
            segment_len,
            payload_len_max,
        };
        let from = Arc::new(FileStore::open(old.dir().join(dir))?);
        let to = Arc::new(FileStore::open(new.dir().join(dir))?);
        reseal((from, old.keys()), (to, new.keys()), options).map_err(MigrateFailed::from)
    };
    let mut frames = 0;
    if old.dir().join(JOURNAL).exists() {
        frames += copy(Path::new(JOURNAL), log)?;
    }
    if old.dir().join(PAST).exists() {
        create_dir(&new.dir().join(PAST))?;
        let place = stream_place(old)?;
        for path in past_journals(old)? {
            let period = path.file_name().unwrap_or_default();
            let origin = format!("{place}/{}", period.to_string_lossy());
            let log = LogId(StreamId::of::<Intl>(&origin).0);
            frames += copy(&Path::new(PAST).join(period), log)?;
        }
    }
    Ok(frames)
}

/// The origins of the node's streams without their periods; empty before enrolment.
fn stream_place(state: &State) -> io::Result<String> {
    let stream = CurrentStream::read(state.dir())?;
    Ok(stream.map_or_else(String::new, |stream| place(&stream.origin).to_owned()))
}

/// The logs of kept bodies, one a day.
fn copy_bodies(old: &State, new: &State) -> Result<(), MigrateFailed> {
    let (from, to) = (old.dir().join(bodies::LOGS), new.dir().join(bodies::LOGS));
    if !from.exists() {
        return Ok(());
    }
    create_dir(&to)?;
    let place = stream_place(old)?;
    for entry in fs::read_dir(&from)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let day = name
            .parse()
            .map_err(|_| MigrateFailed::Stranger(format!("{}/{name}", bodies::LOGS)))?;
        let options = WalOptions {
            log: bodies::log_id(&place, day),
            segment_len: bodies::LAYOUT.0,
            payload_len_max: bodies::LAYOUT.1,
        };
        let log = Arc::new(FileStore::open(from.join(&name))?);
        let copy = Arc::new(FileStore::open(to.join(&name))?);
        reseal((log, old.keys()), (copy, new.keys()), options)?;
    }
    Ok(())
}

fn copy_files(old: &State, new: &State) -> Result<u64, MigrateFailed> {
    let mut names: Vec<PathBuf> = SEALED.iter().map(PathBuf::from).collect();
    for dir in DIRS {
        if !old.dir().join(dir).exists() {
            continue;
        }
        create_dir(&new.dir().join(dir))?;
        for entry in fs::read_dir(old.dir().join(dir))? {
            let name = entry?.file_name();
            if !name.to_string_lossy().ends_with(".tmp") {
                names.push(Path::new(dir).join(name));
            }
        }
    }
    let mut files = 0;
    for name in names {
        if old.dir().join(&name).exists() {
            let content = old.read_large(&old.dir().join(&name), 2 * BEGIN_LEN_MAX)?;
            new.write_large(&new.dir().join(&name), &content)?;
            files += 1;
        }
    }
    let evidence = old.dir().join(CLEAR_DIR);
    let mut clear: Vec<PathBuf> = CLEAR.iter().map(PathBuf::from).collect();
    if evidence.exists() {
        create_dir(&new.dir().join(CLEAR_DIR))?;
        for entry in fs::read_dir(evidence)? {
            clear.push(Path::new(CLEAR_DIR).join(entry?.file_name()));
        }
    }
    for name in clear {
        if old.dir().join(&name).exists() {
            write_file(&new.dir().join(&name), &fs::read(old.dir().join(&name))?)?;
            files += 1;
        }
    }
    Ok(files)
}
