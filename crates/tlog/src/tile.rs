//! Tiles (C2SP tlog-tiles v0.1.0): a log as a finite set of static files.
//!
//! A tile is named by what it holds ([`TileKind`]), its number from the left, and its width: the
//! last tile of a level may be partial. A [`Tile`] exists only if some tree of at most
//! [`MAX_TREE_SIZE`] leaves has it, so that no later arithmetic can overflow.

use std::fmt;

use crate::checkpoint::MAX_TREE_SIZE;
use crate::encoding;
use crate::suite::Hash;

/// Hashes, or entries, of a full tile.
pub const TILE_WIDTH: u64 = 256;

/// Levels of the tree that one level of tiles spans.
pub const TILE_HEIGHT: u32 = 8;

/// Longest path of a tile in bytes; those of all tiles are far shorter.
const MAX_PATH_BYTES: usize = 64;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes. At level 0 those of leaves; above, each is the root of a full tile one level below.
    Hashes {
        /// The level; trees of [`MAX_TREE_SIZE`] leaves have levels 0 to 7.
        level: u8,
    },
    /// The entries themselves, see [`crate::encode_bundle`].
    Entries,
}

/// The name of one tile. `Display` gives its path below the log's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u64,
}

impl TileKind {
    /// The kind's level in terms of leaves: entries stand beside the leaves.
    fn level(self) -> u32 {
        match self {
            TileKind::Hashes { level } => u32::from(level),
            TileKind::Entries => 0,
        }
    }
}

impl Tile {
    /// The tile of this kind, number (from 0) and width (1 to [`TILE_WIDTH`]); `None` if no tree
    /// has it.
    pub fn new(kind: TileKind, index: u64, width: u64) -> Option<Tile> {
        if !(1..=TILE_WIDTH).contains(&width) || kind.level() > 7 {
            return None;
        }
        let hashes = index.checked_mul(TILE_WIDTH)?.checked_add(width)?;
        let leaves = u128::from(hashes) << (TILE_HEIGHT * kind.level());
        (leaves <= u128::from(MAX_TREE_SIZE)).then_some(Tile { kind, index, width })
    }

    /// The tile of this kind and number as wide as the tree of `size` leaves has it; `None` if it
    /// does not have it.
    pub fn of_tree(kind: TileKind, index: u64, size: u64) -> Option<Tile> {
        if kind.level() > 7 {
            return None;
        }
        let hashes = size >> (TILE_HEIGHT * kind.level());
        let before = index.checked_mul(TILE_WIDTH)?;
        let width = hashes.checked_sub(before)?.min(TILE_WIDTH);
        Tile::new(kind, index, width)
    }

    /// Every tile of the tree of `size` leaves: entries first, then hashes from level 0 upwards,
    /// each from the left.
    pub fn all(size: u64) -> impl Iterator<Item = Tile> {
        let levels = (0..8).map(|level| TileKind::Hashes { level });
        std::iter::once(TileKind::Entries)
            .chain(levels)
            .flat_map(move |kind| (0..).map_while(move |index| Tile::of_tree(kind, index, size)))
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number from the left, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Whether it will never grow.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile that this one becomes, which a log may serve in its place; `None` when no
    /// tree is large enough for it.
    pub fn full(&self) -> Option<Tile> {
        Tile::new(self.kind, self.index, TILE_WIDTH)
    }

    /// The index of the first leaf below the tile (tlog-tiles, "start index").
    pub fn start(&self) -> u64 {
        (self.index * TILE_WIDTH) << (TILE_HEIGHT * self.kind.level())
    }

    /// The index after the last leaf that the full tile spans (tlog-tiles, "end index"): a log
    /// may prune the tile when that is at most its minimum index. Saturates at `u64::MAX`.
    pub fn end(&self) -> u64 {
        let end = (u128::from(self.index + 1) * u128::from(TILE_WIDTH))
            << (TILE_HEIGHT * self.kind.level());
        u64::try_from(end).unwrap_or(u64::MAX)
    }

    /// Reads a path below the log's prefix.
    ///
    /// `None` for whatever [`Tile`] would not display, byte for byte.
    pub fn parse(path: &str) -> Option<Tile> {
        if path.len() > MAX_PATH_BYTES {
            return None;
        }
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes {
                level: encoding::from_decimal(level)?.try_into().ok()?,
            },
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, encoding::from_decimal(width)?),
            None => (rest, TILE_WIDTH),
        };
        let tile = Tile::new(kind, parse_index(number)?, width)?;
        // A number and a width have one spelling each; comparing settles all others at once.
        (tile.to_string() == path).then_some(tile)
    }

    /// Reads the bytes of a hash tile: exactly [`Tile::width`] hashes.
    ///
    /// `None` when they are more or fewer, or the tile holds entries.
    pub fn hashes(&self, bytes: &[u8]) -> Option<Vec<Hash>> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits =
            self.kind != TileKind::Entries && rest.is_empty() && hashes.len() as u64 == self.width;
        fits.then(|| hashes.iter().map(|hash| Hash(*hash)).collect())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() {
            return Ok(());
        }
        write!(f, ".p/{}", self.width)
    }
}

/// Reads groups of three digits, all but the last behind an `x`; other spellings of the same
/// number are found out by the caller.
fn parse_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    for group in text.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let group: u64 = digits.parse().ok()?;
        index = index.checked_mul(1000)?.checked_add(group)?;
    }
    Some(index)
}

/// The bytes of a hash tile.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests;
