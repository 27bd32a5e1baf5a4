//! The mirror's stage: decides, in one thread and in one order, what is added to which log, and tells it when it is
//! durable.
//!
//! `prepare` checks and collects facts, the committer makes them durable as one frame, `committed` cosigns and tells.
//! Replay after a start (`replay.rs`) hands the same facts through the same checks, so recovery is exercised by every
//! test that opens a mirror twice. Nothing is cosigned, told or published before its frame is durable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lingqu_core::record::{Draft, StreamId};
use lingqu_core::{Clock, Region, Timestamp};
use lingqu_journal::Stage;
use lingqu_tlog::{
    Checkpoint, Intl, Note, NoteSignature, VerifierKey, sign_cosignature, sign_note,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::archive::Location;
use super::frame::{self, Fact, StoredBatch, StoredHead, StoredHeadLog};
use super::headlog::{Head, HeadLog, HeadTip, Leaf};
use super::streams::{Cosigned, Held, Stream, TakeRefused, Tip, Verified, verify};
use super::succession::{Judge, follower};
use super::view::{Shared, State};
use super::witnesses::Published;
use crate::keys::{Keys, Names};

/// Bytes that one own act adds to a frame at most: every field of a record, and a checkpoint.
const OWN_ACT_WEIGHT: usize = 16 << 10;
/// Bytes that one head adds to a frame at most: its leaf, and its region's checkpoint.
pub(crate) const HEAD_WEIGHT: usize = 4 << 10;

/// What is queued for the committer. Each holds its place and its room in the bounded queue until it is answered.
pub(crate) struct Item {
    pub(crate) work: Work,
    pub(crate) _place: OwnedSemaphorePermit,
    /// Own acts and ticks are small and need none.
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

pub(crate) enum Work {
    /// A batch of a node's stream.
    Batch {
        stream: Arc<Stream>,
        batch: Box<Verified>,
        writer: u64,
        reply: oneshot::Sender<Result<Cosigned, Refused>>,
    },
    /// Acts of the coordinator, for its own stream; answered with the index of the first.
    Own {
        drafts: Vec<Draft>,
        reply: oneshot::Sender<u64>,
    },
    /// Time to publish new heads; answered with whether some are left for the next time.
    Tick { reply: oneshot::Sender<bool> },
}

impl Work {
    /// Bytes that it adds to a frame at most, which is also about what it takes of the memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Work::Batch { batch, .. } => {
                let entries: usize = batch.entries.iter().map(|entry| entry.len() + 4).sum();
                entries + HEAD_WEIGHT
            }
            Work::Own { drafts, .. } => drafts.len() * OWN_ACT_WEIGHT,
            // Bounded by `heads_max`, which the frame's size allows for.
            Work::Tick { .. } => 0,
        }
    }
}

/// A batch that was not taken, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) batch: Box<Verified>,
    pub(crate) refusal: Refusal,
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// See [`TakeRefused`].
    Take(TakeRefused),
    /// Another connection writes the stream now.
    Superseded,
}

/// See the module.
pub(crate) struct MirrorStage {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Keys,
    pub(crate) names: Names,
    pub(crate) shared: Arc<Shared>,
    pub(crate) own: Arc<Stream>,
    /// Most heads of one frame.
    pub(crate) heads_max: usize,
    // What the next batch or head must continue: ahead of `shared` by the frame that is on its way to the disk.
    pub(crate) tips: HashMap<String, Tip>,
    pub(crate) head_tips: BTreeMap<Region, HeadTip>,
    /// The facts of that frame.
    pub(crate) facts: Vec<Fact>,
    /// The number of that frame.
    pub(crate) frame: u64,
}

impl Stage for MirrorStage {
    type Item = Item;

    fn weight(item: &Item) -> usize {
        item.work.bytes()
    }

    fn prepare(&mut self, items: &mut Vec<Item>, payload: &mut Vec<u8>) {
        self.facts.clear();
        let mut ticked = None;
        for mut item in std::mem::take(items) {
            item.work = match item.work {
                Work::Batch {
                    stream,
                    mut batch,
                    writer,
                    reply,
                } => {
                    match self.take(&stream, &mut batch, writer) {
                        Ok(()) => Work::Batch {
                            stream,
                            batch,
                            writer,
                            reply,
                        },
                        Err(refusal) => {
                            // Whoever hung up does not need the answer.
                            let _ = reply.send(Err(Refused { batch, refusal }));
                            continue;
                        }
                    }
                }
                Work::Own { drafts, reply } => {
                    self.take_own(&drafts);
                    Work::Own { drafts, reply }
                }
                Work::Tick { reply } => {
                    let (added, more) = *ticked.get_or_insert_with(|| self.collect_heads());
                    if added == 0 {
                        let _ = reply.send(more);
                        continue;
                    }
                    Work::Tick { reply }
                }
            };
            items.push(item);
        }
        if !self.facts.is_empty() {
            frame::encode(&self.facts, payload);
        }
    }

