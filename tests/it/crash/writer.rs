//! The stream that the test replicates to the coordinator, as a node would: entries, and a signed checkpoint at the end
//! of each batch. It is kept in memory, whole, to be compared with what the mirror says it has.

use std::collections::BTreeMap;

use lingqu_core::record::{Draft, Kind, StreamId};
use lingqu_core::{Clock, Timestamp};
use lingqu_journal::SystemClock;
use lingqu_proto::pb;
use lingqu_tlog::{Checkpoint, Ed25519Signer, Frontier, Intl, KeyName, Note, leaf_hash, sign_note};

/// See the module.
pub(crate) struct Writer {
    pub(crate) origin: String,
    signer: Ed25519Signer,
    pub(crate) entries: Vec<Vec<u8>>,
    tree: Frontier<Intl>,
    last_time: Timestamp,
    /// The signed checkpoint at the end of each batch.
    pub(crate) notes: BTreeMap<u64, String>,
}

impl Writer {
    pub(crate) fn new(origin: String, signer: Ed25519Signer) -> Writer {
        Writer {
            origin,
            signer,
            entries: Vec::new(),
            tree: Frontier::new(),
            last_time: Timestamp(0),
            notes: BTreeMap::new(),
        }
    }

    /// Its newest checkpoint; empty when it has no entry.
    pub(crate) fn newest(&self) -> String {
        self.notes.values().next_back().cloned().unwrap_or_default()
    }

    /// Everything from `first` on that was signed already, or else `count` new entries.
    pub(crate) fn batch(&mut self, first: u64, count: usize) -> pb::MirrorBatch {
        if first == self.tree.size() {
            self.write(count);
        }
        let (end, note) = self.notes.range(first + 1..).next().unwrap();
        let range = usize::try_from(first).unwrap()..usize::try_from(*end).unwrap();
        pb::MirrorBatch {
            first,
            entries: self.entries[range].to_vec(),
            checkpoint: note.clone(),
        }
    }

    fn write(&mut self, count: usize) {
        let stream = StreamId::of::<Intl>(&self.origin);
        for _ in 0..count {
            let time = SystemClock.now().max(Timestamp(self.last_time.0 + 1));
            self.last_time = time;
            let record = Draft::new(Kind::NodeStart).at(stream, self.tree.size(), time);
            let entry = record.encode::<Intl>();
            self.tree.push(leaf_hash::<Intl>(&entry));
            self.entries.push(entry);
        }
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: self.tree.size(),
            root: self.tree.root(),
        };
        let text = checkpoint.to_text();
        let name = KeyName::parse(&self.origin).unwrap();
        let signatures = vec![sign_note::<Intl>(&text, &name, &self.signer).unwrap()];
        let note = Note { text, signatures }.to_string();
        self.notes.insert(checkpoint.size, note);
    }
}
