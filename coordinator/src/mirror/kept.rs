//! What is kept for ever of the log, apart from the frames that held it: the leaves of a head log, or the entries of the
//! coordinator's own stream, with the tree over them.
//!
//! `NAME.items` holds the items one after the other, `NAME.places` for each of them where it lies and a number that goes
//! with it, `NAME.tree-LEVEL` the hashes of the tree as C2SP's tiles have them, without an end. All are only appended to.
//! How many items hold is said by the base ([`super::base`]), whose root they must have; an item is handed out only if
//! its hash is the one in the tree.

use std::io;
use std::sync::Arc;

use lingqu_tlog::{
    Hash, Intl, Suite, TILE_HEIGHT, TILE_WIDTH, Tile, TileKind, TileTree, TileTreeError, leaf_hash,
    node_hash,
};

use super::files::Files;

/// Bytes of one place: offset and number, eight each, length and check, four each.
const PLACE_LEN: usize = 24;
const HASH_LEN: u64 = 32;
/// Bytes of items that are gathered before they are written.
const GATHERED_MAX: usize = 4 << 20;

/// Why something kept was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The files do not hold what was kept.
    #[error("`{0}` does not hold what was kept")]
    Damaged(String),
    /// The operating system refused.
    #[error("`{0}`: {1}")]
    Io(String, io::Error),
    /// There is no such item, or no such proof.
    #[error("there is no such item")]
    Outside,
}

/// The first `size` items of a name.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    files: Arc<Files>,
    name: String,
    size: u64,
    /// Bytes of these items.
    bytes: u64,
}

impl Kept {
    /// The items of a name of which nothing was kept yet.
    pub(crate) fn new(files: &Arc<Files>, name: &str) -> Kept {
        Kept {
            files: Arc::clone(files),
            name: name.to_owned(),
            size: 0,
            bytes: 0,
        }
    }

