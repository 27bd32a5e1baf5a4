//! Writing one log of an archive, entry by entry. The checkpoint comes last: a directory without one is no log, so an
//! export that was interrupted cannot be taken for a whole one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use lingqu_tlog::{
    Checkpoint, Note, TILE_WIDTH, Tile, TileBuilder, TileKind, encode_hashes, leaf_hash, push_entry,
};

use super::ArchiveFailed;

/// See the module.
pub struct ArchiveWriter {
    dir: PathBuf,
    origin: String,
    builder: TileBuilder,
    /// The entries of the last bundle, which is not full.
    bundle: Vec<u8>,
}

impl ArchiveWriter {
    /// Begins the log `origin` below `root`, where nothing of it may be yet.
    ///
    /// # Errors
    /// [`ArchiveFailed`].
    pub fn create(root: &Path, origin: &str) -> Result<ArchiveWriter, ArchiveFailed> {
        let dir = log_dir(root, origin)?;
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(|error| (parent.to_owned(), error))?;
        }
        match fs::create_dir(&dir) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(ArchiveFailed::Exists(dir));
            }
            Err(error) => return Err((dir, error).into()),
        }
        Ok(ArchiveWriter {
            dir,
            origin: origin.to_owned(),
            builder: TileBuilder::new(),
            bundle: Vec::new(),
        })
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.builder.size()
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`ArchiveFailed`].
    pub fn append(&mut self, entry: &[u8]) -> Result<(), ArchiveFailed> {
        let index = self.builder.size();
        let origin = self.origin.clone();
        push_entry(&mut self.bundle, entry).map_err(|_| ArchiveFailed::Entry { origin, index })?;
        for (tile, hashes) in self.builder.push(leaf_hash::<lingqu_tlog::Intl>(entry)) {
            self.write(tile, &encode_hashes(&hashes))?;
        }
        if self.builder.size().is_multiple_of(TILE_WIDTH) {
            self.write_bundle(index / TILE_WIDTH, TILE_WIDTH)?;
        }
        Ok(())
    }

    /// Writes what is partial, and the signed checkpoint, which must be about exactly what was appended.
    ///
    /// # Errors
    /// [`ArchiveFailed`].
    pub fn finish(mut self, checkpoint: &str) -> Result<(), ArchiveFailed> {
        let path = self.dir.join("checkpoint");
        let malformed = || ArchiveFailed::Checkpoint { path: path.clone() };
        let note = Note::parse(checkpoint).map_err(|_| malformed())?;
        let said = Checkpoint::parse(&note.text).map_err(|_| malformed())?;
        let size = self.builder.size();
        if said.origin != self.origin || (said.size, said.root) != (size, self.builder.root()) {
            return Err(ArchiveFailed::Root {
                origin: said.origin,
                size: said.size,
            });
        }
        if !size.is_multiple_of(TILE_WIDTH) {
            self.write_bundle(size / TILE_WIDTH, size % TILE_WIDTH)?;
        }
        let partial: Vec<_> = self
            .builder
            .partial()
            .map(|(tile, hashes)| (tile, encode_hashes(hashes)))
            .collect();
        for (tile, bytes) in partial {
            self.write(tile, &bytes)?;
        }
        create(&path, checkpoint.as_bytes())
    }

    fn write_bundle(&mut self, index: u64, width: u64) -> Result<(), ArchiveFailed> {
        let bundle = std::mem::take(&mut self.bundle);
        let tile = Tile::new(TileKind::Entries, index, width)
            .expect("the bundle of leaves that a tree has is one of its tiles");
        self.write(tile, &bundle)
    }

    fn write(&self, tile: Tile, bytes: &[u8]) -> Result<(), ArchiveFailed> {
        let path = self.dir.join(tile.to_string());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| (parent.to_owned(), error))?;
        }
        create(&path, bytes)
    }
}

/// The directory of a log: its origin, a path element each. An origin comes from outside, so it must not lead anywhere
/// else.
pub(super) fn log_dir(root: &Path, origin: &str) -> Result<PathBuf, ArchiveFailed> {
    let is_element = |part: &str| {
        !matches!(part, "" | "." | ".." | "tile" | "checkpoint")
            && part.len() <= 255
            && !part.contains(['\\', '\0'])
            && !part.contains(char::is_control)
    };
    if origin.split('/').all(is_element) {
        Ok(root.join(origin))
    } else {
        Err(ArchiveFailed::Origin(origin.to_owned()))
    }
}

/// Writes a new file and waits until the disk has it.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), ArchiveFailed> {
    let write = || {
        let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    };
    write().map_err(|error| (path.to_owned(), error).into())
}