    fn committed(&mut self, items: &mut Vec<Item>, _: &mut Vec<u8>) {
        // At this point the frame is durable. A crash from here on finds it at replay, which cosigns and tells the same.
        let facts = std::mem::take(&mut self.facts);
        let more = self.heads_left(&facts);
        let is_headed = facts.iter().any(|fact| matches!(fact, Fact::HeadLog(_)));
        let cosigned: Vec<Option<Cosigned>> = facts.iter().map(|fact| self.cosign(fact)).collect();
        let mut batches = cosigned.clone().into_iter().flatten();
        facts.iter().for_each(|fact| self.follow(fact));
        {
            let mut state = self.shared.state_mut();
            for (fact, cosigned) in facts.into_iter().zip(cosigned) {
                publish(&mut state, &self.shared, fact, cosigned, self.frame);
            }
        }
        self.frame += 1;
        self.shared.announce();
        if is_headed {
            self.shared.announce_published();
        }
        for item in items.drain(..) {
            // Whoever hung up does not need the answer.
            match item.work {
                Work::Batch { reply, .. } => {
                    if let Some(cosigned) = batches.next() {
                        let _ = reply.send(Ok(cosigned));
                    }
                }
                Work::Own { drafts, reply } => {
                    if let Some(cosigned) = batches.next() {
                        let _ = reply.send(cosigned.size - drafts.len() as u64);
                    }
                }
                Work::Tick { reply } => {
                    let _ = reply.send(more);
                }
            }
        }
    }
}

impl MirrorStage {
    /// A stage that nothing was added to.
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        keys: Keys,
        names: Names,
        (shared, own): (Arc<Shared>, Arc<Stream>),
    ) -> MirrorStage {
        MirrorStage {
            clock,
            keys,
            names,
            shared,
            own,
            heads_max: usize::MAX,
            tips: HashMap::new(),
            head_tips: BTreeMap::new(),
            facts: Vec::new(),
            frame: 0,
        }
    }

    fn take(&mut self, stream: &Stream, batch: &mut Verified, writer: u64) -> Result<(), Refusal> {
        if !self.shared.is_writer(&stream.origin, writer) {
            return Err(Refusal::Superseded);
        }
        self.continue_with(stream, batch).map_err(Refusal::Take)
    }

    /// Adds a batch to its stream's tip and to the frame, or leaves both as they are.
    fn continue_with(&mut self, stream: &Stream, batch: &mut Verified) -> Result<(), TakeRefused> {
        let roles = self.keys.roles();
        let is_taken = |key: &[u8]| {
            let is_role = roles.iter().any(|(_, role)| *role == key);
            is_role || self.shared.key_is_taken(key, Some(&stream.owner))
        };
        let judge = Judge {
            stream,
            is_taken: &is_taken,
        };
        let tip = self.tips.entry(stream.origin.clone()).or_default();
        let time = tip.take(batch, self.clock.now(), &judge)?;
        self.facts.push(Fact::Batch(StoredBatch {
            origin: stream.origin.clone(),
            first: batch.first,
            time,
            entries: std::mem::take(&mut batch.entries),
            checkpoint: batch.note.to_string(),
        }));
        Ok(())
    }

    /// Enters the stream that follows one which a durable batch has ended: from here on it can be opened.
    pub(super) fn follow(&self, fact: &Fact) {
        let Fact::Batch(batch) = fact else {
            return;
        };
        let ended = self.shared.stream(&batch.origin);
        let entry = batch.entries.last();
        let next = ended
            .zip(entry)
            .and_then(|(ended, entry)| follower(&ended, entry, &self.mirror_key()));
        if let Some(next) = next {
            tracing::info!(
                ended = batch.origin,
                begins = next.origin,
                "a stream has ended, and another one follows it"
            );
            self.shared.register(next);
        }
    }

    pub(super) fn mirror_key(&self) -> VerifierKey<Intl> {
        VerifierKey::cosignature(self.names.mirror(), self.keys.mirror.public_key())
            .expect("a key that a private key belongs to has full order")
    }

    /// Adds acts to the own stream. It goes the way of every other stream, the check of its signature included.
    fn take_own(&mut self, drafts: &[Draft]) {
        let own = Arc::clone(&self.own);
        let tip = self.tips.entry(own.origin.clone()).or_default();
        let id = StreamId::of::<Intl>(&own.origin);
        let first = tip.size();
        let mut time = tip.last_time();
        let mut entries = Vec::with_capacity(drafts.len());
        for (draft, index) in drafts.iter().zip(first..) {
            let now = self.clock.now();
            let next = time.map_or(now, |last| now.max(Timestamp(last.0 + 1)));
            time = Some(next);
            entries.push(draft.clone().at(id, index, next).encode::<Intl>());
        }
        let text = tip.checkpoint_after(&own.origin, &entries).to_text();
        let signature = sign_note::<Intl>(&text, own.log_key.name(), self.keys.log.as_ref())
            .expect("a checkpoint of our own origin is the text of a note");
        let note = Note {
            text,
            signatures: vec![signature],
        }
        .to_string();
        let mut batch = verify(&own, first, entries, &note)
            .expect("a batch made from our own drafts is right in itself");
        self.continue_with(&own, &mut batch)
            .expect("a batch made at the tip continues it");
    }

    /// Adds a head for every stream that has grown since its last one, up to `heads_max`, and signs the head logs that
    /// changed. Gives how many were added and whether some are left.
    fn collect_heads(&mut self) -> (usize, bool) {
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        let grown = state
            .held
            .iter()
            .filter(|(_, held)| held.size() > held.headed);
        let mut changed = BTreeMap::new();
        let mut added = 0;
        for (origin, held) in grown {
            // A stream that never finished its beginning would keep all who follow from keeping their state.
            if self.tips.get(origin).is_some_and(Tip::is_opening) {
                continue;
            }
            let Some(cosigned) = &held.cosigned else {
                continue;
            };
            if added == self.heads_max {
                return self.close_heads(changed, added, true);
            }
            let leaf = Leaf::encode(cosigned.taken, &cosigned.note);
            let index = self
                .head_tips
                .entry(held.region.clone())
                .or_default()
                .push(&leaf);
            let region = held.region.clone();
            changed.insert(region.clone(), ());
            self.facts.push(Fact::Head(StoredHead {
                region,
                index,
                leaf,
            }));
            added += 1;
        }
        self.close_heads(changed, added, false)
    }

    fn close_heads(
        &mut self,
        changed: BTreeMap<Region, ()>,
        added: usize,
        more: bool,
    ) -> (usize, bool) {
        for region in changed.into_keys() {
            let origin = self.names.head_log(&region);
            let tip = self.head_tips.entry(region.clone()).or_default();
            let checkpoint = tip.sign(&origin, self.keys.head_log.as_ref());
            self.facts
                .push(Fact::HeadLog(StoredHeadLog { region, checkpoint }));
        }
        (added, more)
    }

    /// Whether a tick had to leave heads for the next one.
    fn heads_left(&self, facts: &[Fact]) -> bool {
        let heads = facts.iter().filter(|fact| matches!(fact, Fact::Head(_)));
        heads.count() == self.heads_max
    }

    /// The mirror's statement about a batch: everything below its end is durable here. Called only for durable facts.
    fn cosign(&self, fact: &Fact) -> Option<Cosigned> {
        let Fact::Batch(batch) = fact else {
            return None;
        };
        let note =
            Note::parse(&batch.checkpoint).expect("the note was parsed before it was stored");
        Some(self.cosigned(note, batch.time))
    }

    pub(super) fn cosigned(&self, mut note: Note, taken: Timestamp) -> Cosigned {
        let checkpoint =
            Checkpoint::parse(&note.text).expect("the checkpoint was parsed before it was stored");
        let cosignature = self.cosignature(&note, taken);
        note.signatures.push(cosignature.clone());
        Cosigned {
            size: checkpoint.size,
            taken,
            note,
            cosignature,
        }
    }

    fn cosignature(&self, note: &Note, taken: Timestamp) -> NoteSignature {
        let unix_s = u64::try_from(taken.unix_s()).unwrap_or(0);
        sign_cosignature::<Intl>(
            &note.text,
            &self.names.mirror(),
            unix_s,
            self.keys.mirror.as_ref(),
        )
        .expect("a stored checkpoint can be cosigned at any time after 1970")
    }
}

