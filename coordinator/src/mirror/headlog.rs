//! The head log of one region: a transparency log whose leaves are cosigned heads of the region's streams.
//!
//! A leaf is `"lingqu/head/v1\n" <receive time µs> "\n"` and then the stream's checkpoint with its own signature and the
//! mirror's cosignature, byte for byte as stored. Each head stands for the entries since the stream's head before it,
//! so that the heads of a region cover every entry of its streams exactly once.

use std::collections::VecDeque;

use lingqu_core::Region;
use lingqu_tlog::{
    Checkpoint, Frontier, Hash, Intl, Note, RecentTree, Signer, leaf_hash, sign_note,
};

use super::archive::Location;
use super::kept::{Kept, KeptError};
use super::witnesses::Published;
use crate::keys::key_name;

/// A leaf, read back.
pub(crate) use lingqu_core::head::Head as Leaf;

/// The end of a head log. Owned by the committer's thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadTip {
    frontier: Frontier<Intl>,
}

impl HeadTip {
    /// The tip of a head log with this right edge.
    pub(crate) fn at(frontier: Frontier<Intl>) -> HeadTip {
        HeadTip { frontier }
    }

    pub(crate) fn frontier(&self) -> &Frontier<Intl> {
        &self.frontier
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Adds a leaf and gives its index.
    pub(crate) fn push(&mut self, leaf: &[u8]) -> u64 {
        let index = self.frontier.size();
        self.frontier.push(leaf_hash::<Intl>(leaf));
        index
    }

    /// Signs the log as it is now.
    pub(crate) fn sign(&self, origin: &str, signer: &dyn Signer) -> String {
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: self.frontier.size(),
            root: self.frontier.root(),
        };
        let text = checkpoint.to_text();
        let signature = sign_note::<Intl>(&text, &key_name(origin), signer)
            .expect("a checkpoint of our own origin is the text of a note");
        let signatures = vec![signature];
        Note { text, signatures }.to_string()
    }
}

/// One head, as readers find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) origin: String,
    /// The entries it stands for: `[first, size)` of the stream.
    pub(crate) first: u64,
    pub(crate) size: u64,
    /// The frame that holds its leaf; nothing if that is kept apart from the log.
    pub(crate) location: Option<Location>,
}

/// What is durable of a head log, as readers see it.
#[derive(Clone, Debug)]
pub(crate) struct HeadLog {
    pub(crate) region: Region,
    /// The leaves before the base, which are kept apart from the log; `None` if there are none.
    kept: Option<Kept>,
    /// The heads since.
    recent: VecDeque<Head>,
    /// Their leaf hashes.
    leaves: VecDeque<Hash>,
    /// The newest signed checkpoint, which covers exactly these heads; empty before the first.
    pub(crate) checkpoint: String,
    /// The tree over the leaves since the base, to prove to witnesses that it was only extended.
    tree: RecentTree<Intl>,
    /// The checkpoint that followers are given; behind the newest while witnesses are asked.
    pub(crate) published: Option<Published>,
    /// Whether a witness contradicts this log: nothing of it is published any more in this process.
    pub(crate) closed: bool,
}

/// Where a head is.
#[derive(Clone, Debug)]
pub(crate) enum HeadPlace {
    /// Here, its leaf in its frame.
    Recent(Head),
    /// Among what is kept apart.
    Kept(Kept),
}

impl HeadLog {
    pub(crate) fn new(region: Region) -> HeadLog {
        HeadLog::of(region, None, Frontier::new(), String::new())
    }

    /// The head log of a base: its leaves are kept apart, and `frontier` is the right edge of their tree.
    pub(crate) fn of(
        region: Region,
        kept: Option<Kept>,
        frontier: Frontier<Intl>,
        checkpoint: String,
    ) -> HeadLog {
        HeadLog {
            region,
            kept,
            recent: VecDeque::new(),
            leaves: VecDeque::new(),
            checkpoint,
            tree: RecentTree::from_frontier(frontier),
            published: None,
            closed: false,
        }
    }

    /// Number of heads.
    pub(crate) fn size(&self) -> u64 {
        self.kept_size() + self.recent.len() as u64
    }

    /// Number of heads that are kept apart.
    pub(crate) fn kept_size(&self) -> u64 {
        self.kept.as_ref().map_or(0, Kept::size)
    }

    /// Adds a head.
    pub(super) fn push(&mut self, head: Head, leaf: &[u8]) {
        let hash = leaf_hash::<Intl>(leaf);
        self.tree.push(hash);
        self.leaves.push_back(hash);
        self.recent.push_back(head);
    }

    /// Where the head with this index is.
    pub(crate) fn head(&self, index: u64) -> Option<HeadPlace> {
        match (index.checked_sub(self.kept_size()), &self.kept) {
            (Some(at), _) => {
                let head = self.recent.get(usize::try_from(at).ok()?)?;
                Some(HeadPlace::Recent(head.clone()))
            }
            (None, Some(kept)) => Some(HeadPlace::Kept(kept.clone())),
            (None, None) => None,
        }
    }

    /// A leaf that is kept apart.
    pub(super) fn kept_leaf(&self, index: u64) -> Result<Leaf, KeptError> {
        let kept = self.kept.as_ref().ok_or(KeptError::Outside)?;
        let (_, leaf) = kept.item(index)?;
        Leaf::decode(&leaf).ok_or(KeptError::Outside)
    }

    /// The root of the tree of the first `size` leaves.
    pub(crate) fn root_at(&self, size: u64) -> Option<Hash> {
        let old = |kept: &Kept, tail: &[Hash]| kept.root_at(size, tail);
        self.tree.root_at(size).or_else(|| self.ask_kept(old))
    }

    /// The proof that head `index` is among the first `size`.
    pub(crate) fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        let old = |kept: &Kept, tail: &[Hash]| kept.inclusion(index, size, tail);
        let recent = self.tree.inclusion_proof(index, size).ok();
        recent.or_else(|| self.ask_kept(old))
    }

    /// The proof that the first `new` heads begin with the first `old`.
    pub(crate) fn consistency_proof(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        let from_kept = |kept: &Kept, tail: &[Hash]| kept.consistency(old, new, tail);
        let recent = self.tree.consistency_proof(old, new).ok();
        recent.or_else(|| self.ask_kept(from_kept))
    }

    /// Leaves the heads that are kept apart from now on out of memory.
    pub(super) fn keep(&mut self, kept: Kept) {
        let moved = kept.size().saturating_sub(self.kept_size());
        for _ in 0..moved {
            self.recent.pop_front();
            self.leaves.pop_front();
        }
        self.tree.forget_before(kept.size());
        self.kept = Some(kept);
        self.recent.shrink_to_fit();
        self.leaves.shrink_to_fit();
    }

    /// What is asked of old heads is asked seldom: by a witness or a node that was away since the base.
    fn ask_kept<T>(&self, ask: impl FnOnce(&Kept, &[Hash]) -> Result<T, KeptError>) -> Option<T> {
        let kept = self.kept.as_ref()?;
        let tail: Vec<Hash> = self.leaves.iter().copied().collect();
        match ask(kept, &tail) {
            Ok(found) => Some(found),
            Err(KeptError::Outside) => None,
            Err(error) => {
                tracing::error!(region = %self.region, %error, "the head log cannot be read back");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
