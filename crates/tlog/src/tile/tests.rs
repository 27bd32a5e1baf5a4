use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::oracle::leaves;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/tlog-vectors.json")).unwrap()
}

fn leaf_level() -> TileKind {
    TileKind::Hashes { level: 0 }
}

#[test]
fn numbers_are_spelled_as_the_reference_does() {
    let vectors = vectors();
    for (number, path) in vectors["tile_n_paths"].as_object().unwrap() {
        let tile = Tile::new(leaf_level(), number.parse().unwrap(), 256).unwrap();
        assert_eq!(
            tile.to_string(),
            format!("tile/0/{}", path.as_str().unwrap())
        );
        assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
    }
}

#[test]
fn the_tiles_of_a_tree_are_those_of_the_specification() {
    let spec = &vectors()["tiles_for_size_70000_spec"];
    let all: Vec<Tile> = Tile::all(70_000).collect();
    let count = |level: u8, full: bool| {
        let is = |tile: &&Tile| tile.kind() == TileKind::Hashes { level } && tile.is_full() == full;
        all.iter().filter(is).count() as u64
    };
    assert_eq!(count(0, true), spec["level0_full"].as_u64().unwrap());
    assert_eq!(count(1, true), spec["level1_full"].as_u64().unwrap());
    assert_eq!(count(2, true), 0);
    for (level, key) in [
        (0, "level0_partial"),
        (1, "level1_partial"),
        (2, "level2_partial"),
    ] {
        assert_eq!(count(level, false), 1);
        let width = spec[key].as_u64().unwrap();
        let kind = TileKind::Hashes { level };
        assert!(
            all.iter()
                .any(|tile| tile.kind() == kind && tile.width() == width),
            "{key}"
        );
    }
    // Entries have the shape of the leaves' level.
    let entries = all.iter().filter(|tile| tile.kind() == TileKind::Entries);
    assert_eq!(entries.count(), 274);
    let paths: Vec<String> = Tile::all(256).map(|tile| tile.to_string()).collect();
    assert_eq!(paths, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(Tile::all(0).count(), 0);
}

#[test]
fn the_tiles_that_a_tree_adds_are_the_references() {
    for case in vectors()["new_tiles"].as_array().unwrap() {
        let number = |key: &str| case[key].as_u64().unwrap();
        let hashes = |size| {
            Tile::all(size)
                .filter(|tile| tile.kind() != TileKind::Entries)
                .map(|tile| tile.to_string())
        };
        let before: Vec<String> = hashes(number("old")).collect();
        let new: Vec<String> = hashes(number("new"))
            .filter(|path| !before.contains(path))
            .collect();
        // The reference also lists the partial tiles in between; the ends are the same.
        for path in &new {
            let listed = case["paths_first4_last8"].as_array().unwrap();
            assert!(listed.iter().any(|one| one == path), "{path} of {case}");
        }
        assert!(new.len() as u64 <= number("count"));
    }
}

#[test]
fn other_spellings_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/+0/000",
        "tile/ 0/000",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/64/000",
        "tile/8/000.p/1",
        "tile/entries/x001/000.p/300",
        "tile/data/000",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/0/000\n",
        "tile/0/000.p/1.p/1",
    ] {
        assert_eq!(Tile::parse(path), None, "{path}");
    }
}

#[test]
fn no_tile_is_larger_than_a_tree() {
    let top = |index, width| Tile::new(TileKind::Hashes { level: 7 }, index, width);
    // 2^63 - 1 leaves are 127 whole hashes of level 7.
    assert!(top(0, 127).is_some());
    assert_eq!(top(0, 128), None);
    assert_eq!(top(1, 1), None);
    assert_eq!(Tile::new(TileKind::Hashes { level: 8 }, 0, 1), None);
    assert_eq!(Tile::new(leaf_level(), u64::MAX, 1), None);
    assert_eq!(Tile::new(leaf_level(), 0, 0), None);
    let last = MAX_TREE_SIZE / TILE_WIDTH;
    let tile = Tile::of_tree(leaf_level(), last, MAX_TREE_SIZE).unwrap();
    assert_eq!((tile.width(), tile.full()), (255, None));
    assert_eq!((tile.start(), tile.end()), ((1 << 63) - 256, 1 << 63));
    assert_eq!(top(0, 127).unwrap().end(), u64::MAX);
    assert_eq!(Tile::of_tree(leaf_level(), last + 1, MAX_TREE_SIZE), None);
}

#[test]
fn a_tiles_bytes_are_exactly_its_hashes() {
    let tile = Tile::new(leaf_level(), 0, 3).unwrap();
    let hashes = leaves(3);
    let bytes = encode_hashes(&hashes);
    assert_eq!(tile.hashes(&bytes), Some(hashes));
    assert_eq!(tile.hashes(&bytes[..95]), None);
    assert_eq!(tile.hashes(&bytes[..64]), None);
    assert_eq!(tile.hashes(&[bytes.as_slice(), &[0]].concat()), None);
    let entries = Tile::new(TileKind::Entries, 0, 3).unwrap();
    assert_eq!(entries.hashes(&bytes), None);
}

proptest! {
    #[test]
    fn paths_are_those_of_the_independent_crate(level in 0_u8..3, index in 0..1_u64 << 30, width in 1..=256_u64) {
        let tile = Tile::new(TileKind::Hashes { level }, index, width).unwrap();
        let theirs = tlog_tiles::Tile::new(8, level, index, width as u32, false).path();
        // That crate keeps the height in the path, as Go does.
        let theirs = theirs.replacen("tile/8/", "tile/", 1);
        prop_assert_eq!(tile.to_string(), theirs);
        prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
    }

    #[test]
    fn whatever_is_read_is_written_so(path in "tile/[0-9a-z]{1,7}/[x0-9/.p]{0,24}") {
        if let Some(tile) = Tile::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(path in any::<String>()) {
        prop_assert!(Tile::parse(&path).is_none());
    }
}
