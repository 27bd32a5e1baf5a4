//! Streams that have ended: until when they must be kept, and giving up those that need not be any more.
//!
//! A stream may go when the months that the configuration says have passed since its end, and six calendar months since
//! the end of every grant that a record in it names or that was in force for its node while it was written. What is past
//! is judged by a time that this machine's clock and the nodes agree on: a clock that was set forward drops nothing. That
//! a stream goes is on record in the coordinator's own stream before a file is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lingqu_core::body::keep_until;
use lingqu_core::forward::{Forward, PART_LEN_MAX, PARTS_MAX};
use lingqu_core::grant::{GRANT_TYPE, Grant};
use lingqu_core::record::{Clear, Draft, Field, Kind, RecordView};
use lingqu_core::{ErrorCode, GrantId, NodeId, Timestamp};
use lingqu_proto::{decode_envelope, open};
use lingqu_tlog::Intl;
use serde::Serialize;

use super::Registry;
use super::objects::read;
use crate::config::GRANT_KEEP_MONTHS;
use crate::mirror::Mirror;
use crate::mirror::advance::AdvanceFailed;
use crate::mirror::prune::Ended;
use crate::own_stream::STREAM_DROPPED;
use crate::refusal::Refusal;

/// Objects of a node that are read at a time.
const PAGE: u32 = 256;
/// Most grants that are looked up for one stream. A node that names more, real or invented, keeps its stream.
const NAMED_MAX: usize = 65_536;
/// Most bytes of balances that a stream can be begun with.
const FORWARD_LEN_MAX: usize = PARTS_MAX as usize * PART_LEN_MAX;

/// A stream that has ended, and until when it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastStream {
    /// Its origin.
    pub origin: String,
    /// Records in it.
    pub records: u64,
    /// Root over them, in base 64.
    pub root: String,
    /// When this mirror cosigned its end, RFC 3339: what its last record says of the time is the node's word alone.
    pub ended: String,
    /// Grants that it names and the registry does not know: nobody knows when those ended, and it is kept. Balances that
    /// cannot be read count as one, and so do those of a node that is not enrolled here. Not counted for streams of
    /// another coordinator's nodes, which are kept for `mirrored_keep_months`.
    pub unknown_grants: u64,
    /// First instant at which it may be dropped, RFC 3339; before that of its own end, grants are not looked at. None
    /// while there are unknown grants, when it cannot be read, and when nothing is ever dropped here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<String>,
    /// What becomes of it.
    pub state: PastState,
}

/// What becomes of a past stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PastState {
    /// Its records were dropped, now or before.
    Dropped,
    /// It may go, and shares a segment of the log, or one before, with what must be kept or is still written.
    Held,
    /// It must be kept.
    Kept,
    /// It goes with `--drop`.
    Ready,
    /// It cannot be judged, and is kept; the reason was logged.
    Unreadable,
}

/// All past streams, and what the log takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastStreams {
    /// The streams, by origin.
    pub streams: Vec<PastStream>,
    /// The time by which it was judged, RFC 3339: this clock's, or an earlier one that nodes recorded last.
    pub judged_at: String,
    /// Segments of the log that go with what is ready, or went.
    pub segments: u64,
    /// Bytes of frames in them.
    pub bytes: u64,
}

/// What the records of a stream say about how long it is kept. The node wrote them: nothing in them is an error, it only
/// keeps the stream.
#[derive(Default)]
struct Named {
    grants: BTreeSet<String>,
    forward: Vec<u8>,
    /// More than can be looked up.
    is_too_much: bool,
}

impl Named {
    fn take(&mut self, entry: &[u8]) -> Option<()> {
        let record = RecordView::read::<Intl>(entry).ok()?;
        // Any record can have the field; balances are what the records of the beginning bring.
        if record.kind() == Kind::Forward
            && let Some(part) = record.bytes(Field::Forward)
        {
            match self.forward.len() + part.len() <= FORWARD_LEN_MAX {
                true => self.forward.extend_from_slice(part),
                false => self.is_too_much = true,
            }
        }
        // A call's grant, or the one that an act is about.
        for grant in [Field::Grant, Field::Subject].map(|field| record.text(field)) {
            if let Some(grant) = grant.filter(|grant| grant.parse::<GrantId>().is_ok()) {
                self.name(grant);
            }
        }
        Some(())
    }

    fn name(&mut self, grant: &str) {
        if self.grants.contains(grant) {
            return;
        }
        match self.grants.len() < NAMED_MAX {
            true => drop(self.grants.insert(grant.to_owned())),
            false => self.is_too_much = true,
        }
    }