    /// The first `size` items, of `bytes` bytes, whose tree must have this root.
    ///
    /// # Errors
    /// [`KeptError::Damaged`] if the files hold something else.
    pub(crate) fn open(
        files: &Arc<Files>,
        name: &str,
        (size, bytes): (u64, u64),
        root: Hash,
    ) -> Result<Kept, KeptError> {
        let kept = Kept {
            size,
            bytes,
            ..Kept::new(files, name)
        };
        let is_whole = kept.root_at(size, &[])? == root
            && match size.checked_sub(1) {
                None => bytes == 0,
                Some(last) => kept.place(last)?.end() == Some(bytes),
            };
        if is_whole {
            Ok(kept)
        } else {
            Err(kept.damaged())
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// An item and its number.
    ///
    /// # Errors
    /// [`KeptError`], also when the item is not the one of the tree.
    pub(crate) fn item(&self, index: u64) -> Result<(u64, Vec<u8>), KeptError> {
        if index >= self.size {
            return Err(KeptError::Outside);
        }
        let place = self.place(index)?;
        // Checked before memory is taken.
        if place.end().is_none_or(|end| end > self.bytes) {
            return Err(self.damaged());
        }
        let mut item = vec![0; place.len as usize];
        self.read("items", place.offset, &mut item)?;
        let mut hash = [0; 32];
        self.read("tree-0", index * HASH_LEN, &mut hash)?;
        if leaf_hash::<Intl>(&item).0 == hash {
            Ok((place.number, item))
        } else {
            Err(self.damaged())
        }
    }

    /// The root of the first `size` items; `tail` are the leaf hashes after the kept ones.
    ///
    /// # Errors
    /// [`KeptError`].
    pub(crate) fn root_at(&self, size: u64, tail: &[Hash]) -> Result<Hash, KeptError> {
        let levels = self.levels(tail)?;
        let root = self.tree(&levels).root_at(size);
        root.map_err(|error| self.of_tree(error))
    }

    /// The proof that item `index` is among the first `size`.
    ///
    /// # Errors
    /// [`KeptError`].
    pub(crate) fn inclusion(
        &self,
        index: u64,
        size: u64,
        tail: &[Hash],
    ) -> Result<Vec<Hash>, KeptError> {
        let levels = self.levels(tail)?;
        let proof = self.tree(&levels).inclusion_proof(index, size);
        proof.map_err(|error| self.of_tree(error))
    }

    /// The proof that the first `new` items begin with the first `old`.
    ///
    /// # Errors
    /// [`KeptError`].
    pub(crate) fn consistency(
        &self,
        old: u64,
        new: u64,
        tail: &[Hash],
    ) -> Result<Vec<Hash>, KeptError> {
        let levels = self.levels(tail)?;
        let proof = self.tree(&levels).consistency_proof(old, new);
        proof.map_err(|error| self.of_tree(error))
    }

    /// Whoever adds items after these.
    ///
    /// # Errors
    /// [`KeptError`].
    pub(crate) fn append(&self) -> Result<Appended, KeptError> {
        Ok(Appended {
            levels: self.levels(&[])?,
            kept: self.clone(),
            before: self.clone(),
            items: Vec::new(),
            places: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// The right edge of the tree as far as tiles go, with `tail` added.
    fn levels(&self, tail: &[Hash]) -> Result<Levels, KeptError> {
        let mut levels = Levels {
            size: self.size,
            levels: Vec::new(),
        };
        for level in 0_u8..8 {
            let count = self.size >> (TILE_HEIGHT * u32::from(level));
            if count == 0 {
                break;
            }
            let first = count - count % TILE_WIDTH;
            let hashes = self.hashes(level, first, count - first)?;
            levels.levels.push((first, hashes));
        }
        for hash in tail {
            levels.push(*hash, &mut |_, _| ());
        }
        Ok(levels)
    }

    fn tree<'a>(
        &'a self,
        levels: &'a Levels,
    ) -> TileTree<impl FnMut(Tile) -> Result<Vec<Hash>, KeptError> + 'a> {
        TileTree::new(levels.size, move |tile: Tile| {
            let TileKind::Hashes { level } = tile.kind() else {
                return Err(KeptError::Outside);
            };
            let start = tile.index() * TILE_WIDTH;
            match levels.levels.get(usize::from(level)) {
                Some((first, hashes)) if start >= *first => {
                    let range = usize::try_from(start - first)
                        .ok()
                        .zip(usize::try_from(start - first + tile.width()).ok());
                    let found = range.and_then(|(from, to)| hashes.get(from..to));
                    found.map(<[Hash]>::to_vec).ok_or(KeptError::Outside)
                }
                _ => self.hashes(level, start, tile.width()),
            }
        })
    }

    fn hashes(&self, level: u8, first: u64, count: u64) -> Result<Vec<Hash>, KeptError> {
        let mut bytes = vec![0; usize::try_from(count * HASH_LEN).unwrap_or(0)];
        if !bytes.is_empty() {
            self.read(&format!("tree-{level}"), first * HASH_LEN, &mut bytes)?;
        }
        let (hashes, _) = bytes.as_chunks::<32>();
        Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
    }

    fn place(&self, index: u64) -> Result<Place, KeptError> {
        let mut bytes = [0; PLACE_LEN];
        self.read("places", index * PLACE_LEN as u64, &mut bytes)?;
        Place::decode(&bytes).ok_or_else(|| self.damaged())
    }

    fn read(&self, part: &str, at: u64, into: &mut [u8]) -> Result<(), KeptError> {
        let read = self.files.read_at(&self.part(part), at, into);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => self.damaged(),
            _ => KeptError::Io(self.part(part), error),
        })
    }

    fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    fn damaged(&self) -> KeptError {
        KeptError::Damaged(self.name.clone())
    }

    fn of_tree(&self, error: TileTreeError<KeptError>) -> KeptError {
        match error {
            TileTreeError::Read(error) => error,
            TileTreeError::Proof(_) => KeptError::Outside,
            TileTreeError::Width(_) => self.damaged(),
        }
    }
}

/// Where an item lies.
struct Place {
    offset: u64,
    number: u64,
    len: u32,
}

impl Place {
    fn end(&self) -> Option<u64> {
        self.offset.checked_add(u64::from(self.len))
    }

    fn encode(&self) -> [u8; PLACE_LEN] {
        let mut bytes = [0; PLACE_LEN];
        bytes[..8].copy_from_slice(&self.offset.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.len.to_be_bytes());
        let check = Place::check(&bytes);
        bytes[20..].copy_from_slice(&check);
        bytes
    }

    fn decode(bytes: &[u8; PLACE_LEN]) -> Option<Place> {
        let number = |at: usize| {
            let bytes: Option<[u8; 8]> = bytes[at..at + 8].try_into().ok();
            bytes.map(u64::from_be_bytes)
        };
        let len = u32::from_be_bytes(bytes[16..20].try_into().ok()?);
        (bytes[20..] == Place::check(bytes)).then_some(Place {
            offset: number(0)?,
            number: number(8)?,
            len,
        })
    }

