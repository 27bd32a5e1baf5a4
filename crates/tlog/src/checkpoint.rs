//! Checkpoints (C2SP tlog-checkpoint v1.0.0): the text of a note that states a log's size and root.
//!
//! Extension lines are allowed by the specification but not recommended, and our logs never write
//! them: what nobody audits must not be signed. [`Checkpoint::parse`] refuses them.

use crate::encoding;
use crate::suite::Hash;

/// The largest tree, 2^63 - 1 leaves: what other implementations can represent too.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// Longest origin in bytes.
const MAX_ORIGIN_BYTES: usize = 1024;

/// What a log says about itself at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The log's identity, by convention its key name: not empty, no control character.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The root of the tree of `size` leaves.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines, each with its newline.
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            self.root.to_base64()
        )
    }

    /// Reads a checkpoint's text.
    ///
    /// # Errors
    /// [`CheckpointMalformed`] for whatever [`Checkpoint::to_text`] would not write, byte for
    /// byte; extension lines among it.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointMalformed> {
        let text = text.strip_suffix('\n').ok_or(CheckpointMalformed::Lines)?;
        let mut lines = text.splitn(4, '\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointMalformed::Lines);
        };
        let origin_is_text = !origin.is_empty() && !origin.contains(char::is_control);
        if !origin_is_text || origin.len() > MAX_ORIGIN_BYTES {
            return Err(CheckpointMalformed::Origin);
        }
        let size = encoding::from_decimal(size)
            .filter(|&size| size <= MAX_TREE_SIZE)
            .ok_or(CheckpointMalformed::Size)?;
        let root = Hash::from_base64(root).map_err(|_| CheckpointMalformed::Root)?;
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size,
            root,
        })
    }
}

/// Why a text is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointMalformed {
    /// Not exactly three lines.
    #[error("checkpoint does not have exactly three lines")]
    Lines,
    /// The origin is empty, too long or has a control character.
    #[error("checkpoint's origin is empty, too long or has a control character")]
    Origin,
    /// The root is not the canonical base64 of 32 bytes.
    #[error("checkpoint's root is not the canonical base64 of 32 bytes")]
    Root,
    /// The size is not a decimal without leading zeros, or above [`MAX_TREE_SIZE`].
    #[error("checkpoint's size is not a canonical decimal or is too large")]
    Size,
}

#[cfg(test)]
mod tests;