/// Makes a durable fact visible. The one place that changes [`State`].
pub(super) fn publish(
    state: &mut State,
    shared: &Shared,
    fact: Fact,
    cosigned: Option<Cosigned>,
    location: Location,
) {
    match fact {
        Fact::Batch(batch) => {
            let Some(stream) = shared.stream(&batch.origin) else {
                return;
            };
            let held = state
                .held
                .entry(batch.origin)
                .or_insert_with(|| Held::new(stream.region.clone()));
            held.batches.push((batch.first, location));
            held.cosigned = cosigned;
        }
        Fact::Head(head) => {
            let leaf = Leaf::decode(&head.leaf).expect("the leaf was made or read by this program");
            let Checkpoint { origin, size, .. } = leaf.checkpoint;
            let Some(held) = state.held.get_mut(&origin) else {
                return;
            };
            let first = std::mem::replace(&mut held.headed, size);
            let log = state
                .logs
                .entry(head.region.clone())
                .or_insert_with(|| HeadLog::new(head.region));
            held.heads.push(log.size());
            let place = Head {
                origin,
                first,
                size,
                location: Some(location),
            };
            log.push(place, &head.leaf);
        }
        Fact::HeadLog(log) => {
            let is_witnessed = state.is_witnessed;
            if let Some(known) = state.logs.get_mut(&log.region) {
                known.checkpoint = log.checkpoint;
                if !is_witnessed {
                    known.published = Some(Published {
                        size: known.size(),
                        checkpoint: known.checkpoint.clone(),
                        is_complete: true,
                    });
                }
            }
        }
    }
}
