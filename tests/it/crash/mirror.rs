//! The test as the mirror of a journal: it verifies each batch, keeps it, and cosigns it, unless it withholds.

use lingqu_core::Clock;
use lingqu_journal::SystemClock;
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, Intl, Note, VerifierKey, leaf_hash, sign_cosignature,
};

use super::protocol::Told;

/// What the mirror holds.
pub(crate) struct Mirror {
    log_key: VerifierKey<Intl>,
    key: VerifierKey<Intl>,
    signer: Ed25519Signer,
    pub(crate) entries: Vec<Vec<u8>>,
    tree: Frontier<Intl>,
    /// The newest cosigned checkpoint.
    pub(crate) note: Option<String>,
}

impl Mirror {
    pub(crate) fn new(
        log_key: VerifierKey<Intl>,
        key: VerifierKey<Intl>,
        signer: Ed25519Signer,
    ) -> Mirror {
        Mirror {
            log_key,
            key,
            signer,
            entries: Vec::new(),
            tree: Frontier::new(),
            note: None,
        }
    }

    /// A mirror that holds these entries and has cosigned them.
    pub(crate) fn with(mut self, entries: &[Vec<u8>], note: &str) -> Mirror {
        for entry in entries {
            self.tree.push(leaf_hash::<Intl>(entry));
        }
        self.entries = entries.to_vec();
        self.note = Some(note.to_owned());
        self
    }

    /// What a journal of `from` entries has lost.
    pub(crate) fn missing(&self, from: u64) -> Told {
        let missing = &self.entries[usize::try_from(from).unwrap()..];
        Told::Missing {
            entries: missing.iter().map(hex::encode).collect(),
            checkpoint: self.note.clone().unwrap(),
        }
    }

    /// Takes a batch and gives its checkpoint with the cosignature.
    pub(crate) fn take(&mut self, first: u64, entries: &[String], checkpoint: &str) -> String {
        assert_eq!(first, self.entries.len() as u64, "a batch out of its place");
        for entry in entries {
            let entry = hex::decode(entry).unwrap();
            self.tree.push(leaf_hash::<Intl>(&entry));
            self.entries.push(entry);
        }
        let mut note = Note::parse(checkpoint).unwrap();
        note.verify(std::slice::from_ref(&self.log_key)).unwrap();
        let shown = Checkpoint::parse(&note.text).unwrap();
        let kept = (self.tree.size(), self.tree.root());
        assert_eq!((shown.size, shown.root), kept, "a batch and its checkpoint");
        let now_s = u64::try_from(SystemClock.now().unix_s()).unwrap();
        let cosignature =
            sign_cosignature::<Intl>(&note.text, self.key.name(), now_s, &self.signer).unwrap();
        note.signatures.push(cosignature);
        self.note = Some(note.to_string());
        note.to_string()
    }
}
