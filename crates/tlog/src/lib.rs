//! Transparency-log formats and tree (C2SP). Pure: no I/O, no clock, no domain.
//!
//! **What it is**: the RFC 6962 Merkle tree in the two shapes a single writer needs ([`Frontier`],
//! [`RecentTree`]), the RFC 9162 proof checks, and the text formats signed-note, tlog-checkpoint,
//! tlog-cosignature v1, tlog-proof v1, tlog-tiles, tlog-witness, tlog-mirror and tlog-policy, all
//! generic over a [`Suite`] of algorithms.
//!
//! **In scope**: bytes and strings in, bytes and strings out; strict parsers with size limits that
//! never panic; refusal of public keys that would accept forged signatures.
//!
//! **Out of scope**: storage, HTTP, what an entry means, whom to trust, and the time (a
//! cosignature's time is an argument; judging its freshness is the caller's task).
//!
//! **Start reading at** [`Suite`] (`suite.rs`), then `note.rs`, `checkpoint.rs`, `tlog_proof.rs`;
//! the tree starts at `merkle.rs`.
//!
//! ```
//! use lingqu_tlog::{Checkpoint, Ed25519Signer, Frontier, Intl, KeyName, Note, Signer, VerifierKey};
//! use lingqu_tlog::{leaf_hash, sign_note};
//!
//! let mut tree: Frontier = Frontier::new();
//! tree.push(leaf_hash::<Intl>(b"first entry"));
//!
//! let name = KeyName::parse("node.example/log")?;
//! let signer = Ed25519Signer::from_seed([7; 32]);
//! let checkpoint = Checkpoint { origin: name.to_string(), size: tree.size(), root: tree.root() };
//! let text = checkpoint.to_text();
//! let signature = sign_note::<Intl>(&text, &name, &signer)?;
//! let wire = Note { text, signatures: vec![signature] }.to_string();
//!
//! let key = VerifierKey::<Intl>::note(name, signer.public_key())?;
//! let note = Note::parse(&wire)?;
//! note.verify(&[key])?;
//! assert_eq!(Checkpoint::parse(&note.text)?, checkpoint);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bundle;
mod checkpoint;
mod cosignature;
mod encoding;
mod fork;
mod frontier;
mod key;
mod merkle;
mod mirror;
mod note;
mod policy;
mod proof;
mod recent;
mod subtree;
mod suite;
mod tile;
mod tiled;
mod tlog_proof;
mod witness;

pub use bundle::{
    BundleMalformed, EntryTooLarge, MAX_ENTRY_BYTES, decode_bundle, encode_bundle, push_entry,
};
pub use checkpoint::{Checkpoint, CheckpointMalformed, MAX_TREE_SIZE};
pub use cosignature::{
    CosignError, CosignatureRefused, cosignature_time, sign_cosignature, verify_cosignature,
};
pub use fork::{Branch, Fork, NoFork};
pub use frontier::{Frontier, FrontierRefused, Growth};
pub use key::{KeyKind, KeyName, MAX_NAME_BYTES, NameRefused, VerifierKey, VkeyRefused, key_id};
pub use merkle::{empty_root, leaf_hash, node_hash};
pub use mirror::{
    MAX_MIRROR_TEXT_BYTES, MAX_PACKAGE_PROOF, MIRROR_INFO_CONTENT_TYPE, MirrorInfo, Package,
    PackageIncomplete, PackageRange, UploadHeader,
};
pub use note::{
    MAX_BLOB_BYTES, MAX_SIGNATURES, MAX_TEXT_BYTES, Note, NoteMalformed, NoteRefused,
    NoteSignature, VerifiedSignature, sign_note,
};
pub use policy::{
    Accepted, MAX_POLICY_BYTES, MAX_POLICY_LOGS, MAX_POLICY_NAMES, NotAccepted, Policy, PolicyLog,
    PolicyRefused, PolicyWitness,
};
pub use proof::{MAX_PROOF_HASHES, ProofInvalid, verify_consistency, verify_inclusion};
pub use recent::{ProofError, RecentTree};
pub use subtree::{Subtree, verify_subtree};
pub use suite::{
    Digest, Ed25519Signer, Hash, HashMalformed, Intl, KeyRefused, Sha256, Signer, SignerRefused,
    Suite,
};
pub use tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileKind, encode_hashes};
pub use tiled::{TileBuilder, TileTree, TileTreeError};
pub use tlog_proof::{
    Cosigned, MAX_EXTRA_BYTES, ProofMalformed, ProofRefused, Quorum, QuorumRefused, TlogProof,
    VerifiedProof,
};
pub use witness::{
    AddCheckpoint, AddCheckpointMalformed, MAX_ADD_CHECKPOINT_BYTES, MAX_WITNESS_PROOF,
    SIZE_CONTENT_TYPE, WitnessRefused, encode_cosignatures, encode_size, judge, parse_cosignatures,
    parse_size,
};

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod wycheproof;
