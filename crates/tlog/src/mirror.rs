//! The mirror protocol's bodies (C2SP tlog-mirror): entries in packages that can each be verified
//! alone, without HTTP.
//!
//! A request is [`UploadHeader`] and then packages, aligned at multiples of 256 leaves; each proves
//! that its leaves, with those before them in the same 256, are part of the tree of `upload_end`
//! leaves. [`MirrorInfo`] is the answer that says where to go on.

use crate::bundle::{EntryTooLarge, push_entry, split_entry};
use crate::checkpoint::MAX_TREE_SIZE;
use crate::encoding;
use crate::frontier::Frontier;
use crate::merkle::leaf_hash;
use crate::proof::ProofInvalid;
use crate::subtree::{Subtree, verify_subtree};
use crate::suite::{Hash, Suite};
use crate::tile::TILE_WIDTH;

/// Longest origin and longest ticket in bytes.
pub const MAX_MIRROR_TEXT_BYTES: usize = 1024;

/// Most hashes of one package's proof.
pub const MAX_PACKAGE_PROOF: usize = 63;

/// The content type of [`MirrorInfo`].
pub const MIRROR_INFO_CONTENT_TYPE: &str = "text/x.tlog.mirror-info";

/// What an upload is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadHeader {
    /// The log's origin.
    pub origin: String,
    /// The first leaf that is sent.
    pub start: u64,
    /// The size of the tree that all proofs lead to.
    pub end: u64,
    /// What the mirror gave to be told again.
    pub ticket: Vec<u8>,
}

impl UploadHeader {
    /// The header's bytes. Origin and ticket have at most [`MAX_MIRROR_TEXT_BYTES`].
    ///
    /// # Errors
    /// [`EntryTooLarge`] when one has more.
    pub fn encode(&self) -> Result<Vec<u8>, EntryTooLarge> {
        if self.origin.len().max(self.ticket.len()) > MAX_MIRROR_TEXT_BYTES {
            return Err(EntryTooLarge);
        }
        let mut bytes = Vec::new();
        push_entry(&mut bytes, self.origin.as_bytes())?;
        bytes.extend_from_slice(&self.start.to_be_bytes());
        bytes.extend_from_slice(&self.end.to_be_bytes());
        push_entry(&mut bytes, &self.ticket)?;
        Ok(bytes)
    }

    /// Reads a header and gives the bytes after it; `None` when it is malformed or not complete.
    pub fn parse(bytes: &[u8]) -> Option<(UploadHeader, &[u8])> {
        let (origin, rest) = split_entry(bytes)?;
        let (start, rest) = rest.split_first_chunk::<8>()?;
        let (end, rest) = rest.split_first_chunk::<8>()?;
        let (ticket, rest) = split_entry(rest)?;
        let (start, end) = (u64::from_be_bytes(*start), u64::from_be_bytes(*end));
        let origin = std::str::from_utf8(origin).ok()?;
        let fits = !origin.is_empty()
            && origin.len().max(ticket.len()) <= MAX_MIRROR_TEXT_BYTES
            && start <= end
            && end <= MAX_TREE_SIZE;
        let header = UploadHeader {
            origin: origin.to_owned(),
            start,
            end,
            ticket: ticket.to_vec(),
        };
        fits.then_some((header, rest))
    }

    /// The leaves of each package, in order.
    pub fn packages(&self) -> impl Iterator<Item = PackageRange> {
        let (start, end) = (self.start, self.end);
        let aligned = start - start % TILE_WIDTH;
        (0..)
            .map_while(move |number: u64| number.checked_mul(TILE_WIDTH)?.checked_add(aligned))
            .take_while(move |first| start < end && *first < end)
            .map(move |first| PackageRange {
                aligned: first,
                first: first.max(start),
                end: (first + TILE_WIDTH).min(end),
            })
    }
}

/// The leaves of one package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageRange {
    aligned: u64,
    first: u64,
    end: u64,
}

impl PackageRange {
    /// The first leaf that the package has.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The leaf after the last.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The subtree that the package's proof is about: the package's leaves and those before them in
    /// the same 256.
    pub fn subtree(&self) -> Subtree {
        Subtree::new(self.aligned, self.end)
            .expect("up to 256 leaves from a multiple of 256 on are a subtree")
    }
}

/// Up to 256 entries with the proof that they belong where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The entries.
    pub entries: Vec<Vec<u8>>,
    /// The proof of [`PackageRange::subtree`].
    pub proof: Vec<Hash>,
}

