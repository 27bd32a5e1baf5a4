//! Cosignatures over the stream's checkpoints, by size, until enough mirrors have made theirs.

use std::collections::BTreeMap;

use lingqu_tlog::{Checkpoint, NoteSignature};

/// Newest sizes whose cosignatures are kept, as many as there are marks: a mirror that is behind by less still finds what
/// the others have signed. About 500 bytes each.
const STATEMENTS_MAX: usize = 4_096;

/// A checkpoint of ours, and who has signed it.
#[derive(Clone, Debug)]
pub(crate) struct Cosigned {
    pub(crate) checkpoint: Checkpoint,
    own: NoteSignature,
    /// By the mirror's place.
    lines: Vec<Option<NoteSignature>>,
}

impl Cosigned {
    /// Number of mirrors that cosigned it.
    pub(crate) fn mirrors(&self) -> usize {
        self.lines.iter().flatten().count()
    }

    /// The stream's own signature, and those of the mirrors in their order.
    pub(crate) fn signatures(&self) -> Vec<NoteSignature> {
        std::iter::once(&self.own)
            .chain(self.lines.iter().flatten())
            .cloned()
            .collect()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    by_size: BTreeMap<u64, Cosigned>,
}

impl Statements {
    /// Enters one mirror's line, and gives what is known of that checkpoint; nothing if it is too long ago.
    pub(crate) fn take(
        &mut self,
        checkpoint: Checkpoint,
        own: NoteSignature,
        (mirror, line): (usize, NoteSignature),
        mirrors: usize,
    ) -> Option<Cosigned> {
        let size = checkpoint.size;
        let statement = self.by_size.entry(size).or_insert_with(|| Cosigned {
            checkpoint,
            own,
            lines: vec![None; mirrors],
        });
        if let Some(place) = statement.lines.get_mut(mirror) {
            *place = Some(line);
        }
        while self.by_size.len() > STATEMENTS_MAX {
            self.by_size.pop_first();
        }
        self.by_size.get(&size).cloned()
    }

    /// The lines of the mirrors but one on the checkpoint of this size.
    pub(crate) fn others(&self, size: u64, but: usize) -> impl Iterator<Item = &NoteSignature> {
        let lines = self.by_size.get(&size).map(|one| one.lines.as_slice());
        let lines = lines.unwrap_or_default().iter().enumerate();
        lines
            .filter(move |(mirror, _)| *mirror != but)
            .filter_map(|(_, line)| line.as_ref())
    }
}
