//! What the mirrors have: their newest cosignatures, who waits for them, and how far they are behind.
//!
//! A checkpoint counts as mirrored when as many mirrors have cosigned it as the unit requires; until then each
//! cosignature is kept beside those of others over the same checkpoint ([`statements`]). That there are such checkpoints
//! at all is for [`marks`]. Everything here is in memory: after a restart the mirrors tell again
//! (`stream/reconcile.rs`).

mod lag;
pub(crate) mod marks;
mod statements;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use lingqu_core::Timestamp;
use lingqu_tlog::{Checkpoint, NoteSignature, Suite};
use tokio::sync::oneshot;

use self::lag::Lag;
use self::marks::Marks;
pub(crate) use self::statements::Cosigned;
use self::statements::Statements;
use super::coverage::Coverage;
use super::heads::CheckedHead;
use super::options::MirrorTerms;

/// Witnessed heads that wait for the other mirrors: as many as come while the slowest of them answers.
const HEADS_MAX: usize = 64;
/// How far the coordinator's clock and the node's may be apart.
const SKEW_MAX: Duration = Duration::from_secs(30);
/// The coordinator's mirror, which also shows the head log, and whose clock is compared.
pub(crate) const COORDINATOR: usize = 0;

pub(crate) struct Mirror {
    /// How each mirror stands, by its place in [`MirrorTerms`].
    each: Vec<Standing>,
    required: usize,
    /// Whether the journal is known to lack records that it once had, or may: then every mirror has to be heard.
    lost: bool,
    /// Witnessed heads whose checkpoints not enough mirrors have cosigned yet, the newest last.
    heads: VecDeque<CheckedHead>,
    statements: Statements,
    pub(crate) cosigned: Option<Cosigned>,
    pub(crate) marks: Marks,
    /// The coordinator's time in its newest cosignature that was not skewed.
    pub(crate) time_floor: Timestamp,
    pub(crate) skewed: bool,
    pub(crate) lag: Lag,
    /// Where the stream stands in the head log; nothing while none is followed.
    pub(crate) coverage: Option<Coverage>,
    /// The newest head that enough witnesses cosigned, over a checkpoint that enough mirrors did.
    witnessed: Option<(CheckedHead, Vec<NoteSignature>)>,
    /// Who waits for a cosignature, and who for a head that enough witnesses cosigned.
    cosignatures: Waiters,
    witnesses: Waiters,
}

/// How one mirror stands.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// Entries that it has cosigned.
    size: u64,
    connected: bool,
    /// Whether the journal was compared with it since the start.
    heard: bool,
    /// Whether it could not be reached since the start.
    was_away: bool,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The cosignatures of enough mirrors.
    Mirrored,
    /// A head log that covers the entry and that the pinned witnesses cosigned.
    Witnessed,
}

/// Those who wait until a number of entries has come somewhere.
#[derive(Default)]
struct Waiters {
    waiting: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    made: u64,
}

impl Waiters {
    fn wait(&mut self, index: u64) -> ((u64, u64), oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let key = (index, self.made);
        self.made += 1;
        self.waiting.insert(key, sender);
        (key, receiver)
    }

    /// Wakes those whose entry is below `size`.
    fn wake(&mut self, size: u64) {
        let waiting = self.waiting.split_off(&(size, 0));
        for (_, waiter) in std::mem::replace(&mut self.waiting, waiting) {
            // A waiter that has given up is gone.
            let _ = waiter.send(());
        }
    }
}

impl Mirror {
    pub(crate) fn new<S: Suite>(terms: &MirrorTerms<S>) -> Mirror {
        Mirror {
            each: vec![Standing::default(); terms.keys.len()],
            required: terms.required,
            lost: false,
            heads: VecDeque::new(),
            statements: Statements::default(),
            cosigned: None,
            marks: Marks::default(),
            time_floor: Timestamp::default(),
            skewed: false,
            lag: Lag::default(),
            coverage: None,
            witnessed: None,
            cosignatures: Waiters::default(),
            witnesses: Waiters::default(),
        }
    }

    /// Number of entries that enough mirrors have cosigned.
    pub(crate) fn size(&self) -> u64 {
        self.cosigned
            .as_ref()
            .map_or(0, |cosigned| cosigned.checkpoint.size)
    }

    /// Number of entries that this mirror has cosigned.
    pub(crate) fn size_of(&self, mirror: usize) -> u64 {
        self.each.get(mirror).map_or(0, |standing| standing.size)
    }

