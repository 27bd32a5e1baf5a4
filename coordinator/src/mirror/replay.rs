//! Replay of the mirror's log after a start: every stored fact goes through the checks that it passed when it was new.
//!
//! Signatures alone are not verified again for each batch, which would make a start slow; instead every stream's newest
//! checkpoint is, and the Merkle root in it binds all entries before it. Whatever contradicts stops the start: a mirror
//! that is not what it cosigned must not go on.

use std::sync::Arc;

use lingqu_core::Region;
use lingqu_tlog::{Checkpoint, Note, NoteSignature};

use super::frame::{self, Fact, FrameMalformed, StoredBatch, StoredHead, StoredHeadLog};
use super::headlog::Leaf;
use super::store::{MirrorStage, publish};
use super::streams::{Cosigned, reread, signed_checkpoint};
use super::succession::Judge;

/// Why a stored log was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A frame is not one of a mirror's log.
    #[error(transparent)]
    Frame(#[from] FrameMalformed),
    /// A head or a head log checkpoint contradicts what is stored before it.
    #[error("the head log of region `{0}` contradicts the streams")]
    HeadLog(Region),
    /// A batch contradicts what is stored before it.
    #[error("the stream `{0}` contradicts itself")]
    Stream(String),
    /// The registry does not know a stream that the log holds: it was restored from an older state than the log.
    #[error("the stream `{0}` is not in the registry, which must be older than the mirror's log")]
    Unknown(String),
}

impl MirrorStage {
    /// Takes one stored frame: the same checks and the same effects as when it was new, but for signatures.
    pub(crate) fn replay(&mut self, payload: &[u8]) -> Result<(), ReplayError> {
        self.replay_facts(frame::decode(payload)?)?;
        self.frame += 1;
        Ok(())
    }

    /// The same, of a frame that was decoded.
    pub(super) fn replay_facts(&mut self, facts: Vec<Fact>) -> Result<(), ReplayError> {
        let shared = Arc::clone(&self.shared);
        for fact in facts {
            let cosigned = match &fact {
                Fact::Batch(batch) => Some(self.replay_batch(batch)?),
                Fact::Head(head) => {
                    self.replay_head(head)?;
                    None
                }
                Fact::HeadLog(log) => {
                    self.replay_head_log(log)?;
                    None
                }
            };
            self.follow(&fact);
            publish(&mut shared.state_mut(), &shared, fact, cosigned, self.frame);
        }
        Ok(())
    }

    fn replay_batch(&mut self, stored: &StoredBatch) -> Result<Cosigned, ReplayError> {
        let origin = &stored.origin;
        let contradiction = || ReplayError::Stream(origin.clone());
        let stream = self
            .shared
            .stream(origin)
            .ok_or_else(|| ReplayError::Unknown(origin.clone()))?;
        let batch = reread(
            &stream,
            stored.first,
            stored.entries.clone(),
            &stored.checkpoint,
        )
        .map_err(|_| contradiction())?;
        let tip = self.tips.entry(origin.clone()).or_default();
        let judge = Judge {
            stream: &stream,
            is_taken: &|_| false,
        };
        let taken = tip.take(&batch, stored.time, &judge);
        let taken = taken.map_err(|_| contradiction())?;
        if taken != stored.time {
            return Err(contradiction());
        }
        // Cosigning every batch again would make a start slow; `finish` cosigns the newest of each stream.
        let size = batch.end();
        let cosignature = NoteSignature {
            name: self.names.mirror(),
            id: 0,
            blob: Vec::new(),
        };
        Ok(Cosigned {
            size,
            taken,
            note: batch.note,
            cosignature,
        })
    }

    fn replay_head(&mut self, stored: &StoredHead) -> Result<(), ReplayError> {
        let contradiction = || ReplayError::HeadLog(stored.region.clone());
        let leaf = Leaf::decode(&stored.leaf).ok_or_else(contradiction)?;
        let state = self.shared.state();
        let held = state
            .held
            .get(&leaf.checkpoint.origin)
            .ok_or_else(contradiction)?;
        let size = leaf.checkpoint.size;
        let is_in_place = held.region == stored.region && held.headed < size && size <= held.size();
        let tip = self.head_tips.entry(stored.region.clone()).or_default();
        if !is_in_place || tip.push(&stored.leaf) != stored.index {
            return Err(contradiction());
        }
        Ok(())
    }

    fn replay_head_log(&mut self, stored: &StoredHeadLog) -> Result<(), ReplayError> {
        let contradiction = || ReplayError::HeadLog(stored.region.clone());
        let note = Note::parse(&stored.checkpoint).map_err(|_| contradiction())?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| contradiction())?;
        let tip = self.head_tips.entry(stored.region.clone()).or_default();
        if (checkpoint.size, checkpoint.root) != (tip.size(), tip.root()) {
            return Err(contradiction());
        }
        Ok(())
    }

    /// Ends the replay: every stream's newest checkpoint must be signed by the key the registry has for it, and is
    /// cosigned again. The signature is the one given before, since time and text are.
    pub(crate) fn finish(&mut self) -> Result<(), ReplayError> {
        let shared = Arc::clone(&self.shared);
        for (origin, held) in &mut shared.state_mut().held {
            let Some(cosigned) = held.cosigned.take() else {
                continue;
            };
            let contradiction = || ReplayError::Stream(origin.clone());
            let stream = shared
                .stream(origin)
                .ok_or_else(|| ReplayError::Unknown(origin.clone()))?;
            let (_, note) = signed_checkpoint(&stream, &cosigned.note.to_string())
                .map_err(|_| contradiction())?;
            held.cosigned = Some(self.cosigned(note, cosigned.taken));
        }
        Ok(())
    }
}