    /// The grants, those whose balances were brought forward included, and how many there are at least of which nothing
    /// can be found out.
    fn all(mut self) -> (BTreeSet<String>, u64) {
        let mut unknown = 0;
        if !self.forward.is_empty() {
            match Forward::decode(&std::mem::take(&mut self.forward)) {
                Ok(forward) => {
                    let used = forward.grants.iter().map(|used| &used.grant);
                    let spent = forward.budgets.iter().map(|spent| &spent.grant);
                    used.chain(spent)
                        .for_each(|grant| self.name(grant.as_str()));
                }
                // Node and mirror compare digests alone: what a changed node has brought forward may be anything.
                Err(_) => unknown += 1,
            }
        }
        (self.grants, unknown + u64::from(self.is_too_much))
    }
}

/// Until when a stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// It cannot be judged.
    Unreadable,
    /// Unknown grants, and until when as far as the known ones say; nothing if nothing is dropped here.
    Until(u64, Option<Timestamp>),
}

impl Judged {
    fn unknown(self) -> u64 {
        match self {
            Judged::Unreadable => 0,
            Judged::Until(unknown, _) => unknown,
        }
    }

    fn until(self) -> Option<Timestamp> {
        match self {
            Judged::Until(0, until) => until,
            Judged::Until(..) | Judged::Unreadable => None,
        }
    }
}

impl Registry {
    /// The streams that have ended; gives up those that need not be kept, if `drop` says so.
    ///
    /// # Errors
    /// `RETENTION_NOT_ELAPSED` to drop where nothing is configured to be dropped; `AUDIT_UNAVAILABLE` when it cannot be
    /// put on record; `INTERNAL` for a log that cannot be read or written.
    pub(crate) async fn past_streams(&self, drop: bool) -> Result<PastStreams, Refusal> {
        if drop && self.limits.stream_keep_months.is_none() {
            return Err(ErrorCode::RetentionNotElapsed.into());
        }
        let now = self.agreed_time().await?;
        let ended = self.on_disk(Mirror::ended).await?;
        let (mut streams, may_go) = self.judged(&ended, now).await;
        let go = may_go.clone();
        let plan = self
            .on_disk(move |mirror| mirror.plan_to_prune(&go))
            .await?;
        for (stream, ended) in streams.iter_mut().zip(&ended) {
            stream.state = match plan.streams.contains(&stream.origin) {
                _ if ended.is_dropped => PastState::Dropped,
                true => PastState::Ready,
                false if may_go.contains(&stream.origin) => PastState::Held,
                false => stream.state,
            };
        }
        let found = PastStreams {
            streams,
            judged_at: now.to_string(),
            segments: plan.segments.len() as u64,
            bytes: plan.segments.iter().map(|sealed| sealed.used_bytes).sum(),
        };
        if !drop {
            return Ok(found);
        }
        self.record_drops(&ended, &plan.streams).await?;
        // At this point what goes is on record and durable. A crash from here on leaves it there or gone, never half.
        self.on_disk(move |mirror| mirror.prune(&plan)).await?;
        let mut dropped = found;
        for stream in &mut dropped.streams {
            if stream.state == PastState::Ready {
                tracing::info!(
                    origin = stream.origin,
                    "the records of a past stream are dropped"
                );
                stream.state = PastState::Dropped;
            }
        }
        Ok(dropped)
    }

    /// Each ended stream as it is judged, and those that may go.
    async fn judged(&self, ended: &[Ended], now: Timestamp) -> (Vec<PastStream>, BTreeSet<String>) {
        let mut streams = Vec::new();
        let mut may_go = BTreeSet::new();
        for ended in ended {
            // What is wrong with one stream keeps that one, and no other.
            let judged = self.keep_until(ended, now).await.unwrap_or_else(|refusal| {
                let origin = &ended.origin;
                tracing::error!(origin, code = %refusal.code, "a past stream cannot be judged");
                Judged::Unreadable
            });
            let is_past = judged.until().is_some_and(|until| until <= now);
            if is_past && ended.is_settled && !ended.is_dropped {
                may_go.insert(ended.origin.clone());
            }
            streams.push(PastStream {
                origin: ended.origin.clone(),
                records: ended.size,
                root: ended.root.to_base64(),
                ended: ended.at.to_string(),
                unknown_grants: judged.unknown(),
                keep_until: judged.until().map(|until| until.to_string()),
                state: match judged {
                    Judged::Unreadable => PastState::Unreadable,
                    Judged::Until(..) => PastState::Kept,
                },
            });
        }
        (streams, may_go)
    }

    /// The time that this clock has reached and nodes have too: the newest record of the second newest unit, since no
    /// single one is to move it, or of the only one.
    async fn agreed_time(&self) -> Result<Timestamp, Refusal> {
        let newest = self.on_disk(Mirror::newest_times).await?;
        Ok(heard(newest).map_or(Timestamp(0), |heard| heard.min(self.clock.now())))
    }

