//! Reading one log of an archive. Nothing is believed here: whoever uses an entry or a tile proves it against a signed
//! checkpoint.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use lingqu_tlog::{
    Checkpoint, Hash, Intl, MAX_ENTRY_BYTES, Note, TILE_WIDTH, Tile, TileBuilder, TileKind,
    decode_bundle, leaf_hash,
};

use super::ArchiveFailed;

/// Largest checkpoint with its signatures, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 1 << 20;
/// Largest bundle: 256 entries behind their lengths.
const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (MAX_ENTRY_BYTES as u64 + 2);

/// One log's directory.
#[derive(Clone, Debug)]
pub struct LogFiles {
    dir: PathBuf,
    /// The signed checkpoint, byte for byte; not verified.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl LogFiles {
    /// Opens the log in `dir`.
    ///
    /// # Errors
    /// [`ArchiveFailed`] when there is no readable checkpoint.
    pub fn open(dir: &Path) -> Result<LogFiles, ArchiveFailed> {
        let path = dir.join("checkpoint");
        let bytes = read(&path, CHECKPOINT_BYTES_MAX).map_err(|error| (path.clone(), error))?;
        let malformed = || ArchiveFailed::Checkpoint { path: path.clone() };
        let note = String::from_utf8(bytes).map_err(|_| malformed())?;
        let parsed = Note::parse(&note).map_err(|_| malformed())?;
        let checkpoint = Checkpoint::parse(&parsed.text).map_err(|_| malformed())?;
        Ok(LogFiles {
            dir: dir.to_owned(),
            note,
            checkpoint,
        })
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// [`ArchiveFailed::Tile`] when it is missing or has another width.
    pub fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, ArchiveFailed> {
        let (held, bytes) = self.bytes(tile, TILE_WIDTH * 32)?;
        let mut hashes = held.hashes(&bytes).ok_or_else(|| self.lost(tile))?;
        hashes.truncate(usize::try_from(tile.width()).expect("a width is at most 256"));
        Ok(hashes)
    }

    /// Entry `index`, which the checkpoint must have.
    ///
    /// # Errors
    /// [`ArchiveFailed`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ArchiveFailed> {
        let origin = self.checkpoint.origin.clone();
        let tile = Tile::of_tree(TileKind::Entries, index / TILE_WIDTH, self.checkpoint.size);
        let tile = tile.ok_or(ArchiveFailed::Entry { origin, index })?;
        let place = usize::try_from(index % TILE_WIDTH).expect("a remainder is below 256");
        let mut entries = self.bundle(tile)?;
        if place < entries.len() {
            return Ok(entries.swap_remove(place));
        }
        let origin = self.checkpoint.origin.clone();
        Err(ArchiveFailed::Entry { origin, index })
    }

    /// The last entry of which `find` makes something, and its index.
    ///
    /// # Errors
    /// [`ArchiveFailed`]
    pub(super) fn newest<T>(
        &self,
        find: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<(u64, T)>, ArchiveFailed> {
        let size = self.checkpoint.size;
        for number in (0..size.div_ceil(TILE_WIDTH)).rev() {
            let Some(tile) = Tile::of_tree(TileKind::Entries, number, size) else {
                continue;
            };
            let entries = self.bundle(tile)?;
            let found = (number * TILE_WIDTH..).zip(&entries);
            let newest = found
                .filter_map(|(index, entry)| Some((index, find(entry)?)))
                .last();
            if newest.is_some() {
                return Ok(newest);
            }
        }
        Ok(None)
    }

    /// Reads all entries, shows each to `visit`, and checks that they lead to every hash tile and to the checkpoint.
    ///
    /// # Errors
    /// [`ArchiveFailed`] names the first thing that does not fit, or is what `visit` returned.
    pub fn check(
        &self,
        mut visit: impl FnMut(u64, &[u8], &TileBuilder) -> Result<(), ArchiveFailed>,
    ) -> Result<(), ArchiveFailed> {
        let size = self.checkpoint.size;
        let mut builder: TileBuilder = TileBuilder::new();
        let bundles = Tile::all(size).take_while(|tile| tile.kind() == TileKind::Entries);
        for tile in bundles {
            for entry in self.bundle(tile)? {
                let index = builder.size();
                for (tile, hashes) in builder.push(leaf_hash::<Intl>(&entry)) {
                    self.compare(tile, &hashes)?;
                }
                visit(index, &entry, &builder)?;
            }
        }
        for (tile, hashes) in builder.partial() {
            self.compare(tile, hashes)?;
        }
        if builder.root() == self.checkpoint.root {
            Ok(())
        } else {
            let origin = self.checkpoint.origin.clone();
            Err(ArchiveFailed::Root { origin, size })
        }
    }

    fn compare(&self, tile: Tile, hashes: &[Hash]) -> Result<(), ArchiveFailed> {
        if self.hashes(tile)? == hashes {
            Ok(())
        } else {
            Err(self.lost(tile))
        }
    }

    fn bundle(&self, tile: Tile) -> Result<Vec<Vec<u8>>, ArchiveFailed> {
        let (held, bytes) = self.bytes(tile, BUNDLE_BYTES_MAX)?;
        let entries = decode_bundle(&bytes, held.width()).map_err(|_| self.lost(tile))?;
        let width = usize::try_from(tile.width()).expect("a width is at most 256");
        let entries = entries.into_iter().take(width);
        Ok(entries.map(<[u8]>::to_vec).collect())
    }

    /// A tile's bytes; those of the full one if the log no longer has the partial one.
    fn bytes(&self, tile: Tile, max: u64) -> Result<(Tile, Vec<u8>), ArchiveFailed> {
        for candidate in [Some(tile), tile.full()].into_iter().flatten() {
            if let Ok(bytes) = read(&self.dir.join(candidate.to_string()), max) {
                return Ok((candidate, bytes));
            }
        }
        Err(self.lost(tile))
    }

    fn lost(&self, tile: Tile) -> ArchiveFailed {
        ArchiveFailed::Tile(self.dir.join(tile.to_string()))
    }
}

/// Reads a file of at most `max` bytes. Links and devices are refused: whoever made the archive is a stranger.
pub(super) fn read(path: &Path, max: u64) -> std::io::Result<Vec<u8>> {
    let refused = |why| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(refused("not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(refused("too large"));
    }
    Ok(bytes)
}