    /// Number of mirrors.
    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// Takes a mirror's verified cosignature `line` of our checkpoint in, whose own signature is `own`. Once enough have
    /// cosigned it, those are woken whose entry it covers. What is mirrored never moves back.
    pub(crate) fn advance(
        &mut self,
        mirror: usize,
        checkpoint: Checkpoint,
        (own, line): (NoteSignature, NoteSignature),
        now: Duration,
    ) {
        let size = checkpoint.size;
        if let Some(standing) = self.each.get_mut(mirror) {
            standing.size = standing.size.max(size);
        }
        let count = self.each.len();
        let statement = self.statements.take(checkpoint, own, (mirror, line), count);
        let Some(cosigned) = statement.filter(|one| one.mirrors() >= self.required) else {
            return;
        };
        if size >= self.size() {
            self.cosigned = Some(cosigned);
            if let Some(coverage) = &mut self.coverage {
                coverage.cosigned(size, now);
            }
            self.lag.mirrored(size);
            self.cosignatures.wake(size);
        }
        self.settle_head();
    }

    /// Whether enough mirrors can be reached.
    pub(crate) fn is_connected(&self) -> bool {
        let connected = self.each.iter().filter(|standing| standing.connected);
        connected.count() >= self.required
    }

    /// Whether all of them can, and none is behind what enough of them have.
    pub(crate) fn are_near(&self) -> bool {
        let size = self.size();
        let mut each = self.each.iter();
        each.all(|standing| standing.connected && standing.size >= size)
    }

    /// Whether this mirror can be reached.
    pub(crate) fn reaches(&self, mirror: usize) -> bool {
        let standing = self.each.get(mirror);
        standing.is_some_and(|standing| standing.connected)
    }

    pub(crate) fn set_connected(&mut self, mirror: usize, connected: bool) {
        if let Some(standing) = self.each.get_mut(mirror) {
            standing.connected = connected;
        }
        if mirror == COORDINATOR
            && !connected
            && let Some(coverage) = &mut self.coverage
        {
            coverage.interrupted();
        }
    }

    /// The journal lacks records, or cannot know that it does not.
    pub(crate) fn lost_something(&mut self) {
        self.lost = true;
    }

    pub(crate) fn may_have_lost(&self) -> bool {
        self.lost
    }

    /// This mirror was compared with the journal.
    pub(crate) fn heard(&mut self, mirror: usize) {
        if let Some(standing) = self.each.get_mut(mirror) {
            standing.heard = true;
        }
    }

    /// This mirror could not be reached.
    pub(crate) fn was_away(&mut self, mirror: usize) {
        if let Some(standing) = self.each.get_mut(mirror) {
            standing.was_away = true;
        }
    }

    /// Whether so many mirrors were heard that the journal can be written.
    ///
    /// Whoever signs over what only one of them has makes two histories, so all are heard as long as that costs nothing:
    /// where all are required, without the last of them nothing would leave anyway. Otherwise those are not waited for that
    /// were tried and are away, if one of every possible `required` is among the others. A journal that is known to have
    /// lost something waits for all.
    pub(crate) fn has_heard_enough(&self) -> bool {
        let heard = self.each.iter().filter(|standing| standing.heard).count();
        let known = self
            .each
            .iter()
            .all(|standing| standing.heard || standing.was_away);
        let crosses = heard + self.required > self.each.len();
        heard == self.each.len()
            || (self.required < self.each.len() && !self.lost && known && crosses)
    }

    /// Whether every mirror has cosigned exactly `size` entries.
    pub(crate) fn is_everywhere(&self, size: u64) -> bool {
        let cosigned = self.cosigned.as_ref();
        cosigned.is_some_and(|one| one.checkpoint.size == size && one.mirrors() == self.each.len())
    }

    /// Whether supervisors are shown what the mirrors cosigned. A node that follows no head log cannot tell, and goes on.
    /// Where other mirrors are enough, the coordinator may be away for as long as a record may be missing in the head log.
    pub(crate) fn is_headed(&self, now: Duration) -> bool {
        let is_there = self.reaches(COORDINATOR);
        let coverage = self.coverage.as_ref();
        coverage.is_none_or(|coverage| match is_there {
            true => coverage.is_fresh(now),
            false => coverage.was_fresh(now),
        })
    }

