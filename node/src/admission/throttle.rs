//! Bounds per party, before anything of a call is read: calls at once, and refused calls per minute.
//!
//! A party that only ever gets refused can then neither fill the journal nor take the node from others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingqu_core::PartyId;

/// Most parties that are remembered; parties without running calls and with an old minute are forgotten first.
const PARTIES_MAX: usize = 10_000;

/// The bounds and the counts.
#[derive(Debug)]
pub struct Throttle {
    calls_max: usize,
    denials_max: u32,
    parties: Mutex<HashMap<PartyId, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    running: usize,
    minute: u64,
    denials: u32,
}

/// A place for one running call; given back on drop.
#[derive(Debug)]
pub struct Place {
    throttle: Arc<Throttle>,
    party: PartyId,
}

/// The party is over one of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBound;

impl Throttle {
    /// Bounds: calls of one party at once, refused calls of one party per minute.
    pub fn new(calls_max: usize, denials_max: u32) -> Arc<Throttle> {
        Arc::new(Throttle {
            calls_max,
            denials_max,
            parties: Mutex::new(HashMap::new()),
        })
    }

    /// Takes a place for a call of `party`; `at` is monotonic time.
    pub fn enter(self: &Arc<Self>, party: &PartyId, at: Duration) -> Result<Place, OverBound> {
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = at.as_secs() / 60;
        if parties.len() >= PARTIES_MAX && !parties.contains_key(party) {
            parties.retain(|_, counts| counts.running > 0 || counts.minute == minute);
            if parties.len() >= PARTIES_MAX {
                return Err(OverBound);
            }
        }
        let counts = parties.entry(party.clone()).or_default();
        counts.enter_minute(minute);
        if counts.running >= self.calls_max || counts.denials >= self.denials_max {
            return Err(OverBound);
        }
        counts.running += 1;
        Ok(Place {
            throttle: Arc::clone(self),
            party: party.clone(),
        })
    }

    /// Counts a refusal, or an explanation: what is recorded and costs its party nothing.
    pub fn denied(&self, party: &PartyId, at: Duration) {
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = parties.get_mut(party) {
            counts.enter_minute(at.as_secs() / 60);
            counts.denials = counts.denials.saturating_add(1);
        }
    }
}

impl Counts {
    fn enter_minute(&mut self, minute: u64) {
        if self.minute != minute {
            self.minute = minute;
            self.denials = 0;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut parties = self
            .throttle
            .parties
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = parties.get_mut(&self.party) {
            counts.running = counts.running.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_party_cannot_take_the_place_of_another() {
        let throttle = Throttle::new(1, 2);
        let (loud, quiet): (PartyId, PartyId) =
            ("party_a".parse().unwrap(), "party_b".parse().unwrap());
        let place = throttle.enter(&loud, Duration::ZERO).unwrap();
        assert!(throttle.enter(&loud, Duration::ZERO).is_err());
        assert!(throttle.enter(&quiet, Duration::ZERO).is_ok());
        drop(place);
        for _ in 0..2 {
            drop(throttle.enter(&loud, Duration::ZERO).unwrap());
            throttle.denied(&loud, Duration::ZERO);
        }
        assert!(throttle.enter(&loud, Duration::from_secs(59)).is_err());
        assert!(throttle.enter(&quiet, Duration::from_secs(59)).is_ok());
        assert!(throttle.enter(&loud, Duration::from_secs(60)).is_ok());
    }
}
