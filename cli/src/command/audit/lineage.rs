//! `lingqu audit lineage`: the calls that were answered from one load, and what became of it.
//!
//! It asks the running node, which reads them off its journal, or reads the entry bundles of an archive offline: the
//! records say it themselves, so nobody need be believed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_core::LoadId;
use lingqu_core::record::{Field, Record};
use lingqu_node::admin::AdminRequest;
use lingqu_node::loads::lineage::{Part, part};
use lingqu_tlog::Intl;
use serde_json::json;

use crate::failure::Failure;
use crate::local_control;
use crate::record_json;
use crate::session::Session;

/// Largest file of an archive, in bytes: a bundle holds at most 256 entries of 65,535 bytes.
const BUNDLE_LEN_MAX: u64 = 256 * (2 + 65_535);
/// Deepest directory of an archive's entries: numbers are written in groups of three digits.
const DEPTH_MAX: usize = 8;

/// `audit lineage (--socket S | --archive DIR) LOAD`
#[derive(Args, Debug)]
pub(super) struct Lineage {
    #[command(flatten)]
    from: From,
    /// The load, `load_…` · 装载编号
    #[arg(value_name = "LOAD")]
    load: LoadId,
}

/// Where the records are.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct From {
    /// The running node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// An archive of the node's stream, as C2SP tlog-tiles; check it with `audit verify` first · 日志流存档目录，请先核验
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
}

impl Lineage {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut tally = Tally::default();
        match (&self.from.socket, &self.from.archive) {
            (Some(socket), _) => self.ask(socket, &mut tally, session)?,
            (None, Some(dir)) => self.read(dir, &mut tally, session)?,
            (None, None) => return Err(Failure::Unusable("no records are named".to_owned())),
        }
        session.say(
            format_args!(
                "{} calls of {} parties were answered from it",
                tally.calls,
                tally.callers.len()
            ),
            format_args!(
                "共有 {} 个调用方的 {} 次调用使用了该装载",
                tally.callers.len(),
                tally.calls
            ),
        );
        match tally.is_known {
            true => Ok(()),
            false => Err(Failure::refused(lingqu_core::ErrorCode::LoadUnknown)),
        }
    }

    fn ask(
        &self,
        socket: &Path,
        tally: &mut Tally,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let mut from = Some(0);
        while let Some(at) = from {
            let request = AdminRequest::Lineage {
                load: self.load.to_string(),
                from: at,
            };
            let response = session.wait(local_control::response(socket, &request))??;
            let page = response.lineage;
            let page = page.ok_or_else(|| Failure::Unreachable("no lineage".to_owned()))?;
            for (_, entry) in page.records {
                let bytes = hex::decode(entry).unwrap_or_default();
                self.tell(&bytes, tally, session)?;
            }
            from = page.next.filter(|next| *next > at);
        }
        Ok(())
    }

    fn read(
        &self,
        dir: &Path,
        tally: &mut Tally,
        session: &mut Session<'_>,
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
                self.tell(entry, tally, session)?;
                rest = after;
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        entry: &[u8],
        tally: &mut Tally,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let Ok(record) = Record::decode::<Intl>(entry) else {
            return Ok(());
        };
        // Full and partial bundles of one place hold the same records.
        if !tally.seen.insert(record.index) {
            return Ok(());
        }
        let Some(part) = part(&record, self.load.as_str()) else {
            tally.seen.remove(&record.index);
            return Ok(());
        };
        tally.is_known = true;
        if part == Part::Answer {
            tally.calls += 1;
            let caller = record.draft.clear.get_text(Field::Caller);
            tally.callers.extend(caller.map(str::to_owned));
        }
        let word = match part {
            Part::Answer => "answer",
            Part::Loaded => "loaded",
            Part::MarkedWrong => "marked wrong",
            Part::Replaced => "replaced",
        };
        session.answer(
            format_args!("{word}: {}", record_json::line(&record)),
            &json!({ "part": part, "record": record_json::of(&record) }),
        )
    }
}

/// What was found.
#[derive(Default)]
struct Tally {
    calls: u64,
    callers: BTreeSet<String>,
    is_known: bool,
    seen: BTreeSet<u64>,
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

#[cfg(test)]
mod tests;
