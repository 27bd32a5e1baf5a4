//! Everything that one journal ever said, and whether what it holds now agrees with all of it.

use std::collections::HashMap;

use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Field, Kind, Record, StreamId};
use lingqu_core::trust::Trust;
use lingqu_core::{CallId, Timestamp};
use lingqu_tlog::{Checkpoint, Frontier, Hash, Intl, Note, Suite, VerifierKey, leaf_hash};

use super::stored::Stored;

/// See the module.
pub(crate) struct History {
    log_key: VerifierKey<Intl>,
    trust: Trust<Intl>,
    grant: String,
    entries: Vec<Vec<u8>>,
    frames: usize,
    /// The files were replaced by older ones; what they lack is at the mirror.
    restored: bool,
    /// Entries that the files hold.
    size_now: u64,
    tree: Frontier<Intl>,
    /// The root of each size, from 0.
    roots: Vec<Hash>,
    last_time: Timestamp,
    /// Where each call of the grant is recorded.
    pub(crate) recorded: HashMap<CallId, u64>,
    /// Everything up to here was shown to somebody.
    pub(crate) told: u64,
}

impl History {
    pub(crate) fn new(log_key: VerifierKey<Intl>, trust: Trust<Intl>, grant: &str) -> History {
        let tree = Frontier::new();
        History {
            log_key,
            trust,
            grant: grant.to_owned(),
            entries: Vec::new(),
            frames: 0,
            restored: false,
            size_now: 0,
            roots: vec![tree.root()],
            tree,
            last_time: Timestamp(i64::MIN),
            recorded: HashMap::new(),
            told: 0,
        }
    }

    pub(crate) fn origin(&self) -> &str {
        self.log_key.name().as_str()
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Entries that the files hold, and how many of them are calls under the grant.
    pub(crate) fn holds_now(&self) -> (u64, u64) {
        let held = self
            .recorded
            .values()
            .filter(|index| **index < self.size_now);
        (self.size_now, held.count() as u64)
    }

    /// Whether the files lack what the mirror has, since [`History::restore`].
    pub(crate) fn is_restored(&self) -> bool {
        self.restored
    }

    /// The files were replaced by older ones. Nothing is lost if the mirror has it all.
    pub(crate) fn restore(&mut self, older: &Stored) {
        self.restored = true;
        self.take_in(older);
    }

    /// Takes in what the files hold now: all that was there before, and what came since is well-formed and signed.
    pub(crate) fn take_in(&mut self, stored: &Stored) {
        let known = self.entries.len();
        self.size_now = stored.entries.len() as u64;
        if self.restored && stored.entries.len() < known {
            // Restored from a backup, and not yet all of it taken back from the mirror.
            assert!(
                self.entries.starts_with(&stored.entries),
                "a backup of another log"
            );
            return;
        }
        assert!(
            stored.entries.starts_with(&self.entries),
            "the journal no longer holds what it held: {} of {known} entries",
            stored.entries.len(),
        );
        // What was taken back from the mirror stands in other frames than before.
        let first = if self.restored { 0 } else { self.frames };
        self.restored = false;
        let mut new = stored.entries[known..].iter();
        for frame in &stored.frames[first..] {
            while self.size() < frame.end {
                self.push(new.next().expect("a frame ends with its entries"));
            }
            let checkpoint = self.checkpoint(frame.end);
            assert_eq!(checkpoint.root, frame.root, "root at {}", frame.end);
            let text = checkpoint.to_text();
            let signed = Intl::verify(self.log_key.public_key(), text.as_bytes(), &frame.signature);
            assert!(signed, "the checkpoint of size {} is not signed", frame.end);
        }
        self.frames = stored.frames.len();
    }

    fn push(&mut self, entry: &[u8]) {
        let record = Record::decode::<Intl>(entry).expect("entries are records");
        let stream = StreamId::of::<Intl>(self.log_key.name().as_str());
        assert_eq!((record.stream, record.index), (stream, self.size()));
        assert!(
            record.time > self.last_time,
            "time goes back at {}",
            record.index
        );
        self.last_time = record.time;
        if record.draft.kind == Kind::Call
            && record.draft.clear.get_text(Field::Grant) == Some(&self.grant)
        {
            let twice = self.recorded.insert(record.draft.call, record.index);
            assert_eq!(
                twice, None,
                "call {:?} was evaluated twice",
                record.draft.call
            );
        }
        self.tree.push(leaf_hash::<Intl>(entry));
        self.roots.push(self.tree.root());
        self.entries.push(entry.to_vec());
    }

    /// Whatever was shown is a prefix of what is there now.
    pub(crate) fn check_checkpoint(&self, note: &str) {
        let note = Note::parse(note).unwrap();
        note.verify(std::slice::from_ref(&self.log_key)).unwrap();
        let shown = Checkpoint::parse(&note.text).unwrap();
        assert!(
            shown.size <= self.size(),
            "{} entries were shown",
            shown.size
        );
        assert_eq!(shown, self.checkpoint(shown.size), "a shown checkpoint");
    }

    /// The answer to `call` has its record, in its place, and the receipt proves it offline.
    pub(crate) fn check_answer(&self, call: CallId, receipt: &str) {
        let receipt = Receipt::from_tlog_proof(receipt).unwrap();
        let proven = receipt
            .verify(&self.trust)
            .expect("a receipt verifies offline");
        assert_eq!(proven.record.draft.call, call, "another call's receipt");
        let place = self.recorded.get(&call);
        assert_eq!(place, Some(&receipt.index), "an answer without its record");
        let index = usize::try_from(receipt.index).unwrap();
        assert_eq!(self.entries[index], receipt.entry, "another record");
        self.check_checkpoint(&receipt.note().to_string());
    }

    /// The mirror has a prefix.
    pub(crate) fn check_mirror(&self, entries: &[Vec<u8>]) {
        assert!(
            self.entries.starts_with(entries),
            "the mirror has what the journal lost"
        );
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint {
            origin: self.log_key.name().as_str().to_owned(),
            size,
            root: self.roots[usize::try_from(size).unwrap()],
        }
    }
}
