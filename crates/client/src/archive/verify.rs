//! Checking a whole archive: every log in itself, and the heads of the head logs against the streams that they are about.
//!
//! A head says which root a stream had at some size, signed by the stream and cosigned by the mirror. If all heads agree
//! with the entries, and no head is about more than there is, nothing was left out that the head logs know of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lingqu_core::head::Head;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{RecordView, StreamId};
use lingqu_core::succession::{Course, Succession};
use lingqu_core::trust::Trust;
use lingqu_tlog::{Cosigned, Hash, Intl, NotAccepted};

use super::dropped::{self, read_dropped};
use super::{ArchiveFailed, LogFiles};
use crate::drops::Drops;
use crate::succession::{DroppedEnd, Step, begins, follow_all_over, previous_origin};

/// Most logs of an archive.
const LOGS_MAX: usize = 20_000;
/// Deepest directory of a log.
const DEPTH_MAX: usize = 16;

/// What a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// Heads of streams.
    HeadLog,
    /// Records.
    Stream,
}

/// One log that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// What it holds.
    pub kind: LogKind,
    /// Its origin.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Whose cosignatures were verified; empty where nothing was given to verify them with.
    pub cosigned: Vec<Cosigned>,
    /// The origin of the stream that its last record names, if it has ended.
    pub next: Option<String>,
}

/// What heads say about one stream: by size, the root, and which head says so.
type Said = BTreeMap<u64, (Hash, String, u64)>;

/// An archive that holds.
#[derive(Debug)]
pub struct Verified {
    /// Its logs.
    pub logs: Vec<LogReport>,
    /// What is believed now: the streams too that follow believed ones.
    pub trusts: Vec<Trust<Intl>>,
    /// The steps to them.
    pub steps: Vec<Step>,
    /// Streams whose records were dropped before the archive was written: their ends, and nothing else of them.
    pub dropped: Vec<DroppedEnd>,
    /// The origins of those of which no record in the archive says that they were dropped: the coordinator's own stream
    /// is not in it, or does not say so.
    pub off_record: Vec<String>,
}

/// As [`verify()`], for whoever needs the logs alone.
///
/// # Errors
/// See [`verify()`].
pub fn verify_all(root: &Path, trusts: &[Trust<Intl>]) -> Result<Vec<LogReport>, ArchiveFailed> {
    Ok(verify(root, trusts, &[])?.logs)
}

/// Checks every log below `root`. With `trusts` each checkpoint, also those within heads, must be accepted by the first
/// of them that has its log; without any, everything is only consistent in itself, which anybody can make. A stream that
/// follows a believed one, as its first record in the archive or one of `links` proves, is believed as well.
///
/// # Errors
/// [`ArchiveFailed`] names the first thing that does not hold.
pub fn verify(
    root: &Path,
    trusts: &[Trust<Intl>],
    links: &[Vec<u8>],
) -> Result<Verified, ArchiveFailed> {
    let logs = open_all(root)?;
    let mut firsts = firsts_of(&logs)?;
    firsts.extend_from_slice(links);
    let ends = ends_in(root, &logs)?;
    let followed = follow_all_over(trusts, &firsts, &ends);
    let (trusts, steps) = followed.map_err(|why| ArchiveFailed::Succession {
        origin: root.display().to_string(),
        why: why.to_string(),
    })?;
    let mut said: BTreeMap<String, Said> = BTreeMap::new();
    let mut reports = Vec::new();
    let mut drops = Drops::default();
    for log in logs.iter().filter(|log| is_head_log(log)) {
        let cosigned = accepted(&log.note, &log.checkpoint.origin, &trusts)?;
        check_heads(log, &trusts, &mut said)?;
        reports.push(report(log, LogKind::HeadLog, cosigned, None));
    }
    for log in logs.iter().filter(|log| !is_head_log(log)) {
        let cosigned = accepted(&log.note, &log.checkpoint.origin, &trusts)?;
        let heads = said.remove(&log.checkpoint.origin).unwrap_or_default();
        let next = check_stream(log, heads, &mut drops)?;
        reports.push(report(log, LogKind::Stream, cosigned, next));
    }
    let mut dropped = Vec::new();
    for receipt in &ends {
        let heads = said.remove(&receipt.checkpoint.origin).unwrap_or_default();
        dropped.push(check_dropped(receipt, &heads, &trusts, &steps)?);
    }
    if let Some((origin, heads)) = said.into_iter().next() {
        return Err(incomplete(&origin, &heads));
    }
    check_steps(&logs, &reports, &steps)?;
    for end in &dropped {
        check_begins_after(&logs, end.next.name().as_str(), &end.origin)?;
    }
    let off = dropped
        .iter()
        .filter(|end| !drops.has(&end.origin, end.size, end.root));
    let off_record = off.map(|end| end.origin.clone()).collect();
    Ok(Verified {
        logs: reports,
        trusts,
        steps,
        dropped,
        off_record,
    })
}

