//! A receipt: the caller's proof that a call stands in the node's stream, and, at the mirrored level, in the
//! coordinator's copy; at the witnessed level also in the head log that supervisors are shown. It is one or two
//! tlog-proofs in parts; [`Receipt::to_text`] gives the text form.

use lingqu_tlog::{
    Checkpoint, Hash, NotAccepted, Note, NoteSignature, Suite, leaf_hash, verify_inclusion,
};

use crate::Timestamp;
use crate::head::{Head, head_log_of};
use crate::record::{Record, StreamId};
use crate::trust::Trust;

/// How much is true of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// R1: durable at the node and signed by it.
    Local,
    /// R2: also durable at the mirror and cosigned by it.
    Mirrored,
    /// R3: also covered by a head log that a quorum of witnesses cosigned.
    Witnessed,
}

/// What the caller holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The exact bytes of the record.
    pub entry: Vec<u8>,
    /// Its index in the stream.
    pub index: u64,
    /// Inclusion proof, leaf sibling first.
    pub proof: Vec<Hash>,
    /// The checkpoint that the proof leads to.
    pub checkpoint: Checkpoint,
    /// The node's signature on it, and cosignatures; at the witnessed level the node's first and then that of the mirror
    /// which keeps the head log.
    pub signatures: Vec<NoteSignature>,
    /// At the witnessed level: that this checkpoint, with exactly the first two signatures, stands in the head log.
    pub head: Option<HeadProof>,
}

/// Signatures in a head log's leaf: the stream's and its mirror's.
const HEAD_SIGNATURES: usize = 2;

/// That a stream's checkpoint stands in the head log of its region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadProof {
    /// When the mirror took the checkpoint: part of the leaf.
    pub received: Timestamp,
    /// The leaf's index in the head log.
    pub index: u64,
    /// Inclusion proof, leaf sibling first.
    pub proof: Vec<Hash>,
    /// The head log's signed checkpoint with its witnesses' cosignatures, a whole note.
    pub checkpoint: String,
}

/// What a receipt proves to whoever trusts the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The record.
    pub record: Record,
    /// How much is true of it.
    pub level: Level,
    /// When the mirror cosigned.
    pub mirrored_at: Option<Timestamp>,
    /// When the last of the witnesses cosigned a head log that covers it.
    pub witnessed_at: Option<Timestamp>,
}

/// Why a receipt is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptRefused {
    /// No trusted log key has the checkpoint's origin.
    #[error("the stream `{0}` is not trusted")]
    StreamUnknown(String),
    /// The checkpoint's signature by the log is missing or wrong.
    #[error("the checkpoint is not signed by the stream's key")]
    LogSignature,
    /// A known cosigner's signature is wrong.
    #[error("a cosignature is wrong")]
    Cosignature,
    /// The trust file demands a cosignature that is not there.
    #[error("the cosignature of `{0}` is missing")]
    QuorumMissing(String),
    /// The proof does not lead from the entry to the checkpoint.
    #[error("the inclusion proof does not fit")]
    Inclusion,
    /// There is no proof that the head log covers the record.
    #[error("there is no proof that the head log covers the record")]
    HeadMissing,
    /// What is said of the head log is not so: its signature, its place, or that the checkpoint stands in it.
    #[error("the proof of the head log does not fit")]
    Head,
    /// The entry is no record, or stands in another place than it says.
    #[error("the entry is not the record of this place")]
    Record,
}

