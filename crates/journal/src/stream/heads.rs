//! The node's own head in the head log: what is believed of it, and what a node that does not see it may still answer.
//!
//! The coordinator shows the newest head of this stream in its region's head log, with proofs and the head log's signed
//! checkpoint. It counts when the pinned key signed the checkpoint, the checkpoint extends the one accepted before, the
//! leaf is in it, and the leaf is a checkpoint of this very stream with this node's and the mirror's signatures. Checking
//! and taking are two steps, so that the node makes durable what it accepts in between: it never goes back behind it.

use std::time::Duration;

use lingqu_core::head::{Head, HeadShown, head_log_of};
use lingqu_core::receipt::HeadProof;
use lingqu_tlog::{
    Checkpoint, KeyKind, NotAccepted, Note, Policy, Suite, VerifierKey, leaf_hash,
    verify_consistency, verify_inclusion,
};

use super::Journal;
use super::coverage::Coverage;
use super::mirror::COORDINATOR;
use super::reconcile::{ReconcileRefused, check, root_at};
use super::state::Phase;

/// Which head log is followed, and how closely.
#[derive(Clone, Debug)]
pub struct HeadTerms<S: Suite> {
    /// The head log's key, as the unit pinned it; its name is the head log's origin.
    pub key: VerifierKey<S>,
    /// Longest that a cosigned record may be missing in the head log before no call is begun under `Mirrored` terms.
    pub lag: Duration,
    /// The witnesses and their quorum, without whom nothing is released under `Witnessed` terms; none if the unit pinned
    /// none.
    pub witnesses: Option<Policy<S>>,
    /// The checkpoint of the head log that an earlier run accepted last, as [`CheckedHead::checkpoint`] gave it.
    pub accepted: Option<String>,
}

/// Why a head log is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadTermsRefused {
    /// What an earlier run accepted is not signed by the pinned key: the key is another one now, or the file was
    /// changed.
    #[error("what was accepted of the head log before is not signed by its pinned key")]
    Accepted,
    /// The key is a cosigner's, that of another role, or of another head log than this stream's.
    #[error("the head log's key is not a log key of its own for the region of this stream")]
    Key,
    /// It is followed already.
    #[error("the head log is followed already")]
    Twice,
    /// The witnesses ask for nobody's cosignature, name logs too, or have the key of another role.
    #[error("the witnesses must be a quorum of keys of their own, without a log")]
    Witnesses,
}

/// Why what is shown of the head log does not count. Nothing has changed, unless it is a contradiction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadRefused {
    /// Not a checkpoint of the followed head log.
    #[error("not a checkpoint of the head log of this node's region")]
    Checkpoint,
    /// Another root for a size that was accepted before: the head log signed two histories.
    #[error("the head log shows another history of the size that was accepted before")]
    Forked,
    /// The leaf is not in the checkpoint's tree at its index.
    #[error("the head is not in the head log")]
    Inclusion,
    /// The leaf is no cosigned checkpoint of this stream.
    #[error("the head is not a checkpoint of this stream with both signatures")]
    Leaf,
    /// The proof does not show that the head log was only extended since the accepted checkpoint.
    #[error("the head log does not extend what was accepted before")]
    NotExtended,
    /// No head log is followed.
    #[error("no head log is followed")]
    NotFollowed,
    /// The head covers less than one that was shown before.
    #[error("the head is older than the one before it")]
    Older,
    /// The head log's own signature is missing or wrong, or that of a known witness is wrong.
    #[error(
        "the checkpoint is not signed by the pinned key of the head log, or a witness's cosignature is wrong"
    )]
    Signature,
    /// The head holds another history of this stream, signed with this node's key. The journal is closed.
    #[error("the head log holds another history signed with this node's key")]
    StreamForked,
    /// The journal could not be read back.
    #[error("the journal cannot be read")]
    Unreadable,
    /// The checkpoint is smaller than the one that was accepted before.
    #[error("the head log went back behind what was accepted before")]
    WentBack,
}

impl HeadRefused {
    /// Whether the head log contradicts what it, or this node, signed before: a person must look.
    #[must_use]
    pub fn is_contradiction(self) -> bool {
        match self {
            HeadRefused::Forked
            | HeadRefused::NotExtended
            | HeadRefused::StreamForked
            | HeadRefused::WentBack => true,
            HeadRefused::Checkpoint
            | HeadRefused::Inclusion
            | HeadRefused::Leaf
            | HeadRefused::NotFollowed
            | HeadRefused::Older
            | HeadRefused::Signature
            | HeadRefused::Unreadable => false,
        }
    }
}

/// A head that everything was checked of. It counts once [`Journal::take_head`] has it.
#[derive(Clone, Debug)]
pub struct CheckedHead {
    head: Head,
    /// The leaf's place in the head log, and the checkpoint as it was shown.
    place: HeadProof,
    /// That checkpoint, read.
    head_log: Checkpoint,
    /// Whether enough witnesses have cosigned it.
    is_witnessed: bool,
}

