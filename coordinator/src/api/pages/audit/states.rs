//! How far spans are proven, and names for the ids that stand in records.

use lingqu_core::{NodeId, PartyId, Region};

use super::super::view::{named, visible};
use super::words::SpanState;
use crate::api::grpc::Services;
use crate::mirror::view::State;
use crate::registry::Directory;

/// How far spans are proven.
pub(super) struct States<'a> {
    pub(super) services: &'a Services,
}

impl States<'_> {
    pub(super) fn span(&self, region: &Region, head: u64, origin: &str) -> SpanState {
        if self.is_contradicted(region) {
            return SpanState::Contradicted;
        }
        // A lock is never taken twice by one who reads: a writer may wait in between.
        let (closed, fault) = {
            let window = self.services.auditor.window();
            let closed = window.logs.get(region).map_or(0, |read| read.closed());
            let kept = window.streams.get(origin);
            (closed, kept.and_then(|kept| kept.fault))
        };
        match fault {
            Some((from, fault)) if head >= from => SpanState::Faulty(fault),
            _ if head >= closed => SpanState::Waiting,
            _ if self.is_witnessed(region, head) => SpanState::Witnessed,
            _ => SpanState::Checked,
        }
    }

    pub(super) fn is_contradicted(&self, region: &Region) -> bool {
        let is_faulty = {
            let window = self.services.auditor.window();
            window.logs.get(region).is_some_and(|read| read.is_faulty())
        };
        is_faulty || self.state().logs.get(region).is_some_and(|log| log.closed)
    }

    fn is_witnessed(&self, region: &Region, head: u64) -> bool {
        let state = self.state();
        let published = state
            .logs
            .get(region)
            .and_then(|log| log.published.as_ref());
        state.is_witnessed && published.is_some_and(|one| one.is_complete && head < one.size)
    }

    /// Spans of a region and below that were checked, those that wait, and whether anything does not hold.
    pub(super) fn spans_of(&self, region: &Region) -> (u64, u64, bool) {
        let window = self.services.auditor.window();
        let (mut checked, mut all, mut is_bad) = (0, 0, false);
        let state = self.state();
        for log in state.logs.values().filter(|log| region.covers(&log.region)) {
            let read = window.logs.get(&log.region);
            checked += read.map_or(0, |read| read.closed());
            all += log.size();
            is_bad |= log.closed || read.is_some_and(|read| read.is_faulty());
        }
        let streams = window.streams.values();
        let mut here = streams.filter(|kept| region.covers(&kept.stream.region));
        is_bad |= here.any(|kept| kept.fault.is_some());
        (checked, all - checked, is_bad)
    }

    fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.services.mirror.shared.state()
    }
}

/// Names for people, by id.
pub(super) struct Names<'a>(pub(super) &'a Directory);

impl Names<'_> {
    pub(super) fn party_of(&self, id: &str) -> String {
        let party = id.parse::<PartyId>().ok();
        let party = party.and_then(|id| self.0.parties.get(&id));
        named(&visible(id), party.map(|party| &party.display_name))
    }

    /// The name of whoever writes a stream.
    pub(super) fn owner(&self, id: &str) -> String {
        let node = id.parse::<NodeId>().ok();
        let node = node.and_then(|id| self.0.nodes.get(&id));
        named(&visible(id), node.map(|node| &node.display_name))
    }

    pub(super) fn unit_of(&self, owner: &str) -> String {
        let node = owner.parse::<NodeId>().ok();
        let node = node.and_then(|id| self.0.nodes.get(&id));
        node.map_or_else(|| "–".to_owned(), |node| self.party_of(node.unit.as_str()))
    }
}