    /// The same for terms under which the mirror itself may be behind for so long.
    pub(crate) fn is_headed_within(&self, now: Duration, behind: Duration) -> bool {
        let coverage = self.coverage.as_ref();
        // Where other mirrors are enough, a node that restarts while the coordinator is away has seen no head yet: it
        // must not count the bound anew each time.
        let may_be_blind = self.required == self.each.len();
        coverage.is_none_or(|coverage| {
            coverage.is_within(now, behind) && (may_be_blind || coverage.was_seen())
        })
    }

    /// Compares the clocks, with a cosignature of the coordinator's mirror that was made just now.
    pub(crate) fn compare_clocks(&mut self, now: Timestamp, theirs: Timestamp) {
        self.skewed = now.since(theirs).max(theirs.since(now)) > SKEW_MAX;
        if !self.skewed {
            self.time_floor = self.time_floor.max(theirs);
        }
    }

    /// Compares the clocks with a cosignature of some time ago: it can only show that ours is behind.
    pub(crate) fn compare_past(&mut self, now: Timestamp, theirs: Timestamp) {
        if theirs.since(now) > SKEW_MAX {
            self.skewed = true;
        } else {
            self.time_floor = self.time_floor.max(theirs);
        }
    }

    /// Takes a checked head in, and wakes those whose entry witnesses have cosigned with it.
    pub(crate) fn headed(&mut self, head: CheckedHead) {
        if head.is_witnessed() {
            self.heads.push_back(head.clone());
            while self.heads.len() > HEADS_MAX {
                self.heads.pop_front();
            }
        }
        if let Some(coverage) = &mut self.coverage {
            coverage.headed(head);
        }
        self.settle_head();
    }

    /// Moves on to the newest witnessed head whose checkpoint enough mirrors have cosigned. The head's own leaf has the
    /// signatures of the stream and of the coordinator's mirror; what else stands beside them is counted by nobody.
    fn settle_head(&mut self) {
        let is_enough = |head: &CheckedHead| {
            let others = self.statements.others(head.covered(), COORDINATOR);
            1 + others.count() >= self.required
        };
        let Some(place) = self.heads.iter().rposition(is_enough) else {
            return;
        };
        let Some(head) = self.heads.drain(..=place).next_back() else {
            return;
        };
        let size = head.covered();
        let known = self
            .witnessed
            .as_ref()
            .map_or(0, |(head, _)| head.covered());
        if size < known {
            return;
        }
        let mut signatures = head.head().note.signatures.clone();
        if self.required > 1 {
            let others = self.statements.others(size, COORDINATOR);
            signatures.extend(others.cloned());
        }
        self.witnessed = Some((head, signatures));
        self.witnesses.wake(size);
    }

    /// The newest head that enough witnesses cosigned, and the signatures of the stream and of enough mirrors on its
    /// checkpoint, those of the head's leaf first.
    pub(crate) fn witnessed(&self) -> Option<&(CheckedHead, Vec<NoteSignature>)> {
        self.witnessed.as_ref()
    }

    /// Whether the newest head came with enough witnesses. While it did not, no call that needs them is begun.
    pub(crate) fn is_witnessed(&self) -> bool {
        let coverage = self.coverage.as_ref();
        coverage.is_some_and(Coverage::is_witnessed)
    }

    /// Number of entries that have come so far.
    pub(crate) fn reached(&self, awaited: Awaited) -> u64 {
        match awaited {
            Awaited::Mirrored => self.size(),
            Awaited::Witnessed => self.witnessed().map_or(0, |(head, _)| head.covered()),
        }
    }

    /// Registers a waiter for entry `index`.
    pub(crate) fn wait(
        &mut self,
        awaited: Awaited,
        index: u64,
    ) -> ((u64, u64), oneshot::Receiver<()>) {
        self.waiters_of(awaited).wait(index)
    }

    pub(crate) fn stop_waiting(&mut self, awaited: Awaited, key: (u64, u64)) {
        self.waiters_of(awaited).waiting.remove(&key);
    }

    pub(crate) fn drop_waiters(&mut self) {
        self.cosignatures.waiting.clear();
        self.witnesses.waiting.clear();
    }

    fn waiters_of(&mut self, awaited: Awaited) -> &mut Waiters {
        match awaited {
            Awaited::Mirrored => &mut self.cosignatures,
            Awaited::Witnessed => &mut self.witnesses,
        }
    }

    #[cfg(test)]
    pub(crate) fn waiters(&self) -> usize {
        self.cosignatures.waiting.len() + self.witnesses.waiting.len()
    }
}

#[cfg(test)]
mod tests;
