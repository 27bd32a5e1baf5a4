//! A stream in memory that says whatever a test makes it say, signed as a node would, cosigned as a mirror would.

use lingqu_core::Timestamp;
use lingqu_core::forward::Forward;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Draft, Record, StreamId};
use lingqu_core::succession::{StreamBegin, StreamEnd, Succession};
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, Intl, KeyName, Note, RecentTree, Signer, VerifierKey,
    leaf_hash, sign_cosignature, sign_note,
};

/// When the mirror of the tests cosigns, in Unix seconds.
const COSIGNED_AT: u64 = 1_800_000_000;

/// See the module. All of it may be changed by hand: that is what it is for.
pub struct HandWritten {
    /// The origin.
    pub origin: String,
    /// The log key.
    pub signer: Ed25519Signer,
    /// The mirror's name and key.
    pub mirror: (String, Ed25519Signer),
    /// The entries, byte for byte.
    pub entries: Vec<Vec<u8>>,
    /// Time of the next record, in µs; each is one later.
    pub time: Timestamp,
}

impl HandWritten {
    /// An empty stream whose keys follow from `seed`; the mirror's is the same for all.
    pub fn new(origin: &str, seed: u8, mirror: &str) -> HandWritten {
        HandWritten {
            origin: origin.to_owned(),
            signer: Ed25519Signer::from_seed([seed; 32]),
            mirror: (mirror.to_owned(), Ed25519Signer::from_seed([250; 32])),
            entries: Vec::new(),
            time: Timestamp(1_795_132_800_000_001),
        }
    }

    /// An empty stream with the same mirror, later in time.
    pub fn next(&self, origin: &str, seed: u8) -> HandWritten {
        HandWritten {
            time: Timestamp(self.time.0 + 1_000_000),
            ..HandWritten::new(origin, seed, &self.mirror.0)
        }
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The log's verifier key.
    pub fn key(&self) -> VerifierKey<Intl> {
        VerifierKey::note(name(&self.origin), self.signer.public_key()).expect("a good key")
    }

    /// The mirror's verifier key.
    pub fn mirror_key(&self) -> VerifierKey<Intl> {
        let (named, signer) = &self.mirror;
        VerifierKey::cosignature(name(named), signer.public_key()).expect("a good key")
    }

    /// A trust file with this log and the mirror, whose cosignature it demands.
    pub fn trust(&self) -> String {
        let (log, mirror) = (self.key(), self.mirror_key());
        format!("log {log}\nwitness mirror {mirror}\nquorum mirror\n")
    }

    /// Appends a record.
    pub fn push(&mut self, draft: Draft) -> Record {
        let id = StreamId::of::<Intl>(&self.origin);
        let record = draft.at(id, self.size(), self.time);
        self.entries.push(record.encode::<Intl>());
        self.time = Timestamp(self.time.0 + 1);
        record
    }

    /// Ends the stream: these balances go to `next`, by the unit's `order`.
    pub fn end(&mut self, order: &[u8], next: &HandWritten, forward: &[u8]) {
        let end = StreamEnd {
            order: order.to_vec(),
            next_key: next.key().to_string(),
            forward_records: Forward::parts(forward).len() as u64,
            forward_digest: Forward::digest::<Intl>(forward),
        };
        self.push(Succession::End(end).draft());
    }

    /// The first record of a stream that follows `previous`, which has ended.
    pub fn beginning(previous: &HandWritten, forward: &[u8]) -> StreamBegin {
        let end = previous.receipt(previous.size() - 1);
        StreamBegin {
            previous_key: previous.key().to_string(),
            previous_end: end.tlog_proof().to_string().into_bytes(),
            forward_records: Forward::parts(forward).len() as u64,
            forward_digest: Forward::digest::<Intl>(forward),
        }
    }

    /// Begins the stream after `previous` with all of its balances.
    pub fn begin(&mut self, previous: &HandWritten, forward: &[u8]) {
        let begin = HandWritten::beginning(previous, forward);
        self.push(Succession::Begin(begin).draft());
        for part in Forward::parts(forward) {
            self.push(Succession::Forward(part.to_vec()).draft());
        }
    }

    /// The checkpoint of the first `size` entries with the log's signature alone.
    pub fn signed(&self, size: u64) -> Note {
        let mut tree = Frontier::<Intl>::new();
        let size = usize::try_from(size).expect("tests write little");
        for entry in &self.entries[..size] {
            tree.push(leaf_hash::<Intl>(entry));
        }
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: tree.size(),
            root: tree.root(),
        };
        let text = checkpoint.to_text();
        let line = sign_note::<Intl>(&text, &name(&self.origin), &self.signer);
        Note {
            signatures: vec![line.expect("a checkpoint can be signed")],
            text,
        }
    }

    /// The same with the mirror's cosignature.
    pub fn cosigned(&self, size: u64) -> Note {
        let mut note = self.signed(size);
        let (named, signer) = &self.mirror;
        let line = sign_cosignature::<Intl>(&note.text, &name(named), COSIGNED_AT, signer);
        note.signatures
            .push(line.expect("a checkpoint can be cosigned"));
        note
    }

    /// The receipt of an entry under the newest checkpoint, cosigned.
    pub fn receipt(&self, index: u64) -> Receipt {
        let mut tree = RecentTree::<Intl>::from_frontier(Frontier::new());
        for entry in &self.entries {
            tree.push(leaf_hash::<Intl>(entry));
        }
        let size = self.size();
        let note = self.cosigned(size);
        let at = usize::try_from(index).expect("tests write little");
        Receipt {
            entry: self.entries[at].clone(),
            index,
            proof: tree.inclusion_proof(index, size).expect("it is there"),
            checkpoint: Checkpoint::parse(&note.text).expect("it was made above"),
            signatures: note.signatures,
            head: None,
        }
    }

    /// The leaf of a head log for the first `size` entries.
    pub fn head(&self, size: u64) -> Vec<u8> {
        format!("lingqu/head/v1\n{}\n{}", self.time.0, self.cosigned(size)).into_bytes()
    }
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).expect("tests name keys well")
}
