//! How often each subject was asked about within its window: a fold over the records, and reservations on top of it.
//!
//! A subject is known by a tag, which the node makes with a key that lasts as long as the window. The tag stands in the
//! record, so that the count is exact after any crash; once the key is gone it stands for nobody. A call counts in the
//! window in which it was decided, also if it is recorded after its end. Whether the register has the subject is not
//! known here, and changes nothing.

use std::collections::HashMap;
use std::time::Duration;

use lingqu_core::forward::SubjectAsked;
use lingqu_core::record::{Field, Kind, RecordView};
use lingqu_core::{ErrorCode, GrantId, Timestamp};
use lingqu_policy::SubjectLimit;

/// How long counts outlive their window: longer than any call that was decided within it is under way.
const GRACE: Duration = Duration::from_secs(600);

/// Whom a call is about, for its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectUse {
    /// Equal for calls about one subject of one resource within one window.
    pub tag: [u8; 16],
    /// First instant after the window.
    pub ends: Timestamp,
}

/// A call about a subject, under a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) subject: SubjectUse,
    pub(crate) grant: GrantId,
}

impl Asked {
    /// What a record says; nothing unless it is a call's that is counted.
    pub(crate) fn named(record: &RecordView<'_>) -> Option<Asked> {
        if record.kind() != Kind::Call {
            return None;
        }
        let tag = record.bytes(Field::SubjectTag)?.try_into().ok()?;
        let ends = i64::try_from(record.number(Field::SubjectWindowEnds)?).ok()?;
        Some(Asked {
            subject: SubjectUse {
                tag,
                ends: Timestamp(ends),
            },
            grant: record.text(Field::Grant)?.parse().ok()?,
        })
    }

    /// When nothing needs its count any more.
    fn forgotten_at(&self) -> Timestamp {
        self.subject.ends.plus(GRACE)
    }
}

/// The counts of all windows that are not long over.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    counts: HashMap<[u8; 16], Count>,
    /// Pairs of subject and grant that are counted.
    pairs: usize,
    pairs_max: usize,
    /// When the first of them can be forgotten.
    sweep_at: Timestamp,
}

/// Calls about one subject.
#[derive(Clone, Debug)]
struct Count {
    ends: Timestamp,
    all: Calls,
    /// Few grants ask about one subject.
    grants: Vec<(GrantId, Calls)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    recorded: u32,
    reserved: u32,
}

impl Calls {
    fn sum(self) -> u32 {
        self.recorded.saturating_add(self.reserved)
    }
}

impl Subjects {
    pub(crate) fn new(pairs_max: usize) -> Subjects {
        Subjects {
            counts: HashMap::new(),
            pairs: 0,
            pairs_max,
            sweep_at: Timestamp(i64::MAX),
        }
    }

    /// Takes one durable record into account.
    pub(crate) fn fold(&mut self, time: Timestamp, asked: Option<&Asked>) {
        if time >= self.sweep_at {
            self.sweep(time);
        }
        if let Some(asked) = asked.filter(|asked| asked.forgotten_at() > time) {
            self.each_count(asked, |calls| {
                calls.recorded = calls.recorded.saturating_add(1);
            });
        }
    }

    /// Reserves one call about a subject. Recorded and reserved ones count alike, so that any number of calls at the
    /// same time stay within the limit. Which of the two limits is reached is not told.
    pub(crate) fn reserve(
        &mut self,
        asked: &Asked,
        limit: SubjectLimit,
        last: Timestamp,
    ) -> Result<(), ErrorCode> {
        // A call that comes this late asks again, and finds the window after it.
        if asked.forgotten_at() <= last {
            return Err(ErrorCode::Overloaded);
        }
        let (all, of_grant) = match self.counts.get(&asked.subject.tag) {
            Some(count) => (count.all.sum(), count.of(&asked.grant).map(Calls::sum)),
            None => (0, None),
        };
        let of_grant_calls = of_grant.unwrap_or(0);
        if all >= limit.calls_max() || of_grant_calls >= limit.grant_calls_max() {
            return Err(ErrorCode::SubjectLimitReached);
        }
        if of_grant.is_none() && self.pairs >= self.pairs_max {
            return Err(ErrorCode::Overloaded);
        }
        self.each_count(asked, |calls| calls.reserved += 1);
        Ok(())
    }

    /// Ends a reservation: it was recorded, or given back before any data was touched.
    pub(crate) fn end_reservation(&mut self, asked: &Asked) {
        if self.counts.contains_key(&asked.subject.tag) {
            self.each_count(asked, |calls| {
                calls.reserved = calls.reserved.saturating_sub(1);
            });
        }
    }

    /// What is recorded of windows that still count at `time`, to be brought forward.
    pub(crate) fn forward(&self, time: Timestamp) -> Vec<SubjectAsked> {
        let current = self
            .counts
            .iter()
            .filter(|(_, count)| count.ends.plus(GRACE) > time);
        let mut asked: Vec<SubjectAsked> = current
            .map(|(tag, count)| SubjectAsked {
                tag: *tag,
                ends: count.ends,
                grants: count.recorded(),
            })
            .filter(|asked| !asked.grants.is_empty())
            .collect();
        asked.sort_unstable_by_key(|asked| asked.tag);
        asked
    }

    /// Takes over what another stream brings forward.
    pub(crate) fn bring(&mut self, asked: Vec<SubjectAsked>) {
        for SubjectAsked { tag, ends, grants } in asked {
            for (grant, recorded) in grants {
                let subject = SubjectUse { tag, ends };
                let one = Asked { subject, grant };
                self.each_count(&one, |calls| {
                    calls.recorded = calls.recorded.saturating_add(recorded);
                });
            }
        }
    }

    fn each_count(&mut self, asked: &Asked, change: impl Fn(&mut Calls)) {
        self.sweep_at = self.sweep_at.min(asked.forgotten_at());
        let count = self.counts.entry(asked.subject.tag).or_insert(Count {
            ends: asked.subject.ends,
            all: Calls::default(),
            grants: Vec::new(),
        });
        change(&mut count.all);
        let known = count.grants.iter_mut().find(|(id, _)| *id == asked.grant);
        match known {
            Some((_, calls)) => change(calls),
            None => {
                let mut calls = Calls::default();
                change(&mut calls);
                count.grants.push((asked.grant.clone(), calls));
                self.pairs += 1;
            }
        }
    }

    /// Forgets the counts of windows that are over.
    fn sweep(&mut self, now: Timestamp) {
        self.counts
            .retain(|_, count| count.all.reserved > 0 || count.ends.plus(GRACE) > now);
        self.pairs = self.counts.values().map(|count| count.grants.len()).sum();
        let ends = self.counts.values().map(|count| count.ends.plus(GRACE));
        // Those that are kept for a reservation alone are looked at again with the next window.
        self.sweep_at = ends
            .filter(|end| *end > now)
            .min()
            .unwrap_or(Timestamp(i64::MAX));
    }
}

impl Count {
    /// Calls on record per grant, by grant.
    fn recorded(&self) -> Vec<(GrantId, u32)> {
        let grants = self.grants.iter().filter(|(_, calls)| calls.recorded > 0);
        let mut recorded: Vec<_> = grants
            .map(|(grant, calls)| (grant.clone(), calls.recorded))
            .collect();
        recorded.sort_by(|a, b| a.0.cmp(&b.0));
        recorded
    }

    fn of(&self, grant: &GrantId) -> Option<Calls> {
        let known = self.grants.iter().find(|(id, _)| id == grant);
        known.map(|(_, calls)| *calls)
    }
}

#[cfg(test)]
mod tests;
