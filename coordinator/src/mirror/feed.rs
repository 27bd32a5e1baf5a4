//! What a regulator follows: the head logs of a region and everything below it, and the entries that each head adds.
//!
//! A page at a time: the follower holds one page of entries and its place in each head log, whatever the length of the
//! logs. It waits for changes, not for time. Everything that is sent was durable before, so that a subscriber who comes
//! back after a restart of either side, with the heads it has verified, misses nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::{ErrorCode, Region};
use tokio::sync::{mpsc, watch};

use super::Mirror;
use super::archive::{Archive, ArchiveError};
use super::headlog::{Head, HeadLog};

/// One message of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Entries of a stream, and in the last part of a head's span the head.
    Span {
        region: Region,
        head_index: u64,
        head: Vec<u8>,
        origin: String,
        first: u64,
        entries: Vec<Vec<u8>>,
    },
    /// A head whose entries were dropped, and with its stream's last head the proof of its end.
    Dropped {
        region: Region,
        head_index: u64,
        head: Vec<u8>,
        end: Vec<u8>,
    },
    /// Everything up to this checkpoint's size was sent.
    HeadLog { region: Region, checkpoint: String },
}

type Events = mpsc::Sender<Result<Event, ErrorCode>>;

/// A subscription that has begun.
pub(crate) struct Follower {
    mirror: Arc<Mirror>,
    region: Region,
    /// Heads of each region that the subscriber has.
    places: BTreeMap<Region, u64>,
}

/// How a subscription ends early.
enum End {
    Code(ErrorCode),
    Gone,
}

impl From<ErrorCode> for End {
    fn from(code: ErrorCode) -> End {
        End::Code(code)
    }
}

impl Follower {
    /// Begins a subscription to `region` after the heads in `resume`.
    ///
    /// # Errors
    /// [`ErrorCode::FeedResumeInvalid`] when a resume point lies beyond what exists, or is given twice;
    /// [`ErrorCode::RegionForbidden`] when it is for a region that is not followed.
    pub(crate) fn new(
        mirror: Arc<Mirror>,
        region: Region,
        resume: Vec<(Region, u64)>,
    ) -> Result<Follower, ErrorCode> {
        let mut places = BTreeMap::new();
        for (place, heads) in resume {
            if !region.covers(&place) {
                return Err(ErrorCode::RegionForbidden);
            }
            let size = mirror
                .shared
                .state()
                .logs
                .get(&place)
                .map_or(0, |log| log.size());
            if heads > size || places.insert(place, heads).is_some() {
                return Err(ErrorCode::FeedResumeInvalid);
            }
        }
        Ok(Follower {
            mirror,
            region,
            places,
        })
    }

    /// Sends everything there is and then, unless `until_current`, everything that comes.
    ///
    /// # Errors
    /// The code that whoever listens must be told, since not everything was sent; [`ErrorCode::Overloaded`] for one who
    /// takes nothing.
    pub(crate) async fn run(
        mut self,
        until_current: bool,
        events: Events,
    ) -> Result<(), ErrorCode> {
        match self.follow(until_current, &events).await {
            Ok(()) | Err(End::Gone) => Ok(()),
            Err(End::Code(code)) => Err(code),
        }
    }

