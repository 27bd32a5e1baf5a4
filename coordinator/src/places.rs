//! Places for what stays: a bounded number in all, and few for each peer, so that no peer can take them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lingqu_core::ErrorCode;

/// Places of one peer at a time. A peer that reconnects may for a while still hold those of its last connection.
const PER_PEER_MAX: usize = 4;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    max: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    peer: String,
}

impl Places {
    pub(crate) fn new(max: usize) -> Places {
        Places {
            max,
            taken: Arc::default(),
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when all are taken, or all that one peer may have.
    pub(crate) fn take(&self, peer: &str) -> Result<Place, ErrorCode> {
        let mut taken = self.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(peer).copied().unwrap_or(0);
        if all >= self.max || own >= PER_PEER_MAX {
            return Err(ErrorCode::Overloaded);
        }
        taken.insert(peer.to_owned(), own + 1);
        Ok(Place {
            places: self.clone(),
            peer: peer.to_owned(),
        })
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken().values().sum()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // Each change is one step, so the table is whole even if a holder panicked.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.peer) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_peer_takes_all_places_and_a_dropped_one_is_free_again() {
        let places = Places::new(6);
        let mut first: Vec<Place> = (0..4).map(|_| places.take("node_a").unwrap()).collect();
        assert_eq!(places.take("node_a").unwrap_err(), ErrorCode::Overloaded);
        let _second = places.take("node_b").unwrap();
        let _third = places.take("node_c").unwrap();
        assert_eq!(places.take("node_d").unwrap_err(), ErrorCode::Overloaded);
        first.pop();
        assert!(places.take("node_d").is_ok());
        drop(first);
        assert_eq!(places.taken().values().sum::<usize>(), 2);
    }
}
