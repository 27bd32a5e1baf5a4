//! Offline proofs (C2SP tlog-proof v1): that an entry is in a log, as seen by its cosigners.
//!
//! A proof carries an index, an inclusion proof and the signed checkpoint. It is believed only
//! against keys the verifier already holds: the log's, and a [`Quorum`] of cosigners'.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointMalformed, MAX_TREE_SIZE};
use crate::encoding;
use crate::key::{KeyKind, KeyName, VerifierKey};
use crate::note::{Note, NoteMalformed, NoteRefused};
use crate::proof::{MAX_PROOF_HASHES, ProofInvalid, verify_inclusion};
use crate::suite::{Hash, Intl, Suite};

/// Longest extra data in bytes.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof that nobody has verified yet. `Display` gives its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque data for the application. **Never authenticated**.
    pub extra: Option<Vec<u8>>,
    /// The entry's index in the log, from 0.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, a whole note, byte for byte as its signers wrote it.
    pub checkpoint: String,
}

/// What a verified proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedProof {
    /// The log's checkpoint that includes the entry.
    pub checkpoint: Checkpoint,
    /// The quorum's cosigners that cosigned the checkpoint.
    pub cosigned: Vec<Cosigned>,
}

/// A cosigner's statement, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The cosigner's name.
    pub name: KeyName,
    /// When it cosigned, Unix time in seconds.
    pub time_unix_s: u64,
}

impl TlogProof {
    /// Reads a proof. The checkpoint must be a well-formed signed checkpoint; its signatures are
    /// not looked at.
    ///
    /// # Errors
    /// [`ProofMalformed`] for whatever [`TlogProof`] would not display, byte for byte.
    pub fn parse(proof: &str) -> Result<TlogProof, ProofMalformed> {
        let (header, rest) = split_line(proof).ok_or(ProofMalformed::Header)?;
        if header != HEADER {
            return Err(ProofMalformed::Header);
        }
        let (extra, rest) = split_extra(rest)?;
        let (line, mut rest) = split_line(rest).ok_or(ProofMalformed::Index)?;
        let index = line
            .strip_prefix("index ")
            .and_then(encoding::from_decimal)
            .filter(|&index| index < MAX_TREE_SIZE)
            .ok_or(ProofMalformed::Index)?;
        let mut hashes = Vec::new();
        loop {
            let (line, after) = split_line(rest).ok_or(ProofMalformed::Hashes)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if hashes.len() == MAX_PROOF_HASHES {
                return Err(ProofMalformed::Hashes);
            }
            hashes.push(Hash::from_base64(line).map_err(|_| ProofMalformed::Hashes)?);
        }
        Checkpoint::parse(&Note::parse(rest)?.text)?;
        Ok(TlogProof {
            extra,
            index,
            hashes,
            checkpoint: rest.to_owned(),
        })
    }

    /// Verifies that an entry with this leaf hash is in the log of `log_key`, and that the quorum
    /// cosigned. The checkpoint's origin must be the log key's name.
    ///
    /// # Errors
    /// [`ProofRefused`] names the first thing that does not hold.
    pub fn verify<S: Suite>(
        &self,
        leaf_hash: Hash,
        log_key: &VerifierKey<S>,
        quorum: &Quorum<S>,
    ) -> Result<VerifiedProof, ProofRefused> {
        if log_key.kind() != KeyKind::Note {
            return Err(ProofRefused::NotALogKey);
        }
        let note = Note::parse(&self.checkpoint)?;
        note.verify(std::slice::from_ref(log_key))?;
        // At this point the text is the log's own.
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != log_key.name().as_str() {
            return Err(ProofRefused::OtherOrigin {
                origin: checkpoint.origin,
            });
        }
        let cosigned = quorum.cosigned(&note)?;
        verify_inclusion::<S>(
            leaf_hash,
            self.index,
            checkpoint.size,
            checkpoint.root,
            &self.hashes,
        )?;
        Ok(VerifiedProof {
            checkpoint,
            cosigned,
        })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", encoding::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes
            .iter()
            .try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// A line without its newline, and what follows; `None` when there is no newline left.
fn split_line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}

/// The extra data, if the next line has any, and what follows.
fn split_extra(text: &str) -> Result<(Option<Vec<u8>>, &str), ProofMalformed> {
    let Some(after_word) = text.strip_prefix("extra ") else {
        return Ok((None, text));
    };
    let (extra, rest) = split_line(after_word).ok_or(ProofMalformed::Extra)?;
    if extra.len() > MAX_EXTRA_BYTES.div_ceil(3) * 4 {
        return Err(ProofMalformed::Extra);
    }
    let extra = encoding::from_base64(extra).ok_or(ProofMalformed::Extra)?;
    if extra.len() > MAX_EXTRA_BYTES {
        return Err(ProofMalformed::Extra);
    }
    Ok((Some(extra), rest))
}

/// How many of which cosigners must have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum<S: Suite = Intl> {
    cosigners: Vec<VerifierKey<S>>,
    at_least: usize,
}

