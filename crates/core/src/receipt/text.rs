//! Receipts as texts, for people and for the tools of others.
//!
//! Up to the mirrored level a receipt is a `tlog-proof` of its record. At the witnessed level it is two of them, one after
//! the other: that of the record in its stream, and that of the stream's checkpoint in the head log. Several receipts are
//! one file. Every text has one spelling.

use lingqu_tlog::TlogProof;

use super::{HeadProof, Receipt, ReceiptMalformed};
use crate::head::Head;

/// First line of a receipt at the witnessed level.
const WITNESSED_MAGIC: &str = "lingqu/witnessed/v1\n";

impl Receipt {
    /// The text form: a `tlog-proof`; at the witnessed level the line `lingqu/witnessed/v1`, and for each of its two
    /// proofs a line with its length in bytes and the `tlog-proof`, that of the record first.
    pub fn to_text(&self) -> String {
        let proof = self.tlog_proof().to_string();
        match self.head_tlog_proof() {
            None => proof,
            Some(head) => {
                let head = head.to_string();
                format!(
                    "{WITNESSED_MAGIC}{}\n{proof}{}\n{head}",
                    proof.len(),
                    head.len()
                )
            }
        }
    }

    /// Reads what [`Receipt::to_text`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`ReceiptMalformed`] names the part that cannot be read.
    pub fn from_text(text: &str) -> Result<Receipt, ReceiptMalformed> {
        let Some(rest) = text.strip_prefix(WITNESSED_MAGIC) else {
            return Receipt::from_tlog_proof(text);
        };
        let (proof, rest) = counted(rest)?;
        let (head, rest) = counted(rest)?;
        if !rest.is_empty() {
            return Err(ReceiptMalformed("end"));
        }
        let mut receipt = Receipt::from_tlog_proof(proof)?;
        let malformed = ReceiptMalformed("head");
        let head = TlogProof::parse(head).map_err(|_| malformed)?;
        let leaf = head.extra.as_deref().and_then(Head::decode);
        // One leaf, said once: it is about this very checkpoint.
        let leaf = leaf.filter(|leaf| leaf.note == receipt.head_note());
        receipt.head = Some(HeadProof {
            received: leaf.ok_or(malformed)?.received,
            index: head.index,
            proof: head.hashes,
            checkpoint: head.checkpoint,
        });
        Ok(receipt)
    }
}

/// Whether a text says that it is one receipt.
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.starts_with(b"c2sp.org/") || bytes.starts_with(WITNESSED_MAGIC.as_bytes())
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
        let proof = receipt.to_text();
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
        receipts.push(Receipt::from_text(proof)?);
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

/// A line with a length in bytes, a text of that length, and what follows.
fn counted(text: &str) -> Result<(&str, &str), ReceiptMalformed> {
    let (length, after) = number(text)?;
    after
        .split_at_checked(length)
        .ok_or(ReceiptMalformed("length"))
}
