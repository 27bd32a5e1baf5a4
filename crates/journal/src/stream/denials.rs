//! Coalescing of refusals: the first of a party, code and product within a minute is recorded at once, the others of
//! that minute are counted and written as one record when it is over. A flood of refusals costs a few records.
//!
//! What counts as one code is what the caller is told. Otherwise the caller could tell by the time of the disk, which
//! only a first refusal waits for, which of two reasons with the same words it was.

use std::collections::HashMap;

use lingqu_core::call::Denial;
use lingqu_core::record::Draft;
use lingqu_core::{ErrorCode, PartyId, ProductId, Timestamp};
use tokio::sync::watch;

/// One party may have this part of all keys, so that its inventions cannot use up everybody's.
const PARTY_SHARE: usize = 16;

/// The refusals of the current minute.
pub(crate) struct Denials {
    kinds: HashMap<Key, Kind>,
    by_party: HashMap<PartyId, usize>,
    max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    party: PartyId,
    /// As it is told.
    code: ErrorCode,
    /// As it was asked for, whether there is one or not. None for requests that could not be read.
    product: Option<ProductId>,
}

struct Kind {
    /// By the reason for the record: as many as there are reasons that are told alike.
    reasons: Vec<Reason>,
    /// Whether the first is durable.
    durable: watch::Receiver<bool>,
}

struct Reason {
    /// The first of them.
    denial: Denial,
    /// Those that are in no record yet.
    count: u64,
}

impl Kind {
    fn count(&mut self, denial: &Denial) {
        let same = |reason: &&mut Reason| reason.denial.code() == denial.code();
        match self.reasons.iter_mut().find(same) {
            Some(reason) => reason.count += 1,
            None => self.reasons.push(Reason {
                denial: denial.clone(),
                count: 1,
            }),
        }
    }

    /// The records of what is in none yet, in the order of their codes.
    fn drafts(mut self) -> Vec<Draft> {
        self.reasons.sort_by_key(|reason| reason.denial.code());
        let open = self.reasons.iter().filter(|reason| reason.count > 0);
        open.map(|reason| reason.denial.draft(reason.count))
            .collect()
    }
}

/// What becomes of one refusal.
pub(crate) enum Noted {
    /// It is counted; the first of its kind may still be on its way to the disk.
    Counted(watch::Receiver<bool>),
    /// It is the first of its kind.
    First(watch::Sender<bool>),
    /// There are too many kinds, of this party or of all.
    Full,
}

impl Denials {
    pub(crate) fn new(max: usize) -> Denials {
        Denials {
            kinds: HashMap::new(),
            by_party: HashMap::new(),
            max,
        }
    }

    /// Counts `denial`, if one of its kind was recorded in this minute.
    pub(crate) fn note(&mut self, denial: &Denial, now: Timestamp) -> Noted {
        let key = key(denial, now);
        if let Some(kind) = self.kinds.get_mut(&key) {
            // A first one that was dropped on its way leaves the next one to be the first.
            if kind.durable.has_changed().is_ok() || *kind.durable.borrow() {
                kind.count(denial);
                return Noted::Counted(kind.durable.clone());
            }
            self.forget(&key);
        }
        let of_party = self.by_party.get(&key.party).copied().unwrap_or(0);
        if self.kinds.len() >= self.max || of_party >= self.max.div_ceil(PARTY_SHARE) {
            return Noted::Full;
        }
        let (sender, durable) = watch::channel(false);
        *self.by_party.entry(key.party.clone()).or_default() += 1;
        self.kinds.insert(
            key,
            Kind {
                reasons: vec![Reason {
                    denial: denial.clone(),
                    count: 0,
                }],
                durable,
            },
        );
        Noted::First(sender)
    }

    /// The records of the minutes before `now`, or of all, at most `max` of them; they are forgotten here.
    pub(crate) fn take_finished(&mut self, now: Option<Timestamp>, max: usize) -> Vec<Draft> {
        let current = now.map(minute);
        let mut finished: Vec<Key> = self
            .kinds
            .keys()
            .filter(|key| current != Some(key.minute))
            .cloned()
            .collect();
        // In order of time and name, so that what is written does not depend on a hash.
        finished.sort_by(|a, b| {
            (a.minute, &a.party, a.code, &a.product).cmp(&(b.minute, &b.party, b.code, &b.product))
        });
        let mut drafts = Vec::new();
        for key in finished {
            let reasons = self.kinds.get(&key).map_or(0, |kind| kind.reasons.len());
            // A frame has room for many more than one kind can have.
            if !drafts.is_empty() && drafts.len() + reasons > max {
                break;
            }
            if let Some(kind) = self.forget(&key) {
                drafts.extend(kind.drafts());
            }
        }
        drafts
    }

    fn forget(&mut self, key: &Key) -> Option<Kind> {
        let kind = self.kinds.remove(key)?;
        if let Some(of_party) = self.by_party.get_mut(&key.party) {
            *of_party -= 1;
            if *of_party == 0 {
                self.by_party.remove(&key.party);
            }
        }
        Some(kind)
    }
}

fn key(denial: &Denial, now: Timestamp) -> Key {
    Key {
        minute: minute(now),
        party: denial.caller().clone(),
        code: denial.told(),
        product: denial.product().cloned(),
    }
}

fn minute(now: Timestamp) -> i64 {
    now.unix_s().div_euclid(60)
}

#[cfg(test)]
mod tests;
