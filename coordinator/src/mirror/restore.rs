//! From a base to the state that replay goes on from. Whatever does not hold stops the start.
//!
//! Nothing is believed that a signature or a root does not say: each tree has the root of its newest checkpoint, each
//! checkpoint the signature of the key that the registry has, or of our own, and each end of a stream the proof that it is
//! the last record. From the ends follow the streams that follow, as they do from the log itself.

use std::sync::Arc;

use lingqu_core::Region;
use lingqu_tlog::{Checkpoint, Intl, Note, leaf_hash, verify_inclusion};

use super::base::{Base, OfRegion, OfStream};
use super::files::Files;
use super::headlog::{HeadLog, HeadTip};
use super::kept::{Kept, KeptError};
use super::store::MirrorStage;
use super::streams::{Held, Tip, signed_checkpoint};
use super::succession::follower;
use super::witnesses::Published;
use crate::keys::stream_key;

/// Name of the own stream's entries that are kept apart.
pub(super) const OWN: &str = "own";

/// Why a base was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RestoreRefused {
    /// What it says of a head log is not what the coordinator signed.
    #[error("it does not fit the signed head log of region `{0}`")]
    HeadLog(Region),
    /// What is kept apart of the own stream or of a head log is not what it says.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// What it says of a stream is not what the stream's key signed and the mirror cosigned.
    #[error("it does not fit the signed stream `{0}`")]
    Stream(String),
    /// The registry does not know a stream of it.
    #[error("the stream `{0}` is not in the registry, which must be older than the mirror's log")]
    Unknown(String),
}

/// Name of a head log's leaves that are kept apart.
pub(super) fn heads_name(region: &Region) -> String {
    format!("heads-{region}")
}

impl MirrorStage {
    /// Takes what a base says, in the place of the frames before it.
    pub(super) fn restore(
        &mut self,
        base: &Base,
        files: &Arc<Files>,
    ) -> Result<(), RestoreRefused> {
        self.frame = base.start.frame;
        // The streams of a node follow each other in the order of their origins.
        for of in &base.streams {
            self.restore_stream(of)?;
        }
        for of in &base.regions {
            self.restore_region(of, files)?;
        }
        self.check_heads(base)?;
        let shared = Arc::clone(&self.shared);
        if let Some(of) = base.stream(&self.own.origin) {
            let size = (of.frontier.size(), base.own_bytes);
            let kept = Kept::open(files, OWN, size, of.frontier.root())?;
            if let Some(held) = shared.state_mut().held.get_mut(&self.own.origin) {
                held.kept = Some(kept);
            }
        }
        Ok(())
    }

    fn restore_stream(&mut self, of: &OfStream) -> Result<(), RestoreRefused> {
        let refused = || RestoreRefused::Stream(of.origin.clone());
        let stream = self.shared.stream(&of.origin);
        let stream = stream.ok_or_else(|| RestoreRefused::Unknown(of.origin.clone()))?;
        let (checkpoint, note) = signed_checkpoint(&stream, &of.note).map_err(|_| refused())?;
        let root = of.frontier.root();
        let cosigned = self.cosigned(note, of.taken);
        let is_signed = (checkpoint.size, checkpoint.root) == (of.frontier.size(), root)
            && cosigned.note.to_string() == of.note;
        let tip = Tip::of_base(of).filter(|_| is_signed).ok_or_else(refused)?;
        if let Some((entry, proof)) = tip.end() {
            let (last, size) = (checkpoint.size.saturating_sub(1), checkpoint.size);
            let leaf = leaf_hash::<Intl>(entry);
            verify_inclusion::<Intl>(leaf, last, size, root, proof).map_err(|_| refused())?;
            let next = follower(&stream, entry, &self.mirror_key()).ok_or_else(refused)?;
            self.shared.register(next);
        }
        if of.is_dropped && tip.end().is_none() {
            return Err(refused());
        }
        let held = Held {
            cosigned: Some(cosigned),
            sealed: of.sealed.clone(),
            headed: of.headed,
            heads: of.last_head.into_iter().collect(),
            end: tip.end().cloned().map(Arc::new),
            is_dropped: of.is_dropped,
            ..Held::new(stream.region.clone())
        };
        self.tips.insert(of.origin.clone(), tip);
        let shared = Arc::clone(&self.shared);
        shared.state_mut().held.insert(of.origin.clone(), held);
        Ok(())
    }

    fn restore_region(&mut self, of: &OfRegion, files: &Arc<Files>) -> Result<(), RestoreRefused> {
        let refused = || RestoreRefused::HeadLog(of.region.clone());
        let name = self.names.head_log(&of.region);
        let key = stream_key(&name, self.keys.head_log.public_key()).ok_or_else(refused)?;
        let note = Note::parse(&of.checkpoint).map_err(|_| refused())?;
        note.verify(&[key]).map_err(|_| refused())?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| refused())?;
        let root = of.frontier.root();
        let is_its = checkpoint.origin == name
            && (checkpoint.size, checkpoint.root) == (of.frontier.size(), root);
        if !is_its {
            return Err(refused());
        }
        let size = (checkpoint.size, of.bytes);
        let kept = Kept::open(files, &heads_name(&of.region), size, root)?;
        let frontier = of.frontier.clone();
        self.head_tips
            .insert(of.region.clone(), HeadTip::at(frontier.clone()));
        let region = of.region.clone();
        let mut log = HeadLog::of(region.clone(), Some(kept), frontier, of.checkpoint.clone());
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state_mut();
        if !state.is_witnessed {
            log.published = Some(Published {
                size: checkpoint.size,
                checkpoint: of.checkpoint.clone(),
                is_complete: true,
            });
        }
        state.logs.insert(region, log);
        Ok(())
    }

    /// Each stream's newest head must be about as many of its entries as are said to be covered.
    fn check_heads(&self, base: &Base) -> Result<(), RestoreRefused> {
        let state = self.shared.state();
        for of in &base.streams {
            let refused = || RestoreRefused::Stream(of.origin.clone());
            let Some(index) = of.last_head else {
                if of.headed == 0 {
                    continue;
                }
                return Err(refused());
            };
            let held = state.held.get(&of.origin).ok_or_else(refused)?;
            let log = state.logs.get(&held.region).ok_or_else(refused)?;
            let leaf = log.kept_leaf(index)?;
            let is_its = leaf.checkpoint.origin == of.origin && leaf.checkpoint.size == of.headed;
            if !is_its {
                return Err(refused());
            }
        }
        Ok(())
    }
}
