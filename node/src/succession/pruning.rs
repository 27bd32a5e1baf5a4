//! Dropping the journal of a stream that has ended, when nothing in it has to be kept any more.
//!
//! A stream is dropped whole or not at all. It may go when the time that the configuration says has passed since its end,
//! and six calendar months since the end of every grant that a record in it names or that was in force while it was written. That it is dropped is on record, and the
//! mirror has that record, before a file is touched. What was spent in it was brought forward; proofs of its entries go on
//! to hold for whoever has them, and the mirror's copy is the mirror's affair.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::body::keep_until;
use lingqu_core::decide::ClockState;
use lingqu_core::forward::{Forward, PART_LEN_MAX, PARTS_MAX};
use lingqu_core::record::{Clear, Draft, Field, Kind, RecordView};
use lingqu_core::succession::{period, place};
use lingqu_core::{ErrorCode, GrantId, Timestamp};
use lingqu_journal::{FileStore, read_past};
use lingqu_tlog::Intl;
use serde::{Deserialize, Serialize};

use super::{DROPPING, past_journals, remove_half_dropped};
use crate::Node;

/// Calendar months for which everything of a grant is kept after its end.
const GRANT_KEEP_MONTHS: u16 = 6;
/// Most bytes of balances that a stream can be begun with.
const FORWARD_LEN_MAX: usize = PARTS_MAX as usize * PART_LEN_MAX;
/// Longest that the mirror may take to cosign that a stream is dropped.
const MIRROR_WAIT: Duration = Duration::from_secs(8);

/// A stream that has ended, and until when it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastStream {
    /// Its origin.
    pub origin: String,
    /// Records in it.
    pub records: u64,
    /// Time of its last record, RFC 3339.
    pub ended: String,
    /// Calls in it are of grants that this node no longer holds: nobody knows when those ended, and it is kept.
    pub unknown_grants: u64,
    /// First instant at which it may be dropped, RFC 3339; none while there are unknown grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<String>,
    /// Whether it was dropped just now.
    pub dropped: bool,
}

/// What the records of a stream say about how long it is kept.
#[derive(Default)]
struct Found {
    records: u64,
    last: Timestamp,
    grants: BTreeSet<String>,
    /// Balances that it was begun with, and whether its last record is an end.
    forward: Vec<u8>,
    is_unreadable: bool,
    has_ended: bool,
}

impl Found {
    fn take(&mut self, record: &RecordView<'_>) {
        self.records += 1;
        self.last = record.time();
        self.has_ended = record.kind() == Kind::StreamEnd;
        // Any record can have the field; balances are what the records of the beginning bring.
        if record.kind() == Kind::Forward
            && let Some(part) = record.bytes(Field::Forward)
        {
            match self.forward.len() + part.len() <= FORWARD_LEN_MAX {
                true => self.forward.extend_from_slice(part),
                false => self.is_unreadable = true,
            }
        }
        // A call's grant, or the one that an act is about.
        let named = [Field::Grant, Field::Subject].map(|field| record.text(field));
        for grant in named.into_iter().flatten() {
            if grant.parse::<GrantId>().is_ok() && !self.grants.contains(grant) {
                self.grants.insert(grant.to_owned());
            }
        }
    }

    /// Takes in the grants whose balances stand in it; balances that cannot be read keep the stream, and no other.
    fn take_balances(&mut self) {
        let bytes = std::mem::take(&mut self.forward);
        if bytes.is_empty() {
            return;
        }
        let Ok(forward) = Forward::decode(&bytes) else {
            self.is_unreadable = true;
            return;
        };
        let used = forward.grants.iter().map(|used| &used.grant);
        let spent = forward.budgets.iter().map(|spent| &spent.grant);
        self.grants
            .extend(used.chain(spent).map(ToString::to_string));
    }
}

impl Node {
    /// The streams that have ended and are still here; drops those that need not be kept, if `drop` says so.
    ///
    /// # Errors
    /// `AUDIT_UNAVAILABLE` if the mirror does not cosign in time that one is dropped; `CLOCK_SET_BACK` or `CLOCK_SKEW` if the
    /// clock cannot be relied on; `INTERNAL` for files that cannot be read or removed.
    pub(crate) async fn past_streams(
        self: &Arc<Self>,
        drop: bool,
    ) -> Result<Vec<PastStream>, ErrorCode> {
        if drop {
            self.compare_clocks().await?;
        }
        let looking = Arc::clone(self);
        let looked = self.blocking.spawn_blocking(move || {
            if drop {
                remove_half_dropped(&looking.state).map_err(|error| {
                    tracing::error!(%error, "what is left of a past stream cannot be removed");
                    ErrorCode::Internal
                })?;
            }
            looking.look_at_past()
        });
        let found = looked.await.map_err(|_| ErrorCode::Internal)??;
        let now = self.facts().now();
        let mut streams = Vec::new();
        for (path, mut stream, until) in found {
            if drop && until.is_some_and(|until| until <= now) {
                self.drop_stream(&path, &stream).await?;
                stream.dropped = true;
            }
            streams.push(stream);
        }
        Ok(streams)
    }