    async fn follow(&mut self, until_current: bool, events: &Events) -> Result<(), End> {
        let mut changes = self.mirror.shared.changes();
        let mut closed: BTreeMap<Region, String> = BTreeMap::new();
        if until_current {
            self.settled(&mut changes).await?;
        }
        loop {
            // Seen before the state is read, so that a change in between wakes us again.
            changes.mark_unchanged();
            for (region, size, checkpoint) in self.current() {
                let place = self.places.get(&region).copied().unwrap_or(0);
                // After a restart witnesses are asked anew: until then the subscriber knows of more.
                if size < place {
                    continue;
                }
                for index in place..size {
                    self.send_head(&region, index, events).await?;
                    self.places.insert(region.clone(), index + 1);
                }
                // The same size again may come with cosignatures that it lacked.
                if closed.insert(region.clone(), checkpoint.clone()).as_ref() != Some(&checkpoint) {
                    self.send(Event::HeadLog { region, checkpoint }, events)
                        .await?;
                }
            }
            if until_current {
                return Ok(());
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| End::Gone)?,
                () = events.closed() => return Err(End::Gone),
            }
        }
    }

    /// The published head logs of the region and below, as they are now.
    fn current(&self) -> Vec<(Region, u64, String)> {
        let state = self.mirror.shared.state();
        let followed = state
            .logs
            .values()
            .filter(|log| self.region.covers(&log.region));
        let published = |log: &HeadLog| {
            let one = log.published.clone()?;
            Some((log.region.clone(), one.size, one.checkpoint))
        };
        followed.filter_map(published).collect()
    }

    /// Waits until everything that is in the head logs now is published: witnesses may still be asked.
    async fn settled(&self, changes: &mut watch::Receiver<u64>) -> Result<(), End> {
        let wanted: Vec<(Region, u64)> = {
            let state = self.mirror.shared.state();
            let followed = state.logs.values();
            let followed = followed.filter(|log| self.region.covers(&log.region));
            followed
                .map(|log| (log.region.clone(), log.size()))
                .collect()
        };
        let is_published = || {
            let state = self.mirror.shared.state();
            wanted.iter().all(|(region, size)| {
                let published = state
                    .logs
                    .get(region)
                    .and_then(|log| log.published.as_ref());
                published.map_or(0, |one| one.size) >= *size
            })
        };
        let patience = Duration::from_secs(self.mirror.limits.push_timeout_s);
        let waited = tokio::time::timeout(patience, async {
            loop {
                changes.mark_unchanged();
                if is_published() {
                    return Ok(());
                }
                changes.changed().await.map_err(|_| End::Gone)?;
            }
        });
        // Whoever asked for everything known now must not take less for it.
        waited.await.map_err(|_| ErrorCode::AuditUnavailable)?
    }

    async fn send_head(&self, region: &Region, index: u64, events: &Events) -> Result<(), End> {
        let (at, below) = (index, region.clone());
        let head = self.mirror.read(move |archive| archive.head(&below, at));
        let head = head.await?;
        let mut first = head.first;
        while first < head.size {
            let (entries, leaf) = match self.page(region, index, &head, first).await {
                Ok(page) => page,
                // Also when it happens between two parts of a span.
                Err(End::Code(ErrorCode::StreamPruned)) => {
                    return self.send_dropped(region, index, &head, events).await;
                }
                Err(end) => return Err(end),
            };
            let next = first + entries.len() as u64;
            let span = Event::Span {
                region: region.clone(),
                head_index: index,
                head: leaf,
                origin: head.origin.clone(),
                first,
                entries,
            };
            self.send(span, events).await?;
            first = next;
        }
        Ok(())
    }

    async fn send_dropped(
        &self,
        region: &Region,
        index: u64,
        head: &Head,
        events: &Events,
    ) -> Result<(), End> {
        let of = region.clone();
        let leaf = self.mirror.read(move |archive| archive.leaf(&of, index));
        let leaf = leaf.await?;
        let is_last = self.mirror.size(&head.origin) == head.size;
        let end = match is_last {
            true => self.mirror.end_text(&head.origin),
            false => String::new(),
        };
        let dropped = Event::Dropped {
            region: region.clone(),
            head_index: index,
            head: leaf,
            end: end.into_bytes(),
        };
        self.send(dropped, events).await
    }

    /// The next entries of a head's span, with the leaf if they are the last.
    async fn page(
        &self,
        region: &Region,
        index: u64,
        head: &Head,
        first: u64,
    ) -> Result<(Vec<Vec<u8>>, Vec<u8>), End> {
        let bytes_max = self.mirror.limits.chunk_bytes_max;
        let (region, head) = (region.clone(), head.clone());
        let page = move |archive: &Archive| -> Result<_, ArchiveError> {
            let entries = archive.entries(&head.origin, first, head.size, bytes_max)?;
            let is_last = first + entries.len() as u64 == head.size;
            let leaf = if is_last {
                archive.leaf(&region, index)?
            } else {
                Vec::new()
            };
            Ok((entries, leaf))
        };
        Ok(self.mirror.read(page).await?)
    }

    async fn send(&self, event: Event, events: &Events) -> Result<(), End> {
        let patience = Duration::from_secs(self.mirror.limits.push_timeout_s);
        match tokio::time::timeout(patience, events.send(Ok(event))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Code(ErrorCode::Overloaded)),
        }
    }
}

#[cfg(test)]
mod tests;
