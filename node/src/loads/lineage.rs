//! Which answers were made from a load: read off the records, offline as well as at the node.
//!
//! A record names its loads in clear, so the whole lineage is a fold over the stream. Nothing else is needed, and
//! whoever has the stream can do the same.

use lingqu_core::call::EXPLAIN;
use lingqu_core::record::{Field, Kind, Record};
use lingqu_tlog::Intl;
use serde::{Deserialize, Serialize};

/// What one record has to do with a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A call was answered, or failed, over it.
    Answer,
    /// The unit has marked it as wrong.
    MarkedWrong,
    /// It was read.
    Loaded,
    /// Another load took its place.
    Replaced,
}

/// What `record` has to do with `load`; none if nothing.
pub fn part(record: &Record, load: &str) -> Option<Part> {
    let clear = &record.draft.clear;
    let names = |field| clear.get_text(field) == Some(load);
    match record.draft.kind {
        // An explanation names the loads that a call would be answered from, and nothing of them is in it.
        Kind::Call if clear.get_text(Field::Action) == Some(EXPLAIN) => None,
        Kind::Call => {
            let loads = clear.get_text(Field::Load)?;
            loads
                .split(' ')
                .any(|one| one == load)
                .then_some(Part::Answer)
        }
        Kind::Load if names(Field::Load) => Some(Part::Loaded),
        Kind::Load if names(Field::PreviousLoad) => Some(Part::Replaced),
        Kind::Load if names(Field::WrongLoad) => Some(Part::Replaced),
        Kind::AuthorizationChange if names(Field::WrongLoad) => Some(Part::MarkedWrong),
        Kind::AuthorizationChange
        | Kind::Control
        | Kind::Debit
        | Kind::Denials
        | Kind::Forward
        | Kind::Heartbeat
        | Kind::Load
        | Kind::NodeStart
        | Kind::NodeStop
        | Kind::StreamBegin
        | Kind::StreamEnd => None,
    }
}

/// A part of the lineage of a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The records, each as its exact bytes in hex, in their order.
    pub records: Vec<(Part, String)>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

/// Records after which a page ends, with the batch that it is in.
const RECORDS_MAX: usize = 256;
/// Entries that one page looks through at most.
const LOOKED_MAX: u64 = 65_536;

impl crate::Node {
    /// A page of the lineage of `load`, from the record `from` on.
    pub async fn lineage(&self, load: &str, from: u64) -> Page {
        let size = self.journal.size();
        let mut records = Vec::new();
        let mut at = from;
        while at < size && records.len() < RECORDS_MAX && at - from < LOOKED_MAX {
            let Ok(batch) = self.journal.next_batch(at).await else {
                break;
            };
            // A batch may begin before what was asked for.
            let before = usize::try_from(at.saturating_sub(batch.first)).unwrap_or(usize::MAX);
            for entry in batch.entries.iter().skip(before) {
                let part =
                    { Record::decode::<Intl>(entry).ok() }.and_then(|record| part(&record, load));
                if let Some(part) = part {
                    records.push((part, hex::encode(entry)));
                }
                at += 1;
            }
            let end = batch.first + batch.entries.len() as u64;
            if end <= at && batch.entries.len() <= before {
                break;
            }
        }
        Page {
            records,
            next: (at > from && at < size).then_some(at),
        }
    }
}
