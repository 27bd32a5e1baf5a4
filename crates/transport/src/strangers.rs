//! The places of connections that have not shown a certificate yet.
//!
//! Whoever reaches the port can take one by saying nothing, so nobody may keep one from a newcomer: each source address
//! has a share, and where a share or the whole is full, an older connection gives way, a silent one first. Callers need
//! a place for as long as a handshake takes; silence keeps it only until others come.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::connection::{Connections, StrangerEnd};
use crate::limits::Limits;

/// Whose share a connection is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Source {
    V4(Ipv4Addr),
    /// The network of an IPv6 address: one host has all of its addresses.
    V6([u8; 8]),
}

impl From<SocketAddr> for Source {
    fn from(remote: SocketAddr) -> Self {
        // A listener for both versions shows IPv4 addresses as mapped ones, all of which lie in one IPv6 network.
        match remote.ip().to_canonical() {
            IpAddr::V4(address) => Source::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Source::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// The strangers of one listener, shared by cloning.
#[derive(Clone)]
pub(crate) struct Strangers {
    connections: Connections,
    max: usize,
    per_source_max: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    /// By number of arrival, so the first is the oldest.
    waiting: BTreeMap<u64, Waiting>,
    /// How many of `waiting` are from each source.
    shares: HashMap<Source, usize>,
    next: u64,
}

struct Waiting {
    source: Source,
    /// It has sent the first message of TLS whole.
    greeted: bool,
    given_up: CancellationToken,
}

impl Strangers {
    pub(crate) fn new(limits: &Limits, connections: Connections) -> Self {
        Strangers {
            connections,
            max: limits.strangers_max,
            per_source_max: limits.strangers_per_address_max,
            table: Arc::default(),
        }
    }

    /// A place for a connection that has just come from `remote`. There always is one: another gives way if need be.
    pub(crate) fn enter(&self, remote: SocketAddr) -> Place {
        let source = Source::from(remote);
        let mut table = self.table();
        let share = table.shares.get(&source).copied().unwrap_or(0);
        let (victim, why) = if share >= self.per_source_max {
            (table.oldest_of(source), Some(StrangerEnd::AddressShare))
        } else if table.waiting.len() >= self.max {
            let largest = table.largest_share();
            let victim = largest.and_then(|source| table.oldest_of(source));
            (victim, Some(StrangerEnd::AllPlaces))
        } else {
            (None, None)
        };
        if let Some(evicted) = victim.and_then(|number| table.remove(number)) {
            evicted.given_up.cancel();
        }
        let number = table.next;
        table.next += 1;
        let given_up = CancellationToken::new();
        let waiting = Waiting {
            source,
            greeted: false,
            given_up: given_up.clone(),
        };
        table.waiting.insert(number, waiting);
        *table.shares.entry(source).or_default() += 1;
        drop(table);
        self.connections.stranger_came();
        if let Some(why) = why {
            self.connections.count_stranger_end(why);
        }
        Place {
            strangers: self.clone(),
            number,
            given_up,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the lock, and a count that is off by one would only move a bound by one.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The oldest silent connection of `source`; if none is silent, its oldest.
    fn oldest_of(&self, source: Source) -> Option<u64> {
        let mut theirs = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.source == source);
        let oldest = theirs.next()?;
        if !oldest.1.greeted {
            return Some(*oldest.0);
        }
        let silent = theirs.find(|(_, waiting)| !waiting.greeted);
        Some(*silent.unwrap_or(oldest).0)
    }

    /// The source with most connections; among equals the one that has the oldest.
    fn largest_share(&self) -> Option<Source> {
        let largest = self.shares.values().copied().max()?;
        let mut oldest_first = self.waiting.values().map(|waiting| waiting.source);
        oldest_first.find(|source| self.shares.get(source) == Some(&largest))
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let removed = self.waiting.remove(&number)?;
        if let Some(share) = self.shares.get_mut(&removed.source) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&removed.source);
            }
        }
        Some(removed)
    }
}

/// A stranger's place, until it is dropped.
pub(crate) struct Place {
    strangers: Strangers,
    number: u64,
    given_up: CancellationToken,
}

impl Place {
    /// Completes when the place went to a newcomer.
    pub(crate) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// The connection has sent the first message of TLS: silent ones give way before it.
    pub(crate) fn greeted(&self) {
        if let Some(waiting) = self.strangers.table().waiting.get_mut(&self.number) {
            waiting.greeted = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.strangers.table().remove(self.number);
        self.strangers.connections.stranger_went();
    }
}

#[cfg(test)]
mod tests;