impl Package {
    /// The package's bytes.
    ///
    /// # Errors
    /// [`EntryTooLarge`] for an entry of more than 65,535 bytes, or a proof of more than
    /// [`MAX_PACKAGE_PROOF`] hashes.
    pub fn encode(&self) -> Result<Vec<u8>, EntryTooLarge> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            push_entry(&mut bytes, entry)?;
        }
        let hashes = u8::try_from(self.proof.len())
            .ok()
            .filter(|&hashes| usize::from(hashes) <= MAX_PACKAGE_PROOF);
        bytes.push(hashes.ok_or(EntryTooLarge)?);
        bytes.extend(self.proof.iter().flat_map(|hash| hash.0));
        Ok(bytes)
    }

    /// Reads the package of `range` and gives the bytes after it.
    ///
    /// # Errors
    /// [`PackageIncomplete`] when bytes are missing, or the proof says that it has more than
    /// [`MAX_PACKAGE_PROOF`] hashes.
    pub fn parse(bytes: &[u8], range: PackageRange) -> Result<(Package, &[u8]), PackageIncomplete> {
        let mut rest = bytes;
        let mut entries = Vec::new();
        for _ in range.first..range.end {
            let (entry, after) = split_entry(rest).ok_or(PackageIncomplete)?;
            entries.push(entry.to_vec());
            rest = after;
        }
        let (hashes, rest) = rest.split_first().ok_or(PackageIncomplete)?;
        if usize::from(*hashes) > MAX_PACKAGE_PROOF {
            return Err(PackageIncomplete);
        }
        let (hashes, rest) = rest
            .split_at_checked(usize::from(*hashes) * 32)
            .ok_or(PackageIncomplete)?;
        let proof = hashes.as_chunks::<32>().0.iter().map(|hash| Hash(*hash));
        let proof = proof.collect();
        Ok((Package { entries, proof }, rest))
    }

    /// Verifies that the entries are the leaves `range` of the tree of `size` leaves with `root`.
    /// `before` are the leaf hashes from the multiple of 256 up to the first entry, which the
    /// mirror has already. Gives the entries' leaf hashes.
    ///
    /// # Errors
    /// [`ProofInvalid`] when they are not.
    pub fn verify<S: Suite>(
        &self,
        range: PackageRange,
        before: &[Hash],
        size: u64,
        root: Hash,
    ) -> Result<Vec<Hash>, ProofInvalid> {
        let complete = before.len() as u64 == range.first - range.aligned
            && self.entries.len() as u64 == range.end - range.first;
        if !complete {
            return Err(ProofInvalid::WrongLength);
        }
        let own: Vec<Hash> = self
            .entries
            .iter()
            .map(|entry| leaf_hash::<S>(entry))
            .collect();
        let mut subtree = Frontier::<S>::new();
        before
            .iter()
            .chain(&own)
            .for_each(|leaf| subtree.push(*leaf));
        verify_subtree::<S>(range.subtree(), subtree.root(), size, root, &self.proof)?;
        Ok(own)
    }
}

/// Where a mirror is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorInfo {
    /// The size of a pending checkpoint, which an upload may lead to.
    pub size: u64,
    /// The first leaf that the mirror lacks.
    pub next: u64,
    /// To be sent with the next upload.
    pub ticket: Vec<u8>,
}

impl MirrorInfo {
    /// The body of an answer with status 202 or 409.
    pub fn to_text(&self) -> String {
        let ticket = encoding::base64(&self.ticket);
        format!("{}\n{}\n{ticket}\n", self.size, self.next)
    }

    /// Reads such a body.
    ///
    /// `None` for whatever [`MirrorInfo::to_text`] would not write, byte for byte.
    pub fn parse(text: &str) -> Option<MirrorInfo> {
        let mut lines = text.strip_suffix('\n')?.splitn(3, '\n');
        let mut number = || {
            let number = encoding::from_decimal(lines.next()?)?;
            (number <= MAX_TREE_SIZE).then_some(number)
        };
        let (size, next) = (number()?, number()?);
        let ticket = lines.next()?;
        if ticket.len() > MAX_MIRROR_TEXT_BYTES.div_ceil(3) * 4 {
            return None;
        }
        let ticket = encoding::from_base64(ticket)?;
        let fits = ticket.len() <= MAX_MIRROR_TEXT_BYTES;
        fits.then_some(MirrorInfo { size, next, ticket })
    }
}

/// Bytes that do not hold a whole package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a whole package of entries")]
pub struct PackageIncomplete;

#[cfg(test)]
mod tests;