    fn check(bytes: &[u8; PLACE_LEN]) -> [u8; 4] {
        let digest = Intl::digest(&[b"lingqu/place\0", &bytes[..20]]);
        [digest.0[0], digest.0[1], digest.0[2], digest.0[3]]
    }
}

/// The last tile of each level, which is not full: the number of its first hash, and its hashes.
#[derive(Clone, Debug)]
struct Levels {
    size: u64,
    levels: Vec<(u64, Vec<Hash>)>,
}

impl Levels {
    /// Adds a leaf; `added` hears of each hash and its level.
    fn push(&mut self, leaf: Hash, added: &mut impl FnMut(usize, Hash)) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push((0, Vec::new()));
            }
            let hashes = &mut self.levels[level].1;
            hashes.push(hash);
            added(level, hash);
            let width = usize::try_from(TILE_WIDTH).unwrap_or(usize::MAX);
            if !hashes.len().is_multiple_of(width) {
                return;
            }
            let mut full = hashes[hashes.len() - width..].to_vec();
            while full.len() > 1 {
                full = full
                    .chunks(2)
                    .map(|pair| node_hash::<Intl>(&pair[0], &pair[1]))
                    .collect();
            }
            hash = full[0];
        }
    }
}

/// Items on their way.
pub(crate) struct Appended {
    before: Kept,
    kept: Kept,
    levels: Levels,
    items: Vec<u8>,
    places: Vec<u8>,
    hashes: Vec<(usize, Hash)>,
}

impl Appended {
    /// Adds an item and the number that goes with it.
    ///
    /// # Errors
    /// [`KeptError::Io`].
    pub(crate) fn push(&mut self, number: u64, item: &[u8]) -> Result<(), KeptError> {
        let len = u32::try_from(item.len()).map_err(|_| KeptError::Outside)?;
        let offset = self.kept.bytes;
        let place = Place {
            offset,
            number,
            len,
        };
        self.places.extend_from_slice(&place.encode());
        self.items.extend_from_slice(item);
        let hashes = &mut self.hashes;
        let added = &mut |level, hash| hashes.push((level, hash));
        self.levels.push(leaf_hash::<Intl>(item), added);
        self.kept.size += 1;
        self.kept.bytes += u64::from(len);
        if self.items.len() + self.places.len() > GATHERED_MAX {
            self.write()?;
        }
        Ok(())
    }

    /// Makes all of it durable. It holds when somebody has said so.
    ///
    /// # Errors
    /// [`KeptError::Io`].
    pub(crate) fn finish(mut self) -> Result<Kept, KeptError> {
        if self.kept.size == self.before.size {
            return Ok(self.kept);
        }
        self.write()?;
        let parts = [
            ("items".to_owned(), self.kept.bytes),
            ("places".to_owned(), self.kept.size * PLACE_LEN as u64),
        ];
        let levels = (0..self.levels.levels.len()).map(|level| {
            let count = count_at(self.kept.size, level);
            (format!("tree-{level}"), count * HASH_LEN)
        });
        for (part, len) in parts.into_iter().chain(levels) {
            // A level that was begun and has nothing yet has no file.
            if len > 0 {
                self.io(&part, |files, name| files.settle(name, len))?;
            }
        }
        Ok(self.kept)
    }

    fn write(&mut self) -> Result<(), KeptError> {
        let (items, places) = (
            std::mem::take(&mut self.items),
            std::mem::take(&mut self.places),
        );
        let at = self.kept.bytes - items.len() as u64;
        self.io("items", |files, name| files.extend(name, at, &items))?;
        let at = self.kept.size * PLACE_LEN as u64 - places.len() as u64;
        self.io("places", |files, name| files.extend(name, at, &places))?;
        let mut levels: Vec<Vec<u8>> = vec![Vec::new(); self.levels.levels.len()];
        for (level, hash) in std::mem::take(&mut self.hashes) {
            levels[level].extend_from_slice(&hash.0);
        }
        for (level, bytes) in levels
            .iter()
            .enumerate()
            .filter(|(_, bytes)| !bytes.is_empty())
        {
            let at = count_at(self.kept.size, level) * HASH_LEN - bytes.len() as u64;
            self.io(&format!("tree-{level}"), |files, name| {
                files.extend(name, at, bytes)
            })?;
        }
        Ok(())
    }

    fn io(
        &self,
        part: &str,
        act: impl FnOnce(&Files, &str) -> io::Result<()>,
    ) -> Result<(), KeptError> {
        let name = self.kept.part(part);
        act(&self.kept.files, &name).map_err(|error| KeptError::Io(name, error))
    }
}

/// Hashes of a level of the tree of `size` leaves.
fn count_at(size: u64, level: usize) -> u64 {
    let shift = TILE_HEIGHT * u32::try_from(level).unwrap_or(u32::MAX / TILE_HEIGHT);
    size.checked_shr(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests;