impl<S: Suite> Quorum<S> {
    /// At least `at_least` of `cosigners`.
    ///
    /// # Errors
    /// [`QuorumRefused`] when it could not be met, or could be met by fewer parties than it says.
    pub fn new(
        cosigners: Vec<VerifierKey<S>>,
        at_least: usize,
    ) -> Result<Quorum<S>, QuorumRefused> {
        if at_least > cosigners.len() {
            return Err(QuorumRefused::TooFew {
                at_least,
                cosigners: cosigners.len(),
            });
        }
        for (position, key) in cosigners.iter().enumerate() {
            let name = || key.name().clone();
            if key.kind() != KeyKind::Cosignature {
                return Err(QuorumRefused::NotACosigner { name: name() });
            }
            // A cosignature does not name its cosigner, so one key under two names would count
            // twice.
            let before = &cosigners[..position];
            if before
                .iter()
                .any(|other| other.public_key() == key.public_key())
            {
                return Err(QuorumRefused::SharedKey { name: name() });
            }
        }
        Ok(Quorum {
            cosigners,
            at_least,
        })
    }

    /// No cosigner is asked for: only the log's own signature counts.
    pub fn none() -> Quorum<S> {
        Quorum {
            cosigners: Vec::new(),
            at_least: 0,
        }
    }

    /// The cosigners that count.
    pub fn cosigners(&self) -> &[VerifierKey<S>] {
        &self.cosigners
    }

    /// How many of them must have cosigned.
    pub fn at_least(&self) -> usize {
        self.at_least
    }

    /// The cosigners that cosigned `note`, verified; at least as many as the quorum asks for.
    ///
    /// # Errors
    /// [`ProofRefused`] when there are fewer, or a cosigner's signature does not verify.
    pub fn cosigned(&self, note: &Note) -> Result<Vec<Cosigned>, ProofRefused> {
        let verified = match note.verify(&self.cosigners) {
            Err(NoteRefused::NoKnownSignature) => Vec::new(),
            other => other?,
        };
        if verified.len() < self.at_least {
            let (needed, got) = (self.at_least, verified.len());
            return Err(ProofRefused::QuorumNotMet { needed, got });
        }
        let cosigned = verified.into_iter().filter_map(|signature| {
            Some(Cosigned {
                name: signature.name,
                time_unix_s: signature.time_unix_s?,
            })
        });
        Ok(cosigned.collect())
    }
}

/// Why a quorum makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumRefused {
    /// The key signs notes, not cosignatures.
    #[error("key of `{name}` is not a cosigner's")]
    NotACosigner {
        /// The key's name.
        name: KeyName,
    },
    /// Two cosigners have the same public key.
    #[error("cosigner `{name}` has the same public key as another")]
    SharedKey {
        /// The second cosigner's name.
        name: KeyName,
    },
    /// There are fewer cosigners than must have cosigned.
    #[error("{at_least} of {cosigners} cosigners cannot cosign")]
    TooFew {
        /// How many must have cosigned.
        at_least: usize,
        /// How many there are.
        cosigners: usize,
    },
}

/// Why a text is not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofMalformed {
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// The extra data is not base64, or longer than [`MAX_EXTRA_BYTES`].
    #[error("proof's extra data is not canonical base64 or is too long")]
    Extra,
    /// A hash is malformed, there are more than [`MAX_PROOF_HASHES`], or no blank line follows.
    #[error("proof's hashes are malformed, too many or not followed by a blank line")]
    Hashes,
    /// The first line is not `c2sp.org/tlog-proof@v1`.
    #[error("proof does not begin with the line `{HEADER}`")]
    Header,
    /// The index line is missing, or not a canonical decimal.
    #[error("proof's index line is missing or malformed")]
    Index,
    /// The checkpoint is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteMalformed),
}

/// Why a proof does not show that the entry is in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// The entry is not in the checkpoint's tree at this index.
    #[error(transparent)]
    Inclusion(#[from] ProofInvalid),
    /// The key given for the log is a cosigner's.
    #[error("key given for the log is a cosigner's")]
    NotALogKey,
    /// The checkpoint is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteMalformed),
    /// The checkpoint is about another log.
    #[error("checkpoint is about the log `{origin}`")]
    OtherOrigin {
        /// The origin the log key signed.
        origin: String,
    },
    /// Fewer cosigners than the quorum asks for.
    #[error("{got} cosignatures instead of {needed}")]
    QuorumNotMet {
        /// How many cosigners the quorum asks for.
        needed: usize,
        /// How many cosigned.
        got: usize,
    },
    /// A signature does not verify, or the log's is missing.
    #[error(transparent)]
    Signature(#[from] NoteRefused),
}

#[cfg(test)]
mod tests;
