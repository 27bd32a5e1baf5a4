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

use super::bundles;
use crate::failure::Failure;
use crate::local_control;
use crate::record_json;
use crate::session::Session;

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
        bundles::each_entry(dir, &mut |entry| self.tell(entry, tally, session))
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

#[cfg(test)]
mod tests;
