//! Proofs out of an archive: that an entry is in it, and that an older checkpoint is a prefix of it.

use lingqu_tlog::{
    AddCheckpoint, Branch, Checkpoint, Fork, Hash, Intl, MAX_WITNESS_PROOF, NoFork, Note,
    ProofError, Tile, TileTree, TileTreeError, TlogProof, VerifierKey,
};

use super::{ArchiveFailed, LogFiles};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveFailed {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveFailed),
    /// The archive's files do not lead to its checkpoint, or a checkpoint is not the log's: nothing can be said.
    #[error("the archive does not lead to its checkpoint, or a checkpoint is another log's: {0}")]
    NotCompared(NoFork),
    /// The entry or size is not in the archive.
    #[error(transparent)]
    Outside(ProofError),
}

impl From<TileTreeError<ArchiveFailed>> for ProveFailed {
    fn from(error: TileTreeError<ArchiveFailed>) -> ProveFailed {
        match error {
            TileTreeError::Proof(error) => ProveFailed::Outside(error),
            TileTreeError::Read(error) => ProveFailed::Archive(error),
            TileTreeError::Width(tile) => ProveFailed::Archive(ArchiveFailed::Tile(
                std::path::PathBuf::from(tile.to_string()),
            )),
        }
    }
}

impl LogFiles {
    /// The proof that entry `index` is in the log, with the entry itself in the `extra` line: a receipt, if the log is a
    /// stream.
    ///
    /// # Errors
    /// [`ProveFailed`].
    pub fn prove_entry(&self, index: u64) -> Result<TlogProof, ProveFailed> {
        let hashes = self.inclusion(index, self.checkpoint.size)?;
        Ok(TlogProof {
            extra: Some(self.entry(index)?),
            index,
            hashes,
            checkpoint: self.note.clone(),
        })
    }

    /// The inclusion of entry `index` in the tree of the first `size` entries.
    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProveFailed> {
        Ok(self.tree().inclusion_proof(index, size)?)
    }

    /// The proof that the tree of the first `old` entries is a prefix of the log, in the form of tlog-witness's request:
    /// `old` size, hashes, checkpoint. Also gives the root of that tree, to compare with a checkpoint of that size.
    ///
    /// # Errors
    /// [`ProveFailed`].
    pub fn prove_prefix(&self, old: u64) -> Result<(AddCheckpoint, Hash), ProveFailed> {
        let mut tree = self.tree();
        let proof = tree.consistency_proof(old, self.checkpoint.size)?;
        // A tree of at most 2^63 - 1 leaves needs no more, so this only guards the format.
        debug_assert!(proof.len() <= MAX_WITNESS_PROOF);
        let root = tree.root_at(old)?;
        let proof = AddCheckpoint {
            old_size: old,
            proof,
            checkpoint: self.note.clone(),
        };
        Ok((proof, root))
    }

    /// The evidence that `other`, a signed checkpoint of this log and no larger, is no prefix of it; nothing if it is.
    ///
    /// # Errors
    /// [`ProveFailed`]; [`ProveFailed::Outside`] if `other` is larger.
    pub fn fork_with(
        &self,
        other: &Note,
        key: &VerifierKey<Intl>,
    ) -> Result<Option<Fork>, ProveFailed> {
        let size = Checkpoint::parse(&other.text).map_or(0, |checkpoint| checkpoint.size);
        let branch = if size == self.checkpoint.size {
            None
        } else {
            let (proof, root) = self.prove_prefix(size)?;
            let proof = proof.proof;
            Some(Branch { root, proof })
        };
        let fork = Fork {
            one: other.to_string(),
            other: self.note.clone(),
            branch,
        };
        match fork.verify(key) {
            Ok(_) => Ok(Some(fork)),
            // Asked only after the archive's own proof held, so this alone says that nothing was taken back.
            Err(NoFork::SameRoot) => Ok(None),
            Err(refused) => Err(ProveFailed::NotCompared(refused)),
        }
    }

    fn tree(&self) -> TileTree<impl FnMut(Tile) -> Result<Vec<Hash>, ArchiveFailed>> {
        TileTree::new(self.checkpoint.size, |tile| self.hashes(tile))
    }
}
