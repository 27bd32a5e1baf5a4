//! Telling a node where it stands in the head log: the newest head of its stream that a published checkpoint covers,
//! with the proofs, so that it notices by itself if supervisors are shown less than what this mirror cosigns.
//!
//! The node says which checkpoint of the head log it accepted last. It is signed with our own key: if what is durable
//! here contradicts it, this coordinator has lost or changed its past (a backup, a copy that ran beside), and the region
//! is not published any more until a person has looked. It is the same as when a witness contradicts.

use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_core::head::HeadShown;
use lingqu_tlog::{Checkpoint, Note};
use tokio::sync::watch;

use super::Mirror;
use super::streams::Stream;

/// What one conversation tells its node of the head log.
pub(crate) struct Heads {
    mirror: Arc<Mirror>,
    stream: Arc<Stream>,
    published: watch::Receiver<u64>,
    /// The size of the checkpoint that the node has accepted; from it on it is shown that the log only grew.
    accepted: u64,
    told: Option<Told>,
}

/// What was said last.
struct Told {
    index: u64,
    checkpoint: String,
    /// Whether it came with enough cosignatures; if not, the same head is worth telling again.
    is_complete: bool,
}

/// A head that may be told, but for its leaf.
struct Found {
    told: Told,
    size: u64,
    shown: HeadShown,
}

impl Heads {
    /// For a node that accepted the signed `checkpoint` of the head log last, empty if none. Nothing for one whose
    /// checkpoint is none of ours or contradicts what is here: it must not be shown a second past.
    pub(crate) fn new(
        mirror: &Arc<Mirror>,
        stream: &Arc<Stream>,
        checkpoint: &str,
    ) -> Option<Heads> {
        let accepted = if checkpoint.is_empty() {
            0
        } else {
            heed(mirror, stream, checkpoint)?
        };
        Some(Heads {
            published: mirror.shared.published(),
            mirror: Arc::clone(mirror),
            stream: Arc::clone(stream),
            accepted,
            told: None,
        })
    }

    /// Waits until something was published that was not looked at.
    pub(crate) async fn changed(&mut self) {
        if self.published.changed().await.is_err() {
            // The mirror is gone; its other half ends the conversation.
            std::future::pending::<()>().await;
        }
    }

    /// What there is to tell now, if it is more than what was told.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`] when the leaf cannot be read back.
    pub(crate) async fn newest(&mut self) -> Result<Option<HeadShown>, ErrorCode> {
        // Seen before the state is read, so that a change in between is looked at again.
        self.published.mark_unchanged();
        let Some(mut found) = self.find() else {
            return Ok(None);
        };
        let region = self.stream.region.clone();
        let index = found.shown.index;
        let leaf = self
            .mirror
            .read(move |archive| archive.leaf(&region, index));
        found.shown.leaf = leaf.await?;
        self.accepted = found.size;
        self.told = Some(found.told);
        Ok(Some(found.shown))
    }

    fn find(&self) -> Option<Found> {
        let state = self.mirror.shared.state();
        let log = state.logs.get(&self.stream.region)?;
        let published = log.published.as_ref()?;
        // After a restart witnesses are asked anew: until then the node knows of more.
        if log.closed || published.size < self.accepted {
            return None;
        }
        let heads = &state.held.get(&self.stream.origin)?.heads;
        let covered = heads.partition_point(|index| *index < published.size);
        let index = *heads.get(covered.checked_sub(1)?)?;
        let is_told = self.told.as_ref().is_some_and(|told| {
            told.index == index && (told.is_complete || told.checkpoint == published.checkpoint)
        });
        if is_told {
            return None;
        }
        let shown = HeadShown {
            leaf: Vec::new(),
            index,
            proof: log.inclusion_proof(index, published.size)?,
            checkpoint: published.checkpoint.clone(),
            consistency: log.consistency_proof(self.accepted, published.size)?,
        };
        Some(Found {
            told: Told {
                index,
                checkpoint: published.checkpoint.clone(),
                is_complete: published.is_complete,
            },
            size: published.size,
            shown,
        })
    }
}

/// The size of a checkpoint of the region's head log that fits what is durable here.
fn heed(mirror: &Mirror, stream: &Stream, checkpoint: &str) -> Option<u64> {
    let (origin, region) = (&stream.origin, &stream.region);
    let key = mirror.head_log_key(region);
    let note = Note::parse(checkpoint).ok();
    let note = note.filter(|note| note.verify(std::slice::from_ref(&key)).is_ok());
    let claimed = note.and_then(|note| Checkpoint::parse(&note.text).ok());
    let claimed = claimed.filter(|claimed| claimed.origin == key.name().as_str());
    let Some(claimed) = claimed else {
        tracing::warn!(%origin, "the node names a checkpoint of the head log that this coordinator did not sign");
        return None;
    };
    let known = {
        let state = mirror.shared.state();
        let log = state.logs.get(region);
        log.and_then(|log| log.root_at(claimed.size))
    };
    if known == Some(claimed.root) || claimed.size == 0 {
        return Some(claimed.size);
    }
    tracing::error!(%region, %origin, size = claimed.size,
        "a node holds a checkpoint of the head log that contradicts it; the region is not published any more");
    mirror.shared.state_mut().close(region);
    None
}

#[cfg(test)]
mod tests;