    fn look_at_past(&self) -> Result<Vec<(PathBuf, PastStream, Option<Timestamp>)>, ErrorCode> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "the journal of a past stream cannot be read");
            ErrorCode::Internal
        };
        let paths = past_journals(&self.state).map_err(|error| failed(&error))?;
        let mut streams = Vec::new();
        for path in paths {
            let period = path.file_name().unwrap_or_default().to_string_lossy();
            let origin = format!("{}/{period}", place(self.journal.origin()));
            let found = self
                .read_stream(&origin, &path)
                .map_err(|error| failed(&error))?;
            let (unknown, until) = self.keep_until(&found);
            let stream = PastStream {
                origin,
                records: found.records,
                ended: found.last.to_string(),
                unknown_grants: unknown,
                keep_until: until.map(|until| until.to_string()),
                dropped: false,
            };
            streams.push((path, stream, until));
        }
        Ok(streams)
    }

    fn read_stream(&self, origin: &str, path: &Path) -> Result<Found, String> {
        let store = FileStore::open(path).map_err(|error| error.to_string())?;
        let mut found = Found::default();
        let limits = self.config.limits.journal();
        let read = read_past::<Intl>(
            origin,
            Arc::new(store),
            &limits,
            self.state.keys(),
            |record| {
                found.take(record);
            },
        );
        read.map_err(|error| error.to_string())?;
        found.take_balances();
        // Whatever is missing at its end could have asked for more time.
        if found.has_ended {
            Ok(found)
        } else {
            Err(format!("`{origin}` does not end with its end"))
        }
    }

    /// Grants of which nobody knows when they ended, and until when the stream is kept if there are none.
    fn keep_until(&self, found: &Found) -> (u64, Option<Timestamp>) {
        let view = self.facts();
        // Whatever is configured, it is never less than what the rule asks for each grant.
        let months = self.config.limits.stream_keep_months.max(GRANT_KEEP_MONTHS);
        let mut until = keep_until(found.last, months);
        let mut unknown = u64::from(found.is_unreadable);
        // Every grant that was in force before the stream ended may have had refusals in it, which name no grant.
        for grant in view.holdings().grants() {
            if grant.not_before <= found.last {
                until = until.max(keep_until(grant.not_after, GRANT_KEEP_MONTHS));
            }
        }
        for grant in &found.grants {
            let id: Option<GrantId> = grant.parse().ok();
            match id.and_then(|id| view.holdings().grant(&id)) {
                // A grant that was revoked earlier is kept as long as one that ran its term.
                Some(grant) => until = until.max(keep_until(grant.not_after, GRANT_KEEP_MONTHS)),
                None => unknown += 1,
            }
        }
        (unknown, (unknown == 0).then_some(until))
    }

    /// Compares the clock with the mirror's, by a record that it cosigns now: a clock that may be wrong drops nothing.
    async fn compare_clocks(&self) -> Result<(), ErrorCode> {
        let beat = Draft::new(Kind::Heartbeat);
        let recorded = self.journal.append_mirrored(beat, MIRROR_WAIT).await;
        if !matches!(recorded, Ok(Some(_))) {
            return Err(ErrorCode::AuditUnavailable);
        }
        match self.journal.clock_state() {
            ClockState::Good => Ok(()),
            ClockState::SetBack => Err(ErrorCode::ClockSetBack),
            ClockState::Skewed => Err(ErrorCode::ClockSkew),
        }
    }

    async fn drop_stream(&self, path: &Path, stream: &PastStream) -> Result<(), ErrorCode> {
        let mut draft = Draft::new(Kind::AuthorizationChange);
        draft.clear = Clear::default()
            .text(Field::Action, "stream_dropped")
            .text(Field::Subject, &stream.origin)
            .number(Field::Count, stream.records);
        let recorded = self.journal.append_mirrored(draft, MIRROR_WAIT).await;
        if !matches!(recorded, Ok(Some(_))) {
            return Err(ErrorCode::AuditUnavailable);
        }
        tracing::info!(
            origin = stream.origin,
            "the journal of a past stream is dropped"
        );
        let path = path.to_owned();
        let period = period(&stream.origin).to_owned();
        let removed = self.blocking.spawn_blocking(move || {
            // Renamed first: half of a journal is none, and would be in the way of the others.
            let dropped = path.with_file_name(format!("{period}{DROPPING}"));
            std::fs::rename(&path, &dropped)?;
            std::fs::remove_dir_all(dropped)
        });
        match removed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the journal of a past stream cannot be removed");
                Err(ErrorCode::Internal)
            }
            Err(_) => Err(ErrorCode::Internal),
        }
    }
}

#[cfg(test)]
mod tests;
