use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use tlog_tiles::HashReader;

use super::*;
use crate::frontier::Frontier;
use crate::oracle::{TilesStore, from_tiles, leaves, mth};
use crate::proof::{verify_consistency, verify_inclusion};
use crate::recent::RecentTree;
use crate::tile::encode_hashes;

type Files = BTreeMap<Tile, Vec<Hash>>;

/// The hash tiles of the first `size` leaves.
fn files(leaves: &[Hash]) -> (TileBuilder<Intl>, Files) {
    let mut builder = TileBuilder::new();
    let mut files: Files = leaves.iter().flat_map(|leaf| builder.push(*leaf)).collect();
    let partial: Vec<_> = builder
        .partial()
        .map(|(tile, hashes)| (tile, hashes.to_vec()))
        .collect();
    files.extend(partial);
    (builder, files)
}

fn tree(size: u64, files: &Files) -> TileTree<impl FnMut(Tile) -> Result<Vec<Hash>, Infallible>> {
    TileTree::new(size, |tile| Ok(files[&tile].clone()))
}

#[test]
fn exactly_the_tiles_of_the_tree_are_made() {
    let leaves = leaves(66_000);
    for size in [
        0, 1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 66_000,
    ] {
        let (builder, files) = files(&leaves[..size as usize]);
        let made: Vec<Tile> = files.keys().copied().collect();
        let mut expected: Vec<Tile> = Tile::all(size)
            .filter(|tile| tile.kind() != TileKind::Entries)
            .collect();
        expected.sort();
        assert_eq!(made, expected, "{size}");
        let widths = files
            .iter()
            .all(|(tile, hashes)| hashes.len() as u64 == tile.width());
        assert!(widths, "{size}");
        let mut frontier = Frontier::<Intl>::new();
        leaves[..size as usize]
            .iter()
            .for_each(|leaf| frontier.push(*leaf));
        assert_eq!(builder.root(), frontier.root(), "{size}");
        assert_eq!(builder.size(), size);
    }
}

#[test]
fn tiles_have_the_bytes_that_the_independent_crate_gives_them() {
    let leaves = leaves(1000);
    let (_, files) = files(&leaves);
    let store = TilesStore::new(&leaves);
    for (tile, hashes) in &files {
        let TileKind::Hashes { level } = tile.kind() else {
            panic!("only hashes were made");
        };
        let theirs = tlog_tiles::Tile::new(8, level, tile.index(), tile.width() as u32, false);
        assert_eq!(
            theirs.read_data(&store).unwrap(),
            encode_hashes(hashes),
            "{tile}"
        );
    }
}

#[test]
fn the_independent_crate_reads_our_tiles() {
    struct Reader(Files);
    impl tlog_tiles::TileReader for Reader {
        fn height(&self) -> u8 {
            8
        }
        fn read_tiles(
            &self,
            tiles: &[tlog_tiles::Tile],
        ) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
            let read = |tile: &tlog_tiles::Tile| {
                let path = tile.path().replacen("tile/8/", "tile/", 1);
                encode_hashes(&self.0[&Tile::parse(&path).unwrap()])
            };
            Ok(tiles.iter().map(read).collect())
        }
        fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
    }
    let leaves = leaves(1000);
    let (builder, files) = files(&leaves);
    let reader = Reader(files.clone());
    let root = tlog_tiles::Hash(builder.root().0);
    let theirs = tlog_tiles::TileHashReader::new(1000, root, &reader);
    let indexes: Vec<u64> = (0..1000)
        .map(|n| tlog_tiles::stored_hash_index(0, n))
        .collect();
    assert_eq!(from_tiles(theirs.read_hashes(&indexes).unwrap()), leaves);
    let proof = tlog_tiles::prove_record(1000, 700, &theirs).unwrap();
    assert_eq!(
        from_tiles(proof),
        tree(1000, &files).inclusion_proof(700, 1000).unwrap()
    );
}

#[test]
fn proofs_are_those_of_the_tree_in_memory() {
    let leaves = leaves(1500);
    let mut recent = RecentTree::from_frontier(Frontier::<Intl>::new());
    leaves.iter().for_each(|leaf| recent.push(*leaf));
    let (_, files) = files(&leaves);
    let mut tiled = tree(1500, &files);
    for size in [1, 2, 255, 256, 257, 700, 1024, 1499, 1500] {
        assert_eq!(tiled.root_at(size).unwrap(), recent.root_at(size).unwrap());
        for index in (0..size).step_by(37).chain([size - 1]) {
            let proof = tiled.inclusion_proof(index, size).unwrap();
            assert_eq!(proof, recent.inclusion_proof(index, size).unwrap());
            let consistency = tiled.consistency_proof(index, size).unwrap();
            assert_eq!(consistency, recent.consistency_proof(index, size).unwrap());
        }
    }
    assert_eq!(tiled.root_at(0).unwrap(), empty_root::<Intl>());
}

#[test]
fn what_is_not_in_the_tree_is_refused() {
    let leaves = leaves(300);
    let (_, files) = files(&leaves);
    let mut tiled = tree(300, &files);
    assert!(matches!(tiled.root_at(301), Err(TileTreeError::Proof(_))));
    assert!(matches!(
        tiled.inclusion_proof(300, 300),
        Err(TileTreeError::Proof(_))
    ));
    assert!(matches!(
        tiled.inclusion_proof(0, 301),
        Err(TileTreeError::Proof(_))
    ));
    assert!(matches!(
        tiled.inclusion_proof(u64::MAX, 300),
        Err(TileTreeError::Proof(_))
    ));
    assert!(matches!(
        tiled.consistency_proof(5, 4),
        Err(TileTreeError::Proof(_))
    ));
    let cut = |tile: Tile| Ok::<_, Infallible>(files[&tile][1..].to_vec());
    let mut cut = TileTree::<_, Intl>::new(300, cut);
    assert!(matches!(cut.root_at(300), Err(TileTreeError::Width(_))));
    let mut gone = TileTree::<_, Intl>::new(300, |_| Err("gone"));
    assert_eq!(gone.root_at(300), Err(TileTreeError::Read("gone")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_proof_verifies(size in 1_u64..2000, at in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let (builder, files) = files(&leaves);
        let mut tiled = tree(size, &files);
        let index = at.index(size as usize) as u64;
        let proof = tiled.inclusion_proof(index, size).unwrap();
        let leaf = leaves[index as usize];
        prop_assert!(verify_inclusion::<Intl>(leaf, index, size, builder.root(), &proof).is_ok());
        let old = index + 1;
        let proof = tiled.consistency_proof(old, size).unwrap();
        let old_root = mth(&leaves[..old as usize]);
        let verified = verify_consistency::<Intl>(old, size, old_root, builder.root(), &proof);
        prop_assert!(verified.is_ok());
    }
}