    async fn keep_until(&self, ended: &Ended, now: Timestamp) -> Result<Judged, Refusal> {
        let Some(months) = self.limits.stream_keep_months else {
            return Ok(Judged::Until(0, None));
        };
        // Another coordinator has filed its grants: nobody here knows when they end, but how long they can last.
        let least = match ended.is_anothers {
            true => self.limits.mirrored_keep_months,
            false => GRANT_KEEP_MONTHS,
        };
        let mut until = keep_until(ended.at, months.max(least));
        // Looking into a stream means reading all of it, which can change nothing before its own time.
        if until > now || ended.is_dropped || ended.is_anothers {
            return Ok(Judged::Until(0, Some(until)));
        }
        let Some(grants) = self.grants_of(&ended.owner).await? else {
            return Ok(Judged::Until(1, None));
        };
        for grant in grants {
            if grant.not_before <= ended.at {
                until = until.max(keep_until(grant.not_after, GRANT_KEEP_MONTHS));
            }
        }
        let (named, mut unknown) = self.named_in(ended).await?;
        for id in named {
            let versions = self.store.versions(GRANT_TYPE, &id).await?;
            if versions.is_empty() {
                unknown += 1;
            }
            for version in versions {
                // A grant that was revoked earlier is kept as long as one that ran its term.
                let grant: Grant = read(&version)?;
                until = until.max(keep_until(grant.not_after, GRANT_KEEP_MONTHS));
            }
        }
        Ok(Judged::Until(unknown, Some(until)))
    }

    /// Every filed grant, in each version, that concerns the node: a refusal may have named none. Nothing for a node that
    /// is not enrolled here.
    async fn grants_of(&self, owner: &str) -> Result<Option<Vec<Grant>>, Refusal> {
        let node = owner.parse::<NodeId>().ok();
        let directory = self.directory();
        let node = node.and_then(|id| directory.nodes.get(&id)).cloned();
        let Some(node) = node else {
            return Ok(None);
        };
        let (mut grants, mut after) = (Vec::new(), 0);
        loop {
            let page =
                self.store
                    .objects_concerning(node.id.as_str(), node.unit.as_str(), after, PAGE);
            let page = page.await?;
            for (seq, object) in &page {
                after = *seq;
                let envelope =
                    decode_envelope(&object.envelope).map_err(|_| ErrorCode::Internal)?;
                if envelope.payload_type == GRANT_TYPE {
                    grants.push(open(&envelope)?);
                }
            }
            if page.len() < PAGE as usize {
                return Ok(Some(grants));
            }
        }
    }

    /// The grants that the records of a stream name, and how many there are at least of which nothing can be found out.
    async fn named_in(&self, ended: &Ended) -> Result<(BTreeSet<String>, u64), Refusal> {
        let (origin, size) = (ended.origin.clone(), ended.size);
        let bytes_max = self.limits.chunk_bytes_max;
        let read = self.mirror.read(move |archive| {
            let mut named = Named::default();
            let mut next = 0;
            while next < size {
                let page = archive.entries(&origin, next, size, bytes_max)?;
                next += page.len() as u64;
                for entry in page {
                    let taken = named.take(&entry);
                    taken.ok_or(crate::mirror::archive::ArchiveError::Lost)?;
                }
            }
            Ok(named.all())
        });
        Ok(read.await?)
    }

    async fn record_drops(
        &self,
        ended: &[Ended],
        streams: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let going = ended.iter().filter(|ended| streams.contains(&ended.origin));
        let drafts: Vec<Draft> = going
            .map(|ended| {
                let mut draft = Draft::new(Kind::Control);
                draft.clear = Clear::default()
                    .text(Field::Action, STREAM_DROPPED)
                    .text(Field::Subject, &ended.origin)
                    .text(Field::Actor, self.id.as_str())
                    .number(Field::Count, ended.size)
                    .bytes(Field::ObjectDigest, &ended.root.0);
                draft
            })
            .collect();
        if !drafts.is_empty() {
            self.mirror.append_own(drafts).await?;
        }
        Ok(())
    }

    /// Works on the mirror's files where it holds nobody up.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Mirror) -> Result<T, AdvanceFailed> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mirror = Arc::clone(&self.mirror);
        let worked = self
            .mirror
            .tasks
            .spawn_blocking(move || work(&mirror))
            .await;
        match worked {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::error!(%error, "the front of the mirror's log cannot be given up");
                Err(ErrorCode::Internal.into())
            }
            Err(error) => {
                tracing::error!(%error, "a task on the mirror's log failed");
                Err(ErrorCode::Internal.into())
            }
        }
    }
}

/// The time that others have reached: of each unit the newest, and of these the second newest, or the only one.
fn heard(times: Vec<(String, Timestamp)>) -> Option<Timestamp> {
    let mut newest: BTreeMap<String, Timestamp> = BTreeMap::new();
    for (unit, time) in times {
        let of_unit = newest.entry(unit).or_insert(time);
        *of_unit = time.max(*of_unit);
    }
    let mut times: Vec<Timestamp> = newest.into_values().collect();
    times.sort_unstable_by(|one, other| other.cmp(one));
    times.get(1).or(times.first()).copied()
}

#[cfg(test)]
mod tests;
