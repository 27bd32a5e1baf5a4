//! Giving up the front of the log: whole segments whose streams have all ended and need not be kept any more.
//!
//! What may go is the registry's affair ([`crate::registry`]); here is what can go, and how. A stream goes with the first
//! segment that has entries of it; what stays of it for ever is in the base: its tree's edge, its newest checkpoint with
//! both signatures, and its last record with the proof that it is the last. The new base is durable before a file is
//! removed, and whatever a crash leaves is removed at the next start.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use lingqu_core::Timestamp;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::RecordView;
use lingqu_journal::Sealed;
use lingqu_tlog::{Checkpoint, Hash, Intl};

use super::Mirror;
use super::advance::{AdvanceFailed, Keeping};
use super::archive::{Archive, ArchiveError};
use super::base::{Base, OfCourse};
use super::batches::Batches;
use super::view::Shared;

/// A stream that has ended and that another one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) origin: String,
    /// The typed id of the node that wrote it.
    pub(crate) owner: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// When this mirror cosigned its end: the last record's own time is the node's word, and one that was dated back would
    /// go before its time, one that was dated forward never.
    pub(crate) at: Timestamp,
    /// Whether another coordinator has enrolled its node.
    pub(crate) is_anothers: bool,
    /// Whether the stream that follows has begun, and the head log covers all of this one.
    pub(crate) is_settled: bool,
    pub(crate) is_dropped: bool,
}

/// What can go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The segments, from the first one on.
    pub(crate) segments: Vec<Sealed>,
    /// The streams with entries in them.
    pub(crate) streams: BTreeSet<String>,
}

impl Mirror {
    /// The streams that have ended and that another one follows, by origin. Blocking.
    ///
    /// # Errors
    /// [`AdvanceFailed`] when the log cannot be read.
    pub(crate) fn ended(&self) -> Result<Vec<Ended>, AdvanceFailed> {
        let streams = self.shared.streams().into_iter();
        let ended = streams.filter_map(|stream| {
            let next = self.shared.next_of(&stream.origin)?;
            Some((stream, next))
        });
        let ended = ended.map(|(stream, next)| {
            let origin = stream.origin.clone();
            let end = self.end_of(&origin)?;
            let begun = {
                let state = self.shared.state();
                state
                    .held
                    .get(&next.origin)
                    .is_some_and(|held| held.headed > 0)
            };
            Ok(Ended {
                owner: stream.owner.clone(),
                size: end.size,
                root: end.root,
                at: end.at,
                is_settled: begun && end.headed == end.size,
                is_dropped: end.is_dropped,
                is_anothers: stream.is_anothers,
                origin,
            })
        });
        ended.collect()
    }

    /// Time of the newest record of each stream that is there, but for the own one, and the unit that writes it; one
    /// that has ended counts too, as the next may not have begun. Blocking.
    ///
    /// # Errors
    /// [`AdvanceFailed`] when the log cannot be read.
    pub(crate) fn newest_times(&self) -> Result<Vec<(String, Timestamp)>, AdvanceFailed> {
        let mut times = Vec::new();
        for stream in self.shared.streams() {
            let size = self.size(&stream.origin);
            let is_there = size > 0 && !self.archive.is_dropped(&stream.origin);
            if is_there && stream.origin != self.own.origin {
                let time = last_time(&self.archive, &stream.origin, size)?;
                let unit = stream.unit.as_ref().map(|unit| unit.id.to_string());
                times.push((unit.unwrap_or_else(|| stream.owner.clone()), time));
            }
        }
        Ok(times)
    }

    /// What of the log can go if these streams may. Blocking.
    ///
    /// # Errors
    /// [`AdvanceFailed`].
    pub(crate) fn plan_to_prune(&self, may_go: &BTreeSet<String>) -> Result<Plan, AdvanceFailed> {
        let mut keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        keeping.advance(&self.shared, true)?;
        keeping.plan(may_go)
    }

    /// Gives up what was planned; that it is done must be on record. Blocking.
    ///
    /// # Errors
    /// [`AdvanceFailed`]. When the base could be written and files could not be removed, the next start removes them.
    pub(crate) fn prune(&self, plan: &Plan) -> Result<(), AdvanceFailed> {
        let mut keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        keeping.prune(&self.shared, plan)
    }

    /// The proof of a stream's last record, if it has ended before the base: what stays of a stream that was dropped.
    pub(crate) fn proven_end(&self, origin: &str) -> Option<Receipt> {
        let (note, end) = {
            let state = self.shared.state();
            let held = state.held.get(origin)?;
            let note = held.cosigned.as_ref()?.note.clone();
            (note, held.end.clone()?)
        };
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        Some(Receipt {
            head: None,
            entry: end.0.clone(),
            index: checkpoint.size.checked_sub(1)?,
            proof: end.1.clone(),
            checkpoint,
            signatures: note.signatures,
        })
    }

