//! The newest calls of a region, read from the end of its streams. For people to look at; nothing is decided by it.

use std::cmp::Reverse;
use std::sync::Arc;

use lingqu_core::record::{Field, Kind, Record};
use lingqu_core::{ErrorCode, Region, Timestamp};
use lingqu_tlog::Intl;

use super::Mirror;
use super::archive::{Archive, ArchiveError};
use super::streams::Held;

/// Streams that are looked into: those that were written last.
const STREAMS_MAX: usize = 32;

/// What of a call's record is shown: nothing of whom it was about or for whom it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecentCall {
    pub(crate) time: Timestamp,
    /// The typed id of the node that recorded it.
    pub(crate) node: String,
    pub(crate) product: String,
    pub(crate) environment: String,
    /// `ANSWERED` or an error code.
    pub(crate) outcome: String,
    /// How many calls the record stands for: refusals of a minute are one record.
    pub(crate) count: u64,
}

impl Mirror {
    /// The newest `calls_max` records of calls and refusals in `region` and below, newest first.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`], after the reason was logged.
    pub(crate) async fn recent_calls(
        &self,
        region: &Region,
        calls_max: usize,
    ) -> Result<Vec<RecentCall>, ErrorCode> {
        let ends = self.ends(region);
        let bytes_max = self.limits.chunk_bytes_max;
        let read = move |archive: &Archive| {
            let mut calls = Vec::new();
            for end in &ends {
                calls.extend(end.calls(archive, calls_max, bytes_max)?);
            }
            calls.sort_by_key(|call: &RecentCall| Reverse(call.time));
            calls.truncate(calls_max);
            Ok(calls)
        };
        self.read(read).await
    }

    fn ends(&self, region: &Region) -> Vec<End> {
        let state = self.shared.state();
        let within = state
            .held
            .iter()
            .filter(|(_, held)| region.covers(&held.region) && !held.is_dropped);
        let mut ends: Vec<(Timestamp, End)> = within
            .filter_map(|(origin, held)| {
                let stream = self.shared.stream(origin)?;
                // The coordinator's own acts are no calls.
                (stream.origin != self.own.origin).then(|| (taken(held), End::of(&stream, held)))
            })
            .collect();
        ends.sort_by_key(|(taken, _)| Reverse(*taken));
        ends.truncate(STREAMS_MAX);
        ends.into_iter().map(|(_, end)| end).collect()
    }
}

fn taken(held: &Held) -> Timestamp {
    held.cosigned
        .as_ref()
        .map_or(Timestamp(0), |cosigned| cosigned.taken)
}

/// Where a stream ends right now.
struct End {
    origin: Arc<str>,
    node: String,
    size: u64,
}

impl End {
    fn of(stream: &super::streams::Stream, held: &Held) -> End {
        End {
            origin: stream.origin.as_str().into(),
            node: stream.owner.clone(),
            size: held.size(),
        }
    }

    /// The calls among the last `entries_max` entries.
    fn calls(
        &self,
        archive: &Archive,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<RecentCall>, ArchiveError> {
        let mut next = self.size.saturating_sub(entries_max as u64);
        let mut calls = Vec::new();
        while next < self.size {
            let page = archive.entries(&self.origin, next, self.size, bytes_max)?;
            next += page.len() as u64;
            for entry in page {
                let record = Record::decode::<Intl>(&entry).map_err(|_| ArchiveError::Lost)?;
                calls.extend(call(&self.node, &record));
            }
        }
        Ok(calls)
    }
}

fn call(node: &str, record: &Record) -> Option<RecentCall> {
    if !matches!(record.draft.kind, Kind::Call | Kind::Denials) {
        return None;
    }
    let clear = &record.draft.clear;
    let text = |field| clear.get_text(field).unwrap_or_default().to_owned();
    Some(RecentCall {
        time: record.time,
        node: node.to_owned(),
        product: text(Field::Product),
        environment: text(Field::Environment),
        outcome: text(Field::Outcome),
        count: clear.get_number(Field::Count).unwrap_or(1),
    })
}