impl CheckedHead {
    /// The signed checkpoint of the head log: what the node keeps before the head counts.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.place.checkpoint
    }

    /// Entries of the stream that it covers.
    pub(crate) fn covered(&self) -> u64 {
        self.head.checkpoint.size
    }

    /// The head log's checkpoint.
    pub(crate) fn head_log(&self) -> &Checkpoint {
        &self.head_log
    }

    pub(crate) fn is_witnessed(&self) -> bool {
        self.is_witnessed
    }

    /// The stream's checkpoint with both signatures.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> &HeadProof {
        &self.place
    }
}

impl<S: Suite> Journal<S> {
    /// Follows a head log from now on. To be called before the journal is first compared with its mirror.
    ///
    /// # Errors
    /// [`HeadTermsRefused`], and none is followed.
    pub fn follow_heads(&self, terms: HeadTerms<S>) -> Result<(), HeadTermsRefused> {
        let shared = &self.inner.shared;
        let mut others: Vec<&VerifierKey<S>> = vec![&shared.log_key];
        others.extend(&shared.mirrors.keys);
        let is_shared = others
            .iter()
            .any(|other| other.public_key() == terms.key.public_key());
        let is_of_stream =
            head_log_of(&shared.origin).as_deref() == Some(terms.key.name().as_str());
        if terms.key.kind() != KeyKind::Note || is_shared || !is_of_stream {
            return Err(HeadTermsRefused::Key);
        }
        if let Some(witnesses) = &terms.witnesses {
            // A cosignature does not name its cosigner: a key in two roles could answer for both.
            others.push(&terms.key);
            let is_other = |key: &VerifierKey<S>| {
                others
                    .iter()
                    .any(|other| other.public_key() == key.public_key())
            };
            let mut keys = witnesses.witnesses().iter();
            let is_shared = keys.any(|witness| is_other(&witness.key));
            if !witnesses.has_quorum() || !witnesses.logs().is_empty() || is_shared {
                return Err(HeadTermsRefused::Witnesses);
            }
        }
        let accepted = terms.accepted.map(|note| {
            let checkpoint = signed(&note, &terms.key).map_err(|_| HeadTermsRefused::Accepted)?;
            Ok((checkpoint, note))
        });
        let accepted = accepted.transpose()?;
        let now = shared.clock.monotonic();
        let mut coverage = Coverage::new(terms.lag, accepted);
        shared
            .heads
            .set((terms.key, terms.witnesses))
            .map_err(|_| HeadTermsRefused::Twice)?;
        let mut state = shared.lock();
        coverage.cosigned(state.mirror.size(), now);
        state.mirror.coverage = Some(coverage);
        Ok(())
    }

    /// The newest checkpoint of the head log that was accepted; nothing if none is followed or none was.
    pub fn accepted_head(&self) -> Option<String> {
        let state = self.inner.shared.lock();
        let (_, note) = state.mirror.coverage.as_ref()?.accepted()?;
        Some(note.clone())
    }

    /// Whether the present conversation with the mirror has shown this stream in the head log, and nothing that was
    /// cosigned is missing there for too long. Always, while no head log is followed.
    pub fn heads_fresh(&self) -> bool {
        let shared = &self.inner.shared;
        let now = shared.clock.monotonic();
        shared.lock().mirror.is_headed(now)
    }

    /// Checks what the coordinator shows of the head log. Nothing counts yet.
    ///
    /// # Errors
    /// [`HeadRefused`]; after [`HeadRefused::StreamForked`] the journal is closed for ever in this process.
    pub fn check_head(&self, shown: &HeadShown) -> Result<CheckedHead, HeadRefused> {
        let shared = &self.inner.shared;
        let (key, witnesses) = shared.heads.get().ok_or(HeadRefused::NotFollowed)?;
        let head_log = signed(&shown.checkpoint, key)?;
        let (accepted, covered) = {
            let state = shared.lock();
            let coverage = state.mirror.coverage.as_ref();
            let coverage = coverage.ok_or(HeadRefused::NotFollowed)?;
            let accepted = coverage.accepted().map(|(accepted, _)| accepted.clone());
            (accepted, coverage.covered())
        };
        if let Some(accepted) = accepted {
            extends::<S>(&accepted, &head_log, shown)?;
        }
        let leaf = leaf_hash::<S>(&shown.leaf);
        let (size, root) = (head_log.size, head_log.root);
        verify_inclusion::<S>(leaf, shown.index, size, root, &shown.proof)
            .map_err(|_| HeadRefused::Inclusion)?;
        let head = Head::decode(&shown.leaf).ok_or(HeadRefused::Leaf)?;
        check::<S>(shared, COORDINATOR, &head.note.to_string()).map_err(|_| HeadRefused::Leaf)?;
        if !self.is_leaf(&head) {
            return Err(HeadRefused::Leaf);
        }
        if head.checkpoint.size < covered {
            return Err(HeadRefused::Older);
        }
        self.is_ours(&head)?;
        Ok(CheckedHead {
            is_witnessed: is_witnessed(&shown.checkpoint, witnesses.as_ref())?,
            place: HeadProof {
                received: head.received,
                index: shown.index,
                proof: shown.proof.clone(),
                checkpoint: shown.checkpoint.clone(),
            },
            head,
            head_log,
        })
    }

