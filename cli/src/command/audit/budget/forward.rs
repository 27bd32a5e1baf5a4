//! What one stream brings forward to the next, held against what its records add up to.
//!
//! The fold is the node's own (`lingqu-journal`), over the archive's records alone: units per grant, environment and day,
//! privacy budgets per space and grant, counts of subjects in windows that still count, the newest calls' ids, epoch and
//! stop. An end that commits to anything else, or a next stream that begins with anything else, is told with the balance
//! that differs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lingqu_client::archive::LogFiles;
use lingqu_core::forward::Forward;
use lingqu_core::record::{Kind, RecordView};
use lingqu_core::succession::Succession;
use lingqu_journal::{Refold, RefoldRefused};
use lingqu_tlog::Intl;
use serde_json::json;

use crate::command::audit::archive::failed;
use crate::command::audit::bundles;
use crate::failure::Failure;
use crate::session::Session;

/// Archives of one node's streams, in the order in which they follow each other.
pub(super) struct Chain {
    pub(super) archives: Vec<Archive>,
}

/// One of them.
pub(super) struct Archive {
    pub(super) dir: PathBuf,
    /// The log, if the archive has a checkpoint; without one its records add up, and their order is not known.
    log: Option<LogFiles>,
    /// What the stream begins with, if it follows another.
    pub(super) brought: Option<Forward>,
    /// Origin of the stream before.
    previous: Option<String>,
}

impl Chain {
    /// Reads what each of the streams begins with.
    pub(super) fn read(dirs: &[PathBuf]) -> Result<Chain, Failure> {
        let archives = dirs.iter().map(|dir| Archive::read(dir));
        let mut archives: Vec<Archive> = archives.collect::<Result<_, Failure>>()?;
        // Later periods come later in the order of bytes.
        archives.sort_by_key(Archive::origin);
        for pair in archives.windows(2) {
            let is_next = pair[1].previous.is_some() && pair[1].previous == pair[0].origin();
            if !is_next {
                return Err(Failure::Unusable(
                    "the archives are not of streams that follow each other".to_owned(),
                ));
            }
        }
        Ok(Chain { archives })
    }

    /// Adds up the records of each stream that has ended, and compares.
    pub(super) fn compare(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        for (place, archive) in self.archives.iter().enumerate() {
            let next = self.archives.get(place + 1);
            let Some(origin) = archive.origin() else {
                continue;
            };
            let Some(refold) = archive.refold()? else {
                continue;
            };
            let balances = refold.balances();
            if let Some(brought) = next.and_then(|next| next.brought.as_ref())
                && let Some(what) = difference(&balances, brought)
            {
                return Err(differs(&format!(
                    "the stream after `{origin}` brings forward other {what} than its records add up to"
                )));
            }
            if refold.differs() {
                return Err(differs(&format!(
                    "the end of `{origin}` commits to other balances than its records add up to"
                )));
            }
            let (grants, spaces) = (balances.grants.len(), balances.spaces.len());
            let (subjects, calls) = (balances.subjects.len(), balances.calls.len());
            session.answer(
                format_args!(
                    "forward {origin}: exactly what its records add up to · 结转与记录逐项相符: {grants} accounts, {spaces} spaces, {subjects} subjects, {calls} calls"
                ),
                &json!({ "forward": { "stream": origin, "accounts": grants, "spaces": spaces,
                    "subjects": subjects, "calls": calls } }),
            )?;
        }
        Ok(())
    }
}

impl Archive {
    fn read(dir: &Path) -> Result<Archive, Failure> {
        let mut parts: BTreeMap<u64, Succession> = BTreeMap::new();
        bundles::each_entry(dir, &mut |entry| {
            let Ok(record) = RecordView::read::<Intl>(entry) else {
                return Ok(());
            };
            if matches!(record.kind(), Kind::StreamBegin | Kind::Forward) {
                let read = Succession::of(&record);
                let read = read.map_err(|error| {
                    Failure::Unusable(format!("record {}: {error}", record.index()))
                })?;
                parts.extend(read.map(|read| (record.index(), read)));
            }
            Ok(())
        })?;
        let mut previous = None;
        let mut bytes = Vec::new();
        for part in parts.into_values() {
            match part {
                Succession::Begin(begin) => {
                    let origin = begin.previous_key.split('+').next();
                    previous = origin.map(str::to_owned);
                }
                Succession::Forward(part) => bytes.extend(part),
                Succession::End(_) => {}
            }
        }
        let brought = previous.as_ref().map(|_| Forward::decode(&bytes));
        let brought = brought
            .transpose()
            .map_err(|error| differs(&format!("`{}`: {error}", dir.display())))?;
        let log = match dir.join("checkpoint").is_file() {
            true => Some(LogFiles::open(dir).map_err(failed)?),
            false => None,
        };
        Ok(Archive {
            dir: dir.to_owned(),
            log,
            brought,
            previous,
        })
    }

    fn origin(&self) -> Option<String> {
        let log = self.log.as_ref()?;
        Some(log.checkpoint.origin.clone())
    }

    /// The balances that the records lead to, if the stream has ended.
    fn refold(&self) -> Result<Option<Refold>, Failure> {
        let Some(log) = self.log.as_ref().filter(|log| log.checkpoint.size > 0) else {
            return Ok(None);
        };
        let last = log.entry(log.checkpoint.size - 1).map_err(failed)?;
        if !RecordView::read::<Intl>(&last).is_ok_and(|last| last.kind() == Kind::StreamEnd) {
            return Ok(None);
        }
        let mut refold = Refold::new(&log.checkpoint.origin);
        let mut refused: Option<RefoldRefused> = None;
        let read = log.check(|_, entry, _| {
            if refused.is_none() {
                refused = refold.take(entry).err();
            }
            Ok(())
        });
        read.map_err(failed)?;
        match refused {
            Some(why) => Err(differs(&why.to_string())),
            None => Ok(Some(refold)),
        }
    }
}

/// The first part in which the balances differ.
fn difference(added: &Forward, brought: &Forward) -> Option<&'static str> {
    let parts = [
        (added.grants != brought.grants, "units of grants"),
        (added.spaces != brought.spaces, "budgets of spaces"),
        (added.budgets != brought.budgets, "budgets of grants"),
        (added.subjects != brought.subjects, "counts of subjects"),
        (added.calls != brought.calls, "ids of calls"),
        (added.epoch != brought.epoch, "epoch"),
        (added.stop != brought.stop, "stop order"),
        (added.time != brought.time, "time"),
    ];
    let mut parts = parts.into_iter();
    parts.find(|(differs, _)| *differs).map(|(_, what)| what)
}

fn differs(en: &str) -> Failure {
    Failure::CheckFailed {
        en: en.to_owned(),
        zh: "结转的余额与日志流的记录不符",
    }
}

#[cfg(test)]
mod tests;
