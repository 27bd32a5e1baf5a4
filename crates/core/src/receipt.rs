//! A receipt: the caller's proof that a call stands in the node's stream, and, at the mirrored level, in the
//! coordinator's copy. It is a tlog-proof in parts; [`Receipt::tlog_proof`] gives the published text form.

use lingqu_tlog::{
    Checkpoint, Hash, NotAccepted, Note, NoteSignature, Suite, leaf_hash, verify_inclusion,
};

use crate::Timestamp;
use crate::record::{Record, StreamId};
use crate::trust::Trust;

/// How much is true of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// R1: durable at the node and signed by it.
    Local,
    /// R2: also durable at the mirror and cosigned by it.
    Mirrored,
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
    /// The node's signature on it, and cosignatures.
    pub signatures: Vec<NoteSignature>,
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
        let (cosigned, is_mirrored) = trust.cosigned(&note).map_err(|refused| match refused {
            NotAccepted::QuorumNotMet { quorum } => ReceiptRefused::QuorumMissing(quorum),
            NotAccepted::Checkpoint(_)
            | NotAccepted::Note(_)
            | NotAccepted::Signature(_)
            | NotAccepted::UnknownLog { .. } => ReceiptRefused::Cosignature,
        })?;
        let times = cosigned.iter().map(|one| one.time_unix_s);
        let mirrored_at = times
            .max()
            .filter(|_| is_mirrored)
            .map(|unix_s| Timestamp::from_unix_s(i64::try_from(unix_s).unwrap_or(i64::MAX)));
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

    /// The published text form, which third-party tools read; the entry travels as its `extra` line.
    pub fn tlog_proof(&self) -> lingqu_tlog::TlogProof {
        lingqu_tlog::TlogProof {
            extra: Some(self.entry.clone()),
            index: self.index,
            hashes: self.proof.clone(),
            checkpoint: self.note().to_string(),
        }
    }

    /// Reads the text form back.
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

/// Most receipts of one file.
pub const RECEIPTS_MAX: usize = 500;
/// First line of a file of several receipts.
const RECEIPTS_MAGIC: &str = "lingqu/receipts/v1\n";

/// Several receipts as one text: the magic line, a line with their number, and for each a line with its length in bytes
/// and its text form. It says nothing that the receipts do not; the number only shows that none was cut off.
pub fn receipts_to_text(receipts: &[Receipt]) -> String {
    let mut text = format!("{RECEIPTS_MAGIC}{}\n", receipts.len());
    for receipt in receipts {
        let proof = receipt.tlog_proof().to_string();
        text.push_str(&format!("{}\n{proof}", proof.len()));
    }
    text
}

/// Whether a text says that it is several receipts.
pub fn is_receipts(bytes: &[u8]) -> bool {
    bytes.starts_with(RECEIPTS_MAGIC.as_bytes())
}

/// Reads what [`receipts_to_text`] wrote, and nothing else.
///
/// # Errors
/// [`ReceiptMalformed`] names the part that cannot be read.
pub fn receipts_from_text(text: &str) -> Result<Vec<Receipt>, ReceiptMalformed> {
    let rest = text.strip_prefix(RECEIPTS_MAGIC);
    let (count, mut rest) = number(rest.ok_or(ReceiptMalformed("first line"))?)?;
    if count > RECEIPTS_MAX {
        return Err(ReceiptMalformed("number of receipts"));
    }
    let mut receipts = Vec::new();
    for _ in 0..count {
        let (length, after) = number(rest)?;
        let proof = after.get(..length).ok_or(ReceiptMalformed("length"))?;
        receipts.push(Receipt::from_tlog_proof(proof)?);
        rest = &after[length..];
    }
    if rest.is_empty() {
        Ok(receipts)
    } else {
        Err(ReceiptMalformed("end"))
    }
}

/// A line with a decimal number in its one spelling, and what follows it.
fn number(text: &str) -> Result<(usize, &str), ReceiptMalformed> {
    let malformed = ReceiptMalformed("number");
    let (line, rest) = text.split_once('\n').ok_or(malformed)?;
    let number: usize = line.parse().map_err(|_| malformed)?;
    if number.to_string() == line {
        Ok((number, rest))
    } else {
        Err(malformed)
    }
}

#[cfg(test)]
mod tests;