    /// Lets a checked head count. One that was overtaken meanwhile changes nothing.
    pub fn take_head(&self, head: CheckedHead) {
        let mut state = self.inner.shared.lock();
        let coverage = state.mirror.coverage.as_ref();
        let accepted = coverage.and_then(Coverage::accepted);
        let newest = accepted.map_or(0, |(accepted, _)| accepted.size);
        if head.head_log.size >= newest {
            state.mirror.headed(head);
        }
    }

    /// Whether a head has the stream's signature and then the mirror's, and no other line: receipts show it so, and whoever
    /// checks them looks for exactly these two.
    fn is_leaf(&self, head: &Head) -> bool {
        let shared = &self.inner.shared;
        let keys = [&shared.log_key, &shared.mirrors.keys[COORDINATOR]];
        let lines = head.note.signatures.iter();
        lines
            .map(|line| (&line.name, line.id))
            .eq(keys.map(|key| (key.name(), key.id())))
    }

    /// Whether a head with this node's signature is of this journal. If it is not, somebody else signs with its key.
    fn is_ours(&self, head: &Head) -> Result<(), HeadRefused> {
        let shared = &self.inner.shared;
        let size = head.checkpoint.size;
        let is_there = size <= shared.lock().fold.tree.size();
        let root = is_there.then(|| root_at(shared, &self.inner.reader, size));
        match root.transpose() {
            Ok(Some(root)) if root == head.checkpoint.root => Ok(()),
            Ok(_) => {
                tracing::error!(size, "the head log holds another history of this stream");
                shared.end(Phase::Forked);
                Err(HeadRefused::StreamForked)
            }
            Err(ReconcileRefused::Unreadable) => Err(HeadRefused::Unreadable),
            Err(_) => Err(HeadRefused::Leaf),
        }
    }
}

/// A checkpoint that the head log's key signed.
fn signed<S: Suite>(note: &str, key: &VerifierKey<S>) -> Result<Checkpoint, HeadRefused> {
    let note = Note::parse(note).map_err(|_| HeadRefused::Checkpoint)?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| HeadRefused::Checkpoint)?;
    if checkpoint.origin != key.name().as_str() {
        return Err(HeadRefused::Checkpoint);
    }
    note.verify(std::slice::from_ref(key))
        .map_err(|_| HeadRefused::Signature)?;
    Ok(checkpoint)
}

/// Whether the pinned quorum of witnesses has cosigned a checkpoint.
fn is_witnessed<S: Suite>(note: &str, witnesses: Option<&Policy<S>>) -> Result<bool, HeadRefused> {
    let Some(witnesses) = witnesses else {
        return Ok(false);
    };
    let note = Note::parse(note).map_err(|_| HeadRefused::Checkpoint)?;
    match witnesses.cosigned(&note) {
        Ok(_) => Ok(true),
        Err(NotAccepted::QuorumNotMet { .. }) => Ok(false),
        // A known key's signature that does not verify says that something is very wrong, whatever the quorum.
        Err(
            NotAccepted::Checkpoint(_)
            | NotAccepted::Note(_)
            | NotAccepted::Signature(_)
            | NotAccepted::UnknownLog { .. },
        ) => Err(HeadRefused::Signature),
    }
}

/// Whether the head log only grew since the accepted checkpoint.
fn extends<S: Suite>(
    accepted: &Checkpoint,
    checkpoint: &Checkpoint,
    shown: &HeadShown,
) -> Result<(), HeadRefused> {
    if checkpoint.size < accepted.size {
        return Err(HeadRefused::WentBack);
    }
    if checkpoint.size == accepted.size && checkpoint.root != accepted.root {
        return Err(HeadRefused::Forked);
    }
    verify_consistency::<S>(
        accepted.size,
        checkpoint.size,
        accepted.root,
        checkpoint.root,
        &shown.consistency,
    )
    .map_err(|_| HeadRefused::NotExtended)
}

#[cfg(test)]
impl CheckedHead {
    /// A head of nothing in particular, for tests of what follows from its size.
    pub(crate) fn covering(size: u64, head_log: Checkpoint) -> CheckedHead {
        let checkpoint = Checkpoint {
            size,
            ..head_log.clone()
        };
        CheckedHead {
            head: Head {
                received: lingqu_core::Timestamp(0),
                note: Note {
                    text: checkpoint.to_text(),
                    signatures: Vec::new(),
                },
                checkpoint,
            },
            place: HeadProof {
                received: lingqu_core::Timestamp(0),
                index: 0,
                proof: Vec::new(),
                checkpoint: String::new(),
            },
            head_log,
            is_witnessed: false,
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod witnessed;