    /// The same as text; empty for a stream of which there is none.
    pub(crate) fn end_text(&self, origin: &str) -> String {
        let end = self.proven_end(origin);
        end.map_or_else(String::new, |end| end.to_text())
    }

    fn end_of(&self, origin: &str) -> Result<End, AdvanceFailed> {
        let state = self.shared.state();
        let held = state.held.get(origin).ok_or(ArchiveError::Lost)?;
        let cosigned = held.cosigned.as_ref().ok_or(ArchiveError::Lost)?;
        let checkpoint = Checkpoint::parse(&cosigned.note.text);
        Ok(End {
            size: held.size(),
            headed: held.headed,
            is_dropped: held.is_dropped,
            root: checkpoint.map_err(|_| ArchiveError::Lost)?.root,
            at: cosigned.taken,
        })
    }
}

struct End {
    size: u64,
    headed: u64,
    is_dropped: bool,
    root: Hash,
    at: Timestamp,
}

fn last_time(archive: &Archive, origin: &str, size: u64) -> Result<Timestamp, ArchiveError> {
    let last = size.checked_sub(1).ok_or(ArchiveError::Lost)?;
    let entries = archive.entries(origin, last, size, 1)?;
    let entry = entries.first().ok_or(ArchiveError::Lost)?;
    let record = RecordView::read::<Intl>(entry).map_err(|_| ArchiveError::Lost)?;
    Ok(record.time())
}

impl Keeping {
    fn base(&self) -> Result<Base, AdvanceFailed> {
        let based = Base::load(&self.files, self.log, &self.own.log_key)?;
        Ok(based.unwrap_or_default().0)
    }

    /// The segments at the front of which every stream may go, as the segments themselves say: an index is no reason to
    /// remove anything.
    fn plan(&mut self, may_go: &BTreeSet<String>) -> Result<Plan, AdvanceFailed> {
        let base = self.base()?;
        // What an earlier run could not remove.
        self.archive.reader.drop_before(base.front())?;
        let goes = |origin: &str| {
            let of = base.stream(origin);
            let is_over = |of: &super::base::OfStream| {
                of.is_dropped
                    || (may_go.contains(origin) && matches!(of.course, OfCourse::Ended(..)))
            };
            origin == self.own.origin || of.is_some_and(is_over)
        };
        let mut plan = Plan::default();
        let ends = base
            .start
            .sealed
            .iter()
            .skip(1)
            .map(|next| next.first_frame);
        let ends = ends.chain([base.start.frame]);
        for (sealed, end) in base.start.sealed.iter().zip(ends) {
            let batches = Batches::scan(sealed, end, &self.archive.reader)?;
            if !batches.firsts().all(|(origin, _)| goes(origin)) {
                break;
            }
            let here = batches.firsts().map(|(origin, _)| origin.to_owned());
            let is_new = |origin: &String| {
                let of = base.stream(origin);
                *origin != self.own.origin && of.is_some_and(|of| !of.is_dropped)
            };
            plan.streams.extend(here.filter(is_new));
            plan.segments.push(*sealed);
        }
        Ok(plan)
    }

    fn prune(&mut self, live: &Shared, plan: &Plan) -> Result<(), AdvanceFailed> {
        let Some(last) = plan.segments.last() else {
            return Ok(());
        };
        let front = last.segment + 1;
        let mut base = self.base()?;
        for of in &mut base.streams {
            if plan.streams.contains(&of.origin) {
                of.is_dropped = true;
                of.sealed = Vec::new();
            }
            // The segments said so, or it would not be planned; what contradicts them removes nothing.
            let first = of.sealed.first();
            let has_ended = matches!(of.course, OfCourse::Ended(..));
            if first.is_some_and(|(_, segment)| *segment < front) || (of.is_dropped && !has_ended) {
                return Err(ArchiveError::Lost.into());
            }
        }
        base.start.sealed.retain(|sealed| sealed.segment >= front);
        let signer = self.keys.log.as_ref();
        self.base_len = base.store(&self.files, self.log, &self.own.log_key, signer)?;
        // From here on nobody needs the segments: a start begins without them, and removes what is left of them.
        {
            let mut state = live.state_mut();
            for origin in &plan.streams {
                if let Some(held) = state.held.get_mut(origin) {
                    held.is_dropped = true;
                    held.sealed = Vec::new();
                }
            }
        }
        self.archive.reader.drop_before(front)?;
        for sealed in &plan.segments {
            self.files.remove(&Batches::name(sealed.segment))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
