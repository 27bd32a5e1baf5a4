//! The head log's part of a receipt out of an archive (R3): the newest head of a stream in the head log of its region, and
//! the proofs of a record under the checkpoint in that head.
//!
//! The leaf of a head is made of the checkpoint that the receipt has, so a record is proven in the tree of exactly that
//! size. Nothing is verified here: whoever reads the receipt does, with keys that it holds.

use std::path::{Path, PathBuf};

use lingqu_core::head::{Head, head_log_of};
use lingqu_core::receipt::{HeadProof, Receipt};
use lingqu_tlog::Hash;

use super::proving::ProveFailed;
use super::{ArchiveFailed, LogFiles};

/// The newest head of one stream in an archive's head log.
#[derive(Clone, Debug)]
pub struct Headed {
    head: Head,
    /// The leaf's index.
    index: u64,
    /// Its inclusion in the head log.
    proof: Vec<Hash>,
    /// The head log's signed checkpoint.
    checkpoint: String,
}

impl Headed {
    /// The newest head of the stream that the head log in `dir` has, and that the archive's copy of the stream reaches;
    /// nothing if there is none.
    ///
    /// # Errors
    /// [`ProveFailed`] for files that cannot be read.
    pub fn newest(dir: &Path, stream: &LogFiles) -> Result<Option<Headed>, ProveFailed> {
        let log = LogFiles::open(dir)?;
        let origin = &stream.checkpoint.origin;
        if head_log_of(origin).as_deref() != Some(log.checkpoint.origin.as_str()) {
            return Ok(None);
        }
        let newest = log.newest(|entry| {
            let head = Head::decode(entry)?;
            let is_ours = head.checkpoint.origin == *origin;
            (is_ours && head.checkpoint.size <= stream.checkpoint.size).then_some(head)
        })?;
        let Some((index, head)) = newest else {
            return Ok(None);
        };
        Ok(Some(Headed {
            head,
            index,
            proof: log.inclusion(index, log.checkpoint.size)?,
            checkpoint: log.note,
        }))
    }

    /// The receipt of entry `index` with the head log's proof; nothing if the head does not reach it.
    ///
    /// # Errors
    /// [`ProveFailed`]
    pub fn prove(&self, stream: &LogFiles, index: u64) -> Result<Option<Receipt>, ProveFailed> {
        let size = self.head.checkpoint.size;
        if index >= size {
            return Ok(None);
        }
        Ok(Some(Receipt {
            entry: stream.entry(index)?,
            index,
            proof: stream.inclusion(index, size)?,
            checkpoint: self.head.checkpoint.clone(),
            signatures: self.head.note.signatures.clone(),
            head: Some(HeadProof {
                received: self.head.received,
                index: self.index,
                proof: self.proof.clone(),
                checkpoint: self.checkpoint.clone(),
            }),
        }))
    }
}

/// Where the head log of a stream is in the archive that has the stream in `dir`: both lie below their origins. Nothing if
/// the directory is not named so, or there is no such log.
pub fn head_log_beside(dir: &Path, stream: &LogFiles) -> Option<PathBuf> {
    let origin = &stream.checkpoint.origin;
    let heads = head_log_of(origin)?;
    // `.` and `..` in what was typed would hide the names.
    let dir = dir.canonicalize().ok()?;
    let mut root = dir.as_path();
    for part in origin.rsplit('/') {
        if root.file_name()?.to_str()? != part {
            return None;
        }
        root = root.parent()?;
    }
    let found = root.join(heads);
    found.join("checkpoint").is_file().then_some(found)
}

/// The receipt of entry `index` of the stream in `dir`: with the head log's proof where the archive has it, otherwise
/// under the stream's newest checkpoint.
///
/// # Errors
/// [`ProveFailed`]
pub fn receipt_of(
    stream: &LogFiles,
    headed: Option<&Headed>,
    index: u64,
) -> Result<Receipt, ProveFailed> {
    let witnessed = headed
        .map(|headed| headed.prove(stream, index))
        .transpose()?;
    if let Some(receipt) = witnessed.flatten() {
        return Ok(receipt);
    }
    let text = stream.prove_entry(index)?.to_string();
    Receipt::from_tlog_proof(&text).map_err(|_| {
        let origin = stream.checkpoint.origin.clone();
        ProveFailed::Archive(ArchiveFailed::Entry { origin, index })
    })
}

#[cfg(test)]
mod tests;