/// The receipts of the last records of dropped streams. What is there both ways is neither: whoever wrote it could show
/// some the one and some the other.
fn ends_in(root: &Path, logs: &[LogFiles]) -> Result<Vec<Receipt>, ArchiveFailed> {
    let dirs = dirs_with(root, dropped::NAME)?;
    let mut ends: Vec<Receipt> = Vec::new();
    for dir in &dirs {
        let end = read_dropped(dir)?;
        let origin = &end.checkpoint.origin;
        let is_twice = fs::symlink_metadata(dir.join("checkpoint")).is_ok()
            || logs.iter().any(|log| log.checkpoint.origin == *origin)
            || ends.iter().any(|other| other.checkpoint.origin == *origin);
        if is_twice {
            return Err(ArchiveFailed::Succession {
                origin: origin.clone(),
                why: "is in the archive both with its records and as dropped".to_owned(),
            });
        }
        ends.push(end);
    }
    Ok(ends)
}

/// The first record of every stream of an archive that says that it follows another one. Nothing is verified.
///
/// # Errors
/// [`ArchiveFailed`] when the archive cannot be read.
pub fn first_records(root: &Path) -> Result<Vec<Vec<u8>>, ArchiveFailed> {
    firsts_of(&open_all(root)?)
}

fn open_all(root: &Path) -> Result<Vec<LogFiles>, ArchiveFailed> {
    let dirs = log_dirs(root)?;
    dirs.iter().map(|dir| LogFiles::open(dir)).collect()
}

fn firsts_of(logs: &[LogFiles]) -> Result<Vec<Vec<u8>>, ArchiveFailed> {
    let streams = logs
        .iter()
        .filter(|log| !is_head_log(log) && log.checkpoint.size > 0);
    let mut firsts = Vec::new();
    for log in streams {
        let first = log.entry(0)?;
        if begins(&first).is_some() {
            firsts.push(first);
        }
    }
    Ok(firsts)
}

/// Whether the streams that are here end and begin as the steps between them say: nothing was left out at the end of the
/// one, and the other begins with the proof of it.
fn check_steps(
    logs: &[LogFiles],
    reports: &[LogReport],
    steps: &[Step],
) -> Result<(), ArchiveFailed> {
    let wrong = |origin: &str, why: &str| ArchiveFailed::Succession {
        origin: origin.to_owned(),
        why: why.to_owned(),
    };
    let here = |origin: &str| reports.iter().find(|report| report.origin == origin);
    for step in steps {
        let origin = step.previous.name().as_str();
        if let Some(ended) = here(origin)
            && (ended.size, ended.root) != (step.end.0 + 1, step.root)
        {
            return Err(wrong(
                origin,
                "is not the stream that the next one follows, or its end is missing",
            ));
        }
    }
    for ended in reports {
        let Some(next) = ended.next.as_deref() else {
            continue;
        };
        check_begins_after(logs, next, &ended.origin)?;
    }
    Ok(())
}

