//! A leaf of a head log: when the mirror took it, and a stream's signed and cosigned checkpoint.
//!
//! `"lingqu/head/v1\n" <receive time µs> "\n" <signed checkpoint>`, as `docs/records.md` says. One leaf has one spelling.

use lingqu_core::Timestamp;
use lingqu_tlog::{Checkpoint, Note};

const MAGIC: &str = "lingqu/head/v1\n";

/// A leaf, read; nothing in it is verified.
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
    /// Reads a leaf; `None` for whatever no mirror would have written.
    pub fn decode(leaf: &[u8]) -> Option<Head> {
        let text = std::str::from_utf8(leaf).ok()?.strip_prefix(MAGIC)?;
        let (received, note) = text.split_once('\n')?;
        let micros: i64 = received.parse().ok()?;
        let note = Note::parse(note).ok()?;
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        // Other spellings of the same number would be other leaves.
        (micros.to_string() == received).then_some(Head {
            received: Timestamp(micros),
            note,
            checkpoint,
        })
    }
}
