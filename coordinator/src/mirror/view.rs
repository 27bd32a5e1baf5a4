//! What the committer's thread and everybody else share: the known streams, who writes them, and what is durable.
//!
//! Only the committer's thread writes [`State`]; readers take the lock for the time of a lookup.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use lingqu_core::Region;
use tokio::sync::watch;

use super::headlog::HeadLog;
use super::streams::{Held, Stream};
use super::witnesses::Published;

/// The shared part of a mirror.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    streams: RwLock<Streams>,
    writers: Mutex<HashMap<String, watch::Sender<u64>>>,
    state: RwLock<State>,
    version: watch::Sender<u64>,
    /// Changes less often than `version`: only when a head log's published checkpoint did.
    published: watch::Sender<u64>,
}

/// The known streams.
#[derive(Debug, Default)]
struct Streams {
    by_origin: HashMap<String, Arc<Stream>>,
    /// Of each stream that has ended, the origin of the one that follows.
    next: HashMap<String, String>,
}

/// What is durable, and so may be told.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) held: BTreeMap<String, Held>,
    pub(crate) logs: BTreeMap<Region, HeadLog>,
    /// Whether witnesses are asked before a head log's checkpoint is published.
    pub(crate) is_witnessed: bool,
}

impl State {
    /// Publishes a checkpoint of a region's head log, unless a newer one is, or the region is closed.
    pub(crate) fn publish(&mut self, region: &Region, published: Published) {
        if let Some(log) = self.logs.get_mut(region)
            && !log.closed
            && log.published.as_ref().map_or(0, |one| one.size) <= published.size
        {
            log.published = Some(published);
        }
    }

    /// Publishes nothing more of a region.
    pub(crate) fn close(&mut self, region: &Region) {
        if let Some(log) = self.logs.get_mut(region) {
            log.closed = true;
        }
    }
}

impl Shared {
    /// Enters a stream; a second entry of the same origin changes nothing.
    pub(crate) fn register(&self, stream: Stream) -> Arc<Stream> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &stream.follows {
            let (ended, next) = (before.origin.clone(), stream.origin.clone());
            streams.next.entry(ended).or_insert(next);
        }
        let origin = stream.origin.clone();
        match streams.by_origin.get(&origin) {
            // One that was entered by hand, and whose stream before ended here as well: now more is known of it.
            Some(known) if known.follows.is_some() || stream.follows.is_none() => Arc::clone(known),
            Some(_) | None => {
                let entered = Arc::new(stream);
                streams.by_origin.insert(origin, Arc::clone(&entered));
                entered
            }
        }
    }

    /// The stream with this origin.
    pub(crate) fn stream(&self, origin: &str) -> Option<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.by_origin.get(origin).map(Arc::clone)
    }

    /// The stream that follows this one, which has ended then.
    pub(crate) fn next_of(&self, origin: &str) -> Option<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let next = streams.next.get(origin)?;
        streams.by_origin.get(next).map(Arc::clone)
    }

    /// The stream of this origin and all that follow it, the newest last.
    pub(crate) fn lineage(&self, origin: &str) -> Vec<Arc<Stream>> {
        let mut lineage: Vec<Arc<Stream>> = self.stream(origin).into_iter().collect();
        // Periods only grow, so that a stream never follows itself.
        while let Some(next) = lineage.last().and_then(|last| self.next_of(&last.origin)) {
            lineage.push(next);
        }
        lineage
    }

    /// Every known stream, by origin.
    pub(crate) fn streams(&self) -> Vec<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = streams.by_origin.values().map(Arc::clone).collect();
        all.sort_by(|one, other| one.origin.cmp(&other.origin));
        all
    }

    /// Whether a unit signs its orders with this key, or somebody else than `owner` signs a stream with it.
    pub(crate) fn key_is_taken(&self, public_key: &[u8], owner: Option<&str>) -> bool {
        let streams = self.streams();
        let state = self.state();
        streams.iter().any(|stream| {
            let unit = stream.unit.as_ref();
            let is_units = unit.is_some_and(|unit| unit.approval_key == public_key);
            let is_anothers = owner.is_none_or(|owner| owner != stream.owner);
            // That an end names a key shows nothing of who has it: only what was written with it does. Otherwise a unit
            // could name the next key of another, which its order tells, and so keep that one from ending its stream.
            let is_only_named =
                stream.follows.is_some() && !state.held.contains_key(&stream.origin);
            let is_its = stream.log_key.public_key() == public_key;
            is_units || (is_anothers && is_its && !is_only_named)
        })
    }

    /// Makes the caller the writer of a stream. Whoever wrote it before learns so from its own receiver, and its batches
    /// are refused from now on.
    pub(crate) fn take_over(&self, origin: &str) -> (u64, watch::Receiver<u64>) {
        let mut writers = self.writers();
        let writer = writers.entry(origin.to_owned()).or_default();
        writer.send_modify(|number| *number += 1);
        let receiver = writer.subscribe();
        let number = *receiver.borrow();
        (number, receiver)
    }

    /// Whether `writer` still writes the stream.
    pub(crate) fn is_writer(&self, origin: &str, writer: u64) -> bool {
        self.writers()
            .get(origin)
            .is_some_and(|current| *current.borrow() == writer)
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who waits that there is something new.
    pub(crate) fn announce(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Changes whenever [`State`] did.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Tells whoever waits for it that a head log's published checkpoint is another.
    pub(crate) fn announce_published(&self) {
        self.published.send_modify(|version| *version += 1);
    }

    /// Changes whenever a published checkpoint did.
    pub(crate) fn published(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    fn writers(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