/// Why a text is not a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt: its {0} cannot be read")]
pub struct ReceiptMalformed(pub &'static str);

impl Receipt {
    /// Checks everything against `trust`: signatures, quorum, inclusion, and that the record says where it stands.
    pub fn verify<S: Suite>(&self, trust: &Trust<S>) -> Result<Proven, ReceiptRefused> {
        let log = trust
            .log(&self.checkpoint.origin)
            .ok_or_else(|| ReceiptRefused::StreamUnknown(self.checkpoint.origin.clone()))?;
        let note = self.note();
        note.verify(std::slice::from_ref(log))
            .map_err(|_| ReceiptRefused::LogSignature)?;
        let (cosigned, is_mirrored) = trust.cosigned(&note).map_err(not_accepted)?;
        let times = cosigned.iter().map(|one| one.time_unix_s);
        let mirrored_at = times.max().filter(|_| is_mirrored).map(unix_s);
        let record = self.included::<S>()?;
        let level = if mirrored_at.is_some() {
            Level::Mirrored
        } else {
            Level::Local
        };
        Ok(Proven {
            record,
            level,
            mirrored_at,
            witnessed_at: None,
        })
    }

    /// The same, and that the head log of the stream's region covers the record, as `heads` asks of it: signed by the
    /// head log's key, and cosigned by enough witnesses. Without a witness in `heads` nothing is witnessed.
    ///
    /// # Errors
    /// [`ReceiptRefused`]; [`ReceiptRefused::QuorumMissing`] when the mirror or too few witnesses cosigned.
    pub fn verify_witnessed<S: Suite>(
        &self,
        trust: &Trust<S>,
        heads: &Trust<S>,
    ) -> Result<Proven, ReceiptRefused> {
        let proven = self.verify(trust)?;
        let head = self.head.as_ref().ok_or(ReceiptRefused::HeadMissing)?;
        let origin = head_log_of(&self.checkpoint.origin).ok_or(ReceiptRefused::Head)?;
        let unknown = || ReceiptRefused::StreamUnknown(origin.clone());
        let key = heads.log(&origin).ok_or_else(unknown)?;
        let note = Note::parse(&head.checkpoint).map_err(|_| ReceiptRefused::Head)?;
        note.verify(std::slice::from_ref(key))
            .map_err(|_| ReceiptRefused::Head)?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| ReceiptRefused::Head)?;
        if checkpoint.origin != origin {
            return Err(ReceiptRefused::Head);
        }
        let leaf = leaf_hash::<S>(&Head::encode(head.received, &self.head_note()));
        let (size, root) = (checkpoint.size, checkpoint.root);
        verify_inclusion::<S>(leaf, head.index, size, root, &head.proof)
            .map_err(|_| ReceiptRefused::Head)?;
        let (cosigned, is_met) = heads.cosigned(&note).map_err(not_accepted)?;
        let times = cosigned.iter().map(|one| one.time_unix_s);
        let newest = times.max().filter(|_| is_met);
        let quorum = || ReceiptRefused::QuorumMissing("witnesses".to_owned());
        // Who is witnessed is mirrored: a head is cosigned by the mirror, and the node checked it.
        if proven.level < Level::Mirrored {
            return Err(ReceiptRefused::QuorumMissing("mirror".to_owned()));
        }
        Ok(Proven {
            level: Level::Witnessed,
            witnessed_at: Some(unix_s(newest.ok_or_else(quorum)?)),
            ..proven
        })
    }

    /// Checks only that the receipt is consistent in itself. Anybody can make one that is.
    pub fn check_consistency<S: Suite>(&self) -> Result<Record, ReceiptRefused> {
        self.included::<S>()
    }

    /// The signed note of the checkpoint.
    pub fn note(&self) -> Note {
        Note {
            text: self.checkpoint.to_text(),
            signatures: self.signatures.clone(),
        }
    }

    /// The same note as it stands in a head log: cosigned by that log's own mirror, and by no other.
    fn head_note(&self) -> Note {
        let mut note = self.note();
        note.signatures.truncate(HEAD_SIGNATURES);
        note
    }

    /// The published text form of the proof in the stream, which third-party tools read; the entry travels as its `extra`
    /// line.
    pub fn tlog_proof(&self) -> lingqu_tlog::TlogProof {
        lingqu_tlog::TlogProof {
            extra: Some(self.entry.clone()),
            index: self.index,
            hashes: self.proof.clone(),
            checkpoint: self.note().to_string(),
        }
    }

    /// The same of the proof in the head log, if there is one: the leaf travels as its `extra` line.
    pub fn head_tlog_proof(&self) -> Option<lingqu_tlog::TlogProof> {
        let head = self.head.as_ref()?;
        Some(lingqu_tlog::TlogProof {
            extra: Some(Head::encode(head.received, &self.head_note())),
            index: head.index,
            hashes: head.proof.clone(),
            checkpoint: head.checkpoint.clone(),
        })
    }

    /// Reads the published text form back.
    ///
    /// # Errors
    /// [`ReceiptMalformed`] names the part that cannot be read; the entry must be in the `extra` line.
    pub fn from_tlog_proof(text: &str) -> Result<Receipt, ReceiptMalformed> {
        let proof = lingqu_tlog::TlogProof::parse(text).map_err(|_| ReceiptMalformed("proof"))?;
        let note = Note::parse(&proof.checkpoint).map_err(|_| ReceiptMalformed("checkpoint"))?;
        Ok(Receipt {
            entry: proof.extra.ok_or(ReceiptMalformed("entry"))?,
            index: proof.index,
            proof: proof.hashes,
            checkpoint: Checkpoint::parse(&note.text)
                .map_err(|_| ReceiptMalformed("checkpoint"))?,
            signatures: note.signatures,
            head: None,
        })
    }

    fn included<S: Suite>(&self) -> Result<Record, ReceiptRefused> {
        let leaf = leaf_hash::<S>(&self.entry);
        verify_inclusion::<S>(
            leaf,
            self.index,
            self.checkpoint.size,
            self.checkpoint.root,
            &self.proof,
        )
        .map_err(|_| ReceiptRefused::Inclusion)?;
        let record = Record::decode::<S>(&self.entry).map_err(|_| ReceiptRefused::Record)?;
        let in_place = record.index == self.index
            && record.stream == StreamId::of::<S>(&self.checkpoint.origin);
        if in_place {
            Ok(record)
        } else {
            Err(ReceiptRefused::Record)
        }
    }
}

fn not_accepted(refused: NotAccepted) -> ReceiptRefused {
    match refused {
        NotAccepted::QuorumNotMet { quorum } => ReceiptRefused::QuorumMissing(quorum),
        NotAccepted::Checkpoint(_)
        | NotAccepted::Note(_)
        | NotAccepted::Signature(_)
        | NotAccepted::UnknownLog { .. } => ReceiptRefused::Cosignature,
    }
}

fn unix_s(unix_s: u64) -> Timestamp {
    Timestamp::from_unix_s(i64::try_from(unix_s).unwrap_or(i64::MAX))
}

mod text;

pub use text::{RECEIPTS_MAX, is_receipts, is_text, receipts_from_text, receipts_to_text};

#[cfg(test)]
mod tests;
