//! Heads: what a region's head log holds about the streams below it, and how a node is shown its own.
//!
//! A leaf is `"lingqu/head/v1\n" <receive time µs> "\n"` and then the stream's checkpoint with its own signature and the
//! mirror's cosignature, byte for byte as the mirror stored it (`docs/records.md`). One leaf has one spelling. Nothing
//! here is verified; whoever relies on a head checks signatures and proofs against keys that it holds.

use lingqu_tlog::{Checkpoint, Hash, Note};

use crate::Timestamp;

const MAGIC: &str = "lingqu/head/v1\n";

/// A leaf of a head log, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// When the mirror took what it is about.
    pub received: Timestamp,
    /// The stream's checkpoint with its signatures.
    pub note: Note,
    /// What the note says.
    pub checkpoint: Checkpoint,
}

impl Head {
    /// The exact bytes of the leaf for a cosigned checkpoint.
    #[must_use]
    pub fn encode(received: Timestamp, note: &Note) -> Vec<u8> {
        format!("{MAGIC}{}\n{note}", received.0).into_bytes()
    }

    /// Reads a leaf; `None` for whatever [`Head::encode`] would not write, byte for byte.
    #[must_use]
    pub fn decode(leaf: &[u8]) -> Option<Head> {
        let text = std::str::from_utf8(leaf).ok()?.strip_prefix(MAGIC)?;
        let (received, note) = text.split_once('\n')?;
        let note = Note::parse(note).ok()?;
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        let head = Head {
            received: Timestamp(received.parse().ok()?),
            note,
            checkpoint,
        };
        // Other spellings of the same number would be other leaves.
        (Head::encode(head.received, &head.note) == leaf).then_some(head)
    }
}

/// What a node is shown of the head log of its region: the newest head of its stream that a published checkpoint covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadShown {
    /// The bytes of the leaf.
    pub leaf: Vec<u8>,
    /// Its index in the head log.
    pub index: u64,
    /// Inclusion proof of the leaf in the checkpoint, its sibling first.
    pub proof: Vec<Hash>,
    /// The head log's signed checkpoint with its witnesses' cosignatures, a whole note.
    pub checkpoint: String,
    /// That the head log was only extended since the checkpoint of it that the node accepted last; empty if that was
    /// none, or one of the same size.
    pub consistency: Vec<Hash>,
}

/// The origin of the head log in which the heads of this stream stand; nothing for what is no node's stream.
#[must_use]
pub fn head_log_of(stream: &str) -> Option<String> {
    let (log, place) = stream.rsplit_once("/s/")?;
    let mut parts = place.split('/');
    let (Some(_node), Some(region), Some(_half_year), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some(format!("{log}/h/{region}"))
}

#[cfg(test)]
mod tests;