/// Whether the stream `next`, if it is here, begins with the end of `ended`.
fn check_begins_after(logs: &[LogFiles], next: &str, ended: &str) -> Result<(), ArchiveFailed> {
    let log = logs.iter().find(|log| log.checkpoint.origin == next);
    if let Some(log) = log.filter(|log| log.checkpoint.size > 0) {
        let begin = begins(&log.entry(0)?);
        if begin.as_ref().map(previous_origin) != Some(ended) {
            return Err(ArchiveFailed::Succession {
                origin: next.to_owned(),
                why: "does not begin with the end of the one before".to_owned(),
            });
        }
    }
    Ok(())
}

/// A head log is named by its region alone: `…/h/<region>`.
fn is_head_log(log: &LogFiles) -> bool {
    log.checkpoint.origin.rsplit('/').nth(1) == Some("h")
}

fn report(
    log: &LogFiles,
    kind: LogKind,
    cosigned: Vec<Cosigned>,
    next: Option<String>,
) -> LogReport {
    LogReport {
        kind,
        origin: log.checkpoint.origin.clone(),
        size: log.checkpoint.size,
        root: log.checkpoint.root,
        cosigned,
        next,
    }
}

/// Asks the first trust file that has the log.
fn accepted(
    note: &str,
    origin: &str,
    trusts: &[Trust<Intl>],
) -> Result<Vec<Cosigned>, ArchiveFailed> {
    if trusts.is_empty() {
        return Ok(Vec::new());
    }
    let refused = |why| ArchiveFailed::NotAuthentic {
        origin: origin.to_owned(),
        why,
    };
    let unknown = || NotAccepted::UnknownLog {
        origin: origin.to_owned(),
    };
    let trust = trusts.iter().find(|trust| trust.log(origin).is_some());
    let trust = trust.ok_or_else(|| refused(unknown()))?;
    let accepted = trust.policy().check(note).map_err(refused)?;
    Ok(accepted.cosigned)
}

fn check_heads(
    log: &LogFiles,
    trusts: &[Trust<Intl>],
    said: &mut BTreeMap<String, Said>,
) -> Result<(), ArchiveFailed> {
    let region = log.checkpoint.origin.rsplit('/').next().unwrap_or_default();
    log.check(|index, entry, _| {
        let misplaced = || ArchiveFailed::Entry {
            origin: log.checkpoint.origin.clone(),
            index,
        };
        let head = Head::decode(entry).ok_or_else(misplaced)?;
        let origin = &head.checkpoint.origin;
        // An origin names its stream's region: no head log vouches for a stream of another one.
        if origin.rsplit('/').nth(1) != Some(region) {
            return Err(misplaced());
        }
        accepted(&head.note.to_string(), origin, trusts)?;
        let heads = said.entry(origin.clone()).or_default();
        // Heads of a stream only grow; one that repeats a size or goes back is the sign of a second history.
        let grows = heads
            .last_key_value()
            .is_none_or(|(size, _)| *size < head.checkpoint.size);
        if !grows {
            return Err(misplaced());
        }
        let by = (head.checkpoint.root, log.checkpoint.origin.clone(), index);
        heads.insert(head.checkpoint.size, by);
        Ok(())
    })
}

