//! The head log of one region: a transparency log whose leaves are cosigned heads of the region's streams.
//!
//! A leaf is `"lingqu/head/v1\n" <receive time µs> "\n"` and then the stream's checkpoint with its own signature and the
//! mirror's cosignature, byte for byte as stored. Each head stands for the entries since the stream's head before it,
//! so that the heads of a region cover every entry of its streams exactly once.

use lingqu_core::Region;
use lingqu_tlog::{
    Checkpoint, Frontier, Hash, Intl, Note, RecentTree, Signer, leaf_hash, sign_note,
};

use super::archive::Location;
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
    /// The frame that holds its leaf.
    pub(crate) location: Location,
}

/// What is durable of a head log, as readers see it.
#[derive(Clone, Debug)]
pub(crate) struct HeadLog {
    pub(crate) region: Region,
    pub(crate) heads: Vec<Head>,
    /// The newest signed checkpoint, which covers exactly `heads`; empty before the first.
    pub(crate) checkpoint: String,
    /// The tree over the leaves, to prove to witnesses that it was only extended.
    pub(crate) tree: RecentTree<Intl>,
    /// The checkpoint that followers are given; behind the newest while witnesses are asked.
    pub(crate) published: Option<Published>,
    /// Whether a witness contradicts this log: nothing of it is published any more in this process.
    pub(crate) closed: bool,
}

impl HeadLog {
    pub(crate) fn new(region: Region) -> HeadLog {
        HeadLog {
            region,
            heads: Vec::new(),
            checkpoint: String::new(),
            tree: RecentTree::from_frontier(Frontier::new()),
            published: None,
            closed: false,
        }
    }

    /// Number of published heads.
    pub(crate) fn size(&self) -> u64 {
        self.heads.len() as u64
    }
}

#[cfg(test)]
mod tests;
