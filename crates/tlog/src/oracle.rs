//! Independent answers for the tests: RFC 6962's recursive definitions, word for word, and the
//! stores and adapters that the crates used as oracles ask for.

use ct_merkle::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update, consts::U32};
use sha2::Digest as _;
use tlog_tiles::HashReader;

use crate::suite::{Ed25519Signer, Hash};

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = sha2::Sha256::new();
    parts
        .iter()
        .for_each(|part| sha2::Digest::update(&mut hasher, part));
    Hash(hasher.finalize().into())
}

/// The entry that the golden vectors have at `index`.
pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("leaf-{index}").into_bytes()
}

pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|index| sha256(&[&[0], &entry(index)]))
        .collect()
}

fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// `MTH(D[n])` of RFC 6962 §2.1, over leaf hashes.
pub(crate) fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            sha256(&[&[1], &mth(left).0, &mth(right).0])
        }
    }
}

/// `PATH(m, D[n])` of RFC 6962 §2.1.1.
pub(crate) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if index < k {
        (path(index, left), mth(right))
    } else {
        (path(index - k, right), mth(left))
    };
    proof.push(sibling);
    proof
}

/// `PROOF(m, D[n])` of RFC 6962 §2.1.2.
pub(crate) fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    subproof(old, leaves, true)
}

fn subproof(old: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_known {
            Vec::new()
        } else {
            vec![mth(leaves)]
        };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if old <= k {
        (subproof(old, left, is_known), mth(right))
    } else {
        (subproof(old - k, right, false), mth(left))
    };
    proof.push(sibling);
    proof
}

/// Every node of a tree, in the order of `tlog_tiles::stored_hash_index`.
pub(crate) struct TilesStore(Vec<tlog_tiles::Hash>);

impl TilesStore {
    pub(crate) fn new(leaves: &[Hash]) -> TilesStore {
        let mut store = TilesStore(Vec::new());
        for (leaf, index) in leaves.iter().zip(0..) {
            let leaf = tlog_tiles::Hash(leaf.0);
            let new = tlog_tiles::stored_hashes_for_record_hash(index, leaf, &store).unwrap();
            store.0.extend(new);
        }
        store
    }
}

impl HashReader for TilesStore {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|&index| self.0[index as usize])
            .collect())
    }
}

pub(crate) fn from_tiles(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

pub(crate) fn to_tiles(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

/// SHA-256 for ct-merkle, which wants a newer generation of the digest traits than sha2 has here.
#[derive(Clone, Default)]
pub(crate) struct NewSha256(sha2::Sha256);

impl HashMarker for NewSha256 {}

impl OutputSizeUser for NewSha256 {
    type OutputSize = U32;
}

impl Update for NewSha256 {
    fn update(&mut self, data: &[u8]) {
        sha2::Digest::update(&mut self.0, data);
    }
}

impl FixedOutput for NewSha256 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0.finalize());
    }
}

/// The 32-byte hashes that ct-merkle writes one after another.
pub(crate) fn from_concatenated(bytes: &[u8]) -> Vec<Hash> {
    bytes
        .chunks(32)
        .map(|chunk| Hash(chunk.try_into().unwrap()))
        .collect()
}

pub(crate) fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}