/// Checks a stream, and gives the origin of the one that follows it, if it has ended.
fn check_stream(
    log: &LogFiles,
    mut heads: Said,
    drops: &mut Drops,
) -> Result<Option<String>, ArchiveFailed> {
    let origin = &log.checkpoint.origin;
    let id = StreamId::of::<Intl>(origin);
    let mut last_time = None;
    let mut course = Course::<Intl>::default();
    let mut next = None;
    log.check(|index, entry, tree| {
        let misplaced = || ArchiveFailed::Entry {
            origin: origin.clone(),
            index,
        };
        let record = RecordView::read::<Intl>(entry).map_err(|_| misplaced())?;
        let goes_back = last_time.is_some_and(|last| last >= record.time());
        if record.index() != index || record.stream() != id || goes_back {
            return Err(misplaced());
        }
        last_time = Some(record.time());
        drops.take(origin, &record);
        let succession = Succession::of(&record).map_err(|_| misplaced())?;
        let taken = course.take(index, succession.as_ref());
        taken.map_err(|why| ArchiveFailed::Succession {
            origin: origin.clone(),
            why: why.to_string(),
        })?;
        if let Some(Succession::End(end)) = succession {
            let named = end.next_key.split('+').next();
            next = Some(named.unwrap_or_default().to_owned());
        }
        let size = index + 1;
        match heads.remove(&size) {
            Some((root, head_log, head)) if root != tree.root() => {
                Err(ArchiveFailed::Contradiction {
                    head_log,
                    head,
                    origin: origin.clone(),
                    size,
                })
            }
            _ => Ok(()),
        }
    })?;
    if heads.is_empty() {
        Ok(next)
    } else {
        Err(incomplete(origin, &heads))
    }
}

/// Checks what there is of a stream whose records were dropped: its end, which the last head and the next stream must be
/// about.
fn check_dropped(
    receipt: &Receipt,
    heads: &Said,
    trusts: &[Trust<Intl>],
    steps: &[Step],
) -> Result<DroppedEnd, ArchiveFailed> {
    let end = dropped::ended(receipt, trusts)?;
    if let Some((size, (root, head_log, head))) = heads.last_key_value()
        && (*size, *root) != (end.size, end.root)
    {
        return Err(ArchiveFailed::Contradiction {
            head_log: head_log.clone(),
            head: *head,
            origin: end.origin,
            size: *size,
        });
    }
    let step = steps
        .iter()
        .find(|step| step.previous.name().as_str() == end.origin);
    if step.is_some_and(|step| (step.end.0 + 1, step.root) != (end.size, end.root)) {
        return Err(ArchiveFailed::Succession {
            origin: end.origin,
            why: "is not the stream that the next one follows".to_owned(),
        });
    }
    Ok(end)
}

fn incomplete(origin: &str, heads: &Said) -> ArchiveFailed {
    let (size, (_, head_log, head)) = heads
        .first_key_value()
        .expect("a stream is named only with a head about it");
    ArchiveFailed::Incomplete {
        head_log: head_log.clone(),
        head: *head,
        origin: origin.to_owned(),
        size: *size,
    }
}

/// Every directory below `root` with a checkpoint, in order of its path.
fn log_dirs(root: &Path) -> Result<Vec<PathBuf>, ArchiveFailed> {
    let found = dirs_with(root, "checkpoint")?;
    if found.is_empty() {
        return Err(ArchiveFailed::NoLog(root.to_owned()));
    }
    Ok(found)
}

/// Every directory below `root` with such a file, in order of its path. Links are not followed.
fn dirs_with(root: &Path, name: &str) -> Result<Vec<PathBuf>, ArchiveFailed> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        if found.len() + open.len() > LOGS_MAX {
            return Err(ArchiveFailed::TooMany(root.to_owned()));
        }
        let has = |name| fs::symlink_metadata(dir.join(name)).is_ok_and(|meta| meta.is_file());
        // Below a log there are its tiles alone.
        let is_log = has("checkpoint");
        if has(name) {
            found.push(dir);
            continue;
        }
        if is_log {
            continue;
        }
        let entries = fs::read_dir(&dir).map_err(|error| (dir.clone(), error))?;
        for entry in entries {
            let entry = entry.map_err(|error| (dir.clone(), error))?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && depth < DEPTH_MAX {
                open.push((entry.path(), depth + 1));
            }
        }
    }
    found.sort();
    Ok(found)
}
